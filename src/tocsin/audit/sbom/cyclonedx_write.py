"""A bill of materials of a Python environment: CycloneDX 1.6 as JSON, the same bytes every time.

No time and no random number is in it: two environments with the same distributions give the same
bill. Needed for this project's own, which its audit reads.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from tocsin.audit.packages.python_installed import normalised
from tocsin.audit.purl import write
from tocsin.errors import UsageError

_NAMESPACE = uuid.UUID("4d9d3c0e-7c1c-4f0b-9b57-6c7a1f6f2b7e")
_REFERENCE_KINDS = {
    "homepage": "website",
    "home": "website",
    "source": "vcs",
    "source code": "vcs",
    "repository": "vcs",
    "code": "vcs",
    "github": "vcs",
    "documentation": "documentation",
    "docs": "documentation",
    "issues": "issue-tracker",
    "issue tracker": "issue-tracker",
    "bug tracker": "issue-tracker",
    "tracker": "issue-tracker",
    "changelog": "release-notes",
    "release notes": "release-notes",
    "download": "distribution",
}


def bill_of(folders: Sequence[Path], subject: str) -> bytes:
    """Write the bill of an environment.

    Args:
        folders: where its distributions are, such as `site-packages`.
        subject: the distribution that the bill is about.

    Raises:
        UsageError: that one is not there.
    """
    found: dict[str, Distribution] = {}
    for each in distributions(path=[str(folder) for folder in folders]):
        if _said(each, "Name"):
            found.setdefault(normalised(_said(each, "Name")), each)
    main = found.get(normalised(subject))
    if main is None:
        raise UsageError(f"there is no distribution {subject!r} in {', '.join(map(str, folders))}")
    components = [_component(found[name]) for name in sorted(found) if found[name] is not main]
    bill: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**_component(main), "type": "application"}},
        "components": components,
        "dependencies": [
            {"ref": _purl(found[name]), "dependsOn": _needs(found[name], found)}
            for name in sorted(found)
        ],
    }
    # Named by its content, as the serial number must differ between bills that do.
    serial = uuid.uuid5(_NAMESPACE, json.dumps(bill, sort_keys=True))
    bill = {**bill, "serialNumber": f"urn:uuid:{serial}"}
    return json.dumps(bill, indent=2, ensure_ascii=False).encode() + b"\n"


def _said(distribution: Distribution, key: str) -> str:
    """A field of its metadata; empty where it has none, which some readers raise for."""
    metadata = distribution.metadata
    return metadata[key] or "" if key in metadata else ""


def _component(distribution: Distribution) -> dict[str, Any]:
    purl = _purl(distribution)
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": _said(distribution, "Name"),
        "version": distribution.version or "",
        "purl": purl,
    }
    author = _said(distribution, "Author") or _said(distribution, "Author-email")
    if author and author != "UNKNOWN":
        component["authors"] = [{"name": author}]
    if _said(distribution, "Summary"):
        component["description"] = _said(distribution, "Summary")
    expression = _said(distribution, "License-Expression")
    if expression:
        component["licenses"] = [{"expression": expression}]
    elif _said(distribution, "License") and len(_said(distribution, "License")) < 100:
        component["licenses"] = [{"license": {"name": _said(distribution, "License")}}]
    references = list(_references(distribution))
    if references:
        component["externalReferences"] = references
    return component


def _references(distribution: Distribution) -> Iterable[dict[str, str]]:
    metadata = distribution.metadata
    pairs = [("homepage", _said(distribution, "Home-page"))]
    for entry in metadata.get_all("Project-URL") or []:
        label, _, address = entry.partition(",")
        pairs.append((label.strip().lower(), address.strip()))
    seen = set()
    for label, address in pairs:
        kind = _REFERENCE_KINDS.get(label, "other")
        if "://" in address and " " not in address and (kind, address) not in seen:
            seen.add((kind, address))
            yield {"type": kind, "url": address}


def _needs(distribution: Distribution, found: dict[str, Distribution]) -> list[str]:
    """What it asks for in this environment and without extras, as far as it is there."""
    wanted = set()
    for written in distribution.requires or []:
        try:
            requirement = Requirement(written)
        except InvalidRequirement:
            continue
        name = normalised(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and name in found:
            wanted.add(_purl(found[name]))
    return sorted(wanted)


def _purl(distribution: Distribution) -> str:
    return write("pypi", normalised(_said(distribution, "Name")), distribution.version or "")
