"""The TXT record that says which versions there are: from a resolver to a decision."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.updates.sources.clamav_plan import (
    MOST_PATCHES,
    Step,
    plan_step,
    read_record,
    select_databases,
)
from tocsin.updates.sources.dns import query_txt, system_resolvers
from tocsin.updates.sources.dns_message import Truncated, read_answer, write_question
from tocsin.updates.sources.errors import SourceUnreachable
from updates.sources.sources_kit import require_words, resolver, txt_answer

NAME = "current.cvd.example"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_a_question_as_it_goes_over_the_wire():
    assert write_question("a.bc", 0x1234) == (
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x10\x00\x01"
    )


@pytest.mark.parametrize(
    "name", ["", "a..b", "-" * 64 + ".example", "a b", "a." * 130, "ü.example"]
)
def test_names_that_cannot_be_asked_for(name):
    with pytest.raises(SourceUnreachable):
        write_question(name, 1)


def test_texts_of_several_pieces_and_records():
    question = write_question(NAME, 7)
    assert read_answer(txt_answer(question, "x" * 600, "second"), question) == ["x" * 600, "second"]


def test_other_records_are_passed_over():
    question = write_question(NAME, 7)
    answer = bytearray(txt_answer(question, "text"))
    alias = b"\x03www\xc0\x0c" + struct.pack("!2HIH", 5, 1, 60, 2) + b"\xc0\x0c"
    whole = bytes(answer[:6]) + b"\x00\x02" + bytes(answer[8 : len(question)]) + alias
    assert read_answer(whole + bytes(answer[len(question) :]), question) == ["text"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"\0\0" + data[2:],
        lambda data: data[:2] + b"\x01\x80" + data[4:],
        lambda data: data[:3] + b"\x83" + data[4:],
        lambda data: data[:20] + b"\xff" + data[21:],
        lambda data: data[:6] + b"\0\0" + data[8:],
        lambda data: data[:-1],
        lambda data: data[:13],
        lambda data: b"",
    ],
)
def test_answers_that_are_none(spoil):
    question = write_question(NAME, 7)
    with pytest.raises(SourceUnreachable):
        read_answer(spoil(txt_answer(question, "text")), question)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_an_answer_or_refused(data, behind_a_header):
    question = write_question(NAME, 7)
    if behind_a_header:
        data = txt_answer(question)[:6] + b"\0\2" + txt_answer(question)[8:] + data
    try:
        texts = read_answer(data, question)
    except SourceUnreachable as error:
        require_words(error)
    else:
        assert texts


def test_a_resolver_is_asked():
    with resolver(lambda question: [txt_answer(question, "hello")]) as address:
        assert query_txt(NAME, [address], timeout=2) == ["hello"]


def test_an_answer_that_does_not_fit_is_asked_for_over_tcp():
    def cut(question):
        return [txt_answer(question, flags=0x8380)]

    with resolver(cut, lambda question: txt_answer(question, "x" * 3000)) as address:
        assert query_txt(NAME, [address], timeout=2) == ["x" * 3000]
    question = write_question(NAME, 1)
    with pytest.raises(Truncated):
        read_answer(cut(question)[0], question)


def test_an_answer_to_another_question_is_waited_past():
    def answers(question):
        wrong = bytes([question[0] ^ 1]) + question[1:]
        return [txt_answer(wrong, "forged"), txt_answer(question, "true")]

    with resolver(answers) as address:
        assert query_txt(NAME, [address], timeout=2) == ["true"]


def test_nobody_answers():
    with resolver(lambda question: []) as address, pytest.raises(SourceUnreachable):
        query_txt(NAME, [address], timeout=0.05)


def test_resolvers_that_the_system_names(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver nonsense\n")
    assert system_resolvers(file) == [("192.0.2.1", 53), ("fe80::1%eth0", 53)]
    assert system_resolvers(tmp_path / "none") == [("127.0.0.1", 53)]


# --- what the record says -----------------------------------------------------------------


def stamp(hours):
    return int((NOW - timedelta(hours=hours)).timestamp())


def test_fields_of_the_record():
    record = read_record(f"1.4.6:62:27150:{stamp(1)}:1:90:49192:335", NOW)
    assert record.versions == {"main": 62, "daily": 27150, "safebrowsing": 49192, "bytecode": 335}
    assert (record.software, record.level, record.warns) == ("1.4.6", 90, True)


@pytest.mark.parametrize(
    "text",
    ["", "1:2:3", f"1.4.6:62:27150:{stamp(4)}:1:90:1:335", "1.4.6:62:27150:soon:1:90:1:335"],
)
def test_a_record_that_says_nothing_is_not_gone_by(text):
    with pytest.raises(SourceUnreachable):
        read_record(text, NOW)


def test_a_version_that_is_none_is_left_out():
    record = read_record(f"1.4.6:-1:99999999999:{stamp(0)}:0:x:0:335", NOW)
    assert record.versions == {"bytecode": 335}
    assert (record.level, record.warns) == (0, False)


def test_a_time_beyond_all_calendars_is_no_reason_to_stop():
    assert read_record("1.4.6:62:5:901795845600:1:90:1:335", NOW).versions["daily"] == 5


@given(st.text(max_size=80))
def test_any_text_is_a_record_or_refused(text):
    try:
        read_record(text, NOW)
    except SourceUnreachable as error:
        require_words(error)


@pytest.mark.parametrize(
    ("here", "there", "scripted", "step"),
    [
        (None, 5, True, Step.WHOLE),
        (5, 5, True, Step.NOTHING),
        (6, 5, True, Step.NOTHING),
        (4, 5, True, Step.PATCHES),
        (4, 5, False, Step.WHOLE),
        (1, MOST_PATCHES + 1, True, Step.PATCHES),
        (1, MOST_PATCHES + 2, True, Step.WHOLE),
    ],
)
def test_what_is_fetched(here, there, scripted, step):
    assert plan_step(here, there, scripted=scripted) is step


def test_which_databases():
    assert select_databases() == ("main", "daily", "bytecode")
    assert select_databases(bytecode=False, extra=("test",)) == ("main", "daily", "test")
    assert select_databases(excluded=("main", "test"), extra=("test",)) == ("daily", "bytecode")
