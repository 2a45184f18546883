"""Installers and compiled scripts: every form of them, whole, damaged and made to mislead."""

from __future__ import annotations

import hashlib
import marshal
import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installer_samples import (
    CLAM_EXE_SHA256,
    INNO_VERSIONS,
    PAYLOAD,
    PYC_MAGIC,
    SAMPLES,
    InnoFile,
    call_filter,
    debian_sample,
    make_alz,
    make_autoit,
    make_egg,
    make_inno,
    make_installshield_cab,
    make_installshield_list,
    make_installshield_veiled,
    make_pe,
    make_pyinstaller,
    make_pyz,
    veiled,
)
from unpack_contract import Outcome, check_contract

from tocsin.formats.embedded import find_hidden
from tocsin.unpack.interface import Limits, Reason
from tocsin.unpack.marshal_subset import Unreadable, read_table

ROOMY = Limits(timeout=60.0)
MINE = {
    "autoit": "AUTOIT",
    "installshield": "INSTALLSHIELD",
    "installshield_cab": "INSTALLSHIELD_CAB",
    "inno": "INNO",
    "pyinstaller": "PYINSTALLER",
    "pyz": "PYZ",
    "alz": "ALZ",
    "egg": "EGG",
}
BOTH_WAYS = settings(max_examples=60, deadline=5000, derandomize=True)
LONG = bytes(range(256)) * 500 + PAYLOAD


def opened(data: bytes, *kinds: str) -> Outcome:
    """Open what is recognised as all of the kinds, as the first of them."""
    assert set(kinds) <= set(find_hidden(data))
    return check_contract(kinds[0], data, ROOMY)


def contents(outcome: Outcome) -> dict[str, bytes]:
    assert outcome.error is None
    assert outcome.skipped == []
    assert all(member.complete and not member.note for member in outcome.members)
    return {member.name: member.data for member in outcome.members}


# --- Debian's samples ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "member"),
    [
        ("clam.ea05.exe", "AUTOIT", "C:\\clam.exe"),
        ("clam.ea06.exe", "AUTOIT", "C:\\clam.exe"),
        ("clam_IScab_ext.exe", "INSTALLSHIELD", "Disk1\\clam.exe"),
        ("clam_IScab_int.exe", "INSTALLSHIELD", "clam.exe"),
        ("clam_ISmsi_ext.exe", "ISHIELD_MSI", "clam.exe409.bmp"),
    ],
)
def test_sample_of_debian_gives_the_payload(name: str, kind: str, member: str) -> None:
    found = contents(opened(debian_sample(name), kind))
    assert hashlib.sha256(found[member]).hexdigest() == CLAM_EXE_SHA256


def test_installshield_sample_with_msi_gives_the_package() -> None:
    found = contents(opened(debian_sample("clam_ISmsi_int.exe"), "ISHIELD_MSI"))
    assert found["clam.msi"].startswith(b"\xd0\xcf\x11\xe0")
    assert len(found["clam.msi"]) == 658_432


def test_script_of_debian_is_the_text_clamscan_writes() -> None:
    (script, _) = opened(debian_sample("clam.ea06.exe"), "AUTOIT").members
    assert len(script.data) == 11_960
    assert script.data.startswith(b"FUNC _FILECOUNTLINES( $SFILEPATH ) \nLOCAL $N = FILEGETSIZE (")
    assert script.data.endswith(b"RUNWAIT ( $TMP ) \nFILEDELETE ( $TMP ) \n")


def test_script_of_ea05_is_handed_on_as_stored() -> None:
    (script, _) = opened(debian_sample("clam.ea05.exe"), "AUTOIT").members
    assert script.data.startswith(";".encode("utf-16"))
    assert "FileInstall" in script.data.decode("utf-16")


# --- AutoIt -------------------------------------------------------------------------------


def script(tokens: bytes, lines: int) -> Outcome:
    stored = struct.pack("<I", lines) + tokens
    archive = make_autoit([(">>>AUTOIT SCRIPT<<<", "s.au3", stored)])
    return check_contract("AUTOIT", archive, ROOMY)


NAME = b"\x33" + veiled("A") + b"\x41"


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (b"\x05\x2a\0\0\0", b"0x0000002a "),
        (b"\x10" + struct.pack("<Q", 0x1122334455667788), b"0x1122334455667788 "),
        (b"\x10" + struct.pack("<Q", 0x123456789ABCDEF0), b"0x123456779abcdef0 "),
        (b"\x20" + struct.pack("<d", 3.25), b"3.25 "),
        (b"\x20" + struct.pack("<d", -0.0001234567891), b"-0.000123457 "),
        (b"\x00" + struct.pack("<I", 1), b"AND "),
        (b"\x01" + struct.pack("<I", 405), b"WINWAITNOTACTIVE "),
        (b"\x01" + struct.pack("<I", 999), b"UNKNOWN_999 "),
        (b"\x32" + veiled("CRLF"), b"@CRLF "),
        (b"\x34" + veiled("_OWN") + b"\x47", b"_OWN( "),
        (b"\x35" + veiled("Item"), b".Item "),
        (b"\x36" + veiled('a"b€'), b'"a"b\xac" '),
        (b"\x40\x44\x50\x56\x58", b", <> == &= : "),
    ],
)
def test_tokens_become_the_text_that_clamscan_writes(tokens: bytes, text: bytes) -> None:
    (member,) = script(NAME + tokens + b"\x7f", 1).members
    assert member.data == b"$A = " + text + b"\n"
    assert member.complete


@pytest.mark.parametrize("tokens", [b"\x77\x7f", b"\x33\xff\xff\xff\xff\x7f", b"\x20\0", b""])
def test_damaged_tokens_keep_the_text_before_them(tokens: bytes) -> None:
    (member,) = script(NAME + b"\x7f" + tokens, 2).members
    assert member.data.startswith(b"$A = \n")
    assert not member.complete


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_autoit_files(wide: bool, packed: bool) -> None:
    runs = b"x" + b"a" * 700 + b"bb" + bytes(40_000) + PAYLOAD
    files = [("C:\\a", "a.bin", runs), ("C:\\b", "b.bin", PAYLOAD)]
    data = make_pe() + make_autoit(files, wide=wide, packed=packed)
    assert contents(opened(data, "AUTOIT")) == {"a.bin": runs, "b.bin": PAYLOAD}


def test_wrong_checksum_of_autoit_is_noted() -> None:
    archive = bytearray(make_autoit([("k", "a.bin", PAYLOAD)], packed=False))
    archive[-10] ^= 1
    (member,) = check_contract("AUTOIT", bytes(archive)).members
    assert member.complete
    assert member.note == "checksum does not match"


def test_program_that_knows_the_mark_of_autoit_is_no_script() -> None:
    mark = make_autoit([])[:44]
    assert list(find_hidden(make_pe(mark[:40] + b"none"))) == []


# --- InstallShield ------------------------------------------------------------------------

FILES = [("a.txt", PAYLOAD), ("b.bin", LONG), ("empty", b"")]


@pytest.mark.parametrize("wide", [True, False])
def test_installshield_list(wide: bool) -> None:
    data = make_installshield_list(FILES, wide=wide)
    found = contents(opened(data, "INSTALLSHIELD"))
    assert found == {f"Disk1\\{name}": content for name, content in FILES}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("flags", [0, 2, 6])
@pytest.mark.parametrize("packed", [True, False])
def test_installshield_veiled(stream: bool, flags: int, packed: bool) -> None:
    data = make_installshield_veiled(FILES, stream=stream, flags=flags, packed=packed)
    kind = "INSTALLSHIELD" if stream else "ISHIELD_MSI"
    assert contents(opened(data, kind)) == dict(FILES)


@pytest.mark.parametrize("veil", [True, False])
@pytest.mark.parametrize("split", [0, 200])
@pytest.mark.parametrize("outer", ["list", "veiled"])
def test_installshield_cabinets(veil: bool, split: int, outer: str) -> None:
    files = [("a.txt", PAYLOAD), ("b.bin", LONG), ("last.bin", Random(3).randbytes(1000))]
    cabinets = make_installshield_cab(files, veiled=veil, split=0 if veil else split)
    build = make_installshield_list if outer == "list" else make_installshield_veiled
    data = build(cabinets)
    kind = "INSTALLSHIELD" if outer == "list" else "ISHIELD_MSI"
    found = contents(opened(data, kind))
    assert found == {f"Program\\{name}": content for name, content in files}


def test_cabinet_without_its_list_is_cut_by_its_pieces() -> None:
    ((_, cabinet),) = make_installshield_cab([("a", PAYLOAD), ("b", LONG)], listed=False)
    found = check_contract("INSTALLSHIELD_CAB", cabinet, ROOMY)
    assert list(contents(found).values()) == [PAYLOAD, LONG]


def test_cabinet_in_another_file_is_said_to_be_missing() -> None:
    files = [("a", PAYLOAD), ("b", Random(3).randbytes(1000))]
    cabinets = make_installshield_cab(files, split=200)
    outcome = check_contract("INSTALLSHIELD", make_installshield_list(cabinets[:1]), ROOMY)
    assert [member.complete for member in outcome.members] == [True, False]


def test_list_of_cabinets_alone_has_nothing_to_look_at() -> None:
    data = debian_sample("clam_IScab_int.exe")
    start = data.index(b"ISc(", data.index(b"data1.hdr\0Disk1\\data1.hdr\0"))
    outcome = check_contract("INSTALLSHIELD_CAB", data[start : start + 10_471])
    assert outcome.values == []
    assert outcome.error is None


def test_list_that_repeats_one_row_is_bounded() -> None:
    cabinet = bytearray(make_installshield_cab([("a", PAYLOAD)])[0][1])
    place = int.from_bytes(cabinet[12:16], "little")
    cabinet[place + 0x28 : place + 0x2C] = b"\xff\xff\xff\x7f"
    outcome = check_contract("INSTALLSHIELD_CAB", bytes(cabinet), ROOMY)
    assert len(outcome.values) < 100


def test_cabinet_with_a_broken_list_is_cut_by_its_pieces() -> None:
    cabinet = bytearray(make_installshield_cab([("a", PAYLOAD)])[0][1])
    place = int.from_bytes(cabinet[12:16], "little")
    cabinet[place + 0x28 : place + 0x2C] = bytes(4)
    (member, *_) = check_contract("INSTALLSHIELD_CAB", bytes(cabinet), ROOMY).members
    assert member.data == PAYLOAD


def test_cut_off_installshield_is_not_whole() -> None:
    data = make_installshield_list([("a.txt", PAYLOAD)])[:-9]
    (member,) = opened(data, "INSTALLSHIELD").members
    assert member.data == PAYLOAD[:-9]
    assert not member.complete


# --- PyInstaller --------------------------------------------------------------------------


def test_pyinstaller_gives_files_and_scripts_with_their_header() -> None:
    code = marshal.dumps(compile("x = 1", "main", "exec"))
    pyz = make_pyz({"a.b": code, "c": code})
    files = [(b"s", b"main", code), (b"x", b"d.txt", PAYLOAD), (b"z", b"PYZ.pyz", pyz)]
    data = make_pyinstaller([*files, (b"o", b"pyi-option", b"")], prefix=make_pe())
    found = contents(opened(data, "PYINSTALLER"))
    assert found == {"main": PYC_MAGIC + bytes(12) + code, "d.txt": PAYLOAD, "PYZ.pyz": pyz}
    modules = contents(check_contract("PYZ", pyz))
    assert modules == {"a.b": PYC_MAGIC + bytes(12) + code, "c": PYC_MAGIC + bytes(12) + code}


def test_pyinstaller_with_a_signature_behind_it() -> None:
    data = SAMPLES["pyinstaller"]() + b"signature" * 100
    assert "main" in contents(opened(data, "PYINSTALLER"))


def test_encrypted_modules_are_said_to_be() -> None:
    outcome = check_contract("PYZ", make_pyz({"a": PAYLOAD}, key=0x55))
    assert [value.reason for value in outcome.skipped] == [Reason.ENCRYPTED]


def test_bootloader_without_an_archive_is_no_find() -> None:
    assert list(find_hidden(make_pe(b"MEI\014\013\012\013\016" + bytes(100)))) == []


@given(st.lists(st.tuples(st.text(), st.tuples(st.just(0), st.integers(0, 99), st.integers(0, 9)))))
def test_marshalled_table_is_read_as_python_reads_it(table) -> None:
    expected = [(name, place[1], place[2]) for name, place in table]
    assert list(read_table(marshal.dumps(table), 0, lambda: None)) == expected
    assert list(read_table(marshal.dumps(dict(table)), 0, lambda: None)) == [
        (name, place[1], place[2]) for name, place in dict(table).items()
    ]


@given(st.binary(max_size=80))
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    try:
        list(read_table(data, 0, lambda: None))
    except Unreadable:
        return


def test_deep_table_is_refused() -> None:
    with pytest.raises(Unreadable, match="deep"):
        read_table(b"[\1\0\0\0" * 5000, 0, lambda: None)


# --- Inno Setup ---------------------------------------------------------------------------

INNO_FILES = [
    InnoFile("{app}\\a.txt", PAYLOAD),
    InnoFile("{app}\\sub\\b.bin", LONG),
    InnoFile("{tmp}\\ü.txt", b"third"),
]


def inno_contents(data: bytes) -> dict[str, bytes]:
    found = contents(opened(data, "INNO"))
    assert found.pop("setup-0.bin")
    return found


@pytest.mark.parametrize("version", INNO_VERSIONS, ids=str)
@pytest.mark.parametrize("solid", [True, False])
def test_inno_versions(version: tuple[int, int, int], solid: bool) -> None:
    found = inno_contents(make_inno(INNO_FILES, version=version, solid=solid))
    assert found == {file.name: file.data for file in INNO_FILES}


@pytest.mark.parametrize("method", ["lzma", "lzma2", "zip", "bzip", "stored"])
def test_inno_methods(method: str) -> None:
    found = inno_contents(make_inno(INNO_FILES, method=method))
    assert found == {file.name: file.data for file in INNO_FILES}


def test_inno_without_the_loaders_table() -> None:
    found = inno_contents(make_inno(INNO_FILES, loader=False))
    assert found == {file.name: file.data for file in INNO_FILES}


@BOTH_WAYS
@given(st.data())
def test_call_filter_is_undone(draw) -> None:
    pieces = st.sampled_from([b"\xe8", b"\xe9", b"\0", b"\xff", b"\x7f", b"\x80abc", b"pppp"])
    program = b"".join(draw.draw(st.lists(pieces, max_size=60))) * 3
    program = draw.draw(st.sampled_from([b"", bytes(0xFFFE)])) + program
    found = inno_contents(make_inno([InnoFile("a", program + b".", filtered=True)]))
    assert found == {"a": program + b"."}
    assert len(call_filter(program)) == len(program)


def test_encrypted_inno_is_said_to_be() -> None:
    outcome = opened(make_inno(INNO_FILES, encrypted=True), "INNO")
    assert [value.reason for value in outcome.skipped] == [Reason.ENCRYPTED] * 3
    assert [value.name for value in outcome.skipped] == [file.name for file in INNO_FILES]


def test_inno_with_its_data_elsewhere() -> None:
    outcome = opened(make_inno(INNO_FILES, external=True), "INNO")
    assert {value.reason for value in outcome.skipped} == {Reason.UNSUPPORTED}


def test_inno_of_an_unknown_layout_gives_the_chunks_uncut() -> None:
    data = make_inno(INNO_FILES, solid=False)
    second = data.index(b"zlb\x1a", data.index(b"zlb\x1a") + 4)
    moved = data[:second] + b"?" + data[second:]  # where no location points
    outcome = opened(moved, "INNO")
    assert {file.data for file in INNO_FILES} <= {member.data for member in outcome.members}
    assert [value.reason for value in outcome.skipped] == [Reason.UNSUPPORTED]


def test_inno_cut_off_in_its_table_gives_the_chunks_uncut() -> None:
    outcome = opened(make_inno(INNO_FILES, solid=False)[:-5], "INNO")
    assert {file.data for file in INNO_FILES} <= {member.data for member in outcome.members}
    assert outcome.skipped[0].reason is Reason.DAMAGED


# --- ALZ and EGG --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["stored", "bzip2", "deflate"])
@pytest.mark.parametrize("width", [4, 8])
def test_alz(method: str, width: int) -> None:
    data = make_alz(FILES, method=method, width=width)
    assert contents(check_contract("ALZ", data, ROOMY)) == dict(FILES)


@pytest.mark.parametrize("method", ["stored", "bzip2", "deflate", "lzma"])
def test_egg(method: str) -> None:
    data = make_egg(FILES, method=method)
    assert contents(check_contract("EGG", data, ROOMY)) == dict(FILES)


def test_encrypted_alz_and_egg_are_said_to_be() -> None:
    for kind, data in ("ALZ", make_alz(FILES, key=True)), ("EGG", make_egg(FILES, key=True)):
        outcome = check_contract(kind, data, ROOMY)
        assert [value.reason for value in outcome.skipped] == [Reason.ENCRYPTED] * 3


def test_azo_is_said_not_to_be_read() -> None:
    data = make_egg([("a", PAYLOAD)], method="azo")
    assert [value.reason for value in check_contract("EGG", data).skipped] == [Reason.UNSUPPORTED]


def test_cut_off_archives_are_not_whole() -> None:
    for kind, data in ("ALZ", make_alz(FILES)), ("EGG", make_egg(FILES)):
        outcome = check_contract(kind, data[:-14], ROOMY)
        assert outcome.skipped or not all(member.complete for member in outcome.members)


# --- hostile ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MINE)
def test_every_truncation(name: str) -> None:
    sample = SAMPLES[name]()
    for kept in range(0, len(sample), max(1, len(sample) // 200)):
        check_contract(MINE[name], sample[:kept])


@pytest.mark.parametrize("name", MINE)
def test_bytes_overwritten(name: str) -> None:
    sample = SAMPLES[name]()

    @BOTH_WAYS
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(sample) - 1),
                st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x80", b"zlb\x1a"]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def check(patches: list[tuple[int, bytes]]) -> None:
        data = bytearray(sample)
        for place, patch in patches:
            data[place : place + len(patch)] = patch
        list(find_hidden(bytes(data)))
        check_contract(MINE[name], bytes(data))

    check()


def test_endless_match_of_autoit_is_stopped() -> None:
    """One match as long as the format can say, for every kilobyte of the file."""
    bits = f"1{65:08b}0{1:015b}" + "1" * 800_000
    packed = int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8, "big")
    stream = b"EA06" + struct.pack(">I", 0x7FFFFFFF) + packed
    archive = make_autoit([("k", "a.bin", stream)], packed=False)
    entry = archive.index(struct.pack("<I", len(stream) ^ 0x87BC)) - 1
    archive = archive[:entry] + b"\1" + archive[entry + 1 :]
    outcome = check_contract("AUTOIT", archive)
    assert [value.reason for value in outcome.skipped] == [Reason.LIMIT]


def test_zeros_in_a_cabinet_are_stopped_at_the_limit() -> None:
    cabinet = make_installshield_cab([("a", bytes(5_000_000))])[0][1]
    outcome = check_contract("INSTALLSHIELD_CAB", cabinet)
    assert [value.reason for value in outcome.skipped] == [Reason.LIMIT]


def test_zeros_in_inno_are_stopped_at_the_limit() -> None:
    outcome = check_contract("INNO", make_inno([InnoFile("a", bytes(30_000_000)), InnoFile("b")]))
    assert outcome.error is not None or outcome.skipped
