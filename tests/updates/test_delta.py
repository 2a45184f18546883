"""A delta leads from one database to another exactly, and costs what is new and no more."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from delta_samples import (
    FEED,
    RULES,
    built,
    digest_records,
    expected,
    there_and_back,
    tomorrow,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signature_samples import LINES

from tocsin.database.portable import build_portable, read_portable
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.delta import Digest, apply_delta, make_delta
from tocsin.updates.delta_make import continued
from tocsin.updates.errors import DeltaError

# More than ten, so that "10" stands before "2" and numbers of one digit become two.
SOURCES = [Source(f"source-{letter}", letter * 64) for letter in "abcdef"] * 2
SOURCES += [Source(f"list-{number}.txt", f"{number:064}") for number in range(8)]
TEXTS = st.one_of(
    st.sampled_from([line for _, line in LINES]),
    st.text(st.sampled_from("ab:\t\n\r\\\0\1\2\3\4\x08\x0c%é\udcff019*"), max_size=12),
    st.builds(
        "{}:{}:{}".format,
        st.integers(0, 3).map(lambda n: f"{n:032x}" * 2),
        st.one_of(st.just("*"), st.integers(0, 10**19).map(str), st.just("007")),
        st.sampled_from(["A-1-0:73", "B%d-\0", "list.000000000000:73", "0-1-2-3-4-5-6-7", "é1"]),
    ),
    st.builds("{}:{:032x}:N-{}".format, st.integers(0, 99), st.integers(0, 9), st.integers(0, 9)),
)
RECORDS = st.builds(
    Record,
    st.sampled_from([Kind.FILE_DIGEST, Kind.SECTION_DIGEST, Kind.BODY, Kind.YARA]),
    TEXTS,
    st.sampled_from(SOURCES),
    st.booleans(),
    st.just(0),
    st.sampled_from(["", "", "detail"]),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORDS, max_size=12), st.lists(RECORDS, max_size=12), st.lists(RECORDS))
def test_any_two_databases_are_led_from_one_to_the_other(before, after, both):
    with tempfile.TemporaryDirectory() as place:
        old, new = build_portable(before + both), build_portable(after + both)
        summary = there_and_back(Path(place), old, new)
        assert (summary.added == summary.removed == 0) or old != new


def test_every_language_is_carried(tmp_path):
    records = [
        Record(kind, line, FEED, detail="icons" if kind == Kind.UNEVALUATED else "")
        for kind, line in LINES
    ]
    there_and_back(tmp_path, built(records[::2]), built(records[1::2]))
    there_and_back(tmp_path, built(records), built(records[:3]))


def test_a_day_of_a_feed_costs_little_more_than_its_digests(tmp_path):
    records = digest_records(20_300)
    later = [record._replace(source=tomorrow(FEED)) for record in records[50:]]
    summary = there_and_back(tmp_path, built(records[:20_000]), built(later))
    assert summary[:2] == (300, 50)
    # 30 bytes that are noise, some 2.5 for a size, 1 to 2 for a serial number.
    assert summary.bytes < 300 * 38 + 500


def test_names_made_of_the_digest_cost_nothing(tmp_path):
    texts = [record.text[:64] for record in digest_records(5_500)]
    records = [Record(Kind.FILE_DIGEST, f"{d}:*:feed.{d[:12]}:73", FEED) for d in texts]
    summary = there_and_back(tmp_path, built(records[:5_000]), built(records))
    assert summary.bytes < 500 * 32 + 400


def test_names_of_too_many_kinds_are_written_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("tocsin.updates.delta_text.MAX_TEMPLATES", 3)
    texts = [f"{n:064x}:{n}:{'ABCDEF'[n % 6 - n % 2]}{'x' * (n % 5)}-{n}" for n in range(1, 90)]
    records = [Record(Kind.FILE_DIGEST, text, FEED) for text in texts]
    assert there_and_back(tmp_path, built(records[:9]), built(records))[:2] == (80, 0)


def test_a_source_that_is_put_before_the_others_costs_itself(tmp_path):
    records = [
        record._replace(source=Source(f"list-{number:02}", f"{number:064}"))
        for number in range(1, 15)
        for record in digest_records(300, seed=number)
    ]
    first = Record(Kind.BODY, "New:0:*:61626364", Source("a-list", "ab" * 32))
    summary = there_and_back(tmp_path, built(records), built(records, [first]))
    assert summary[:2] == (1, 0)
    assert summary.bytes < 700
    summary = there_and_back(tmp_path, built(records, [first]), built(records))
    assert summary[:2] == (0, 1)
    assert summary.bytes < 500


def test_a_changed_rule_file_costs_its_change(tmp_path):
    rng = random.Random(3)
    lines = [f"  $s{n} = {{ {rng.randbytes(12).hex(' ')} }}" for n in range(1_000)]
    before = Record(Kind.YARA, "rule a { strings:\n" + "\n".join(lines) + "\n}", RULES)
    lines[500] = "  $changed"
    after = Record(Kind.YARA, "rule a { strings:\n" + "\n".join(lines) + "\n}", tomorrow(RULES))
    assert len(after.text) > 45_000
    assert there_and_back(tmp_path, built([before]), built([after])).bytes < 600


def test_lines_longer_than_what_is_read_at_once_are_carried(tmp_path):
    rng = random.Random(4)
    long = [Record(Kind.YARA, f"{n} {rng.randbytes(700_000).hex()}", RULES) for n in range(4)]
    head = Record(Kind.BODY, "A:0:*:61626364", Source("a", "0" * 64))
    there_and_back(tmp_path, built(long[:3]), built(long[1:3], [head]))
    summary = there_and_back(tmp_path, built(long[:3], [head]), built(long[1:3]))
    assert summary[:2] == (0, 2)


def test_a_delta_between_equals_changes_nothing(tmp_path):
    data = built(digest_records(1_000))
    summary = there_and_back(tmp_path, data, data)
    assert summary[:2] == (0, 0)
    assert summary.bytes < 120


def test_what_comes_out_is_a_database(tmp_path):
    records = digest_records(40)
    there_and_back(tmp_path, built(records[:30]), built(records[5:]))
    texts = {parsed.record.text for parsed in read_portable(tmp_path / "out")}
    assert texts == {record.text for record in records[5:]}


def test_the_old_database_may_be_replaced(tmp_path):
    records = digest_records(200)
    there_and_back(tmp_path, built(records[:150]), built(records[10:]))
    want = expected(built(records[10:]))
    apply_delta(tmp_path / "old", tmp_path / "delta", tmp_path / "old", expected=want)
    assert (tmp_path / "old").read_bytes() == built(records[10:])


def test_progress_ends_at_the_whole(tmp_path):
    records = digest_records(20_000)
    there_and_back(tmp_path, built(records[:-1]), built(records))
    told = []
    want = expected(built(records))
    apply_delta(
        tmp_path / "old",
        tmp_path / "delta",
        tmp_path / "out",
        expected=want,
        progress=lambda done, whole: told.append((done, whole)),
    )
    assert len(told) > 1
    assert told == sorted(told)
    assert told[-1] == (want.length, want.length)


def test_sources_are_continued_by_themselves_by_name_and_by_name_without_numbers():
    before = [Source("a", "1"), Source("b", "2"), Source("daily-1.cvd/x", "3"), Source("gone", "4")]
    after = [Source("a", "9"), Source("b", "2"), Source("b", "5"), Source("daily-2.cvd/x", "6")]
    assert continued(before, after) == [0, 1, 3, -1]
    assert continued(before, []) == [-1] * 4


def test_databases_that_differ_too_much_have_no_delta(tmp_path, monkeypatch):
    monkeypatch.setattr("tocsin.updates.delta_make.MAX_TEXTS", 100)
    monkeypatch.setattr("tocsin.updates.delta_make.MAX_RUNS", 100)
    records = digest_records(1_000)
    for old, new in ((records[:1], records), (records, records[::2])):
        (tmp_path / "old").write_bytes(built(old))
        (tmp_path / "new").write_bytes(built(new))
        with pytest.raises(DeltaError, match="in full"):
            make_delta(tmp_path / "old", tmp_path / "new", tmp_path / "delta")
    assert not (tmp_path / "delta").exists()


def swapped(data):
    head, header, *lines = data.split(b"\n")
    lines[3], lines[40] = lines[40], lines[3]
    return b"\n".join([head, header, *lines])


def test_no_delta_leads_to_a_database_out_of_order(tmp_path):
    (tmp_path / "old").write_bytes(built(digest_records(90)))
    (tmp_path / "new").write_bytes(swapped(built(digest_records(100))))
    with pytest.raises(DeltaError, match="canonically"):
        make_delta(tmp_path / "old", tmp_path / "new", tmp_path / "delta")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_a_delta_from_a_database_out_of_order_is_right_or_none(tmp_path):
    new = built(digest_records(100))
    (tmp_path / "old").write_bytes(swapped(built(digest_records(90))))
    (tmp_path / "new").write_bytes(new)
    with suppress(DeltaError):
        make_delta(tmp_path / "old", tmp_path / "new", tmp_path / "delta")
        apply_delta(tmp_path / "old", tmp_path / "delta", tmp_path / "out", expected=expected(new))
    assert not (tmp_path / "out").exists() or (tmp_path / "out").read_bytes() == new


@pytest.mark.parametrize("content", [b"", b"nothing", b"tocsin-database 1\n", None])
def test_what_is_no_database_has_no_delta(tmp_path, content):
    (tmp_path / "good").write_bytes(built(digest_records(3)))
    if content is not None:
        (tmp_path / "bad").write_bytes(content)
    for pair in (("bad", "good"), ("good", "bad")):
        with pytest.raises(DeltaError, match="bad"):
            make_delta(*(tmp_path / name for name in pair), tmp_path / "delta")
    (tmp_path / "delta").write_bytes(b"tocsin-delta 1\n")
    with pytest.raises(DeltaError, match="bad"):
        apply_delta(tmp_path / "bad", tmp_path / "delta", tmp_path / "out", expected=Digest("", 0))


def test_the_same_databases_give_the_same_delta(tmp_path):
    records = digest_records(300)
    there_and_back(tmp_path, built(records[:200]), built(records[50:]))
    code = (
        "import sys; from pathlib import Path; from tocsin.updates.delta import make_delta;"
        "make_delta(*map(Path, sys.argv[1:]))"
    )
    for seed in ("1", "2"):
        again = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / "old", tmp_path / "new", again],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert again.read_bytes() == (tmp_path / "delta").read_bytes()
