"""The VBA projects of a compound file."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.unpack.cfb import CompoundFile, Entry
from tocsin.unpack.interface import Item, Member, Reason, Remark, Trait
from tocsin.unpack.parts import Parts
from tocsin.unpack.vba import (
    Module,
    decompress,
    find_source,
    is_source,
    is_stomped,
    project_text,
    read_dir,
    read_whole,
)

_DIR_BYTES = 4 * 1024 * 1024
"""Most bytes of a dir stream, compressed and not; a project of 1000 modules has 200 kB."""

_TEXT_BYTES = 32 * 1024 * 1024
"""Most bytes of modules that are written once more as one text."""

_NO_MODULES = ("dir", "_vba_project")


def projects(file: CompoundFile, parts: Parts) -> Iterator[Item]:
    """Hand out the source of each module and of each project as a whole.

    A module is matched as clamscan matches it, as of type `MSOLE2`; the project's text as a
    script.
    """
    storages: dict[int, dict[str, Entry]] = {}
    for entry in file.streams:
        storages.setdefault(entry.storage, {}).setdefault(entry.name.lower(), entry)
    for storage, streams in storages.items():
        if "_vba_project" in streams or ("dir" in streams and _is_vba(file, storage)):
            yield from _project(file, file.folder(storage), streams, parts)


def _is_vba(file: CompoundFile, storage: int) -> bool:
    return file.storage_name(storage).upper() == "VBA"


def _project(
    file: CompoundFile, folder: str, streams: dict[str, Entry], parts: Parts
) -> Iterator[Item]:
    modules = _modules(file, streams, parts)
    sources: list[tuple[Module, bytes]] = []
    size = 0
    for module in modules:
        parts.budget.check_time()
        entry = streams.pop(module.stream.lower(), None)
        if entry is None:
            continue
        stream = file.read(entry, entry.size)
        offset = module.offset
        if offset < 0 or not is_source(stream, offset):
            offset = find_source(stream)
        name = f"{folder}{module.name}.bas"
        if offset < 0:
            yield parts.skip(
                name, Reason.DAMAGED, "the module's source cannot be found", len(stream)
            )
            continue
        for item in parts.member(
            name, decompress(stream, offset), len(stream) - offset, type_name="MSOLE2"
        ):
            yield item
            if isinstance(item, Member):
                size += item.size
                if size <= _TEXT_BYTES:
                    sources.append((module, item.data))
                if is_stomped(stream[:offset], item.data):
                    detail = "the source of a macro is not what its p-code was made from"
                    yield Remark(Trait.STOMPED, detail, name)
    if sources:
        yield Remark(Trait.MACROS, f"{len(sources)} VBA modules", folder.rstrip("/"))
        yield from parts.member(
            f"{folder}project.vba", project_text(sources), 0, type_name="SCRIPT"
        )


def _modules(file: CompoundFile, streams: dict[str, Entry], parts: Parts) -> list[Module]:
    """The modules that the dir stream names, and streams that hold source unnamed."""
    known: list[Module] = []
    directory = streams.get("dir")
    if directory is not None:
        blob = read_whole(file.read(directory, _DIR_BYTES), 0, _DIR_BYTES, parts.budget)
        known = read_dir(blob)
    named = {module.stream.lower() for module in known}
    for name, entry in streams.items():
        if name in named or name in _NO_MODULES or name.startswith("__srp_"):
            continue
        parts.budget.check_time()
        place = find_source(file.read(entry, entry.size))
        if place >= 0:
            known.append(Module(entry.name, entry.name, place))
    return known
