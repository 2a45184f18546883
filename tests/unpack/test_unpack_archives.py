"""Archives and images: what is in them comes out, once, and what cannot is said."""

from __future__ import annotations

import random
import resource
import struct
import time
import zlib

import archive_samples as samples
import pytest
from archive_blobs import unfold
from archive_samples import PAYLOAD, SAMPLES, TEXT
from hypothesis import given, settings
from hypothesis import strategies as st
from unpack_contract import SMALL, check_contract

from tocsin.errors import FormatError, LimitReached
from tocsin.formats.identify import identify
from tocsin.unpack import find_unpackers, sevenzip_work
from tocsin.unpack.interface import Budget, Item, Limits, Member, Reason, Remark, Skipped
from tocsin.unpack.sevenzip_items import dictionary

PASSWORDS = (b"wrong", b"infected", b"password")


def open_tree(data: bytes, depth: int = 0) -> list[Item]:
    """Everything inside, whatever it takes; fails on any error."""
    found: list[Item] = []
    for _, unpacker in find_unpackers(data, identify(data)):
        for item in unpacker.members(data, Budget(), PASSWORDS):
            found.append(item)
            if isinstance(item, Member) and depth < 6 and item.size > 6:
                found += open_tree(item.data, depth + 1)
    return found


def opened(kind: str, data: bytes, passwords: tuple[bytes, ...] = PASSWORDS, limits=SMALL):
    return check_contract(kind, data, limits, passwords)


def names_and_data(items: list[Item]) -> dict[str, bytes]:
    return {item.name: item.data for item in items if isinstance(item, Member)}


# --- the payload comes out of everything ----------------------------------------------------

OTHERS_PAYLOAD = {"nsis", "chm", "szdd", "rar", "rar_sfx", "ooxml", "swf", "compress_z", "wheel"}
"""Samples that do not hold the payload: others wrote them, or one file is all they hold."""


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - OTHERS_PAYLOAD))
def test_the_payload_comes_out_whole_and_nothing_is_amiss(name: str) -> None:
    items = open_tree(SAMPLES[name]())
    assert PAYLOAD in [item.data for item in items if isinstance(item, Member)]
    assert [item for item in items if isinstance(item, Skipped)] == []
    assert all(item.complete for item in items if isinstance(item, Member))


@pytest.mark.parametrize("name", ["swf", "compress_z", "wheel"])
def test_a_text_comes_out(name: str) -> None:
    found = [item.data for item in open_tree(SAMPLES[name]()) if isinstance(item, Member)]
    assert any(data.endswith(TEXT) for data in found)


def test_a_film_is_rewritten_as_one_that_is_not_packed() -> None:
    for packer in "CZ":
        (film,) = opened("SWF", samples.swf(packer)).members
        assert film.data == b"FWS\x0a" + (len(TEXT) + 8).to_bytes(4, "little") + TEXT
        assert film.complete
        assert not film.note


@pytest.mark.parametrize("name", ["clam.chm", "clam.exe.szdd", "clam-nsis.exe", "clam.cab"])
def test_debian_samples(name: str) -> None:
    wanted = samples.debian_sample("clam.exe")
    found = [item.data for item in open_tree(samples.debian_sample(name)) if type(item) is Member]
    assert wanted in found


@pytest.mark.parametrize("name", ["rar", "rar4"])
def test_rar_names(name: str) -> None:
    outcome = opened("RAR", unfold(name))
    assert sorted(member.name for member in outcome.members) == [
        *("sub/dir1/file1.txt", "sub/dir2/file2.txt"),
        *("sub/with space/long fn.txt", "sub/üȵĩöḋè/file.txt"),
    ]
    assert all(zlib.crc32(member.data) == member.crc for member in outcome.members)


def test_a_solid_rar_comes_out_in_one_pass() -> None:
    outcome = opened("RAR", unfold("rar_solid"))
    assert [(m.name, m.size) for m in outcome.members] == [
        *(("stest1.txt", 2048), ("stest2.txt", 2048)),
    ]


def test_streams_of_ntfs_are_members() -> None:
    found = names_and_data(opened("NTFS", unfold("ntfs")).values)
    assert found["a.exe"] == PAYLOAD
    assert found["a.exe:ads"] == TEXT


def test_the_target_of_a_link_is_looked_at_as_all_bytes_are() -> None:
    found = [m.name for m in opened("RAR", unfold("rar_links")).members]
    assert found == ["data_link", "data.txt", "random_link"]
    found = [m.name for m in opened("CPIO_NEWC", samples.cpio()).members]
    assert found == ["a.exe", "b.txt", "link"]


def _plain_7z(
    data: bytes, attributes: int | None = None, coder: bytes = b"\x01\0", crc: int | None = None
) -> bytes:
    """A 7z of one file whose headers are not packed (7zFormat.txt)."""
    title = "e.exe\0".encode("utf-16-le")
    size = bytes([0x80 | len(data) >> 8, len(data) & 0xFF])
    header = b"\1\4\6\0\1\x09" + size + b"\0\7\x0b\1\0\1" + coder + b"\x0c" + size
    header += b"" if crc is None else b"\x0a\1" + struct.pack("<I", crc)
    header += b"\0\x08\0\0\5\1\x11" + bytes([len(title) + 1]) + b"\0" + title
    if attributes is not None:
        header += b"\x15\6\1\0" + struct.pack("<I", attributes)
    header += b"\0\0"
    start = struct.pack("<QQI", len(data), len(header), zlib.crc32(header))
    head = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start))
    return head + start + data + header


@pytest.mark.parametrize("attributes", [0x21A48000, 0x61A48000, 0xC1A48000, 0xA1FF8000, 0x400])
def test_what_is_said_to_be_a_device_or_a_link_hides_no_bytes(attributes: int) -> None:
    (member,) = opened("7Z", _plain_7z(PAYLOAD, attributes, crc=zlib.crc32(PAYLOAD))).members
    assert member.data == PAYLOAD


def test_a_password_that_nothing_proves_is_not_believed() -> None:
    aes = b"\x24\x06\xf1\x07\x01\x01\x3f"  # the key is the password itself, and no CRC
    outcome = opened("7Z", _plain_7z(bytes(range(256)) * 2, coder=aes), (b"infected",))
    assert [each.reason for each in outcome.skipped] == [Reason.ENCRYPTED]


def test_a_part_of_other_volumes_is_incomplete() -> None:
    first, second = opened("RAR", unfold("rar_volume")).members
    assert not first.complete
    assert "volume" in first.note
    assert second.complete


# --- metadata as clamscan states it ----------------------------------------------------------


def test_metadata() -> None:
    def stated(kind: str, name: str) -> list[tuple[str, int, int, int, bool]]:
        members = opened(kind, unfold(name)).members
        return [(m.name, m.packed_size, m.size, m.position, m.encrypted) for m in members]

    assert stated("7Z", "7z") == [("a.exe", 0, 504, 1, False), ("b.txt", 0, 900, 2, False)]
    assert stated("7Z", "7z_encrypted")[0] == ("a.exe", 0, 504, 1, True)
    assert [row[0] for row in stated("MSCAB", "cab")] == ["a.exe", "b.txt"]
    (first, _) = opened("ARJ", unfold("arj")).members
    assert 0 < first.packed_size < first.size
    assert first.crc == zlib.crc32(PAYLOAD)


def test_positions_count_folders_as_clamscan_does() -> None:
    data = samples._newc(b"d", b"", 0o040755) + samples.cpio()
    assert [member.position for member in opened("CPIO_NEWC", data).members] == [2, 3, 4]


# --- encryption ------------------------------------------------------------------------------

LOCKED = {
    "7z_encrypted": ("7Z", b"infected", 2),
    "7z_locked": ("7Z", b"infected", 2),
    "rar_encrypted": ("RAR", b"password", 2),
    "rar4_encrypted": ("RAR", b"password", 2),
    "rar_locked": ("RAR", b"password", 2),
    "zip_aes": ("ZIP", b"infected", 2),
    "zip_aes_ppmd": ("ZIP", b"infected", 1),
}


@pytest.mark.parametrize("name", LOCKED)
def test_a_password_opens(name: str) -> None:
    kind, password, count = LOCKED[name]
    outcome = opened(kind, unfold(name), (b"no", b"\xff\xfe", password))
    assert outcome.skipped == []
    assert [m.encrypted for m in outcome.members] == [True] * count
    assert all(m.complete for m in outcome.members)


@pytest.mark.parametrize("name", LOCKED)
@pytest.mark.parametrize("passwords", [(), (b"no", b"\xff\xfe")])
def test_without_the_password(name: str, passwords: tuple[bytes, ...]) -> None:
    kind, _, count = LOCKED[name]
    outcome = opened(kind, unfold(name), passwords)
    assert outcome.error is None
    assert outcome.members == []
    assert {each.reason for each in outcome.skipped} == {Reason.ENCRYPTED}
    assert all(each.encrypted for each in outcome.skipped)
    hides_names = name.endswith("_locked")
    assert len(outcome.skipped) == (1 if hides_names else count)
    assert all(bool(each.name) is not hides_names for each in outcome.skipped)


# --- methods of zip --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ppmd", "xz", "lzma", "bzip2", "deflate64", "aes_ppmd"])
def test_methods_of_zip(method: str) -> None:
    (member,) = opened("ZIP", unfold(f"zip_{method}")).members
    assert (member.data, member.complete, member.note) == (PAYLOAD, True, "")


def test_a_member_packed_with_zstd() -> None:
    from unpack_samples import Entry, make_zip
    from zstandard import compress

    packed = compress(TEXT) + compress(TEXT)
    data = make_zip([Entry(method=93, data=TEXT * 2, packed=packed)])
    assert [m.data for m in opened("ZIP", data).members] == [TEXT * 2]


def test_aes_that_was_tampered_with_does_not_open() -> None:
    data = bytearray(unfold("zip_aes_ppmd"))
    data[data.index(b"PK\x01\x02") - 20] ^= 1
    outcome = opened("ZIP", bytes(data))
    assert [each.reason for each in outcome.skipped] == [Reason.ENCRYPTED]


def _reduced(data: bytes, factor: int, often: dict[int, bytes]) -> bytes:
    """Write as APPNOTE 5.1 says, without repeats."""
    bits = ""

    def put(value: int, count: int) -> None:
        nonlocal bits
        bits += f"{value:0{count}b}"[::-1] if count else ""

    for byte in range(255, -1, -1):
        followers = often.get(byte, b"")
        put(len(followers), 6)
        for each in followers:
            put(each, 8)
    last = 0
    for byte in data:
        followers = often.get(last, b"")
        if byte in followers:
            put(0, 1)
            put(followers.index(byte), max(1, (len(followers) - 1).bit_length()))
        else:
            if followers:
                put(1, 1)
            put(byte, 8)
        last = byte
    bits += "0" * (-len(bits) % 8)
    del factor
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_reduce(factor: int) -> None:
    from unpack_samples import Entry, make_zip

    # "abcdef", a repeat of nine bytes from six back, the mark itself, "!"
    shift = 8 - factor
    assert shift >= 4
    stream = b"abcdef" + bytes([144, 6, 5]) + bytes([144, 0]) + b"!"
    plain = b"abcdef" + b"abcdefabc" + bytes([144]) + b"!"
    packed = _reduced(stream, factor, {ord("a"): b"bx", ord("b"): b"c", 144: bytes(range(30))})
    data = make_zip([Entry(method=factor + 1, data=plain, packed=packed)])
    (member,) = opened("ZIP", data).members
    assert (member.data, member.complete, member.note) == (plain, True, "")


def _dcl_literals(text: bytes, lengths: list[int]) -> bytes:
    """Write literals by codes and the end mark, from the lengths of the codes alone."""
    codes: dict[int, str] = {}
    code = 0
    for length in range(1, 14):
        for symbol in (each for each in range(256) if lengths[each] == length):
            codes[symbol] = "".join("10"[int(bit)] for bit in f"{code:0{length}b}")
            code += 1
        code <<= 1
    bits = "".join("0" + codes[byte] for byte in text)
    bits += "1" + "0000000" + "11111111"  # the sixteenth length and its eight extra bits
    bits += "0" * (-len(bits) % 8)
    body = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    return b"\x01\x06" + body


def test_the_other_implode() -> None:
    from unpack_samples import Entry, make_zip

    from tocsin.unpack import dcl

    known = bytes.fromhex("00048224258f807f")  # the example that came with its description
    lengths = [run & 15 for run in dcl._LITERALS for _ in range((run >> 4) + 1)]
    assert sum(2.0**-length for length in lengths) == 1.0
    every = bytes(range(256))
    for packed, plain in ((known, b"AIAIAIAIAIAIA"), (_dcl_literals(every, lengths), every)):
        data = make_zip([Entry(method=10, data=plain, packed=packed)])
        (member,) = opened("ZIP", data).members
        assert (member.data, member.complete, member.note) == (plain, True, "")
    (cut,) = opened("ZIP", make_zip([Entry(method=10, data=every, packed=known[:-2])])).members
    assert not cut.complete


# --- packed files ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [("ZSTD", "zstd"), ("LZ4", "lz4")])
def test_frames_are_joined_and_a_cut_is_noticed(kind: str, name: str) -> None:
    frame = SAMPLES[name]()
    skippable = b"\x5a\x2a\x4d\x18\x03\0\0\0abc"
    (member,) = opened(kind, skippable + frame + skippable + frame).members
    assert (member.data, member.complete) == (PAYLOAD * 2, True)
    (member,) = opened(kind, frame + frame[:-9]).members
    assert member.data.startswith(PAYLOAD)
    assert not member.complete


def test_old_lz4() -> None:
    import lz4.block

    block = lz4.block.compress(PAYLOAD, store_size=False)
    data = b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block
    assert [m.data for m in opened("LZ4", data).members] == [PAYLOAD]


# --- images of containers --------------------------------------------------------------------


@pytest.mark.parametrize("build", [samples.docker_image, samples.oci_image])
def test_layers_in_order_and_what_they_remove(build) -> None:
    outcome = opened("CONTAINER_IMAGE", build())
    found = [m.name.partition("!/") for m in outcome.members if m.name.startswith("layer")]
    assert [(layer[:7], path) for layer, _, path in found] == [
        *(("layer 1", "etc/a"), ("layer 1", "bin/a.exe"), ("layer 2", "etc/b.txt")),
    ]
    remarks = [item.detail for item in outcome.values if isinstance(item, Remark)]
    assert [" ".join(each.split()[3:]) for each in remarks] == [
        *("removes bin/a.exe", "hides what was in etc"),
    ]


def test_an_image_of_a_container_is_not_opened_as_tar_too() -> None:
    data = samples.docker_image()
    assert [kind for kind, _ in find_unpackers(data, identify(data))] == ["CONTAINER_IMAGE"]


def test_a_tar_with_such_a_name_inside_a_file_loses_nothing() -> None:
    inner = samples.tar([("manifest.json", b"[]")])
    data = samples.tar([("inner.tar", inner[:512] + bytes(512))])
    payloads = [m.data for m in open_tree(data) if isinstance(m, Member)]
    assert inner[:512] + bytes(512) in payloads


def test_a_layer_that_is_missing_is_said() -> None:
    index = b'[{"Layers":["gone/layer.tar"]}]'
    (skipped,) = opened("CONTAINER_IMAGE", samples.tar([("manifest.json", index)])).skipped
    assert skipped.name == "gone/layer.tar"


def test_a_whiteout_with_data_is_looked_at() -> None:
    layer = samples.tar([("bin/.wh.x", PAYLOAD)])
    data = samples.tar([("l.tar", layer), ("manifest.json", b'[{"Layers":["l.tar"]}]')])
    assert PAYLOAD in [m.data for m in opened("CONTAINER_IMAGE", data).members]


# --- hostile ---------------------------------------------------------------------------------


def cpio_of(count: int, size: int = 10) -> bytes:
    files = [samples._newc(b"f%d" % n, bytes(size)) for n in range(count)]
    return b"".join([*files, samples._newc(b"TRAILER!!!", b"", 0)])


def test_an_item_that_is_too_big_does_not_hide_the_next() -> None:
    data = samples._newc(b"big", bytes(1_000_001)) + samples.cpio()
    outcome = opened("CPIO_NEWC", data)
    assert [each.reason for each in outcome.skipped] == [Reason.LIMIT]
    assert [m.name for m in outcome.members] == ["a.exe", "b.txt", "link"]


def test_many_items_end_at_the_bound_of_objects() -> None:
    outcome = opened("CPIO_NEWC", cpio_of(300))
    assert isinstance(outcome.error, LimitReached)
    assert len(outcome.members) == SMALL.max_files


def test_the_bound_of_bytes_holds_across_items() -> None:
    outcome = opened("CPIO_NEWC", cpio_of(6, 900_000))
    assert isinstance(outcome.error, LimitReached)
    assert [m.complete for m in outcome.members] == [True] * 4 + [False]


def test_passes_give_each_item_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sevenzip_work, "_FIRST_ROOM", 25)
    monkeypatch.setattr(sevenzip_work, "_MOST_ROOM", 25)
    names = [m.name for m in opened("CPIO_NEWC", cpio_of(100)).members]
    assert names == [f"f{n}" for n in range(100)]
    assert [m.data for m in opened("7Z", unfold("7z")).members] == [PAYLOAD, TEXT]


def test_a_7z_whose_headers_are_packed_with_a_huge_dictionary() -> None:
    data = bytearray(unfold("7z"))
    offset, size = struct.unpack_from("<QQ", data, 12)
    at = data.index(b"\x23\x03\x01\x01\x05", 32 + offset) + 6
    data[at : at + 4] = (0x60000000).to_bytes(4, "little")
    data[28:32] = zlib.crc32(data[32 + offset : 32 + offset + size]).to_bytes(4, "little")
    data[8:12] = zlib.crc32(data[12:32]).to_bytes(4, "little")
    (skipped,) = opened("7Z", bytes(data)).skipped
    assert (skipped.reason, str(0x60000000) in skipped.detail) == (Reason.LIMIT, True)


@pytest.mark.parametrize(
    ("method", "size"),
    [
        ("LZMA2:24", 1 << 24),
        ("LZMA:1536m BCJ", 1536 << 20),
        ("LZMA:4294967295b", 0xFFFFFFFF),
        ("PPMD:o32:mem1g", 1 << 30),
        ("BCJ2 7zAES:19", 0),
        ("v6:m3:4g", 4 << 30),
        ("LZX:21", 1 << 21),
        ("Deflate", 0),
    ],
)
def test_dictionaries(method: str, size: int) -> None:
    assert dictionary(method) == size


def test_a_deep_index_of_asar_is_refused() -> None:
    text = b'{"files":{"a":' * 100_000
    head = struct.pack("<4I", 4, len(text) + 8, len(text) + 4, len(text))
    assert isinstance(opened("ASAR", head + text).error, FormatError)


def test_a_weak_mark_alone_is_no_damage() -> None:
    for kind, data in {
        "ARJ": b"\x60\xea" + bytes(100),
        "CPIO_OLD": b"\xc7\x71" + b"\xff" * 100,
        "MBR": bytes(510) + b"\x55\xaa",
        "COMPRESS_Z": b"\x1f\x9d",
    }.items():
        outcome = opened(kind, data)
        assert (kind, outcome.error, outcome.members) == (kind, None, [])


def test_a_strong_mark_alone_is_damage() -> None:
    for kind, data in {"7Z": b"7z\xbc\xaf\x27\x1c\0\4", "RAR": b"Rar!", "XAR": b"xar!"}.items():
        assert isinstance(opened(kind, data + bytes(100)).error, FormatError)


SEEDS: list[tuple[str, bytes]] = [
    *(("7Z", unfold(name)) for name in ("7z", "7z_encrypted", "7z_locked")),
    *(("RAR", unfold(name)) for name in ("rar", "rar4", "rar_solid", "rar_encrypted")),
    *((kind, unfold(name)) for kind, name in (("MSCAB", "cab"), ("ARJ", "arj"))),
    *((kind, unfold(name)) for kind, name in (("LHA_LZH", "lzh"), ("RPM", "rpm"))),
    *((kind, unfold(name)) for kind, name in (("WIM", "wim"), ("SQUASHFS", "squashfs"))),
    *((kind, unfold(name)) for kind, name in (("CRAMFS", "cramfs"), ("COMPRESS_Z", "compress_z"))),
    *((kind, unfold(name)) for kind, name in (("EXT", "ext"), ("FAT", "fat"))),
    *((kind, SAMPLES[name]()) for kind, name in (("AR", "ar"), ("XAR", "xar"), ("ASAR", "asar"))),
    *((kind, SAMPLES[name]()) for kind, name in (("CPIO_NEWC", "cpio"), ("UEFI", "uefi"))),
    *((kind, SAMPLES[name]()) for kind, name in (("ZSTD", "zstd"), ("LZ4", "lz4"))),
    *((kind, SAMPLES[name]()) for kind, name in (("BROTLI", "brotli"), ("SWF", "swf"))),
    ("CONTAINER_IMAGE", samples.docker_image()),
    ("ZIP", unfold("zip_ppmd")),
    ("ZIP", unfold("zip_aes_ppmd")),
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_of_any_kind_keeps_the_contract(data: st.DataObject) -> None:
    kind, seed = data.draw(st.sampled_from(SEEDS))
    damaged = bytearray(seed[: data.draw(st.integers(0, len(seed)))])
    rng = random.Random(data.draw(st.integers(0, 1 << 32)))
    for _ in range(data.draw(st.integers(0, 8))):
        if damaged:
            damaged[rng.randrange(min(len(damaged), 4096))] = rng.choice(
                (0, 0xFF, rng.randrange(256))
            )
    check_contract(kind, bytes(damaged))


def test_an_interrupted_opening_leaves_nothing_behind() -> None:
    from tocsin.unpack import sevenzip_abi

    data = unfold("7z")
    for _, unpacker in find_unpackers(data, identify(data)):
        run = unpacker.members(data, Budget(Limits()), ())
        next(iter(run))
        run.close()
    assert sevenzip_abi._LIVE == {}


@pytest.mark.parametrize(("name", "found"), [("7z_big_first", [TEXT]), ("7z_too_far", [])])
def test_what_shares_its_block_with_a_giant(name: str, found: list[bytes]) -> None:
    """300 MB are passed over to reach a member, 600 MB are not; none of them is held."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    outcome = opened("7Z", unfold(name), limits=Limits(timeout=60.0))
    assert [member.data for member in outcome.members] == found
    assert {each.reason for each in outcome.skipped} == {Reason.LIMIT}
    assert len(outcome.skipped) + len(found) == 2
    assert time.process_time() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize("name", ["vhd", "vhdx", "vmdk", "qcow", "vdi", "gpt", "mbr"])
def test_a_disk_too_big_to_come_out_is_opened_where_it_is(name: str) -> None:
    data = SAMPLES[name]()
    (kind,) = {name.upper(), "QCOW"} & {k for k, _ in find_unpackers(data, identify(data))}
    tight = Limits(max_file_size=30_000, timeout=30.0)
    outcome = opened(kind, data, limits=tight)
    assert outcome.skipped == []
    assert [(m.name[-7:], m.data) for m in outcome.members] == [
        *(("!/a.exe", PAYLOAD), ("!/b.txt", TEXT)),
    ]
    assert [m.position for m in outcome.members] == sorted({m.position for m in outcome.members})
