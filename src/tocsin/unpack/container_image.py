"""Images of containers, as `docker save` and OCI tools write them: their layers' files.

Layers come in their order, their files as `layer N (digest)!/path`. What a layer removes from
those below it is remarked upon; the files below are looked at all the same, since whoever has
the image has them.

Source: OCI Image Format Specification 1.1, `layout.md`, `manifest.md`, `layer.md`; Moby,
`image/spec/v1.2.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack import bzip2, gzip, xz, zstd
from tocsin.unpack.interface import (
    MIB,
    Budget,
    Item,
    Limits,
    Member,
    Reason,
    Remark,
    Skipped,
    Trait,
)
from tocsin.unpack.tar import UNPACKER as TAR

_LARGEST_INDEX = 4 * MIB
_MOST_LAYERS = 1024
_PACKED = (
    (b"\x1f\x8b", gzip.UNPACKER),
    (b"\x28\xb5\x2f\xfd", zstd.UNPACKER),
    (b"BZh", bzip2.UNPACKER),
    (b"\xfd7zXZ\0", xz.UNPACKER),
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


class ContainerImageUnpacker:
    """Unpacks images of containers; everything in them that is no layer is a member too."""

    types = frozenset({"CONTAINER_IMAGE"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        order = _layers(data, budget)
        kept: dict[str, Member] = {}
        position = 0
        stop: LimitReached | None = None
        try:
            for item in TAR.members(data, budget, passwords):
                name = _plain(item.name)
                if isinstance(item, Member) and name in order and name not in kept:
                    kept[name] = item
                    continue
                position += 1
                yield item._replace(position=position)
        except LimitReached as error:
            stop = error  # the layers that came out before it are looked at first
        for number, name in enumerate(order, start=1):
            layer = kept.pop(name, None)
            if layer is None:
                if stop is None:
                    yield Skipped(name, Reason.DAMAGED, f"layer {number} is not in the archive")
                continue
            for each in _layer(layer, number, budget, passwords):
                if isinstance(each, Member | Skipped):
                    position += 1
                    yield each._replace(position=position)
                else:
                    yield each
        if stop is not None:
            raise stop


def _plain(name: str) -> str:
    return name.removeprefix("./")


def _layer(
    layer: Member, number: int, budget: Budget, passwords: Sequence[bytes]
) -> Iterator[Item]:
    """The files of one layer, or the layer itself where it is no tar archive."""
    found = _DIGEST.search(layer.name)
    title = f"layer {number}" + (f" ({found[0][:12]})" if found else "")
    if not layer.complete:
        yield Skipped(layer.name, Reason.DAMAGED, f"{title}: {layer.note}")
    for data in _unpacked(layer, title, budget, passwords):
        if isinstance(data, Skipped):
            yield data
            continue
        try:
            for item in TAR.members(data, budget, passwords):
                yield from _file(item, title)
        except FormatError:
            yield layer._replace(name=f"{title}!/{layer.name}", data=data, size=len(data))


def _unpacked(
    layer: Member, title: str, budget: Budget, passwords: Sequence[bytes]
) -> Iterator[bytes | Skipped]:
    for magic, unpacker in _PACKED:
        if not layer.data.startswith(magic):
            continue
        for item in unpacker.members(layer.data, budget, passwords):
            if isinstance(item, Skipped):
                yield item._replace(name=layer.name, detail=f"{title}: {item.detail}")
                continue
            if not item.complete:
                yield Skipped(layer.name, Reason.DAMAGED, f"{title}: {item.note}")
            yield item.data
        return
    yield layer.data


def _file(item: Member | Skipped, title: str) -> Iterator[Item]:
    name = _plain(item.name)
    folder, slash, last = name.rpartition("/")
    if last == _OPAQUE:
        yield Remark(Trait.NOTE, f"{title} hides what was in {folder or '/'}", item.name)
    elif last.startswith(_WHITEOUT):
        gone = f"{folder}{slash}{last.removeprefix(_WHITEOUT)}"
        yield Remark(Trait.NOTE, f"{title} removes {gone}", item.name)
    if not last.startswith(_WHITEOUT) or item.size:
        yield item._replace(name=f"{title}!/{name}")


def _layers(data: bytes, budget: Budget) -> dict[str, None]:
    """Names of the members that are layers, in their order.

    Raises:
        LimitReached: there was no time left.
    """
    small = _small_files(data, budget)
    order: dict[str, None] = {}
    images = _decoded(small.get("manifest.json"))
    for image in images if isinstance(images, list) else []:
        if isinstance(image, dict):
            _add(order, image.get("Layers"))
    pending = [_decoded(small.get("index.json"))]
    seen: set[str] = set()
    while pending and len(order) < _MOST_LAYERS:
        node = pending.pop()
        if not isinstance(node, dict):
            continue
        _add(order, [_blob(each) for each in _list(node.get("layers"))])
        for each in reversed(_list(node.get("manifests"))):
            name = _blob(each)
            if name and name not in seen:
                seen.add(name)
                pending.append(_decoded(small.get(name)))
    return order


def _small_files(data: bytes, budget: Budget) -> dict[str, bytes]:
    """The members that may be indexes, by name."""
    names: dict[str, bytes] = {}
    looking = Budget(Limits(_LARGEST_INDEX, 0, 0, budget.limits.max_depth, 0))
    for item in TAR.members(data, looking, ()):
        budget.check_time()
        if isinstance(item, Member) and item.data[:1] in (b"{", b"["):
            names[_plain(item.name)] = item.data
    return names


def _decoded(text: bytes | None) -> object:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _list(value: object) -> list[object]:
    return value[:_MOST_LAYERS] if isinstance(value, list) else []


def _add(order: dict[str, None], names: object) -> None:
    for name in _list(names):
        if isinstance(name, str) and name and len(order) < _MOST_LAYERS:
            order[_plain(name)] = None


def _blob(descriptor: object) -> str:
    """Where the layout keeps what a descriptor names: `blobs/sha256/…`."""
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    return f"blobs/{digest.replace(':', '/', 1)}" if isinstance(digest, str) else ""


UNPACKER = ContainerImageUnpacker()
