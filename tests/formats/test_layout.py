"""Entry points, sections, imports and version strings, by hand and against clamscan."""

from __future__ import annotations

import hashlib
import random
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import images
from formats.images import MARK, PLAIN
from tocsin.formats.executable import read_layout
from tocsin.formats.identify import identify
from tocsin.formats.layout import Layout, Section
from tocsin.formats.macho import fat_slices
from tocsin.formats.pe import (
    hashed_sections,
    import_string,
    read_pe_layout,
    version_info_offsets,
)
from tocsin.formats.pe_ordinals import ordinal_name

S = Section
OVERLAP = ((0x1000, 0x200, 0x400, 0x200), (0x1100, 0x200, 0x600, 0x200))
SECTORS = ((0x1000, 0x200, 0x600, 0x200), (0x2000, 0, 0x800, 0x200))
AWAY = ((0x1000, 0x200, 0x5000, 0x200), PLAIN[1])

# Each with what clamscan 1.4.6 was seen to do.
PE_CASES: list[tuple[str, bytes, Layout | None]] = [
    ("plain", images.pe(), Layout(0x400, (S(0x400, 0x200), S(0x600, 0x200)))),
    ("plus", images.pe(plus=True), Layout(0x400, (S(0x400, 0x200), S(0x600, 0x200)))),
    (
        "entry in headers",
        images.pe(entry=0x100),
        Layout(0x100, (S(0x400, 0x200), S(0x600, 0x200))),
    ),
    (
        "headers rounded up",
        images.pe(size=0x1800, headers=0x1200),
        Layout(0x1000, (S(0x400, 0x200), S(0x600, 0x200))),
    ),
    ("entry nowhere", images.pe(entry=0x5000), None),
    ("no section", images.pe(count=0), None),
    ("table cut off", images.pe(count=60), None),
    ("short optional header", images.pe(optional_size=0x10), None),
    (
        "last of overlapping",
        images.pe(OVERLAP, entry=0x1100),
        Layout(0x700, (S(0x400, 0x200), S(0x600, 0x200))),
    ),
    (
        "raw offset rounded",
        images.pe(((0x1000, 0x200, 0x410, 0x1F0), PLAIN[1])),
        Layout(0x400, (S(0x400, 0x200), S(0x600, 0x200))),
    ),
    (
        "falls back to sectors",
        images.pe(
            ((0x1000, 0x200, 0x600, 0x200), (0x2000, 0, 0x800, 0x200)), 0x2000, file_unit=0x1000
        ),
        Layout(0x600, (S(0x600, 0x200), S(0x800, 0x200))),
    ),
    (
        "section outside the file",
        images.pe(AWAY, entry=0x2000),
        Layout(0x600, (S(0x5000, 0), S(0x600, 0x200))),
    ),
    ("cut at the end", images.pe(size=0x700), Layout(0x400, (S(0x400, 0x200), S(0x600, 0x100)))),
    ("sign bit", images.pe(((0x80001000, 0x200, 0x400, 0x200), PLAIN[1]), entry=0x2000), None),
    ("only MZ", b"MZ" + bytes(100), None),
]


@pytest.mark.parametrize(("name", "data", "layout"), PE_CASES)
def test_pe(name: str, data: bytes, layout: Layout | None) -> None:
    assert read_pe_layout(data) == layout


def test_elf() -> None:
    layout = Layout(0x310, (S(0, 0), S(0x300, 0x80), S(0x400, 0x100)))
    assert read_layout(images.elf(), "ELF") == layout
    assert read_layout(images.elf(entry=0x9000), "ELF") is None
    assert read_layout(images.elf(row_size=40), "ELF") is None
    assert read_layout(images.elf(count=0), "ELF") is None
    assert read_layout(images.elf(count=257, size=0x6000), "ELF") is None
    assert read_layout(images.elf(programs=129), "ELF") is None
    assert read_layout(images.elf()[:0x600], "ELF") is None


def test_macho() -> None:
    layout = Layout(0x410, (S(0x400, 0x80), S(0x480, 0x80)))
    assert read_layout(images.macho(), "MACHO") == layout
    assert read_layout(images.macho(order="<"), "MACHO") == layout
    assert read_layout(images.macho(cpu=7), "MACHO") == layout._replace(entry_point=0)
    assert read_layout(images.macho(align=32), "MACHO") is None
    assert read_layout(images.macho(commands=0), "MACHO") is None
    assert read_layout(images.macho(commands=1025), "MACHO") is None


def test_slices_of_a_universal_binary() -> None:
    head = struct.pack(">IIIIIIIIIIII", 0xCAFEBABE, 2, 7, 3, 64, 16, 0, 18, 3, 80, 999, 0)
    assert fat_slices(head.ljust(100, b"x")) == (S(64, 16),)
    assert fat_slices(head[:20]) == ()
    assert fat_slices(struct.pack(">II", 0xCAFEBABE, 52).ljust(4096, b"\1")) == ()


def test_other_types_have_no_layout() -> None:
    assert read_layout(images.pe(), "TEXT_ASCII") is None
    assert read_layout(b"", "MSEXE") is None


IMPORTS: list[tuple[list[tuple[str, list[str | int]]], str | None]] = [
    ([("KERNEL32.dll", ["ExitProcess"]), ("b.OCX", ["X", "y_.1"])],
     "kernel32.exitprocess,b.x,b.y_.1"),
    ([("foo.bar.dll", ["f"]), ("drv.drv", ["f"])], "foo.bar.dll.f,drv.drv.f"),
    ([("WS2_32.dll", [115, 9999]), ("oleaut32.dll", [2])],
     "ws2_32.wsastartup,ws2_32.ord9999,oleaut32.sysallocstring"),
    ([("ws2_32.sys", [115]), ("xws2_32.dll", [115])], "ws2_32.ord115,xws2_32.ord115"),
    ([("a.dll", ["?foo@@YA"])], None),
    ([("a.dll", [""])], "a."),
    ([("a.dll", []), ("b.dll", ["x"])], "b.x"),
    ([("a.dll", ["f" * 257])], "a." + "f" * 256),
]  # fmt: skip


@pytest.mark.parametrize(("libraries", "text"), IMPORTS)
def test_imports(libraries: list[tuple[str, list[str | int]]], text: str | None) -> None:
    assert import_string(images.pe_with_imports(libraries)) == text


def test_ordinals() -> None:
    assert ordinal_name("ws2_32", 1) == "accept"
    assert ordinal_name("ws2_32", 500) == "wep"
    assert ordinal_name("oleaut32", 1) == "ord1"
    assert ordinal_name("mfc42", 1) == "ord1"


VERSION = images.pe_with_version([("CompanyName", "Acme"), ("Empty", ""), ("FileVersion", "1.0")])


def test_version_strings() -> None:
    places = version_info_offsets(VERSION)
    names = [VERSION[place : place + 22].decode("utf-16-le") for place in places]
    assert names == ["CompanyName", "FileVersion"]
    assert version_info_offsets(images.pe()) == ()


def test_hashed_sections() -> None:
    assert hashed_sections(images.pe(AWAY, entry=0x2000)) == (S(0x600, 0x200),)
    assert hashed_sections(images.pe(size=0x700)) == (S(0x400, 0x200), S(0x600, 0x100))
    assert hashed_sections(b"MZ") == ()


# --- against clamscan ---------------------------------------------------------------------

OFFSETS = ["EP+0", "EP+4", "EP-4", "S0+0", "S1+0", "S2+0", "SL+0", "SL+4", "SE0", "SE1", "SE2"]


def _expected(data: bytes, kind: str, place: int) -> set[str]:
    """Which of `OFFSETS` a mark at a place should satisfy."""
    layout = read_layout(data, kind)
    if layout is None:
        return set()
    names = set()
    if layout.entry_point is not None:
        names |= {
            n
            for n, d in (("EP+0", 0), ("EP+4", 4), ("EP-4", -4))
            if layout.entry_point + d == place
        }
    for index, section in enumerate(layout.sections):
        if section.offset == place:
            names.add(f"S{index}+0")
        if section.offset <= place <= section.offset + section.size:
            names.add(f"SE{index}")
    if layout.sections:
        names |= {
            n for n, d in (("SL+0", 0), ("SL+4", 4)) if layout.sections[-1].offset + d == place
        }
    return names & set(OFFSETS)


def _compare(judge, target: int, kind: str, files: list[bytes]) -> None:  # type: ignore[no-untyped-def]
    lines = "".join(f"{name}:{target}:{name}:{MARK.hex()}\n" for name in OFFSETS)
    objects = []
    for data in files:
        places = {0x400, 0x600, 0x3FC, 0x404, 0x410, 0x480, 0x310}
        layout = read_layout(data, kind)
        if layout is not None:
            places |= {s.offset + d for s in layout.sections for d in (0, 1, s.size, s.size + 1)}
            places.add(layout.entry_point or 0)
        objects += [(images.marked(data, p), p) for p in places if 0x260 <= p <= len(data) - 8]
    found = judge({"ndb": lines}, [data for data, _ in objects])
    for (data, place), names in zip(objects, found, strict=True):
        assert names == _expected(data, kind, place), (hex(place), read_layout(data, kind))


def test_pe_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    random_ = random.Random(3)
    files = [data for _, data, _ in PE_CASES if len(data) > 0x400]
    for _ in range(15):
        sections = tuple(
            (
                address,
                0x200,
                raw + random_.choice((0, 0, 0x10, -0x20)),
                random_.choice((0, 0x1F0, 0x200, 0x400)),
            )
            for address, raw in ((0x1000, 0x400), (0x2000, 0x600), (0x3000, 0x800))
        )  # fmt: skip
        files.append(
            images.pe(
                sections,
                0xA00,
                entry=random_.choice((0x1000, 0x2010, 0x30F0)),
                file_unit=random_.choice((0x200, 0x1000, 0x80, 0)),
                section_unit=random_.choice((0x1000, 0x200, 0)),
                plus=random_.random() < 0.3,
            )
        )
    _compare(judge, 1, "MSEXE", files)


def test_elf_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    files = [images.elf(), images.elf(entry=0), images.elf(entry=0x9000), images.elf(row_size=40)]
    _compare(judge, 6, "ELF", [*files, images.elf(programs=0), images.elf(count=2)])


def test_macho_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    files = [images.macho(), images.macho(order="<"), images.macho(cpu=7), images.macho(align=12)]
    _compare(judge, 9, "MACHO", [*files, images.macho(align=32), images.macho(commands=1)])


def test_digests_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    random_ = random.Random(4)
    files = [data for _, data, _ in PE_CASES if len(data) > 0x400]
    files = [data[:0x400] + random_.randbytes(len(data) - 0x400) for data in files]
    ranges = {(0x400, 0x200), (0x600, 0x200), (0x600, 0x100), (0x410, 0x1F0), (0x800, 0x200)}
    lines = []
    for index, data in enumerate(files):
        for start, size in ranges | set(hashed_sections(data)):
            if start + size <= len(data):
                digest = hashlib.md5(data[start : start + size]).hexdigest()
                lines.append(f"{size}:{digest}:F{index}.{start:x}.{size:x}\n")
    found = judge({"mdb": "".join(lines)}, files)
    for index, (data, names) in enumerate(zip(files, found, strict=True)):
        assert names == {f"F{index}.{s.offset:x}.{s.size:x}" for s in hashed_sections(data)}


def test_imports_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    files = [images.pe_with_imports(libraries) for libraries, _ in IMPORTS]
    files.append(images.pe_with_imports(IMPORTS[0][0], plus=True))
    texts = [text or "a.?foo@@ya" for _, text in IMPORTS] + ["kernel32.exitprocess,b.x,b.y_.1"]
    lines = [
        f"{hashlib.md5(text.encode()).hexdigest()}:{len(text)}:I{index}\n"
        for index, text in enumerate(texts[:-1])
    ]
    found = judge({"imp": "".join(lines)}, files)
    for index, (data, names) in enumerate(zip(files, found, strict=True)):
        assert names == ({f"I{index}"} if import_string(data) else set())


def _check_version(judge, data: bytes) -> None:  # type: ignore[no-untyped-def]
    places = version_info_offsets(data)
    around = range(min(places) - 8, max(places) + 9, 2)
    lines = "".join(f"P{p}:1:VI:{data[p : p + 20].hex()}\n" for p in around)
    expected = {
        f"P{p}" for p in around if any(data[p : p + 20] == data[q : q + 20] for q in places)
    }
    assert judge({"ndb": lines}, [data])[0] == expected


def test_version_strings_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    _check_version(judge, VERSION)


WINE = Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows")


@pytest.mark.skipif(not WINE.is_dir(), reason="no PE files of Wine here")
def test_real_pe_files_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    files = sorted((path.stat().st_size, path) for path in WINE.glob("*.dll"))[:60]
    seen = 0
    for _, path in files:
        data = path.read_bytes()
        layout = read_layout(data, identify(data))
        assert layout is not None
        if version_info_offsets(data) and seen < 3:
            seen += 1
            _check_version(judge, data)
    assert seen


@pytest.mark.skipif(not Path("/usr/bin/true").is_file(), reason="no ELF file here")
def test_real_elf_file_like_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    data = Path("/usr/bin/true").read_bytes()
    layout = read_layout(data, identify(data))
    assert layout is not None
    assert layout.entry_point
    code = data[layout.entry_point : layout.entry_point + 16].hex()
    lines = f"hit:6:EP+0:{code}\nmiss:6:EP+1:{code}\n"
    assert judge({"ndb": lines}, [data]) == [{"hit"}]


# --- hostile files ------------------------------------------------------------------------

SEEDS = [
    ("MSEXE", images.pe()),
    ("MSEXE", images.pe_with_imports(IMPORTS[0][0])),
    ("MSEXE", VERSION),
    ("ELF", images.elf()),
    ("MACHO", images.macho()),
]


def _read_everything(data: bytes, kind: str) -> None:
    for other in {kind, "MSEXE", "ELF", "MACHO"}:
        read_layout(data, other)
    for section in hashed_sections(data):
        assert section.offset + section.size <= len(data)
    import_string(data)
    version_info_offsets(data)
    fat_slices(data)


def test_flipped_bytes_never_raise() -> None:
    random_ = random.Random(5)
    for kind, seed in SEEDS:
        for _ in range(250):
            data = bytearray(seed)
            for _ in range(random_.choice((1, 2, 8))):
                data[random_.randrange(len(data))] = random_.choice((0, 1, 0x7F, 0x80, 0xFF))
            _read_everything(bytes(data[: random_.choice((len(data), 70, 200, 0x620))]), kind)


@given(
    st.sampled_from(
        [b"", b"MZ", b"\x7fELF\1\1", b"\x7fELF\2\2", b"\xfe\xed\xfa\xce", b"\xca\xfe\xba\xbe"]
    ),
    st.binary(max_size=400),
)
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise(start: bytes, rest: bytes) -> None:
    _read_everything(start + rest, "MSEXE")


def test_hostile_headers_take_bounded_time() -> None:
    many = [(0x1000 + 0x10 * index, 0x10, 0x400, 0x200) for index in range(60000)]
    data = bytearray(images.pe(many, 0x800, directories={1: (0x100000, 0x8000), 2: (0x1000, 9)}))
    data += struct.pack("<IIIII", 0x1000, 0, 0, 0x1000, 0x1000) * 100_000
    start = time.perf_counter()
    _read_everything(bytes(data), "MSEXE")
    assert time.perf_counter() - start < 8
