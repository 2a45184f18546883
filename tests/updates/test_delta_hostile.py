"""A delta from anybody: refused in words, in bounded time and memory; nothing is left behind."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
import sys
import time

import pytest
import zstandard
from delta_samples import FEED, RULES, built, digest_records, expected, there_and_back
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.signatures.records import Kind, Record
from tocsin.updates import delta as delta_module
from tocsin.updates.delta import Digest, apply_delta
from tocsin.updates.delta_apply import MAX_RUNS
from tocsin.updates.delta_format import (
    MAGIC,
    MAX_DELTA_BYTES,
    MAX_PLAIN_BYTES,
    Reader,
    Writer,
    packed_varint,
)
from tocsin.updates.delta_text import MAX_TEXT_BYTES, MAX_TEXTS, read_texts, write_texts
from tocsin.updates.errors import DeltaError
from tocsin.updates.record_file import MAX_HEADER_BYTES

OLD = built(
    digest_records(60),
    digest_records(2, RULES, seed=9),
    [Record(Kind.YARA, f"rule r{n} {{}}" * 20, RULES) for n in range(9)],
)
NEW = built(
    digest_records(70)[5:], [Record(Kind.YARA, f"rule r{n} {{}}" * 20, RULES) for n in range(2, 12)]
)
OLD_HEADER = OLD.split(b"\n")[1] + b"\n"
PREFIX = OLD.split(b"\n")[2].rpartition(b"\t")[0] + b"\t"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("delta")
    there_and_back(folder, OLD, NEW)
    return (folder / "delta").read_bytes()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "out").write_bytes(b"as it was")
    return tmp_path


def refused(folder, data, match=".", want=None):
    (folder / "delta").write_bytes(data)
    with pytest.raises(DeltaError, match=match) as caught:
        apply_delta(
            folder / "old", folder / "delta", folder / "out", expected=want or expected(NEW)
        )
    assert (folder / "out").read_bytes() == b"as it was"
    assert sorted(path.name for path in folder.iterdir()) == ["delta", "old", "out"]
    return str(caught.value)


def crafted(
    *,
    header=b"{}\n",
    sources=b"\x01\x01",
    changes=b"",
    runs=(),
):
    """A delta for `OLD` of parts that make sense, until they are replaced."""
    writer = Writer()
    writer.raw(hashlib.sha256(OLD_HEADER).digest())
    writer.block(header, OLD_HEADER)
    writer.block(sources)
    writer.block(changes)
    writer.numbers([gap for gap, _ in runs])
    writer.numbers([records - 1 for _, records in runs])
    write_texts(writer, [], b"")
    return writer.finish()


def change(prefix, added, runs):
    return packed_varint(len(prefix)) + prefix + packed_varint(added) + packed_varint(runs)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_a_damaged_delta_is_refused_or_still_leads_there(folder, good, data):
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged))))
    (folder / "delta").write_bytes(damaged[:cut])
    (folder / "out").write_bytes(b"as it was")
    try:
        apply_delta(folder / "old", folder / "delta", folder / "out", expected=expected(NEW))
    except DeltaError as error:
        assert str(error)  # noqa: PT017  (it may be no error)
        assert (folder / "out").read_bytes() == b"as it was"
    else:
        assert (folder / "out").read_bytes() == NEW
    assert sorted(path.name for path in folder.iterdir()) == ["delta", "old", "out"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200))
def test_anything_behind_the_beginning_is_refused(folder, tail):
    refused(folder, MAGIC + hashlib.sha256(OLD_HEADER).digest() + tail)


def test_every_cut_is_refused(folder, good):
    for size in range(0, len(good), 7):
        refused(folder, good[:size])
    refused(folder, good + b"\0", "damaged")


def test_another_version_and_another_database_are_told_apart(folder, good):
    assert "version" in refused(folder, b"tocsin-delta 2\n" + good[len(MAGIC) :])
    (folder / "old").write_bytes(NEW)
    assert "another database" in refused(folder, good)


def test_a_result_with_another_digest_or_length_is_refused(folder, good):
    want = expected(NEW)
    for wrong in (
        Digest(want.sha256, want.length - 1),
        Digest(want.sha256, want.length + 1),
        Digest("0" * 64, want.length),
        Digest(want.sha256.upper(), want.length),
    ):
        refused(folder, good, "signed", wrong)


def test_an_old_database_that_was_altered_is_noticed(folder, good):
    # The header is as it was: nothing but the result's digest can tell.
    place = OLD.index(b"rule r5")
    (folder / "old").write_bytes(OLD[:place] + b"rule rX" + OLD[place + 7 :])
    refused(folder, good, "signed")


@pytest.mark.parametrize("cut", [1, 40, 200, 2_000])
def test_an_old_database_cut_short_is_noticed(folder, good, cut):
    (folder / "old").write_bytes(OLD[:-cut])
    refused(folder, good)


def test_what_makes_no_sense_is_refused(folder):
    assert OLD.count(PREFIX) > 10
    cases = {
        "a source too few": crafted(sources=b""),
        "two sources become one": crafted(sources=b"\x01\x02"),
        "a source below the first": crafted(sources=b"\x02\x01"),
        "a number that is not finished": crafted(sources=b"\x01\x81"),
        "a number longer than needed": crafted(sources=b"\x01\x81\x00"),
        "a prefix that is none": crafted(changes=change(b"body\t0\t", 0, 0)),
        "groups out of order": crafted(changes=change(PREFIX, 0, 0) + change(b"a\t0\t\t", 0, 0)),
        "a group twice": crafted(changes=change(PREFIX, 0, 0) * 2),
        "a run in a group that is not there": crafted(
            changes=change(b"yara\t7\t\t", 0, 1), runs=[(0, 1)]
        ),
        "a run behind its group": crafted(changes=change(PREFIX, 0, 1), runs=[(len(OLD), 1)]),
        "a run behind one that took all": crafted(
            changes=change(PREFIX, 0, 2), runs=[(0, 1 << 40), (0, 1)]
        ),
        "additions that do not follow": crafted(changes=change(PREFIX, 2, 0)),
        "too many additions": crafted(changes=change(PREFIX, MAX_TEXTS, 0) * 2),
        "too many runs": crafted(changes=change(PREFIX, 0, MAX_RUNS + 1)),
    }
    for about, data in cases.items():
        message = refused(folder, data)
        assert "signed" not in message, f"{about}: noticed by the digest only"


def test_a_made_up_delta_that_makes_sense_falls_by_its_digest(folder):
    refused(folder, crafted(), "signed")
    refused(folder, crafted(sources=b"\x00\x00"), "signed")
    refused(folder, crafted(header=b""), "signed")
    refused(folder, crafted(changes=change(PREFIX, 0, 1), runs=[(5, 3)]), "signed")


@pytest.mark.parametrize(
    "template",
    [
        b"no digest",
        b"\x02\x03",
        b"\x02\x00\x07",
        b"\x02\x00",
        b"\x02" + b"\x01" * 7,
        b"\x02" + b"\x00\x08" * 60,
    ],
)
def test_a_template_that_nobody_wrote_is_refused(template):
    writer = Writer()
    writer.varint(1)
    writer.block(template + b"\n")
    writer.numbers([1])
    writer.numbers([0])
    writer.block(bytes(14))
    with pytest.raises(DeltaError):
        read_texts(Reader(writer.finish()), 1, b"")


# --- what would cost too much ---------------------------------------------------------------


def bomb(size):
    """A block that states `size` bytes and keeps its word, in few."""
    packed = zstandard.ZstdCompressor(level=1).compress(bytes(size))
    return b"\x01" + packed_varint(size) + packed_varint(len(packed)) + packed


def test_blocks_are_bounded_one_by_one_and_together():
    start = time.process_time()
    reader = Reader(MAGIC + bomb(1 << 20) * 200)
    with pytest.raises(DeltaError):
        Reader(MAGIC + bomb(1 << 20)).block((1 << 20) - 1)
    for _ in range(MAX_PLAIN_BYTES >> 20):
        reader.block(MAX_PLAIN_BYTES)
    with pytest.raises(DeltaError):
        reader.block(MAX_PLAIN_BYTES)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("stated", [0, 10, 999, 1_001, 1 << 20])
@pytest.mark.parametrize("method", [1, 2])
def test_a_block_that_unpacks_to_something_else_than_stated_is_refused(stated, method):
    writer = Writer()
    data = b"ab" * 500 if method == 1 else random.Random(1).randbytes(30).hex().encode() * 17
    writer.block(data[:1_000])
    block = bytearray(writer.finish()[len(MAGIC) :])
    packed = bytes(block[1 + 2 + 1 :]) if block[3] < 0x80 else bytes(block[1 + 2 + 2 :])
    wrong = bytes(block[:1]) + packed_varint(stated) + packed_varint(len(packed)) + packed
    assert Reader(MAGIC + bytes(block)).block(1_000) == data[:1_000]
    with pytest.raises(DeltaError):
        Reader(MAGIC + wrong).block(MAX_PLAIN_BYTES)


def test_a_frame_that_states_no_size_or_a_huge_one_takes_no_memory():
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b"a" * 1_000)
    # Magic, single segment with an eight-byte size: RFC 8878, section 3.1.1.1.
    huge = b"\x28\xb5\x2f\xfd\xe0" + (1 << 60).to_bytes(8, "little") + b"\x01\x00\x00"
    for frame in (unsized, huge, b"", b"\x28\xb5\x2f\xfd"):
        data = MAGIC + b"\x01" + packed_varint(1_000) + packed_varint(len(frame)) + frame
        with pytest.raises(DeltaError):
            Reader(data).block(1_000)


def test_one_template_used_often_does_not_multiply_without_bound():
    template = b"\x02:" + b"A" * (1 << 20) + b"\n"
    count = 2 * MAX_TEXT_BYTES // len(template)
    writer = Writer()
    writer.varint(1)
    writer.block(template)
    writer.numbers([1] * count)
    writer.numbers([0] * count)
    writer.block(bytes(14) * count)
    for _ in range(2):
        writer.numbers([])
        writer.block(b"")
    for _ in range(6):
        writer.numbers([])
    writer.block(b"")
    with pytest.raises(DeltaError):
        read_texts(Reader(writer.finish()), count, b"")


def test_a_file_of_empty_lines_is_counted_before_it_is_taken_apart():
    writer = Writer()
    writer.varint(1)
    writer.block(b"\n" * (16 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DeltaError):
        read_texts(Reader(writer.finish()), 1, b"")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 << 10


def test_a_delta_file_without_end_is_not_read_to_the_end(folder):
    with (folder / "delta").open("wb") as file:
        file.truncate(MAX_DELTA_BYTES + 1)
    with pytest.raises(DeltaError, match="more than"):
        apply_delta(folder / "old", folder / "delta", folder / "out", expected=expected(NEW))


def test_a_header_without_end_is_no_database(folder, good):
    (folder / "old").write_bytes(b"tocsin-database 1\n")
    with (folder / "old").open("ab") as file:
        file.truncate(MAX_HEADER_BYTES * 2)
    refused(folder, good, "too long")


def test_a_result_larger_than_signed_ends_before_it_fills_the_disk(folder, monkeypatch):
    big = built(digest_records(24_000, FEED))
    (folder / "old").write_bytes(big)
    there_and_back(folder, big, built(digest_records(24_001, FEED)))
    (folder / "out").write_bytes(b"as it was")
    (folder / "new").unlink()
    written = 0
    write = delta_module._write_checked

    def counted(file, *rest):
        nonlocal written
        try:
            write(file, *rest)
        finally:
            written = os.fstat(file.fileno()).st_size

    monkeypatch.setattr(delta_module, "_write_checked", counted)
    data = (folder / "delta").read_bytes()
    refused(folder, data, "signed", Digest("0" * 64, 1_500_000))
    assert written <= 1_500_000 < len(big)


# --- what the machine may do to it ------------------------------------------------------------


def test_a_full_disk_leaves_what_was_there(folder, good):
    (folder / "delta").write_bytes(good)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from tocsin.updates.delta import Digest, apply_delta\n"
        "from tocsin.updates.errors import DeltaError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "old, delta, out = map(Path, sys.argv[1:4])\n"
        "expected = Digest(sys.argv[4], int(sys.argv[5]))\n"
        "try: apply_delta(old, delta, out, expected=expected)\n"
        "except DeltaError as error: print(error)\n"
    )
    want = expected(NEW)
    names = [str(folder / name) for name in ("old", "delta", "out")]
    done = subprocess.run(
        [sys.executable, "-c", code, *names, want.sha256, str(want.length)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be written" in done.stdout
    assert (folder / "out").read_bytes() == b"as it was"
    assert sorted(path.name for path in folder.iterdir()) == ["delta", "old", "out"]


class Lost(BaseException):
    """The power is gone; what would be done afterwards is not."""


@pytest.mark.parametrize("step", range(8))
def test_power_lost_at_any_step_leaves_the_old_file_or_the_new_one(folder, good, monkeypatch, step):
    (folder / "delta").write_bytes(good)
    steps = []

    def counted(name, call):
        def wrapped(*arguments, **keywords):
            if len(steps) == step // 2 and step % 2 == 0:
                os._exit(9)
            result = call(*arguments, **keywords)
            steps.append(name)
            if len(steps) == step // 2 + 1:
                os._exit(9)
            return result

        return wrapped

    child = os.fork()
    if child == 0:
        for name in ("open", "fsync", "replace"):
            monkeypatch.setattr(delta_module.os, name, counted(name, getattr(os, name)))
        try:
            apply_delta(folder / "old", folder / "delta", folder / "out", expected=expected(NEW))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    replaced = step >= 5  # open, fsync, replace: the third one done
    assert (folder / "out").read_bytes() == (NEW if replaced else b"as it was")
    left = {path.name for path in folder.iterdir()} - {"delta", "old", "out"}
    assert all(name.startswith(".out.") and name.endswith(".part") for name in left)
    apply_delta(folder / "old", folder / "delta", folder / "out", expected=expected(NEW))
    assert (folder / "out").read_bytes() == NEW


def test_contents_are_on_the_disk_before_the_name_is(folder, good, monkeypatch):
    (folder / "delta").write_bytes(good)
    order = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def replaced(*names):
        order.append("name")
        replace(*names)

    monkeypatch.setattr(delta_module.os, "fsync", synced)
    monkeypatch.setattr(delta_module.os, "replace", replaced)
    apply_delta(folder / "old", folder / "delta", folder / "out", expected=expected(NEW))
    assert order == ["file", "name", "folder"]
