"""Writes compound files and VBA projects for the tests; small, and independent of the reader.

Source: MS-CFB, MS-OVBA.
"""

from __future__ import annotations

from struct import pack

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR, MINI, CUTOFF = 512, 64, 4096

Tree = dict[str, "bytes | Tree"]


def compound(tree: Tree, *, sector: int = SECTOR, free_between: bool = False) -> bytes:
    """A compound file.

    Args:
        tree: names and bytes, or names and trees for storages.
        sector: bytes of a sector, 512 or 4096.
        free_between: scatter the sectors, so that no two of a stream are neighbours.
    """
    rows: list[list[object]] = [["Root Entry", 5, -1, -1, -1, END, 0, b""]]
    _add(rows, 0, tree)
    sectors: list[bytes] = []
    fat: list[int] = []

    def place(data: bytes) -> int:
        if not data:
            return END
        first = before = -1
        for at in range(0, len(data), sector):
            if free_between:
                sectors.append(b"\xee" * sector)
                fat.append(FREE)
            number = len(sectors)
            sectors.append(data[at : at + sector].ljust(sector, b"\0"))
            fat.append(END)
            if before >= 0:
                fat[before] = number
            else:
                first = number
            before = number
        return first

    mini, mini_fat = b"", []
    for row in rows:
        data = row[7]
        assert isinstance(data, bytes)
        if row[1] != 2 or not data:
            continue
        row[6] = len(data)
        if len(data) >= CUTOFF:
            row[5] = place(data)
            continue
        start, count = len(mini) // MINI, (len(data) + MINI - 1) // MINI
        mini += data.ljust(count * MINI, b"\0")
        mini_fat += [*range(start + 1, start + count), END]
        row[5] = start
    rows[0][5], rows[0][6] = place(mini), len(mini)
    first_mini = place(pack(f"<{len(mini_fat)}I", *mini_fat))
    directory = b"".join(map(_entry, rows))
    per = sector // 128
    directory += _entry(["", 0, -1, -1, -1, 0, 0, b""]) * (-len(rows) % per)
    first_dir = place(directory)
    slots = sector // 4
    count = 1
    while (len(sectors) + count + slots - 1) // slots > count:
        count += 1
    first_fat = len(sectors)
    fat += [FAT] * count
    fat += [FREE] * (count * slots - len(fat))
    table = pack(f"<{len(fat)}I", *fat)
    sectors += [table[at : at + sector] for at in range(0, len(table), sector)]
    difat = [*range(first_fat, first_fat + count)] + [FREE] * (109 - count)
    shift = sector.bit_length() - 1
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += pack("<HHHHH6x", 0x3E, 3 if sector == 512 else 4, 0xFFFE, shift, 6)
    header += pack("<IIIIIIIII", 0, count, first_dir, 0, CUTOFF, first_mini if mini_fat else END,
                   bool(mini_fat), END, 0)  # fmt: skip
    header += pack("<109I", *difat)
    return header.ljust(sector, b"\0") + b"".join(sectors)


def _add(rows: list[list[object]], parent: int, tree: Tree) -> None:
    """Append the entries of a storage as a chain of right siblings."""
    before = -1
    for name, value in tree.items():
        number = len(rows)
        data = value if isinstance(value, bytes) else b""
        rows.append([name, 2 if isinstance(value, bytes) else 1, -1, -1, -1, 0, 0, data])
        if before < 0:
            rows[parent][4] = number
        else:
            rows[before][3] = number
        before = number
        if not isinstance(value, bytes):
            _add(rows, number, value)


def _entry(row: list[object]) -> bytes:
    name, kind, left, right, child, start, size, _data = row
    raw = str(name).encode("utf-16-le") + b"\0\0" if name else b""
    return pack(
        "<64sHBBiii16sI16sIQ", raw, len(raw), kind, 1, left, right, child, bytes(16), 0, bytes(16),
        start, size,
    )  # fmt: skip


def squeeze(data: bytes) -> bytes:
    """A compressed container of MS-OVBA: literals, and copies where a chunk repeats itself."""
    out = b"\1"
    for start in range(0, len(data), 4096):
        chunk = data[start : start + 4096]
        body = bytearray()
        at = 0
        while at < len(chunk):
            flags, tokens = 0, bytearray()
            for bit in range(8):
                if at >= len(chunk):
                    break
                found = _repeat(chunk, at)
                if found is None:
                    tokens.append(chunk[at])
                    at += 1
                    continue
                back, length = found
                bits = 16 - max((at - 1).bit_length(), 4)
                tokens += ((back - 1) << bits | (length - 3)).to_bytes(2, "little")
                flags |= 1 << bit
                at += length
            body += bytes([flags]) + tokens
        out += (len(body) + 2 - 3 | 0xB000).to_bytes(2, "little") + body
    return out


def _repeat(chunk: bytes, at: int) -> tuple[int, int] | None:
    place = chunk.rfind(chunk[at : at + 3], 0, at + 2) if at + 3 <= len(chunk) else -1
    if place < 0 or place >= at:
        return None
    longest = (0xFFFF >> max((at - 1).bit_length(), 4)) + 3
    length = 3
    while (
        length < longest
        and at + length < len(chunk)
        and (chunk[place + length] == chunk[at + length])
    ):
        length += 1
    return at - place, length


def _record(number: int, value: bytes) -> bytes:
    return pack("<HI", number, len(value)) + value


def project(modules: dict[str, bytes], p_code: bytes = b"", code_page: int = 1252) -> Tree:
    """The storage of a VBA project, complete as far as readers look."""
    records = (
        _record(1, pack("<I", 1)) + _record(2, pack("<I", 1033)) + _record(0x14, pack("<I", 1033))
        + _record(3, pack("<H", code_page)) + _record(4, b"VBAProject") + _record(5, b"")
        + _record(0x40, b"") + _record(6, b"") + _record(0x3D, b"") + _record(7, pack("<I", 0))
        + _record(8, pack("<I", 0)) + pack("<HIIH", 9, 4, 1, 1) + _record(0xC, b"")
        + _record(0x3C, b"")
    )  # fmt: skip
    records += _record(0xF, pack("<H", len(modules))) + _record(0x13, b"\xff\xff")
    streams: Tree = {}
    for name, source in modules.items():
        raw, text = name.encode("cp1252"), name.encode("utf-16-le")
        records += (
            _record(0x19, raw) + _record(0x47, text) + _record(0x1A, raw) + _record(0x32, text)
            + _record(0x1C, b"") + _record(0x48, b"") + _record(0x31, pack("<I", len(p_code)))
            + _record(0x1E, pack("<I", 0)) + _record(0x2C, b"\xff\xff") + _record(0x21, b"")
            + _record(0x2B, b"")
        )  # fmt: skip
        streams[name] = p_code + squeeze(source)
    records += _record(0x10, b"")
    streams["dir"] = squeeze(records)
    streams["_VBA_PROJECT"] = b"\xcc\x61\xff\xff\0\0\0"
    return streams
