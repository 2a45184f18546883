"""The journal keeps what was written, in order, tamper-evident, whatever happens around it."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protect.journal_events import event
from tocsin.errors import JournalError
from tocsin.protect.journal import file as journal_file
from tocsin.protect.journal.buffered import BufferedJournal
from tocsin.protect.journal.content import MOST_BYTES, canonical
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.store import Filter, Journal
from tocsin.settings import JournalSettings


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(place):
    with closing(Journal(place)) as opened:
        yield opened


def raw(place: Path) -> sqlite3.Connection:
    return sqlite3.connect(place, isolation_level=None)


# --- round trip ---------------------------------------------------------------------------

# What a path from the system can hold: any text, and undecodable bytes as single surrogates.
PATH_TEXT = st.binary(max_size=30).map(lambda b: b.decode("utf-8", "surrogateescape"))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | PATH_TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PATH_TEXT, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
EVENTS = st.builds(
    Event,
    kind=st.sampled_from(Kind),
    severity=st.sampled_from(Severity),
    message=PATH_TEXT,
    origin=PATH_TEXT,
    time=st.floats(0, 1e11),
    path=PATH_TEXT,
    object=PATH_TEXT,
    signatures=st.lists(PATH_TEXT, max_size=3).map(tuple),
    action=st.sampled_from(["", "denied", "quarantined"]),
    sha256=st.text("0123456789abcdef", max_size=64),
    size=st.integers(0, 1 << 60),
    uid=st.integers(-1, 1 << 32),
    pid=st.integers(0, 1 << 22),
    program=PATH_TEXT,
    details=st.dictionaries(PATH_TEXT, PLAIN, max_size=3),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_an_event_comes_back_as_it_was(journal, events):
    before = journal.last_number()
    assert journal.write_many(events) == before + len(events)
    assert [held.number for held in events] == list(range(before + 1, before + 1 + len(events)))
    assert list(journal.read(Filter(after=before))) == events
    assert not journal.verify().problems


def test_what_json_does_not_have_is_kept_as_text(journal):
    odd = {
        "nan": math.nan,
        "bytes": b"a\xff",
        "large": 1 << 200,
        "path": Path("/a"),
        "set": {1},
        5: None,
        ("a", 1): 2,
    }
    journal.write(event(details=odd, time=math.inf))
    (held,) = journal.read()
    assert held.details == {
        "nan": "nan",
        "bytes": "a\udcff",
        "large": hex(1 << 200),
        "path": "/a",
        "set": [1],
        "5": None,
        "['a', 1]": 2,
    }
    assert held.time == 0.0


def test_a_flood_in_one_event_is_cut_and_the_event_kept(journal):
    deep: dict = {}
    for _ in range(2000):
        deep = {"a": deep}
    floods = [
        event(message="m" * 10**6, path="/" + "p" * 10**5),
        event(signatures=tuple(f"S.{n}" * 100 for n in range(10**4))),
        event(details={"k" * n: "v" * 10**4 for n in range(2000)}),
        event(details=deep),
    ]
    journal.write_many(floods)
    held = list(journal.read())
    assert len(held) == 4
    for flood, number in zip(floods, range(4), strict=True):
        assert len(canonical(flood, number)) <= MOST_BYTES
    assert held[0].path.startswith("/ppp")
    assert held[1].signatures[0].startswith("S.0")
    assert not journal.verify().problems


def test_the_file_is_nobody_elses(place, journal):
    journal.write(event())
    for ending in ("", "-wal", "-shm"):
        assert stat.S_IMODE(os.stat(f"{place}{ending}").st_mode) == 0o640


def test_made_by_root_it_belongs_to_whom_its_folder_belongs(place):
    if os.geteuid():
        pytest.skip("needs root")
    place.parent.mkdir()
    os.chown(place.parent, 12345, 12346)
    with closing(Journal(place)) as journal:
        journal.write(event())
        for ending in ("", "-wal", "-shm", ".lock"):
            status = os.stat(f"{place}{ending}")
            assert (status.st_uid, status.st_gid) == (12345, 12346), ending


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_no_link_is_followed(place, ending, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    place.parent.mkdir()
    if ending:
        Journal(place).close()
    os.symlink(victim, f"{place}{ending}")
    with pytest.raises(JournalError, match="is a link"):
        Journal(place)
    assert victim.read_bytes() == b"mine"


# --- what is asked for --------------------------------------------------------------------


@pytest.fixture
def filled(journal):
    journal.write_many(
        [
            event(1, time=100.0, path="/home/a/x.exe", signatures=("Win.Trojan.A", "Pua.B")),
            event(2, time=200.0, kind=Kind.SCAN, severity=Severity.INFO, path="/home",
                  signatures=()),
            event(3, time=300.0, severity=Severity.WARNING, path="/home/ab", action="quarantined"),
            event(4, time=400.0, kind=Kind.FAILURE, message="Disk FULL ÄÖ", path="", signatures=()),
            event(5, time=500.0, path="/home/a/\udcff.exe", program="/usr/bin/cp"),
        ]
    )  # fmt: skip
    return journal


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Filter(), [1, 2, 3, 4, 5]),
        (Filter(kinds=(Kind.SCAN, Kind.FAILURE)), [2, 4]),
        (Filter(severity=Severity.WARNING), [1, 3, 4, 5]),
        (Filter(severity=Severity.ALARM), [1, 4, 5]),
        (Filter(since=200.0, until=400.0), [2, 3]),
        (Filter(path="/home/a"), [1, 5]),
        (Filter(path="/home/a/"), [1, 5]),
        (Filter(path="/home/ab"), [3]),
        (Filter(path="/home"), [1, 2, 3, 5]),
        (Filter(path="*.exe"), [1, 5]),
        (Filter(path="/home/a/\udcff*"), [5]),
        (Filter(path="*.EXE"), []),
        (Filter(signature="win.*"), [1]),
        (Filter(signature="pua.b"), [1]),
        (Filter(signature="Trojan"), []),
        (Filter(action="quarantined"), [3]),
        (Filter(text="full äö"), [4]),
        (Filter(text="bin/CP"), [5]),
        (Filter(text="trojan"), [1]),
        (Filter(after=3), [4, 5]),
        (Filter(limit=2), [1, 2]),
        (Filter(limit=2, newest=True), [4, 5]),
        (Filter(limit=9, newest=True), [1, 2, 3, 4, 5]),
        (Filter(kinds=(Kind.DETECTION,), limit=2, newest=True), [3, 5]),
        (Filter(path="/home/a", severity=Severity.ALARM, text="found", after=1), [5]),
    ],
)
def test_filters(filled, wanted, numbers):
    assert [held.number for held in filled.read(wanted)] == numbers


def test_reading_goes_on_over_pages_and_new_events(journal):
    journal.write_many([event(n) for n in range(1200)])
    seen = []
    for held in journal.read():
        seen.append(held.number)
        if held.number == 1:
            journal.write(event())
    assert seen == list(range(1, 1202))
    assert len(list(journal.read(Filter(limit=700)))) == 700


# --- append-only and chained --------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET content = x'00' WHERE number = 2",
        "DELETE FROM event WHERE number = 2",
        "DELETE FROM event",
        "DELETE FROM chain",
        "UPDATE chain SET head_number = 1",
        "UPDATE chain SET base_number = 99",
        "UPDATE chain SET journal = 'x'",
        "INSERT INTO event SELECT 9, time, kind, severity, path, action, signatures, content, "
        "digest FROM event WHERE number = 1",
        "INSERT OR REPLACE INTO event SELECT 1, time, kind, severity, path, action, signatures, "
        "content, digest FROM event WHERE number = 2",
    ],
)
def test_the_file_refuses_changes(filled, place, statement):
    with closing(raw(place)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert not filled.verify().problems
    assert [held.number for held in filled.read()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE event SET content = CAST(replace(content, 'found 3', 'found 9') AS BLOB)",
            "event 3 is not",
        ),
        ("UPDATE event SET content = 'x' WHERE number = 3", "event 3 is not what was written"),
        ("UPDATE event SET severity = 0 WHERE number = 3", "event 3 is filed under"),
        ("DELETE FROM event WHERE number = 3", "events 3 to 3 are missing"),
        ("DELETE FROM event WHERE number > 3", "should be 5, and it is 3"),
        ("UPDATE event SET content = x'00' WHERE number = 3", "event 3 of the journal is damaged"),
        ("INSERT INTO progress VALUES ('siem', 9)", "siem was given event 9"),
    ],
)
def test_who_takes_the_triggers_away_is_seen(filled, place, statement, said):
    with closing(raw(place)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
    assert any(said in problem for problem in filled.verify().problems)


def test_who_makes_all_digests_anew_is_seen_by_the_forwarded_one(filled, place, tmp_path):
    last = list(filled.read_entries())[-1].digest
    other = Journal(tmp_path / "forged.db")
    other.write_many([e for e in filled.read() if e.number != 3])
    forged = other.verify()
    other.close()
    assert not forged.problems
    assert last == filled.verify().digest
    assert forged.digest != last


# --- retention ----------------------------------------------------------------------------


def test_only_what_every_target_has_is_removed_and_the_rest_verifies(journal):
    journal.write_many([event(n, time=1000.0 + n) for n in range(1, 11)])
    journal.register("slow", within=math.inf)
    assert journal.progress() == {"slow": 0}
    assert journal.retain(keep_days=1, max_events=3) == 0
    journal.advance("slow", 4)
    journal.advance("slow", 2)  # a late word takes nothing back
    assert journal.retain(keep_days=1) == 4
    assert [held.number for held in journal.read()] == [5, 6, 7, 8, 9, 10]
    assert journal.first_number() == 5
    journal.keep_progress(["another"])
    assert journal.retain(max_events=3) == 3
    result = journal.verify()
    assert (result.events, result.first, result.last, result.problems) == (3, 8, 10, ())
    assert journal.retain(keep_days=1) == 3
    assert journal.write(event(11)) == 11
    assert not journal.verify().problems


def test_retention_keeps_what_is_young(journal):
    now = time.time()
    journal.write_many([event(n, time=now - 86400 * (5 - n)) for n in range(5)])
    assert journal.retain(keep_days=3.5) == 2
    assert journal.retain() == 0


def test_a_clock_that_jumped_lets_no_newer_event_go_first(journal):
    now = time.time()
    journal.write_many([event(1, time=now), event(2, time=5.0), event(3, time=now)])
    assert journal.retain(keep_days=1) == 0


def test_a_new_target_gets_the_last_day(journal):
    now = time.time()
    journal.write_many([event(n, time=now - 50_000 * (4 - n)) for n in range(5)])
    assert journal.register("new") == 3
    assert journal.register("new", within=math.inf) == 3
    assert journal.register("empty", within=-1) == 5


# --- several processes, and ends in the middle --------------------------------------------


def writer(place: Path, mark: str) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("journal_events.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(place), mark], stdout=subprocess.PIPE, text=True
    )


def test_writers_killed_in_the_middle_lose_nothing_that_was_said_to_be_written(place):
    said: dict[int, str] = {}
    for round_ in range(3):
        running = [(f"{round_}.{n}", writer(place, f"{round_}.{n}")) for n in range(2)]
        for mark, process in running:
            for _ in range(20):
                said[int(process.stdout.readline())] = mark
        for mark, process in running:
            process.kill()
            said |= dict.fromkeys(map(int, process.stdout.read().split()), mark)
            process.wait()
            process.stdout.close()
    with closing(Journal(place)) as journal:
        held = {e.number: e.origin for e in journal.read()}
        result = journal.verify()
    assert not result.problems
    assert said.items() <= held.items()
    assert len(held) <= len(said) + 6  # written, and killed before it could be said
    assert sorted(held) == list(range(1, len(held) + 1))


def test_threads_share_a_journal(journal):
    threads = [
        threading.Thread(target=lambda: [journal.write(event(n)) for n in range(20)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.verify().events == 80


def test_opened_by_two_at_once_it_is_made_once(place):
    opened: list[Journal] = []
    threads = [threading.Thread(target=lambda: opened.append(Journal(place))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({journal.identity() for journal in opened}) == 1
    for journal in opened:
        journal.write(event())
        journal.close()


# --- damage -------------------------------------------------------------------------------


def asides(place: Path) -> list[Path]:
    return sorted(p for p in place.parent.iterdir() if ".damaged-" in p.name)


@pytest.mark.parametrize("how", ["header", "zeros", "cut", "pages"])
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(place, how):
    with closing(Journal(place)) as journal:
        journal.write_many([event(n) for n in range(200)])
        identity = journal.identity()
    content = bytearray(place.read_bytes())
    if how == "header":
        content[:100] = b"\xff" * 100
    elif how == "zeros":
        content[:] = bytes(len(content))
    elif how == "cut":
        del content[4096:]
    else:
        content[4096:] = os.urandom(len(content) - 4096)
    place.write_bytes(content)
    with closing(Journal(place)) as journal:
        (told,) = journal.read()
        assert told.severity is Severity.ALARM
        assert "damaged" in told.message
        assert journal.identity() != identity
        assert told.details["moved_to"] == str(asides(place)[0])
        journal.write(event())
        assert not journal.verify().problems
    assert asides(place)[0].read_bytes() == content


def test_damage_while_it_is_open_is_put_aside_too_and_all_writers_move_on(place):
    first, second = Journal(place), Journal(place)
    first.write_many([event(n) for n in range(2000)])
    with closing(raw(place)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(place, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(place.stat().st_size - 4096))
    assert first.write(event(1)) == 2
    assert second.write(event(2)) == 3
    messages = [held.message for held in second.read()]
    assert "damaged" in messages[0]
    assert messages[1:] == ["found 1", "found 2"]
    assert len([p for p in asides(place) if p.name[-4:] not in ("-wal", "-shm")]) == 1
    first.close()
    second.close()


@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_a_journal_that_is_gone_is_told(place, how):
    with closing(Journal(place)) as journal:
        journal.write(event())
    if how == "removed":
        place.unlink()
    else:
        place.write_bytes(b"")
    with closing(Journal(place)) as journal:
        assert ["gone" in held.message for held in journal.read()] == [True]


def test_removed_while_it_is_open(place, journal):
    journal.write(event(1))
    place.unlink()
    journal.write(event(2))
    assert [held.message[:9] for held in journal.read()] == ["the journ", "found 2"]


def test_what_is_no_journal_is_left_alone(place):
    place.parent.mkdir()
    place.write_bytes(b"root:x:0:0:")
    with pytest.raises(JournalError, match="not a journal"):
        Journal(place)
    assert place.read_bytes() == b"root:x:0:0:"
    place.unlink()
    with closing(raw(place)) as connection:
        connection.execute("CREATE TABLE mine (a)")
    content = place.read_bytes()
    with pytest.raises(JournalError, match="not a journal"):
        Journal(place)
    with pytest.raises(JournalError, match="not a journal"):
        Journal(place, read_only=True)
    assert place.read_bytes() == content


def test_a_newer_version_is_refused_and_an_older_one_brought_up_to_date(place, monkeypatch):
    with closing(Journal(place)) as journal:
        journal.write(event())
    monkeypatch.setattr(journal_file, "VERSION", 2)
    monkeypatch.setitem(
        journal_file.MIGRATIONS, 1, lambda c: c.execute("ALTER TABLE progress ADD COLUMN note TEXT")
    )
    with closing(Journal(place)) as journal:
        assert not journal.verify().problems
    with closing(raw(place)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT note FROM progress").fetchall() == []
    monkeypatch.undo()
    with pytest.raises(JournalError, match="newer tocsin"):
        Journal(place)


def test_a_migration_that_fails_changes_nothing(place, monkeypatch):
    Journal(place).close()

    def half(connection):
        connection.execute("DROP TABLE progress")
        raise sqlite3.OperationalError("no")

    monkeypatch.setattr(journal_file, "VERSION", 2)
    monkeypatch.setitem(journal_file.MIGRATIONS, 1, half)
    with pytest.raises(JournalError):
        Journal(place)
    monkeypatch.undo()
    with closing(Journal(place)) as journal:
        assert journal.progress() == {}


# --- reading only -------------------------------------------------------------------------


def test_a_reader_changes_nothing_and_sees_what_comes(place, journal):
    journal.write(event(1))
    with closing(Journal(place, read_only=True)) as reader:
        assert reader.last_number() == 1
        with pytest.raises(JournalError, match="reading only"):
            reader.write(event())
        journal.write(event(2))
        assert [held.number for held in reader.read()] == [1, 2]


def test_a_reader_without_a_journal_is_told(place):
    with pytest.raises(JournalError, match="nothing was recorded yet"):
        Journal(place, read_only=True)


def test_somebody_who_may_only_read_can():
    if os.geteuid():
        pytest.skip("needs root")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "journal.db"
        with closing(Journal(place)) as journal:
            journal.write(event(1))
        os.chmod(folder, 0o755)
        os.chown(place, 0, 12345)
        assert as_user(12345, place) == 0
        assert as_user(12399, place) == 2


def as_user(group: int, place: Path) -> int:
    """Read as somebody: 0 when one event was seen, 2 when it is said why not."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(12345)
            with closing(Journal(place, read_only=True)) as reader:
                status = 0 if reader.last_number() == 1 else 3
        except JournalError as error:
            status = 2 if "ask root, or join its group" in str(error) else 4
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- a disk that is full ------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid():
        pytest.skip("needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    return filler


def write_on(journal: Journal) -> None:
    for n in range(1000):
        journal.write(event(n, message="x" * 4000))


def test_a_full_disk_is_an_error_and_no_damage(small_disk):
    place = small_disk / "journal.db"
    with closing(Journal(place)) as journal:
        journal.write(event(1))
        filler = fill(small_disk)
        with pytest.raises(JournalError, match=r"full|I/O|space"):
            write_on(journal)
        before = journal.last_number()
        filler.unlink()
        assert journal.write(event(2)) == before + 1
        assert not journal.verify().problems
    assert asides(place) == []


def test_what_a_full_disk_refuses_waits_and_comes_in_order(small_disk):
    place = small_disk / "journal.db"
    filler = fill(small_disk)
    buffered = BufferedJournal(place)
    assert buffered.write(event(1)) == 0
    assert buffered.waiting == 1
    assert buffered.trouble
    filler.unlink()
    buffered.write_many([event(2, severity=Severity.INFO), event(3)])
    assert buffered.flush()
    assert buffered.trouble == ""
    buffered.close()
    with closing(Journal(place)) as journal:
        assert [held.message for held in journal.read()] == ["found 1", "found 2", "found 3"]


def test_beyond_its_bound_the_least_severe_go_and_are_counted(place):
    place.parent.mkdir()
    place.mkdir()  # nothing can be written there
    buffered = BufferedJournal(place, most=4)
    buffered.write_many([event(n, severity=Severity.INFO) for n in range(3)])
    buffered.write_many([event(n) for n in range(3, 6)])
    assert (buffered.waiting, buffered.lost) == (4, 2)
    assert "is a link or no file" in buffered.trouble
    place.rmdir()
    assert buffered.flush()
    buffered.close()
    with closing(Journal(place)) as journal:
        messages = [held.message for held in journal.read()]
    assert messages[:4] == ["found 2", "found 3", "found 4", "found 5"]
    assert "2 events were lost" in messages[4]
    assert "no file" in messages[4]
    assert len(messages) == 5


def test_a_buffered_journal_keeps_to_its_settings(place):
    with closing(Journal(place)) as journal:
        journal.write_many([event(n) for n in range(20)])
        journal.register("no longer in the settings", within=1e12)
    buffered = BufferedJournal(place, JournalSettings(max_events=5), targets=())
    assert buffered.write(event(20)) == 21
    buffered.close()
    with closing(Journal(place)) as journal:
        assert journal.verify().events == 5


def test_a_journal_that_is_being_begun_is_waited_for(tmp_path):
    place = tmp_path / "journal.db"
    place.touch(mode=0o640)

    def begin():
        Journal(place).close()

    timer = threading.Timer(0.2, begin)
    timer.start()
    reader = Journal(place, read_only=True)
    try:
        assert list(reader.read()) == []
    finally:
        reader.close()
        timer.join()
