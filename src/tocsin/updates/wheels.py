"""Wheels: which of a set fit a machine, and whether the set is whole; nothing of them is executed.

Publisher and device share this module, so that what one publishes the other can install. A set
is whole for a machine when everything that its wheels need there is in it, in a version that
they take. Whatever is missing is said and never looked for elsewhere: who could put a project of
that name anywhere would be asked to run code here (dependency confusion).

Formats: binary distribution format (PyPA, "File name convention", "File contents"); core metadata
2.x (`Requires-Dist`, `Requires-Python`); platform compatibility tags; dependency specifiers.
"""

from __future__ import annotations

import email.parser
import email.policy
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import IO, NamedTuple, cast

from packaging import tags as platform_tags
from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from tocsin.updates.errors import WheelError

MOST_WHEEL_BYTES = 1 << 30
MOST_UNPACKED_BYTES = 4 << 30
"""Bytes of all files of one wheel, unpacked."""

ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError, KeyError),
)
"""What reading a damaged archive may raise, besides `OSError`."""

_MOST_METADATA_BYTES = 1 << 20
_MOST_MEMBERS = 100_000
_MOST_REQUIREMENTS = 1_000
_MOST_NAME = 200
_MOST_TAGS = 1_000


class WheelName(NamedTuple):
    """What the file name of a wheel says.

    Attributes:
        file: the name itself.
        project: normalised.
        version: of the project.
        build: build tag, () for none; the later of two is preferred.
        tags: what it is for.
    """

    file: str
    project: NormalizedName
    version: Version
    build: tuple[()] | tuple[int, str]
    tags: frozenset[Tag]


class WheelFacts(NamedTuple):
    """What a wheel says in its metadata.

    Attributes:
        name: what its file name says; the metadata says the same.
        requires: what it needs, with conditions.
        python: versions of Python that it takes.
    """

    name: WheelName
    requires: tuple[Requirement, ...]
    python: SpecifierSet


class Machine(NamedTuple):
    """What wheels are chosen for.

    Attributes:
        name: in words.
        markers: values for conditions (dependency specifiers, "Environment Markers").
        tags: what it takes, the best first.
    """

    name: str
    markers: Mapping[str, str]
    tags: tuple[Tag, ...]


def this_machine() -> Machine:
    """This one, and the Python that runs this."""
    markers = cast("Mapping[str, str]", default_environment())
    return _machine(markers, tuple(platform_tags.sys_tags()))


def _machine(markers: Mapping[str, str], tags: tuple[Tag, ...]) -> Machine:
    name = (
        f"{markers['implementation_name']} {markers['python_version']} on "
        f"{markers['sys_platform']} {markers['platform_machine']}"
    )
    return Machine(name, markers, tags)


# --- names --------------------------------------------------------------------------------


def parse_name(file: str) -> WheelName:
    """Read a wheel's file name.

    Raises:
        WheelError: it is none.
    """
    if len(file) > _MOST_NAME or not file.isascii() or "/" in file or "\\" in file:
        raise WheelError(f"{file[:80]!r}: this is no name of a wheel")
    if _tag_count(file) > _MOST_TAGS:
        raise WheelError(f"{file[:80]!r}: it names more platforms than there are")
    try:
        project, version, build, tags = parse_wheel_filename(file)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise WheelError(f"{file[:80]!r}: this is no name of a wheel: {error}") from None
    return WheelName(file, project, version, build, tags)


def _tag_count(file: str) -> int:
    """How many tags a name stands for: each part may have several, and all are combined."""
    count = 1
    for part in file.removesuffix(".whl").split("-")[-3:]:
        count *= part.count(".") + 1
    return count


def choose_wheels(names: Iterable[WheelName], machine: Machine) -> dict[NormalizedName, WheelName]:
    """For each project the wheel that suits a machine best, left out where none does.

    Raises:
        WheelError: a project is there in two versions, so that it is unclear what is meant.
    """
    rank = {tag: place for place, tag in reversed(list(enumerate(machine.tags)))}
    versions: dict[NormalizedName, WheelName] = {}
    chosen: dict[NormalizedName, tuple[int, tuple[int, str], WheelName]] = {}
    for name in names:
        first = versions.setdefault(name.project, name)
        if first.version != name.version:
            raise WheelError(f"{name.project} is there twice: {first.file} and {name.file}")
        places = [rank[tag] for tag in name.tags if tag in rank]
        if not places:
            continue
        build = name.build or (-1, "")
        held = chosen.get(name.project)
        if held is None or (-min(places), build) > (-held[0], held[1]):
            chosen[name.project] = (min(places), build, name)
    return {project: name for project, (_, _, name) in chosen.items()}


# --- what is in one -----------------------------------------------------------------------


def read_facts(file: IO[bytes], name: WheelName) -> WheelFacts:
    """Look into a wheel, without unpacking it.

    Args:
        file: open, seekable; it stays open.
        name: what its file name says.

    Raises:
        WheelError: it is damaged, not what its name says, or has members that reach out of it.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _demand_members(archive, name)
            data = archive.read(_metadata_of(archive, name))
    except (*ARCHIVE_ERRORS, OSError) as error:
        raise WheelError(f"{name.file}: this is no wheel: {error}") from error
    return _facts(data, name)


def _demand_members(archive: zipfile.ZipFile, name: WheelName) -> None:
    """Insist that everything in a wheel lands inside the folder it is unpacked to."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise WheelError(f"{name.file}: more than {_MOST_MEMBERS:,} files are in it")
    seen = set()
    for member in members:
        path = member.filename
        parts = PurePosixPath(path).parts
        outside = not parts or path.startswith("/") or ".." in path.split("/")
        if outside or "\\" in path or "\0" in member.orig_filename:
            raise WheelError(f"{name.file}: {path[:80]!r} in it is no path inside of a wheel")
        mode = member.external_attr >> 16
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WheelError(f"{name.file}: {path[:80]!r} in it is packed in an unknown way")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise WheelError(f"{name.file}: {path[:80]!r} in it is no file")
        if parts in seen:
            raise WheelError(f"{name.file}: {path[:80]!r} is in it twice")
        seen.add(parts)
    if sum(member.file_size for member in members) > MOST_UNPACKED_BYTES:
        raise WheelError(f"{name.file}: unpacked it has more than {MOST_UNPACKED_BYTES:,} bytes")


def _metadata_of(archive: zipfile.ZipFile, name: WheelName) -> zipfile.ZipInfo:
    folders = {
        path.partition("/")[0]
        for path in archive.namelist()
        if path.partition("/")[0].endswith(".dist-info")
    }
    if len(folders) != 1:
        raise WheelError(f"{name.file}: it has {len(folders)} folders of metadata instead of one")
    folder = folders.pop()
    try:
        for needed in ("WHEEL", "RECORD"):
            if archive.getinfo(f"{folder}/{needed}").file_size > _MOST_METADATA_BYTES * 16:
                raise WheelError(f"{name.file}: {needed} in it is too large")
        found = archive.getinfo(f"{folder}/METADATA")
    except KeyError as error:
        raise WheelError(f"{name.file}: it has not all metadata: {error.args[0]}") from None
    if found.file_size > _MOST_METADATA_BYTES:
        raise WheelError(f"{name.file}: its metadata has more than {_MOST_METADATA_BYTES:,} bytes")
    return found


def _facts(data: bytes, name: WheelName) -> WheelFacts:
    headers = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(data)
    project, version = str(headers["Name"]).strip(), str(headers["Version"]).strip()
    try:
        is_same = canonicalize_name(project) == name.project and Version(version) == name.version
    except InvalidVersion:
        is_same = False
    if not is_same:
        raise WheelError(f"{name.file}: in it is {project[:80]} {version[:40]}")
    lines = headers.get_all("Requires-Dist", [])
    if len(lines) > _MOST_REQUIREMENTS:
        raise WheelError(f"{name.file}: it needs more than {_MOST_REQUIREMENTS:,} projects")
    try:
        requires = tuple(Requirement(str(line)) for line in lines)
        python = SpecifierSet(str(headers.get("Requires-Python", "")))
    except (InvalidRequirement, InvalidSpecifier, RecursionError) as error:
        raise WheelError(f"{name.file}: what it needs cannot be read: {error}") from None
    for each in requires:
        if each.url:
            raise WheelError(
                f"{name.file}: it wants {each.name} from an address; a release has every wheel"
            )
    return WheelFacts(name, requires, python)


# --- whether a set is whole ---------------------------------------------------------------


def demand_whole(
    wheels: Mapping[NormalizedName, WheelFacts], wanted: str, machine: Machine
) -> tuple[WheelFacts, ...]:
    """Find everything that a project needs on a machine.

    Args:
        wheels: those that fit the machine, by project.
        wanted: the project.
        machine: where it is to run.

    Returns:
        What is to be installed, by name; what is not needed is left out.

    Raises:
        WheelError: something is missing, or in a version that is not taken; all of it is named.
    """
    todo: list[tuple[Requirement, str]] = [(Requirement(wanted), "")]
    done: set[tuple[NormalizedName, str]] = set()
    needed: dict[NormalizedName, WheelFacts] = {}
    wrong: dict[str, None] = {}
    while todo:
        requirement, asked_by = todo.pop()
        project = canonicalize_name(requirement.name)
        facts = wheels.get(project)
        by = f" ({asked_by} needs it)" if asked_by else ""
        if facts is None:
            wrong[f"there is no wheel of {project}{by}"] = None
            continue
        version = facts.name.version
        if not requirement.specifier.contains(version, prereleases=True):
            wrong[f"{project} is {version}, and {asked_by} needs {requirement.specifier}"] = None
        if project not in needed:
            needed[project] = facts
            if not facts.python.contains(machine.markers["python_full_version"], prereleases=True):
                wrong[f"{facts.name.file} needs Python {facts.python}"] = None
        for extra in ("", *sorted(requirement.extras)):
            if (project, extra) not in done:
                done.add((project, extra))
                todo += [(each, facts.name.file) for each in _asked(facts, extra, machine)]
    if wrong:
        raise WheelError(f"not whole for {machine.name}: {'; '.join(sorted(wrong)[:20])}")
    return tuple(needed[project] for project in sorted(needed))


def _asked(facts: WheelFacts, extra: str, machine: Machine) -> Iterable[Requirement]:
    """What one wheel needs on a machine, for an extra."""
    values = cast("dict[str, str]", {**machine.markers, "extra": extra})
    for each in facts.requires:
        try:
            holds = not extra if each.marker is None else each.marker.evaluate(values)
        except ValueError as error:  # a comparison that has no meaning
            raise WheelError(f"{facts.name.file}: {each}: {error}") from None
        if holds:
            yield each


# --- the machines that a set is for -------------------------------------------------------


def machines_of(names: Collection[WheelName], here: Machine) -> list[Machine]:
    """The machines that a set is made for, as the tags of its compiled wheels have them.

    A wheel for one version of CPython and one platform (`cp311-cp311-manylinux_2_17_x86_64`)
    says that the set is for such machines. A set without such wheels is for any, and is looked
    at for this one.

    Args:
        names: of all wheels.
        here: this machine.
    """
    seen: dict[tuple[str, str, str], set[str]] = {}
    for name in names:
        for tag in name.tags:
            if tag.interpreter.startswith("cp3") and tag.abi == tag.interpreter:
                if tag.platform == "any":
                    continue
                kind, processor = _platform(tag.platform)
                seen.setdefault((tag.interpreter, kind, processor), set()).add(tag.platform)
    return [_machine_for(*key, sorted(found)) for key, found in sorted(seen.items())] or [here]


_KINDS = {"manylinux": "linux", "musllinux": "linux", "linux": "linux", "macosx": "darwin"}
_PROCESSORS = ("x86_64", "aarch64", "arm64", "armv7l", "i686", "ppc64le", "s390x", "riscv64")


def _platform(platform: str) -> tuple[str, str]:
    """The kind of a platform tag, and its processor."""
    kind = next((kind for kind in _KINDS if platform.startswith(kind)), platform)
    return kind, next((each for each in _PROCESSORS if platform.endswith(each)), "")


def _machine_for(interpreter: str, kind: str, processor: str, named: Sequence[str]) -> Machine:
    minor = int(interpreter[3:]) if interpreter[3:].isdecimal() else 0
    system = _KINDS.get(kind, "win32")
    markers = {
        "implementation_name": "cpython",
        "implementation_version": f"3.{minor}.99",
        "os_name": "nt" if system == "win32" else "posix",
        "platform_machine": processor,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}.get(system, "Windows"),
        "platform_version": "",
        "python_full_version": f"3.{minor}.99",
        "python_version": f"3.{minor}",
        "sys_platform": system,
    }
    platforms = [*_every_platform(kind, processor), *named]
    version = (3, minor)
    found = [
        *platform_tags.cpython_tags(version, platforms=platforms),
        *platform_tags.compatible_tags(version, f"cp3{minor}", platforms),
    ]
    return _machine(markers, tuple(dict.fromkeys(found)))


def _every_platform(kind: str, processor: str) -> Iterable[str]:
    """Tags of all C libraries of a kind: what the newest machine takes."""
    if kind == "manylinux":
        yield from (f"manylinux_2_{minor}_{processor}" for minor in range(60, 4, -1))
        yield from (f"manylinux{old}_{processor}" for old in ("2014", "2010", "1"))
    elif kind == "musllinux":
        yield from (f"musllinux_1_{minor}_{processor}" for minor in range(20, 0, -1))
    elif kind == "macosx":
        for major in range(30, 10, -1):
            yield f"macosx_{major}_0_{processor}"
            yield f"macosx_{major}_0_universal2"
    yield f"linux_{processor}"


__all__ = [
    "Machine",
    "WheelFacts",
    "WheelName",
    "choose_wheels",
    "demand_whole",
    "machines_of",
    "parse_name",
    "read_facts",
    "this_machine",
]
