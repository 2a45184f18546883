"""Images of containers (Docker, OCI), which are tar archives of tar archives."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BLOCK = 512
_INDEX = re.compile(rb"(?:\./)?(?:manifest\.json|index\.json|oci-layout)\0")
_NAMES = (b"manifest.json\0", b"oci-layout\0")
_MOST_PLACES = 64


def find_container_images(data: bytes) -> Iterator[str]:
    """Whether a tar archive is the image of a container.

    Args:
        data: the archive. One of the files that name the layers must stand at its top; that
            a member has such a name is not enough, it must be a header's name.
    """
    for name in _NAMES:
        at = data.find(name)
        for _ in range(_MOST_PLACES):
            if at < 0:
                break
            header = at - at % _BLOCK
            if at - header <= 2 and _INDEX.match(data, header) and _is_header(data, header):
                yield "CONTAINER_IMAGE"
                return
            at = data.find(name, at + 1)


def _is_header(data: bytes, at: int) -> bool:
    """Whether a tar header of a plain file stands here, by its magic and checksum."""
    block = data[at : at + _BLOCK]
    if len(block) < _BLOCK or block[156:157] not in (b"0", b"\0"):
        return False
    stated = block[148:156].strip(b" \0")
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    return stated.isdigit() and set(stated) <= set(b"01234567") and int(stated, 8) == total
