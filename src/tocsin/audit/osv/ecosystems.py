"""Which package of which OSV ecosystem a component is."""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.audit.model import Component
from tocsin.audit.packages.python_installed import normalised
from tocsin.audit.purl import Purl, full_name, parse

_OF_TYPE = {
    "pypi": "PyPI",
    "npm": "npm",
    "maven": "Maven",
    "golang": "Go",
    "cargo": "crates.io",
    "gem": "RubyGems",
    "nuget": "NuGet",
    "composer": "Packagist",
    "pub": "Pub",
    "hex": "Hex",
    "swift": "SwiftURL",
    "conan": "ConanCenter",
    "cran": "CRAN",
    "hackage": "Hackage",
    "bitnami": "Bitnami",
    "githubactions": "GitHub Actions",
    "vscode": "VSCode",
}
_DISTRIBUTIONS = {
    ("deb", "debian"): "Debian",
    ("deb", "ubuntu"): "Ubuntu",
    ("apk", "alpine"): "Alpine",
    ("apk", "wolfi"): "Wolfi",
    ("apk", "chainguard"): "Chainguard",
    ("rpm", "redhat"): "Red Hat",
    ("rpm", "rhel"): "Red Hat",
    ("rpm", "rocky"): "Rocky Linux",
    ("rpm", "almalinux"): "AlmaLinux",
    ("rpm", "alma"): "AlmaLinux",
    ("rpm", "opensuse"): "openSUSE",
    ("rpm", "suse"): "SUSE",
    ("rpm", "sles"): "SUSE",
    ("rpm", "mageia"): "Mageia",
    ("rpm", "openeuler"): "openEuler",
    ("rpm", "azurelinux"): "Azure Linux",
    ("rpm", "photon"): "Photon OS",
}
_FAMILIES = frozenset({"deb", "apk", "rpm"})
_WITHOUT_RELEASES = frozenset({"Wolfi", "Chainguard"})
_SOURCE_NAMES = frozenset({"Debian", "Ubuntu", "Alpine"})
"""Where records name the source that packages are built from."""

_RELEASE_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_WORD = re.compile(r"[:\s]+")
_ROLLING = frozenset({"sid", "edge", "tumbleweed", "rolling"})


class Identity(NamedTuple):
    """A package as records name it.

    Attributes:
        ecosystem: without its release.
        name: as `comparable_name` gives it.
        version: of what records count; of a Debian package its source's, where that differs.
        release: of a distribution: `12`, `22.04`, `v3.19`; empty where there are none.
    """

    ecosystem: str
    name: str
    version: str
    release: str = ""


class ReleaseUnknown(NamedTuple):
    """A distribution's package of which nobody said which distribution, or release, it is of."""

    family: str


def identify(component: Component, system: str = "") -> Identity | ReleaseUnknown | None:
    """Tell what records would call a component.

    Args:
        component: with or without a package URL.
        system: the distribution that packages without one are of, as OSV names it: `Debian:12`.

    Returns:
        None for what no ecosystem has.
    """
    purl = parse(component.purl) if component.purl else Purl(component.kind, "", component.name)
    if purl is None:
        return None
    version = component.version or purl.version
    if purl.type in _OF_TYPE:
        ecosystem = _OF_TYPE[purl.type]
        name = full_name(purl) if component.purl else component.name
        return Identity(ecosystem, comparable_name(ecosystem, name), version)
    if purl.type not in _FAMILIES:
        return None
    return _of_distribution(purl, version, system)


def _of_distribution(purl: Purl, version: str, system: str) -> Identity | ReleaseUnknown:
    told, _, release = purl.qualifier("distro").partition("-")
    ecosystem = _DISTRIBUTIONS.get((purl.type, purl.namespace)) or _DISTRIBUTIONS.get(
        (purl.type, told.lower())
    )
    named, _, named_release = system.partition(":")
    if ecosystem is None and (not system or _family(named) != purl.type):
        return ReleaseUnknown(purl.type)
    ecosystem = ecosystem or named
    if not release and named == ecosystem:
        release = named_release
    if not release and ecosystem not in _WITHOUT_RELEASES:
        return ReleaseUnknown(purl.type)
    name = purl.name
    if ecosystem in _SOURCE_NAMES:
        upstream, _, source_version = purl.qualifier("upstream").partition("@")
        name, version = upstream or name, source_version or version
    epoch = purl.qualifier("epoch")
    if epoch and ":" not in version:
        version = f"{epoch}:{version}"
    return Identity(ecosystem, comparable_name(ecosystem, name), version, release)


def _family(ecosystem: str) -> str:
    for (family, _), name in _DISTRIBUTIONS.items():
        if name == ecosystem:
            return family
    return ""


def comparable_name(ecosystem: str, name: str) -> str:
    """A name as its ecosystem compares it."""
    if ecosystem == "PyPI":
        return normalised(name)
    if ecosystem in ("NuGet", "Packagist", "GitHub Actions", "VSCode"):
        return name.lower()
    return name


def is_of_release(stated: str, release: str) -> bool:
    """Whether a record's release is the one of a system.

    Args:
        stated: `12`, `22.04:LTS`, `v3.19`, `enterprise_linux:9::baseos`,
            `Linux Enterprise Server 15 SP5`; empty: every release.
        release: of the system: `12`, `9.4`, `3.19.1`.
    """
    if not stated or not release:
        return True
    if stated.lower() == release.lower():
        return True
    words = {word.lower().removeprefix("v") for word in _WORD.split(stated)}
    wanted = release.lower().removeprefix("v")
    if wanted in words:
        return True
    if wanted in _ROLLING:
        return False
    numbers = _RELEASE_NUMBER.findall(wanted)
    if len(numbers) != 1:
        return False
    parts = numbers[0].split(".")
    # A system says 9.4 where records say 9, and 3.19.1 where they say v3.19.
    return any(".".join(parts[:count]) in words for count in range(1, len(parts)))
