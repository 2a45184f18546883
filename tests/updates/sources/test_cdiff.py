"""Differences: what each command does, what is refused, and that sigtool does the same."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.updates.sources import cdiff
from tocsin.updates.sources.errors import DifferenceError
from updates.sources.sources_kit import INFO_KEY, make_cdiff, require_words


def apply_script(files, script, name="script"):
    """The same on a mapping of names and bytes."""
    with tempfile.TemporaryDirectory() as place:
        for member, data in files.items():
            (Path(place) / member).write_bytes(data)
        cdiff.apply_script(Path(place), io.BytesIO(script), name)
        return {path.name: path.read_bytes() for path in Path(place).iterdir()}


def read_cdiff(data, name, *, key=cdiff.CDIFF_KEY):
    """Version and script of a difference."""
    script = io.BytesIO()
    version = cdiff.read_cdiff(io.BytesIO(data), script, name, key=key)
    return version, script.getvalue()


SIGTOOL = shutil.which("sigtool")
BEFORE = {"a.hdb": b"one\ntwo\nthree\nfour\n", "b.hdb": b"x\n", "c.hdb": b""}


@pytest.mark.parametrize(
    ("script", "changed"),
    [
        (b"", {}),
        (b"# a remark\n", {}),
        (b"OPEN a.hdb\nCLOSE\n", {}),
        (b"OPEN a.hdb\nADD five and six\nCLOSE\n", {"a.hdb": BEFORE["a.hdb"] + b"five and six\n"}),
        (b"OPEN new.ndb\nADD n\nCLOSE\n", {"new.ndb": b"n\n"}),
        (b"OPEN a.hdb\nDEL 1 one\nDEL 4 fo\nCLOSE\n", {"a.hdb": b"two\nthree\n"}),
        (b"OPEN a.hdb\nDEL 4 four\nDEL 2 two\nCLOSE\n", {"a.hdb": b"one\nthree\n"}),
        (b"OPEN a.hdb\nXCHG 2 tw zwei drei\nCLOSE\n", {"a.hdb": b"one\nzwei drei\nthree\nfour\n"}),
        (
            b"OPEN a.hdb\nADD five\nDEL 1 one\nXCHG 3 t 3\nCLOSE\n",
            {"a.hdb": b"two\n3\nfour\nfive\n"},
        ),
        (b"MOVE a.hdb b.hdb 2 tw 3 th\n", {"a.hdb": b"one\nfour\n", "b.hdb": b"x\ntwo\nthree\n"}),
        (b"UNLINK b.hdb\n", {"b.hdb": None}),
    ],
)
def test_what_commands_do(script, changed):
    expected = {name: data for name, data in {**BEFORE, **changed}.items() if data is not None}
    assert apply_script(BEFORE, script) == expected


def test_of_two_edits_of_a_line_the_later_counts_and_lines_may_come_in_any_order():
    script = b"OPEN a.hdb\nDEL 3 th\nXCHG 1 one eins\nXCHG 3 th drei\nCLOSE\n"
    assert apply_script(BEFORE, script)["a.hdb"] == b"eins\ntwo\ndrei\nfour\n"


def test_a_file_of_many_pieces_is_edited_and_moved_from(monkeypatch):
    monkeypatch.setattr(cdiff, "_PIECE", 40)
    lines = [b"line %d\n" % number for number in range(1, 200)]
    before = {"a.hdb": b"".join(lines), "b.hdb": b"x\n"}
    script = b"OPEN a.hdb\nDEL 1 line\nDEL 100 line\nXCHG 199 line last\nCLOSE\n"
    edited = [*lines[1:99], *lines[100:198], b"last\n"]
    assert apply_script(before, script)["a.hdb"] == b"".join(edited)
    after = apply_script(before, b"MOVE a.hdb b.hdb 50 line 150 line\n")
    assert after["b.hdb"] == b"x\n" + b"".join(lines[49:150])
    assert after["a.hdb"] == b"".join(lines[:49] + lines[150:])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (b"ADD x\n", "without an open file"),
        (b"OPEN a.hdb\nOPEN b.hdb\n", "is open"),
        (b"OPEN a.hdb\nUNLINK b.hdb\n", "is open"),
        (b"OPEN a.hdb\nADD x\n", "truncated"),
        (b"OPEN a.hdb\nADD x", "truncated"),
        (b"OPEN ../a.hdb\n", "no name"),
        (b"OPEN .hidden\n", "no name"),
        (b"OPEN a/b\n", "no name"),
        (b"OPEN a.hdb\nDEL 5 x\nCLOSE\n", "no line 5"),
        (b"OPEN a.hdb\nDEL 0 x\nCLOSE\n", "no number"),
        (b"OPEN a.hdb\nDEL -1 x\nCLOSE\n", "no number"),
        (b"OPEN a.hdb\nDEL 1 two\nCLOSE\n", "not what it should be"),
        (b"OPEN a.hdb\nDEL 1\nCLOSE\n", "needs 2 words"),
        (b"OPEN a.hdb\nXCHG 1 one\nCLOSE\n", "needs 3 words"),
        (b"OPEN nothing.hdb\nDEL 1 x\nCLOSE\n", "no file nothing"),
        (b"UNLINK nothing.hdb\n", "no file nothing"),
        (b"MOVE a.hdb nothing.hdb 1 o 2 t\n", "no file nothing"),
        (b"MOVE a.hdb a.hdb 1 o 2 t\n", "one file"),
        (b"MOVE a.hdb b.hdb 3 th 2 tw\n", "no order"),
        (b"MOVE a.hdb b.hdb 1 two 2 two\n", "not where"),
        (b"MOVE a.hdb b.hdb 1 one 9 x\n", "not where"),
        (b"FORMAT c:\n", "no command"),
        (b"\n", "no command"),
    ],
)
def test_what_is_refused(script, words):
    with pytest.raises(DifferenceError, match=words):
        apply_script(BEFORE, script)


def test_the_line_of_a_mistake_is_named():
    with pytest.raises(DifferenceError, match=r"^daily-9\.cdiff:3: "):
        apply_script(BEFORE, b"OPEN a.hdb\nCLOSE\nNO\n", "daily-9.cdiff")


# --- the file around a script -------------------------------------------------------------

SCRIPT = b"OPEN a.hdb\nADD five\nCLOSE\n"


def test_a_signed_difference():
    difference = read_cdiff(make_cdiff(7, SCRIPT), "x", key=INFO_KEY)
    assert difference == (7, SCRIPT)


def test_every_byte_of_a_difference_is_signed():
    data = make_cdiff(7, SCRIPT)
    for place in range(0, len(data), 3):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(DifferenceError):
            read_cdiff(altered, "x", key=INFO_KEY)
    for length in (0, 5, 20, len(data) // 2, len(data) - 1):
        with pytest.raises(DifferenceError):
            read_cdiff(data[:length], "x", key=INFO_KEY)


def test_a_difference_of_somebody_else():
    with pytest.raises(DifferenceError, match="not ClamAV's"):
        read_cdiff(make_cdiff(7, SCRIPT), "x")


@pytest.mark.parametrize("stated", [0, len(SCRIPT) - 1, len(SCRIPT) + 1, 10**9])
def test_a_script_has_the_length_that_it_states(stated):
    body = f"ClamAV-Diff:7:{stated}:".encode() + gzip.compress(SCRIPT)
    with pytest.raises(DifferenceError, match="bytes"):
        read_cdiff(body + b":x", "x", key=None)


def test_a_script_that_unpacks_without_end_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(cdiff, "LARGEST_SCRIPT", 1000)
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(DifferenceError):
        read_cdiff(b"ClamAV-Diff:7:1000:" + bomb + b":x", "x", key=None)


def test_what_a_script_makes_is_bounded(monkeypatch):
    monkeypatch.setattr(cdiff, "LARGEST_RESULT", 100)
    with pytest.raises(DifferenceError, match="more than"):
        apply_script(BEFORE, b"OPEN a.hdb\n" + b"ADD 0123456789\n" * 20 + b"CLOSE\n")


# --- sigtool as the oracle ----------------------------------------------------------------

WORDS = st.sampled_from([b"one", b"two", b"three", b"a:b:c", b"x y", b""])
LINES = st.lists(WORDS, max_size=5)


@st.composite
def scripts(draw):
    """Mostly scripts that fit, on one or two files, with a mistake now and then."""
    files = {"a.hdb": draw(LINES), "b.hdb": draw(LINES)}
    commands = []
    for name in draw(st.lists(st.sampled_from(["a.hdb", "b.hdb"]), max_size=2, unique=True)):
        lines = files[name]
        commands.append(b"OPEN " + name.encode())
        for place, line in enumerate(lines, 1):
            what = draw(st.sampled_from(["keep", "keep", "del", "xchg", "wrong"]))
            start = line.split(b" ")[0][:2]
            if what == "del":
                commands.append(b"DEL %d %s" % (place, start))
            elif what == "xchg":
                commands.append(b"XCHG %d %s %s" % (place, start, draw(WORDS)))
            elif what == "wrong" and draw(st.integers(0, 5)) == 0:
                commands.append(b"DEL %d %s" % (place + 1, b"zz"))
        commands += [b"ADD " + line for line in draw(LINES)]
        commands.append(b"CLOSE")
    if draw(st.booleans()):
        commands.append(draw(st.sampled_from([b"UNLINK b.hdb", b"MOVE a.hdb b.hdb 1 o 2 t"])))
    data = {name: b"".join(line + b"\n" for line in lines) for name, lines in files.items()}
    return data, b"".join(command + b"\n" for command in commands)


@pytest.mark.skipif(SIGTOOL is None, reason="sigtool is not installed (apt-get install clamav)")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(scripts())
def test_sigtool_makes_the_same_of_a_script(tmp_path_factory, case):
    files, script = case
    folder = tmp_path_factory.mktemp("sigtool")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "x-2.script").write_bytes(script)
    done = subprocess.run(
        [SIGTOOL, "--run-cdiff", "x-2.script"], cwd=folder, capture_output=True, check=False
    )
    try:
        ours = apply_script(files, script)
    except DifferenceError:
        assert done.returncode != 0 or b"rror" in done.stderr + done.stdout, script
        return
    theirs = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix == ".hdb"}
    assert theirs == ours, script


@pytest.mark.skipif(SIGTOOL is None, reason="sigtool is not installed (apt-get install clamav)")
def test_what_sigtool_finds_different_is_what_leads_there(tmp_path):
    old = [b"%032x:%d:Name.%d" % (n, n + 1, n) for n in range(50)]
    new = [line for place, line in enumerate(old) if place % 7] + [b"%032x:9:New" % 99]
    for name, lines in (("old.hdb", old), ("new.hdb", new)):
        (tmp_path / name).write_bytes(b"\n".join(lines) + b"\n")
    shown = subprocess.run(
        [SIGTOOL, "--compare", "old.hdb", "new.hdb"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    lines = [line for line in shown.splitlines() if line.startswith((b"ADD ", b"DEL ", b"XCHG "))]
    assert lines
    script = b"\n".join([b"OPEN old.hdb", *lines, b"CLOSE", b""])
    after = apply_script({"old.hdb": (tmp_path / "old.hdb").read_bytes()}, script)
    assert after["old.hdb"] == (tmp_path / "new.hdb").read_bytes()


@given(st.dictionaries(st.sampled_from(["a.hdb", "b.hdb"]), st.binary(max_size=60)), st.binary())
def test_any_script_is_carried_out_or_refused(files, script):
    try:
        after = apply_script(files, script)
    except DifferenceError as error:
        require_words(error)
    else:
        assert all(isinstance(data, bytes) for data in after.values())
