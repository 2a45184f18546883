"""The rules, by ecosystem as OSV names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tocsin.audit.osv.versions import distributions, languages, maven, semantic

Key = Callable[[str], Any]
MOST_CHARACTERS = 1_000

_RULES: dict[str, Key] = {
    "PyPI": languages.pep440,
    "npm": semantic.key,
    "crates.io": semantic.key,
    "Go": semantic.key,
    "Pub": semantic.key,
    "Hex": semantic.key,
    "SwiftURL": semantic.key,
    "GitHub Actions": semantic.key,
    "ConanCenter": semantic.key,
    "Bitnami": semantic.key,
    "VSCode": semantic.key,
    "NuGet": languages.nuget,
    "Packagist": languages.packagist,
    "RubyGems": languages.rubygems,
    "Maven": maven.key,
    "Hackage": languages.numbers,
    "CRAN": languages.numbers,
    "Bioconductor": languages.numbers,
    "Debian": distributions.dpkg,
    "Ubuntu": distributions.dpkg,
    "Alpine": distributions.apk,
    "Alpaquita": distributions.apk,
    "BellSoft Hardened Containers": distributions.apk,
    "Chainguard": distributions.apk,
    "Wolfi": distributions.apk,
    "MinimOS": distributions.apk,
    "Red Hat": distributions.rpm,
    "Rocky Linux": distributions.rpm,
    "AlmaLinux": distributions.rpm,
    "openSUSE": distributions.rpm,
    "SUSE": distributions.rpm,
    "Mageia": distributions.rpm,
    "openEuler": distributions.rpm,
    "Azure Linux": distributions.rpm,
    "Photon OS": distributions.rpm,
}


def rule(ecosystem: str) -> Key | None:
    """The rule of an ecosystem, without its release; None where it is not known."""
    return _RULES.get(ecosystem)


def key(found: Key, version: str) -> Any:
    """A version's key.

    Raises:
        ValueError: it is no version by that rule.
    """
    if len(version) > MOST_CHARACTERS:
        raise ValueError(f"a version of more than {MOST_CHARACTERS:,} characters")
    return found(version)
