"""Container signatures (`.cdb`): a member's name, sizes, encryption and place in its archive.

Source: ClamAV manual, "Container metadata signatures".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.level import parse_levels
from tocsin.signatures.clamav.pcre import check_regex
from tocsin.signatures.clamav.type_names import known_type

Range = tuple[int, int]


class ContainerSignature(NamedTuple):
    """A parsed container signature; None in a field asks for nothing.

    Attributes:
        name: name of the detection.
        container: type name of the container without `CL_TYPE_`, or None for any.
        container_size: bytes of the container, both ends included.
        member_name: regular expression searched for in the member's name, or None.
        packed_size: bytes of the member inside the container.
        size: bytes of the member taken out.
        encrypted: whether the member is encrypted.
        position: number of the member, counted from 1.
        crc: CRC-32 of the member, as RAR and zip state it.
    """

    name: str
    container: str | None
    container_size: Range | None
    member_name: str | None
    packed_size: Range | None
    size: Range | None
    encrypted: bool | None
    position: Range | None
    crc: int | None


def parse_container(line: str) -> ContainerSignature | None:
    """Read `NAME:CONTAINER:CSIZE:REGEX:FSIZEC:FSIZER:ENC:POS:RES1:RES2[:MINFL[:MAXFL]]`.

    Returns:
        The signature, or None when meant for another engine.

    Raises:
        SignatureError: the line is malformed.
    """
    fields = line.split(":")
    if not 10 <= len(fields) <= 12 or not fields[0]:
        raise SignatureError("a container signature has 10 to 12 fields divided by ':'")
    if not parse_levels(fields[10:]):
        return None
    name, container, csize, regex, packed, size, encrypted, position, crc = fields[:9]
    if container != "*" and not known_type(container):
        raise SignatureError(f"container {container!r} is neither a known CL_TYPE_… nor *")
    if encrypted not in ("*", "0", "1"):
        raise SignatureError(f"encryption {encrypted!r} is neither 0, 1 nor *")
    try:
        checksum = None if crc in ("*", "") else int(crc[:16], 16)
    except ValueError:
        raise SignatureError(f"CRC {crc!r} is not hexadecimal") from None
    if regex != "*":
        check_regex(regex, "")
    return ContainerSignature(
        name=name,
        container=None if container == "*" else container.removeprefix("CL_TYPE_"),
        container_size=_range(csize),
        member_name=None if regex == "*" else regex,
        packed_size=_range(packed),
        size=_range(size),
        encrypted=None if encrypted == "*" else encrypted == "1",
        position=_range(position),
        crc=checksum,
    )


_BOUNDS = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}).*)?\Z", re.S)


def _range(text: str) -> Range | None:
    """Read `N`, `N-M` or `*`; what stands behind M is passed over, as clamscan does."""
    if text == "*":
        return None
    bounds = _BOUNDS.match(text)
    if bounds is None:
        raise SignatureError(f"{text[:24]!r} is neither N, N-M nor *")
    return int(bounds[1]), int(bounds[2] or bounds[1])
