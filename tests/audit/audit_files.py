"""Files that an audit looks at, built when a test runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from audit.program_samples import docker_archive, pe

DPKG = """\
Package: kesl
Status: install ok installed
Maintainer: Kaspersky <info@kaspersky.com>
Architecture: amd64
Version: 12.1.0-1297
Description: Endpoint Security for Linux

Package: bash
Status: install ok installed
Maintainer: Matthias Klose <doko@debian.org>
Architecture: amd64
Version: 5.2.15-2
Description: shell

"""


def infected_image() -> bytes:
    """With a package and a program of a supplier under a rule, and a malicious package."""
    strings = {"CompanyName": "AO Kaspersky Lab", "FileVersion": "21.3.10.391"}
    return docker_archive(
        {"var/lib/dpkg/status": DPKG.encode(), "opt/av/scanner.exe": pe(strings)},
        {"app/node_modules/left-padd/package.json": b'{"name":"left-padd","version":"1.0.1"}'},
    )


def bill(names: Iterable[str]) -> bytes:
    """A bill of materials of npm packages."""
    components = [
        {
            "type": "library",
            "bom-ref": f"r{number}",
            "name": name,
            "version": "1.0.0",
            "purl": f"pkg:npm/{name.replace('@', '%40')}@1.0.0",
        }
        for number, name in enumerate(names)
    ]
    stated = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    return json.dumps({**stated, "components": components}).encode()


def advisories(folder: Path) -> Path:
    """A database laid out as the malicious-packages collection is."""
    place = folder / "osv" / "malicious" / "npm" / "left-padd"
    place.mkdir(parents=True)
    (place / "MAL-2024-7.json").write_text(
        json.dumps(
            {
                "schema_version": "1.5.0",
                "id": "MAL-2024-7",
                "modified": "2024-03-02T00:00:00Z",
                "published": "2024-03-01T00:00:00Z",
                "summary": "Malicious code in left-padd (npm)",
                "affected": [
                    {
                        "package": {"ecosystem": "npm", "name": "left-padd"},
                        "versions": ["1.0.1"],
                    }
                ],
            }
        )
    )
    return folder / "osv"


def own_list(folder: Path) -> Path:
    """A supplier of the user's own, with a rule of the user's own."""
    for kind in ("suppliers", "rules"):
        (folder / "own" / kind).mkdir(parents=True)
    (folder / "own" / "suppliers" / "acme.toml").write_text(
        """id = "acme"
name = "Acme Software"

[[marker]]
kind = "package"
value = "npm:acme-*"
products = ["other"]
confidence = 0.9
"""
    )
    (folder / "own" / "rules" / "house-acme.toml").write_text(
        """id = "house-acme"
title = "No software of Acme"
authority = "Our own purchasing"
instrument = "House rule 7"
citation = "House rule 7"
jurisdiction = "DE"
suppliers = ["acme"]
status = "in-force"
basis = "primary"

[[rule]]
name = "none"
summary = "Nothing of Acme is used here"
kind = "use-ban"
binds = ["customer"]
operations = ["use", "install"]
products = ["other"]
embedded = "included"
effective = 2024-01-01T00:00:00+01:00
basis = "primary"
nexus = { places = ["DE"] }
"""
    )
    return folder / "own"
