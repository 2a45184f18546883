"""What comes out of a PDF: streams, files, scripts, addresses; and of which damage is told."""

from __future__ import annotations

import base64
import functools
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from pdf_samples import (
    BASE,
    HEADER,
    PAYLOAD,
    SCRIPT,
    document,
    flate,
    make_pdf,
    object_stream,
    stream,
    written_by_pikepdf,
    xdp,
)
from unpack_contract import Outcome, check_contract

from tocsin.formats.identify import identify
from tocsin.formats.kinds import kinds
from tocsin.unpack.interface import Limits, Member, Reason, Remark, Trait

CLAM = Path("/usr/share/clamav-testfiles/clam.pdf")
WIDE = Limits(timeout=30)


def opened(data: bytes, limits: Limits = WIDE, passwords: tuple[bytes, ...] = ()) -> Outcome:
    assert "PDF" in kinds(data, identify(data))
    outcome = check_contract("PDF", data, limits, passwords)
    assert outcome.error is None
    return outcome


def contents(outcome: Outcome) -> dict[str, bytes]:
    return {member.name: member.data for member in outcome.members}


def healthy(data: bytes, passwords: tuple[bytes, ...] = ()) -> dict[str, bytes]:
    """What comes out of a document in which nothing is wrong."""
    outcome = opened(data, passwords=passwords)
    assert not outcome.skipped
    assert all(member.complete for member in outcome.members)
    return contents(outcome)


def remarks(data: bytes) -> list[str]:
    return [value.detail for value in opened(data).values if isinstance(value, Remark)]


# --- streams and files ----------------------------------------------------------------------


def test_streams_files_and_scripts_of_another_writer() -> None:
    found = healthy(written_by_pikepdf())
    assert found["inner.exe"] == PAYLOAD
    assert found["JavaScript"] == SCRIPT
    assert any(b"<?xpacket" in data for data in found.values())
    assert any(b"/Filespec" in data for data in found.values())  # an object stream's text


@pytest.mark.skipif(not CLAM.exists(), reason="needs Debian's clamav-testfiles")
def test_debians_sample() -> None:
    found = healthy(CLAM.read_bytes())
    assert len(found["clam.exe"]) == 544
    assert found["clam.exe"].startswith(b"MZ")


def test_names_of_files_in_every_spelling() -> None:
    more = {
        10: b"<</Type/Filespec/F(plain.exe)/EF<</F 20 0 R>>>>",
        11: b"<</F(worse)/UF<feff00fc002e006500780065>/EF<</UF 21 0 R/F 21 0 R>>>>",
        12: b"<</#46(..\\057..\\057etc\\057passwd)/E#46<</F 22 0 R>>>>",
        **{20 + n: stream(PAYLOAD + b"%d" % n, b"/Type/EmbeddedFile") for n in range(3)},
    }
    found = healthy(document(more))
    assert found["plain.exe"] == PAYLOAD + b"0"
    assert found["ü.exe"] == PAYLOAD + b"1"
    assert found["../../etc/passwd"] == PAYLOAD + b"2"


def test_equal_streams_come_out_once() -> None:
    outcome = opened(document({number: stream(PAYLOAD) for number in range(10, 30)}))
    assert [member.data for member in outcome.members].count(PAYLOAD) == 1
    named = {10: stream(PAYLOAD), 11: stream(PAYLOAD), 12: b"<</F(b.exe)/EF<</F 11 0 R>>>>"}
    outcome = opened(document(named))
    assert [(s.name, s.reason) for s in outcome.skipped] == [("b.exe", Reason.DUPLICATE)]


@pytest.mark.parametrize("before", [b"", b"\n\n", b"MIME junk\n", b"<!-- -->" * 100])
def test_header_behind_other_bytes(before: bytes) -> None:
    assert healthy(before + document({10: flate(PAYLOAD)}))["object 10 0"] == PAYLOAD


@pytest.mark.parametrize("before", [b"GIF89a" + bytes(range(90)), b"\x7fELF\2\1\1" + bytes(99)])
def test_document_that_is_something_else_too(before: bytes) -> None:
    data = before + document({10: flate(PAYLOAD)})
    assert "PDF" in kinds(data, "GIF" if before[0] == 71 else "ELF")
    assert "PDF" not in kinds(data[:300], "GIF")
    assert healthy(data)["object 10 0"] == PAYLOAD


def test_text_that_speaks_of_pdf_is_no_damaged_document() -> None:
    text = b"A document begins with %PDF-1.4 and has an object or two.\n" * 5
    assert identify(text) == "PDF"
    assert opened(text).values == []


def test_document_without_objects() -> None:
    assert "no objects" in str(check_contract("PDF", b"%PDF-1.4\nnothing\n%%EOF\n").error)


# --- where objects hide ------------------------------------------------------------------------


def test_superseded_and_hidden_objects() -> None:
    first = document({10: flate(PAYLOAD), 11: b"<</S/URI/URI(http://old.example/)>>"})
    update = b"10 0 obj\n%s\nendobj\n11 0 obj\n<<>>\nendobj\n" % flate(b"something else")
    table = b"xref\n0 0\ntrailer\n<</Size 12/Root 1 0 R/Prev 9>>\nstartxref\n%d\n%%%%EOF\n"
    outcome = opened(first + update + table % (len(first) + len(update)))
    assert not outcome.skipped
    data = [member.data for member in outcome.members]
    assert {PAYLOAD, b"something else", b"http://old.example/\n"} <= set(data)


def test_object_that_no_table_names() -> None:
    data = document({}).replace(b"xref\n0", b"99 3 obj%s\nxref\n0" % flate(PAYLOAD), 1)
    assert contents(opened(data))["object 99 3"] == PAYLOAD


def test_numbers_of_object_streams_may_lie() -> None:
    heads = b"30 0 31 5 32 99999 33 5 x y 34 " + b"9" * 40
    text = flate(heads + b" (one)(two <</JS(three)", b"/Type/ObjStm/N 999/First %d" % len(heads))
    outcome = opened(document({20: text, 21: b"<</JS 31 0 R>>"}))
    assert b"three" in b"".join(member.data for member in outcome.members)


def test_object_inside_the_data_of_another() -> None:
    inner = b"some data 77 0 obj\n%s\nendobj more data" % flate(PAYLOAD)
    found = healthy(document({10: stream(inner)}))
    assert found["object 10 0"] == inner
    assert found["object 77 0"] == PAYLOAD


def test_document_in_a_document_comes_out_whole_and_once() -> None:
    inner = document({70: flate(PAYLOAD)})
    for wrap in (stream, flate):
        found = healthy(document({10: wrap(inner), 11: b"<</F(in.pdf)/EF<</F 10 0 R>>>>"}))
        assert found["in.pdf"] == inner
        assert PAYLOAD not in found.values()


@pytest.mark.parametrize(
    "length", [b"1", b"0", b"99999999999", b"-5", b"50 0 R", b"51 0 R", b"52 0 R", b"x", b"52 0"]
)
def test_wrong_and_referred_lengths(length: bytes) -> None:
    data = zlib.compress(PAYLOAD)
    more = {
        10: stream(data, b"/Filter/FlateDecode", length),
        50: b"%d" % len(data),
        51: b"7",
        52: b"52 0 R",
    }
    assert contents(opened(document(more)))["object 10 0"] == PAYLOAD


def test_end_of_stream_inside_its_data() -> None:
    payload = PAYLOAD + b"\nendstream\nendobj\n" + PAYLOAD
    assert healthy(document({10: stream(payload)}))["object 10 0"] == payload


@pytest.mark.parametrize("after", [b"\n", b"\r\n", b"\r", b""])
def test_ends_of_lines_around_the_data(after: bytes) -> None:
    text = b"<</Length %d>>stream%s%s%sendstream" % (len(PAYLOAD), after, PAYLOAD, after)
    assert healthy(document({10: text}))["object 10 0"] == PAYLOAD


def test_word_stream_in_a_dictionary() -> None:
    text = stream(PAYLOAD, b"/Note(>> stream endstream 5 0 obj)/stream/endobj")
    assert PAYLOAD in contents(opened(document({10: text}))).values()


def test_object_streams() -> None:
    text = b"<</S/JavaScript/JS(from the object stream)>>"
    objects = {
        30: text,
        31: b"<</S/JavaScript/JS 32 0 R>>",
        32: b"(an indirect string)",
        33: b"<</F(named.exe)/EF<</F 40 0 R>>>>",
        34: b"[/FlateDecode]",
    }
    hidden = {20: object_stream(objects), 40: stream(zlib.compress(PAYLOAD), b"/Filter 34 0 R")}
    outcome = opened(document(hidden))
    assert not outcome.skipped
    found = contents(outcome)
    assert found["named.exe"] == PAYLOAD
    assert text in found["object 20 0"]
    scripts = {m.data for m in outcome.members if m.name.startswith("JavaScript")}
    assert scripts == {b"from the object stream", b"an indirect string"}


# --- scripts, addresses, actions ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("literal", "script"),
    [
        (b"(simple)", b"simple"),
        (b"(a \\(nested (one)\\) \\101\\n\\\r\nb\\z)", b"a (nested (one)) A\nbz"),
        (b"<6869 2074 6865 7265>", b"hi there"),
        (b"(\xfe\xff\0w\0i\0d\0e)", b"wide"),
        (b"(\xef\xbb\xbfutf-8)", b"utf-8"),
        (b"(unclosed ( and more", b""),
    ],
)
def test_scripts_that_are_strings(literal: bytes, script: bytes) -> None:
    outcome = opened(document({10: b"<</S/JavaScript/JS %s>>" % literal}))
    found = [m for m in outcome.members if m.name.startswith("JavaScript")]
    assert [m.type_name for m in found] == ["TEXT_ASCII"]
    assert found[0].data == script or not script


def test_hidden_names_of_keys() -> None:
    found = healthy(document({10: b"<</S/#4aavaScript/J#53(hidden by escapes)>>"}))
    assert found["JavaScript of object 10"] == b"hidden by escapes"


def test_script_in_a_stream_is_text_unless_it_is_something_else() -> None:
    more = {
        10: b"<</S/JavaScript/JS 20 0 R>>",
        11: b"<</S/JavaScript/JS 21 0 R>>",
        12: b"<</S/JavaScript/JS 22 0 R>>",
        20: flate(b"\xfe\xff\0a\0p\0p\0.\0x"),
        21: flate(PAYLOAD),
        22: b"(a string of its own)",
    }
    by_name = {member.name: member for member in opened(document(more)).members}
    assert by_name["object 20 0"].data == b"app.x"
    assert by_name["object 20 0"].type_name == "TEXT_ASCII"
    assert by_name["object 21 0"].type_name == ""  # a program called a script stays a program
    assert by_name["JavaScript of object 22"].data == b"a string of its own"


def test_addresses_are_one_text() -> None:
    more = {
        10: b"<</A<</S/URI/URI(http://a.example/\\141)>>>>",
        11: b"[<</S/URI/URI<687474703a2f2f622e6578616d706c65>>> <</URI 12 0 R>>]",
        12: b"(http://c.example/)",
        13: b"<</S/SubmitForm/F<</FS/URL/F(http://d.example/)>>>>",
        14: b"<</S/GoToR/F(\\\\\\\\host\\\\share)/D[0]>>",
    }
    lines = healthy(document(more))["addresses"].splitlines()
    assert set(lines) == {
        b"http://a.example/a",
        b"http://b.example",
        b"http://c.example/",
        b"http://d.example/",
        b"\\\\host\\share",
    }


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ({10: b"<</S/Launch/F(cmd.exe)>>"}, "launches a program: cmd.exe"),
        ({10: b"<</S/Launch/Win<</F(cmd)/P(/c x)>>>>"}, "launches a program: cmd /c x"),
        ({10: b"<</OpenAction<</S/JavaScript/JS(x)>>>>"}, "runs JavaScript when it is opened"),
        ({10: b"<</OpenAction 11 0 R>>", 11: b"<</S/Launch>>"}, "launches a program when it is"),
        ({10: b"<</AA<</O 11 0 R>>>>", 11: b"<</S/URI/URI(u)>>"}, "opens an address upon an event"),
        ({10: b"<</S/SubmitForm/F(http://x)>>"}, "sends its form: http://x"),
        ({10: b"<</S/GoToE/T<</R/C>>>>"}, "opens a document embedded in it"),
        ({20: object_stream({10: b"<</OpenAction 11 0 R>>", 11: b"<</S/Launch>>"})}, "when it is"),
    ],
)
def test_actions_are_remarked_on(objects: dict[int, bytes], expected: str) -> None:
    found = remarks(document(objects))
    assert any(expected in detail for detail in found), found


def test_plain_links_and_destinations_are_not_remarked_on() -> None:
    more = {10: b"<</OpenAction[3 0 R/Fit]/A<</S/URI/URI(http://x/)>>>>", 11: b"<</S/GoTo/D[0]>>"}
    assert remarks(document(more)) == []


def test_text_of_pages() -> None:
    (text,) = (m for m in opened(document({})).members if m.name == "text of pages")
    assert (text.data, text.type_name) == (b"A longline\n", "TEXT_ASCII")


# --- encryption --------------------------------------------------------------------------------

ENCRYPTIONS = {
    "RC4 40": {"revision": 2, "aes": False, "metadata": False},
    "RC4 128": {"revision": 3, "aes": False, "metadata": False},
    "RC4 crypt filter": {"revision": 4, "aes": False, "metadata": False},
    "AES 128": {"revision": 4},
    "AES 128, plain metadata": {"revision": 4, "metadata": False},
    "AES 256, revision 5": {"revision": 5},
    "AES 256, revision 6": {"revision": 6},
    "AES 256, no object streams": {"revision": 6, "object_streams": False},
}
each_encryption = pytest.mark.parametrize("kind", ENCRYPTIONS)


@each_encryption
@pytest.mark.parametrize("password", [b"", b"user", b"owner"])
def test_encrypted_document(kind: str, password: bytes) -> None:
    user = "" if not password else "user"
    data = written_by_pikepdf(**ENCRYPTIONS[kind], user=user)  # type: ignore[arg-type]
    outcome = opened(data, passwords=(b"wrong", password))
    assert not outcome.skipped
    found = contents(outcome)
    assert found["inner.exe"] == PAYLOAD
    assert SCRIPT in found.values()
    assert any(b"<?xpacket" in data for data in found.values())
    assert all(member.encrypted for member in outcome.members)
    asked = any(
        isinstance(value, Remark) and value.trait is Trait.ENCRYPTED_DOCUMENT
        for value in outcome.values
    )
    assert asked == bool(password)


@each_encryption
def test_encrypted_document_without_its_password(kind: str) -> None:
    data = written_by_pikepdf(**ENCRYPTIONS[kind], user="user")  # type: ignore[arg-type]
    outcome = opened(data, passwords=(b"wrong",))
    assert outcome.members == []
    assert [skip.reason for skip in outcome.skipped] == [Reason.ENCRYPTED]
    assert Trait.ENCRYPTED_DOCUMENT in {
        value.trait for value in outcome.values if isinstance(value, Remark)
    }


def test_unknown_security_handler() -> None:
    data = document({}, trailer=b"/Root 1 0 R/Encrypt<</Filter/Adobe.PubSec/V 4/R 4>>")
    assert [skip.reason for skip in opened(data).skipped] == [Reason.ENCRYPTED]


def test_decoy_of_an_encryption_hides_nothing() -> None:
    real = written_by_pikepdf(revision=3, aes=False, metadata=False)
    decoy = real[real.index(b"trailer") : real.index(b"startxref", real.index(b"trailer"))]
    encrypt = next(part for part in real.split(b"endobj") if b"/Standard" in part)
    data = document({10: stream(PAYLOAD), 11: flate(PAYLOAD + b"!")})
    data = data.replace(b"xref\n", b"%s endobj\n%s\nxref\n" % (encrypt, decoy), 1)
    found = [member.data for member in opened(data).members]
    assert PAYLOAD in found
    assert PAYLOAD + b"!" in found


# --- damage and bounds -------------------------------------------------------------------------


def test_damaged_stream_gives_what_precedes_the_damage() -> None:
    payload = b"".join(b"%d " % (n * n) for n in range(20_000))
    packed = bytearray(zlib.compress(payload))
    middle = len(packed) // 2
    packed[middle : middle + 200] = b"\xff" * 200
    outcome = opened(document({10: stream(bytes(packed), b"/Filter/FlateDecode")}))
    (member,) = (m for m in outcome.members if m.name == "object 10 0")
    assert not member.complete
    assert member.size > len(payload) // 3
    assert payload.startswith(member.data[: len(payload) // 3])


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.7, 0.9, 0.95])
def test_truncated_document_is_incomplete(kept: float) -> None:
    data = document({10: flate(PAYLOAD), 11: stream(PAYLOAD * 3)})
    outcome = opened(data[: int(len(data) * kept)])
    assert outcome.skipped or not all(member.complete for member in outcome.members)


def test_more_streams_than_objects_allowed() -> None:
    more = {100 + n: flate(b"BT (page %d of many) Tj ET" % n) for n in range(500)}
    more[5000] = flate(PAYLOAD)
    outcome = opened(document(more), Limits(max_files=100))
    assert not outcome.skipped
    found = contents(outcome)
    assert found["object 5000 0"] == PAYLOAD
    assert all(b"page %d of many" % n in found["joined streams"] for n in range(500))


def test_limit_hands_on_what_was_joined() -> None:
    more = {100 + n: flate(b"BT (page %d of many) Tj ET" % n) for n in range(500)}
    more |= {9000 + n: flate(PAYLOAD + b"%d" % n) for n in range(200)}
    outcome = check_contract("PDF", document(more), Limits(max_files=100))
    assert "--max-files" in str(outcome.error)
    assert "joined streams" not in contents(outcome)  # nothing more may be handed on
    outcome = check_contract("PDF", document(more), Limits(max_scan_size=60_000, max_files=300))
    assert "--max-scan-size" in str(outcome.error)
    assert b"page 7 of many" in contents(outcome)["joined streams"]


def test_bombs_stop_at_the_bounds() -> None:
    bomb = functools.reduce(lambda data, _: zlib.compress(data, 9), range(2), bytes(200_000_000))
    text = stream(bomb, b"/Filter[/FlateDecode/FlateDecode]")
    started = time.process_time()
    outcome = opened(document({10: text}), Limits(max_file_size=5_000_000))
    assert [skip.reason for skip in outcome.skipped] == [Reason.LIMIT]
    assert time.process_time() - started < 10


HOSTILE = {
    "streams without end": b"1 0 obj<<>>stream\n" * 50_000,
    "overlapping streams": b"1 0 obj<<>>stream\n" * 50_000 + b"endstream",
    "objects only": b"1 0 obj " * 100_000,
    "strings without end": b"1 0 obj<</JS" + b"(" * 400_000,
    "deep arrays": b"1 0 obj<</JS" + b"[" * 400_000,
    "deep dictionaries": b"1 0 obj<</JS" + b"<<" * 200_000 + b">>" * 200_000,
    "many numbers": b"1 0 obj<</JS " + b"1 " * 400_000,
    "large number": b"1 0 obj<</Length " + b"9" * 400_000 + b">>stream\nx\nendstream",
    "references in a ring": b"1 0 obj 1 0 R endobj 2 0 obj<</Length 1 0 R>>stream\n" * 20_000,
    "long chain": stream(b"x" * 99, b"/Filter[" + b"/AHx" * 50_000 + b"]").join((b"1 0 obj", b"")),
    "many scripts": b"".join(b"%d 0 obj<</JS(s%d)>>" % (n, n) for n in range(50_000)),
    "empty brackets": b"1 0 obj BT " + b"[(" * 150_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_documents_take_no_undue_time(what: str) -> None:
    started = time.process_time()
    check_contract("PDF", HEADER + HOSTILE[what], Limits(timeout=20))
    assert time.process_time() - started < 10


def test_large_document_takes_seconds() -> None:
    page = b"".join(b"BT /F%d 9 Tf %d %d Td (line) Tj ET\n" % (n % 7, n, n * n) for n in range(900))
    data = document({100 + n: flate(page + b"%d" % n) for n in range(4000)})
    assert len(data) > 20_000_000
    started = time.process_time()
    assert len(healthy(data)) > 4000
    assert time.process_time() - started < 20


def test_memory_stays_bounded() -> None:
    """Many streams with one end take no more than a few times the file's size."""
    script = """
from tocsin.unpack.pdf import UNPACKER
from tocsin.unpack.interface import Budget
from tocsin.errors import LimitReached
data = b"%PDF-1.4\\n" + b"1 0 obj<<>>stream\\n" * 300_000 + b"endstream"
try:
    for _ in UNPACKER.members(data, Budget(), ()):
        pass
except LimitReached:
    pass
with open("/proc/self/status") as status:  # `ru_maxrss` knows of who started this as well
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=90
    )
    assert int(run.stdout) < 900_000  # kilobytes


# --- XDP ---------------------------------------------------------------------------------------


def test_xdp() -> None:
    inner = written_by_pikepdf()
    data = xdp(inner)
    assert identify(data) == "XDP"
    (member,) = check_contract("XDP", data).members
    assert isinstance(member, Member)
    assert (member.data, member.complete) == (inner, True)


def test_xdp_that_is_cut_off() -> None:
    data = xdp(PAYLOAD)
    (member,) = check_contract("XDP", data[: data.index(b"</chunk")]).members
    assert (member.data, member.complete) == (PAYLOAD, False)
    assert base64.b64encode(member.data)


def test_xdp_without_a_document() -> None:
    assert check_contract("XDP", b"<xdp:xdp><template/></xdp:xdp>").values == []


def test_base_is_healthy() -> None:
    assert healthy(make_pdf(BASE))


# --- what is written so that readers differ ------------------------------------------------------


def test_of_doubled_keys_the_last_and_the_first_are_believed() -> None:
    packed = zlib.compress(PAYLOAD)
    doubled = b"/Filter/ASCIIHexDecode/Filter/FlateDecode"
    data = [member.data for member in opened(document({10: stream(packed, doubled)})).members]
    assert PAYLOAD in data
    doubled = b"/Filter/FlateDecode/Filter/ASCIIHexDecode"
    data = [member.data for member in opened(document({10: stream(packed, doubled)})).members]
    assert PAYLOAD in data
    script = document({10: b"<</S/JavaScript/JS(first)/JS(second)>>"})
    assert b"second" in {member.data for member in opened(script).members}


def test_of_doubled_lengths_both_are_believed() -> None:
    inner = b"decoy\nendstream " + PAYLOAD
    text = b"<</Length 5/Length %d>>\nstream\n%s\nendstream" % (len(inner), inner)
    data = {member.data for member in opened(document({10: text})).members}
    assert any(PAYLOAD in each for each in data)


def test_filters_behind_a_picture_are_not_passed_over() -> None:
    names = b"/Filter[/DCTDecode/FlateDecode]"
    outcome = opened(document({10: stream(zlib.compress(PAYLOAD), names)}))
    (member,) = [member for member in outcome.members if member.name == "object 10 0"]
    assert not member.complete
    assert "behind DCTDecode" in member.note
    picture = flate(PAYLOAD).replace(b"/Filter/FlateDecode", b"/Filter[/FlateDecode/DCTDecode]")
    assert PAYLOAD in healthy(document({10: picture})).values()


@pytest.mark.parametrize(
    "header",
    [
        b"10 0" + b" " * 100 + b"obj",
        b"10" + b"\n" * 5000 + b"0obj",
        b"10 0%x\nobj",
        b"10%x\n%y\n 0%z\nobj",
        b"( %) 10 0%x\nobj",
    ],
)
def test_headers_with_blanks_and_comments(header: bytes) -> None:
    data = document({10: flate(PAYLOAD)}).replace(b"10 0 obj", header)
    assert contents(opened(data))["object 10 0"] == PAYLOAD


@pytest.mark.parametrize("unit", [b" obj", b"1 0%\n", b"%\n", b"0 obj%", b"1 ", b"\nobj% ", b" "])
def test_hostile_headers_are_found_in_linear_time(unit: bytes) -> None:
    data = document({}) + unit * (800_000 // len(unit)) + b"\nobj"
    start = time.process_time()
    check_contract("PDF", data, Limits(timeout=0))
    assert time.process_time() - start < 5


FLATED = zlib.compress(PAYLOAD)
ROWS = zlib.compress(b"".join(b"\0" + PAYLOAD[at : at + 4] for at in range(0, len(PAYLOAD), 4)))
EMBEDDED = b"/Type/EmbeddedFile"


def _file(entries: bytes, data: bytes = FLATED, tail: bytes = b"") -> bytes:
    """A stream whose length stands behind the entries, and what stands before its data."""
    return b"<<%s%s/Length %d%s>>\nstream\n%s\nendstream" % (
        EMBEDDED,
        entries,
        len(data),
        tail,
        data,
    )


TWO_WAYS: dict[str, list[tuple[int, bytes]]] = {
    "comment before a filter": [
        (10, _file(b"/Filter 11 0 R")),
        (11, b"%" + b"a" * 5000 + b"\n/FlateDecode"),
    ],
    "header in a comment before a filter": [
        (10, _file(b"/Filter 11 0 R")),
        (11, b"[%9 0 obj\n/FlateDecode]"),
    ],
    "comment before parameters": [
        (10, _file(b"/Filter/FlateDecode/DecodeParms 11 0 R", ROWS)),
        (11, b"%" + b"a" * 5000 + b"\n<</Predictor 15/Columns 4>>"),
    ],
    "filter superseded by none": [
        (10, _file(b"/Filter 11 0 R")),
        (11, b"/FlateDecode"),
        (11, b"[]"),
    ],
    "filter superseded by null": [
        (10, _file(b"/Filter 11 0 R")),
        (11, b"/FlateDecode"),
        (11, b"null"),
    ],
    "filter superseded by another": [
        (10, _file(b"/Filter[11 0 R]")),
        (11, b"/FlateDecode"),
        (11, b"/ASCIIHexDecode"),
    ],
    "filter that no table names": [(10, _file(b"/Filter 11 0 R", PAYLOAD)), (11, b"/RL")],
    "parameters superseded": [
        (10, _file(b"/Filter/FlateDecode/DecodeParms 11 0 R", ROWS)),
        (11, b"<</Predictor 15/Columns 4>>"),
        (11, b"null"),
    ],
    "parameters that no table names": [
        (10, _file(b"/Filter/FlateDecode/DecodeParms 11 0 R")),
        (11, b"<</Predictor 15/Columns 4>>"),
    ],
    "columns superseded": [
        (10, _file(b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 11 0 R>>", ROWS)),
        (11, b"4"),
        (11, b"5"),
    ],
    "columns doubled": [
        (
            10,
            _file(b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 4/Columns 5>>", ROWS),
        ),
    ],
    "parameters in an object stream": [
        (10, _file(b"/Filter/FlateDecode/DecodeParms 12 0 R", ROWS)),
        (11, object_stream({12: b"<</Predictor 15/Columns 4>>"})),
    ],
    "object stream that shadows a filter": [
        (10, _file(b"/Filter 12 0 R")),
        (12, b"/FlateDecode"),
        (11, object_stream({12: b"[/ASCIIHexDecode]"})),
    ],
    "reference to a reference": [
        (10, _file(b"/Filter 11 0 R")),
        (11, b"12 0 R"),
        (12, b"/FlateDecode"),
    ],
    "end in a string": [(10, _file(b"/Filter/FlateDecode/X(endstream)"))],
    "end in a comment": [(10, _file(b"/Filter/FlateDecode%endstream\n"))],
    "header in a comment": [(10, _file(b"/Filter/FlateDecode%9 0 obj\n"))],
    "header in a string": [(10, _file(b"/Filter/FlateDecode/X( 9 0 obj)"))],
    "header among the keys": [(10, _file(b"/Filter/FlateDecode/X 9 0 obj 1"))],
    "beginning in a string": [(10, _file(b"/X(>>stream\n)/Filter/FlateDecode"))],
    "beginning in a comment": [(10, _file(b"%>>stream\n/Filter/FlateDecode"))],
    "beginning in a dictionary": [(10, _file(b"/X<<>>stream 1/Filter/FlateDecode"))],
    "comment behind the dictionary": [
        (10, _file(b"/Filter/FlateDecode").replace(b">>\nstream", b">>%endstream\n%x\nstream"))
    ],
    "bracket too many": [(10, _file(b"]/X 9 0 obj/Filter/FlateDecode"))],
    "no digits": [(10, _file(b"/X<%9 0 obj\n/Filter/FlateDecode"))],
    "brace as a value": [
        (10, _file(b"/X{/Filter/FlateDecode/DecodeParms 12 0 R{}", ROWS)),
        (12, b"<</Predictor 15/Columns 4>>"),
    ],
    "abbreviation beside the key": [(10, _file(b"/F/Fl/Filter/ASCIIHexDecode"))],
    "abbreviation that is ignored": [(10, _file(b"/Filter/FlateDecode/DP<</Predictor 15>>"))],
    "length in a string": [
        (
            10,
            b"<</X(/Length 5>)/#4cength %d>>\nstream\n%s\nendstream"
            % (len(b"decoy\nendstream" + PAYLOAD), b"decoy\nendstream" + PAYLOAD),
        )
    ],
    "length superseded": [
        (10, stream(b"decoy\nendstream" + PAYLOAD, b"", b"11 0 R")),
        (11, b"%d" % len(b"decoy\nendstream" + PAYLOAD)),
        (11, b"5"),
    ],
    "end that only readers of lengths pass": [
        (
            10,
            b"<</Length %d>>\nstream\n%s\nno such word\nendobj 11 0 obj null\nendobj"
            % (len(PAYLOAD) + 15, b"decoy\nendstream" + PAYLOAD),
        )
    ],
    "blanks behind the word": [
        (10, _file(b"", b"MZ" + PAYLOAD).replace(b"stream\n", b"stream \t\r\n"))
    ],
    "many nothings": [(10, _file(b"/Filter[%s/FlateDecode]" % (b"/Crypt" * 20)))],
}
"""Objects whose payload is seen only in one of several readings."""


def doubled_document(objects: list[tuple[int, bytes]]) -> bytes:
    """A document in which numbers may be there twice."""
    more = b"".join(b"%d 0 obj\n%s\nendobj\n" % item for item in objects)
    return document({}).replace(b"xref\n0", more + b"xref\n0", 1)


@pytest.mark.parametrize("what", TWO_WAYS)
def test_every_reading_is_handed_out(what: str) -> None:
    data = [member.data for member in opened(doubled_document(TWO_WAYS[what])).members]
    assert any(each.startswith(b"MZ") and PAYLOAD in each for each in data) or (
        "length" in what and any(PAYLOAD in each for each in data)
    )
    assert len(data) == len(set(data))


@pytest.mark.parametrize(
    "text",
    [
        b"10 0 obj <</X( 9 0 obj % )/S/JavaScript/JS(evil)>>endobj",
        b"10 0 obj <</S/JavaScript/JS(fine; 9 0 obj 'evil')>>endobj",
        b"10 0 obj <</S/JavaScript/X]/Y 9 0 obj %\n/JS(evil)>>endobj",
        b"10 0 obj <</JS 11 0 R>>endobj 11 0 obj (fine; 9 0 obj 'evil')endobj",
        b"10 0 obj <</JS 11 0 R>>endobj 11 0 obj %9 0 obj\n(evil)endobj",
    ],
)
def test_scripts_past_what_looks_like_a_header(text: bytes) -> None:
    data = document({}).replace(b"xref\n0", text + b"\nxref\n0", 1)
    members = [m.data for m in opened(data).members if m.name.startswith("JavaScript")]
    assert any(b"evil" in script for script in members)


@pytest.mark.parametrize(
    "header",
    [
        b"10 %obj\n0 obj",
        b"10 0 %obj\nobj",
        b"10%x\r%obj\r%5 0 obj\r0%y\r%z\robj",
        b"(1%) 10 0%x\nobj",
        b"10 00000000000 obj",
    ],
)
def test_headers_with_words_in_comments(header: bytes) -> None:
    data = document({10: flate(PAYLOAD)}).replace(b"10 0 obj", header)
    assert contents(opened(data))["object 10 0"] == PAYLOAD


def test_stream_behind_a_header_that_is_none() -> None:
    data = document({10: flate(b"first"), 11: flate(PAYLOAD)}).replace(b"11 0 obj", b"11 x obj")
    assert PAYLOAD in [member.data for member in opened(data).members]


@pytest.mark.parametrize("value", [b"", b"null", b"[]", b"12 0 R"])
def test_filter_that_is_not_there(value: bytes) -> None:
    objects = [(11, value)] if value else []
    packed = opened(doubled_document([(10, _file(b"/Filter 11 0 R")), *objects]))
    assert PAYLOAD in [member.data for member in packed.members]
    hexed = opened(doubled_document([(10, _file(b"/Filter 11 0 R", FLATED.hex().encode()))]))
    assert [member.name for member in hexed.members if not member.complete] == ["object 10 0"]


@pytest.mark.parametrize(
    "name", [b"CCITTFaxDecode", b"CCF", b"JBIG2Decode", b"JPXDecode", b"DCTDecode"]
)
def test_picture_that_is_a_file_or_a_script_is_told_of(name: bytes) -> None:
    ways = (
        {10: stream(PAYLOAD, b"/Type/EmbeddedFile/Filter/" + name)},
        {10: stream(PAYLOAD, b"/Filter/" + name), 11: b"<</F(a)/EF<</F 10 0 R>>>>"},
        {10: stream(PAYLOAD, b"/Filter/" + name), 11: b"<</S/JavaScript/JS 10 0 R>>"},
        {10: stream(PAYLOAD, b"/Type/ObjStm/N 1/First 4/Filter/" + name)},
    )
    for objects in ways:
        (member,) = (m for m in opened(document(objects)).members if m.data == PAYLOAD)
        assert "no picture" in member.note


def test_more_readings_than_are_tried_are_told_of() -> None:
    many = [(11, b"/Filter%d" % number) for number in range(100)]
    outcome = opened(doubled_document([(10, _file(b"/Filter 11 0 R", PAYLOAD)), *many]))
    assert any(not member.complete for member in outcome.members)
    places = b"[%s]" % (b"11 0 R " * 30)
    many = [(11, b"/AHx"), (11, b"/A85")]
    outcome = opened(doubled_document([(10, _file(b"/Filter" + places, b"x")), *many]))
    assert any("ways" in skip.detail for skip in outcome.skipped) or any(
        "ways" in member.note for member in outcome.members
    )


def test_objects_that_reach_into_one_another_too_much_are_told_of() -> None:
    text = b"".join(b"%d 0 obj<</A(%d\n" % (number, number) for number in range(100_000))
    outcome = check_contract("PDF", HEADER + text, Limits(timeout=0))
    assert any("reach into one another" in skip.detail for skip in outcome.skipped)


def test_document_within_a_stream_hides_nothing_that_is_encrypted() -> None:
    real = written_by_pikepdf(revision=4, object_streams=False)
    cover = b"900 0 obj<</Length %d>>stream\n%%PDF-1.4\n"
    end = b"\nendstream endobj\n"
    at = real.index(b"1 0 obj")
    until = real.rindex(b"xref\n", 0, real.rindex(b"startxref"))
    inner = real[at:until]
    data = real[:at] + cover % (len(inner) + 9) + inner + end + real[until:]
    assert PAYLOAD in [member.data for member in opened(data).members]


@pytest.mark.parametrize("what", ["parameters", "length"])
def test_document_within_a_stream_may_refer_to_what_is_outside(what: str) -> None:
    text = _file(b"/Filter/FlateDecode/DecodeParms 12 0 R", ROWS)
    outer = {12: b"<</Predictor 15/Columns 4>>"}
    if what == "length":
        text = stream(b"decoy\nendstream" + PAYLOAD, b"", b"12 0 R")
        outer = {12: b"%d" % len(b"decoy\nendstream" + PAYLOAD)}
    inner = HEADER + b"11 0 obj" + text + b"endobj\n"
    found = [member.data for member in opened(document({10: stream(inner), **outer})).members]
    assert inner in found
    assert any(PAYLOAD in each for each in found if each != inner)


def test_two_encryptions_are_both_believed() -> None:
    real = written_by_pikepdf(revision=4, object_streams=False)
    other = written_by_pikepdf(revision=3, aes=False, metadata=False)
    trailer = other[other.rindex(b"trailer") : other.rindex(b"startxref")]
    at = int(trailer.split(b"/Encrypt ")[1].split()[0])
    encrypt = other[other.index(b"%d 0 obj" % at) :].split(b"endobj")[0].split(b"obj", 1)[1]
    decoy = b"999 0 obj%sendobj\ntrailer <</Root 1 0 R/Size 9/Encrypt 999 0 R>>\n" % encrypt
    for data in (real + decoy + b"startxref\n0\n%%EOF", HEADER + decoy + real):
        assert PAYLOAD in [member.data for member in opened(data).members]


@pytest.mark.parametrize("name", [b"StmF", b"CFM"])
def test_method_of_encryption_that_is_not_known(name: bytes) -> None:
    """qpdf takes it for AES."""
    real = written_by_pikepdf(revision=4, object_streams=False)
    old = {b"StmF": b"/StmF /StdCF", b"CFM": b"/CFM /AESV2"}[name]
    assert old in real
    data = real.replace(old, old[:-2] + b"99")
    assert PAYLOAD in [member.data for member in opened(data).members]


NEW_HOSTILE = {
    "strings over headers": b"1 0 obj<</A(\n",
    "brackets over headers": b"1 0 obj<<[\n",
    "odd digits": b"1 0 obj<</A<z\n",
    "comments over headers": b"1 0 obj%",
    "values over headers": b"5 0 obj[%9 0 obj\n",
    "comments with headers": b"%5 0 obj\n",
    "comments with words": b"%obj\n",
    "numbers in comments": b"%1 0\n",
    "starts of comments": b"1 0%",
    "streams in a region": b"<<>>stream\nx endstream ",
    "streams that are not sound": b"1 0 obj<</A(>>stream\nx endstream ",
    "streams of many readings": b"1 0 obj<</Filter 5 0 R/Length 6 0 R>>stream\nx endstream "
    b"5 0 obj/A 5 0 obj[/A85] 6 0 obj 1 ",
    "lengths that lie": b"1 0 obj<</Length 999999>>stream\nx endstream ",
    "closing brackets": b">>]",
    "nested strings": b"1 0 obj<</A((((",
    "references only": b"5 0 obj 5 0 R endobj 1 0 obj<</Filter 5 0 R>>stream\nx endstream ",
}


@pytest.mark.parametrize("what", NEW_HOSTILE)
def test_every_search_is_linear(what: str) -> None:
    """Twice the data take about twice the time, and not much of it."""
    taken = []
    for size in (200_000, 400_000):
        unit = NEW_HOSTILE[what]
        data = HEADER + b"1 0 obj<<>>" + unit * (size // len(unit)) + b"\nobj"
        start = time.process_time()
        check_contract("PDF", data, Limits(timeout=0, max_files=0, max_scan_size=0))
        taken.append(time.process_time() - start)
    assert taken[1] < 5
    assert taken[1] < 3.2 * taken[0] + 0.3
