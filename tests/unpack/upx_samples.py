"""ELF programs as UPX packs them, made for the tests; and blocks that UPX 4.0.1 made itself."""

from __future__ import annotations

import base64
import lzma
import struct
from collections.abc import Callable

CODE = b"\x90" * 40 + b"\xe8\x10\0\0\0" + b"\x0f\x84\x20\0\0\0" + b"This is code. " * 30
DATA = b"These are data of a program that UPX packed. " * 9
TAIL = b"Sections and their names lie behind what is loaded. "
CALL_BYTE = 0x04

BLOCKS: dict[int, bytes] = {
    2: base64.b85decode(
        "_WL3Ke??420s#R40{}h%4bWi^w`31?Ko@XF0wWVR0NJwcyA1^&03HAa4+JL%mh3`K*a8S=H$q<7c^Cr+8~~@"
        "Vx8wmg0KhiNE_-1I01!6?pvaay*#}uy0XOoMoo@sQpa;;706V)OTQ>&yurdcO<k>3_6F2xJ0{P0$L6|)U@Bs"
        "h}atH}e1UOsBDVql%05>^hlOtFML;#TddkZUXQ{{AImA!)<P&a(<zz3Ma67u{B0B=zSI|4fw01$6dtTB*qhf"
        "v4|0Dxg6X955K00000K>q"
    ),
    5: base64.b85decode(
        "?fW7Be??420s#R40{}h%8qi@M_Dg%%Kre7d0!Jq}01XP9+FJV`03HAa9t2Mh*aEv-+Jy+uZx|2{OD^O98~_2"
        "m*eP~y0l+p701%$G3a)PjK@VA10lSG^LT=xn5)TY*$yd;h0B;6wuXYyjurd!26L0t>b`EkO0+>AyCWhOt@a+"
        "zt1afMVK{yW}0JX`{7H?P&@^=e4L;zOaQ{{AIb{=*>P;Y$i0S`Hrkf;0!0N+tzN3eq~0TADJ4pf{{4^RybBu"
        "Q8t&j3(KlK%"
    ),
    8: base64.b85decode(
        "w)-Iee??420s#R40{}h%8_;1N-`)0YKre7d0uv`V01XNs0CH$+?;ZdK9t2Mh*aGHeV-pC^Zx|5|TQVW98~_1"
        "s?Zh6j0l+p701$8TEkG~@K@VA10k!)QTW{Z>5)TJcn|#oY0N)1iu*lh~oiYy)6L0t>u6CYG0+>Ay@SI%3+x-"
        "up1UR)Nr?w9u0B?kx+HzPAL;yBG^4kR8Q{{AIP;X0~+WCC%0T28M00cXnY2Q&U0V#^*b`alE4<Q|EqEL_z&m"
        "~EcBme*aK>q"
    ),
}
"""The headers of Debian's `ls`, packed by UPX with `--nrv2b`, `--nrv2d` and `--nrv2e`."""

BLOCKS_SIZE = 792
BLOCKS_SHA256 = "7198ec759dc842b279bcbea408394f5f0dd261f3bab2b8b10602d02bf82e8c71"


def original(*, wide: bool = True, big: bool = False) -> bytes:
    """A program of two segments with something between and behind them."""
    order = ">" if big else "<"
    rows = [(5, 0, 0x200 + len(CODE)), (6, 0x600, len(DATA))]
    if wide:
        head = struct.pack(
            order + "HHIQQQIHHHHHH", 2, 62, 1, 0x400200, 64, 0, 0, 64, 56, len(rows), 64, 0, 0
        )
        table = b"".join(
            struct.pack(order + "IIQQQQQQ", 1, f, o, 0x400000 + o, 0, n, n, 0x1000)
            for f, o, n in rows
        )
    else:
        head = struct.pack(
            order + "HHIIIIIHHHHHH", 2, 8, 1, 0x400200, 52, 0, 0, 52, 32, len(rows), 40, 0, 0
        )
        table = b"".join(
            struct.pack(order + "IIIIIIII", 1, o, 0x400000 + o, 0, n, n, f, 0x1000)
            for f, o, n in rows
        )
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    first = (ident + head + table).ljust(0x200, b"\0") + CODE
    return first.ljust(0x600, b"\x33") + DATA + TAIL


def filtered(code: bytes) -> bytes:
    """Code with the distances of calls and jumps turned into places, as filter 0x49 does."""
    out = bytearray(code)
    for at in (40, 46):
        distance = int.from_bytes(out[at + 1 : at + 5], "little")
        place = (distance + at + 1 & 0xFFFFFF) | CALL_BYTE << 24
        out[at + 1 : at + 5] = place.to_bytes(4, "big")
    return bytes(out)


def block(data: bytes, order: str, method: int = 14, filter_: int = 0, size: int = 0) -> bytes:
    """A block; of method 0 it is stored."""
    packed = data
    if method == 14:
        rows = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2}]
        packed = b"\x1a\x03" + lzma.compress(data, lzma.FORMAT_RAW, filters=rows)
        method = method if len(packed) < len(data) else 0
        packed = packed if method else data
    byte = CALL_BYTE if filter_ else 0
    head = struct.pack(order + "IIBBBB", size or len(data), len(packed), method, filter_, byte, 0)
    return head + packed


def upx_elf(*, wide: bool = True, big: bool = False, between: bool = True) -> bytes:
    """That program packed.

    Args:
        wide: whether it is of 64 bits.
        big: whether its numbers begin with the highest byte.
        between: whether what is not loaded is there.
    """
    data = original(wide=wide, big=big)
    order = ">" if big else "<"
    first = 64 + 2 * 56 if wide else 52 + 2 * 32
    behind = data[0x200 : 0x200 + len(CODE)]
    shell = data[:16] + bytes(200)
    mark = struct.pack(order + "I4sHBB", 0, b"UPX!", 0, 14, 22)
    mark += struct.pack(order + "III", 0, len(data), 0x10000)
    body = block(data[:first], order) + block(data[first:0x200], order)
    body += block(filtered(behind), order, filter_=0x49) + block(DATA, order)
    code = b"The code that unpacks is here. "
    gaps = block(data[0x200 + len(CODE) : 0x600], order) + block(TAIL, order)
    return shell + mark + body + code + (gaps if between else b"") + struct.pack("4s", b"UPX!")


SAMPLES: dict[str, Callable[[], bytes]] = {"upx_elf": upx_elf}
