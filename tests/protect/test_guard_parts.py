"""The parts of the guard that need no kernel that asks: bookkeeping, scope, facts, ways out."""

from __future__ import annotations

import mmap
import os
import socket
import stat
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from tocsin.engine.jobs import lost
from tocsin.engine.report import Detection, Report, SkippedObject
from tocsin.errors import ChannelClosed
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.control_messages import HappenedWish, TakeWish, from_child, to_child
from tocsin.protect.file_facts import (
    Facts,
    facts_at,
    facts_of,
    is_settled,
    nobody_writes,
    prepare_leases,
)
from tocsin.protect.guard.guard import _NoImport
from tocsin.protect.guard.looks import Look, Looks, Opening
from tocsin.protect.guard.notices import detection
from tocsin.protect.guard.outbox import MOST_EVENTS, Outbox
from tocsin.protect.guard.processes import ProcessExclusions, Who, who
from tocsin.protect.guard.scope import PathExclusions, Scope, covers
from tocsin.protect.guard.tally import BOUNDS, Tally
from tocsin.protect.guard.targets import Targets
from tocsin.protect.guard.verdicts import Verdicts, allows
from tocsin.protect.mounts import Mount, read_mounts
from tocsin.settings import GuardSettings


def facts(number: int = 1, size: int = 10, changed: int = 100, **more: int) -> Facts:
    values = {"mode": stat.S_IFREG | 0o644, "uid": 0, "changed_ns": 1, "mount": 1, "links": 1}
    return Facts(
        key=(8, 1, number), stamp=(size, changed), size=size, changed=changed, **{**values, **more}
    )


def infected(path: str = "file") -> Report:
    report = Report(path)
    report.detections.append(Detection("Some.Thing", "x.ndb", path, 0))
    return report


def incomplete(reason: str) -> Report:
    report = Report("file")
    report.skipped.append(SkippedObject("file", reason, "in words"))
    return report


# --- verdicts -----------------------------------------------------------------------------


def test_a_verdict_holds_for_one_stamp_only() -> None:
    verdicts = Verdicts(10)
    verdicts.put((8, 1, 1), (10, 100), Report("file"))
    known = verdicts.get((8, 1, 1), (10, 100))
    assert known is not None
    assert known.verdict == "clean"
    assert verdicts.get((8, 1, 1), (10, 101)) is None
    assert verdicts.get((8, 1, 1), (10, 100)) is None  # it was another file: forgotten


def test_the_ones_not_used_for_longest_are_forgotten() -> None:
    verdicts = Verdicts(3)
    for number in range(3):
        verdicts.put((8, 1, number), (1,), Report("file"))
    assert verdicts.get((8, 1, 0), (1,)) is not None
    verdicts.put((8, 1, 3), (1,), infected())
    assert verdicts.get((8, 1, 1), (1,)) is None
    assert verdicts.get((8, 1, 0), (1,)) is not None
    assert len(verdicts) == 3
    verdicts.forget((8, 1, 0))
    assert verdicts.get((8, 1, 0), (1,)) is None
    verdicts.forget_all()
    assert len(verdicts) == 0
    nothing = Verdicts(0)
    nothing.put((8, 1, 1), (1,), Report("file"))
    assert len(nothing) == 0


@pytest.mark.parametrize(
    ("report", "kept"),
    [
        (Report("file"), True),
        (infected(), True),
        (incomplete("encrypted"), True),
        (incomplete("limit"), True),
        (incomplete("damaged"), False),  # its worker may have been lost
    ],
)
def test_only_what_another_look_would_say_again_is_remembered(report: Report, kept: bool) -> None:
    verdicts = Verdicts(1)
    verdicts.put((8, 1, 1), (1,), report)
    assert (verdicts.get((8, 1, 1), (1,)) is not None) is kept
    report.errors.append("anything")
    if report.verdict in ("error", "incomplete"):
        verdicts.forget_all()
        verdicts.put((8, 1, 1), (1,), report)
        assert len(verdicts) == 0


def test_what_changed_just_now_is_not_remembered() -> None:
    assert not is_settled(facts(changed=100, changed_ns=990_000_000), 101.0)
    assert is_settled(facts(changed=100, changed_ns=900_000_000), 101.0)
    assert not is_settled(facts(changed=100, changed_ns=0), 102.0)  # whole seconds
    assert is_settled(facts(changed=100, changed_ns=0), 103.0)
    assert not is_settled(facts(changed=200), 100.0)  # the clock was set back


# --- looks --------------------------------------------------------------------------------


def begun(looks: Looks, of: Facts, *, stable: bool = True) -> Look:
    looks.add(Look(of, 5, "file", 1))
    look = looks.next()
    assert look is not None
    looks.begin(look, of, stable=stable, generation=1)
    return look


def test_which_look_an_opening_may_join() -> None:
    looks = Looks(2)
    waiting = Look(facts(1), 5, "file", 1)
    looks.add(waiting)
    for quiet in (True, False):  # it will see the file as it is then
        assert looks.joinable(facts(1, changed=999), quiet=quiet, generation=7) is waiting
    assert looks.next() is waiting
    looks.begin(waiting, facts(1), stable=True, generation=1)
    assert looks.joinable(facts(1), quiet=True, generation=1) is waiting
    assert looks.joinable(facts(1), quiet=False, generation=1) is None
    assert looks.joinable(facts(1, changed=101), quiet=True, generation=1) is None
    assert looks.joinable(facts(1), quiet=True, generation=2) is None
    assert looks.joinable(facts(2), quiet=True, generation=1) is None
    looks.disturb((8, 1, 1))
    assert looks.joinable(facts(1), quiet=True, generation=1) is None
    looks.finish(waiting)
    assert looks.running == 0


def test_every_look_under_way_is_disturbed() -> None:
    looks = Looks(3)
    first = begun(looks, facts(1))
    second = begun(looks, facts(1), stable=False)
    third = begun(looks, facts(1, changed=101))
    looks.disturb((8, 1, 1))
    assert not first.stable
    assert not third.stable
    for look in (second, first, third):
        looks.finish(look)
    assert looks.joinable(facts(1), quiet=True, generation=1) is None


def test_as_many_as_may_be_and_idle_ones_last() -> None:
    looks = Looks(2)
    idle = [Look(facts(9), 5, "medium", 0), Look(facts(10), 5, "medium", 0)]
    for look in idle:
        looks.add(look, idle=True)
    first = begun(looks, facts(1))
    assert looks.next() is None  # half of the room is for openings
    begun(looks, facts(2))
    looks.add(Look(facts(3), 5, "file", 1))
    assert looks.next() is None
    assert (looks.running, looks.waiting) == (2, 3)
    looks.finish(first)
    later = looks.next()
    assert later is not None
    assert later.path == "file"


def test_what_a_lost_host_was_asked_is_asked_again_first() -> None:
    looks = Looks(4)
    lost = [begun(looks, facts(number)) for number in (1, 2)]
    for look in lost:
        look.openings.append(Opening(look, 5, 1, 0.0, 1.0))
    looks.add(Look(facts(3), 5, "file", 1))
    assert looks.again([look.number for look in lost] + [999]) == lost
    assert looks.running == 0
    assert [looks.next() for _ in range(2)] == lost
    assert looks.joinable(facts(1), quiet=True, generation=1) is None


# --- scope --------------------------------------------------------------------------------


def mount(number: int, device: int, place: str, root: str = "/", kind: str = "ext4") -> Mount:
    return Mount(number, device, place, kind, "/dev/x", "rw", root)


def test_a_folder_is_found_through_every_mount() -> None:
    mounts = [
        mount(1, 8, "/"),
        mount(2, 9, "/data/in/side"),
        mount(3, 8, "/bind", "/data/in/deep"),
        mount(4, 8, "/whole", "/data"),
        mount(5, 8, "/other", "/elsewhere"),
        mount(6, 10, "/data/in/proc", kind="proc"),
        mount(7, 9, "/again", "/sub"),
    ]
    scope = Scope(mounts, [(1, "/data/in")], (), ())
    assert scope.rule(1) == ("/data/in",)
    assert scope.rule(2) is None  # mounted beneath
    assert scope.rule(3) is None  # a part of it
    assert scope.rule(4) == ("/whole/in",)
    assert scope.rule(5) == ()
    assert scope.rule(6) == ()
    assert scope.rule(7) is None
    assert not scope.knows(99)
    assert [place.seen_at for place in scope.places_on(8) or []] == ["/data/in"]
    assert scope.places_on(77) is None
    assert covers(scope.rule(4), "/whole/in/file")
    assert not covers(scope.rule(4), "/whole/inside")


def test_whole_mounts_and_file_systems() -> None:
    mounts = [mount(1, 8, "/"), mount(2, 8, "/bind", "/x"), mount(3, 9, "/y")]
    scope = Scope(mounts, (), {2}, {9})
    assert scope.rule(1) == ()
    assert scope.rule(2) is None
    assert scope.rule(3) is None
    assert scope.places_on(9) is None


def test_mount_points_with_odd_names_are_read() -> None:
    line = rb"36 35 98:0 /mnt\0401 /a\134b\011\303\251 rw - ext3 /dev/root rw"
    (read,) = read_mounts(line)
    assert read.place == "/a\\b\té"
    assert read.root == "/mnt 1"


def test_exclusions_by_path() -> None:
    excluded = PathExclusions(["/var/lib/x/", "*.iso", "/home/*/cache/*"])
    assert excluded
    held = ["/var/lib/x", "/var/lib/x/y", "/a/b.iso", "/home/me/cache/z/deep"]
    assert all(excluded.hold(path) for path in held)
    assert not any(excluded.hold(path) for path in ["/var/lib/xy", "/a/b.isox", "/home/cache/z"])
    assert not PathExclusions([])


class _Marks:
    """Takes marks; refuses them on some paths."""

    def __init__(self) -> None:
        self.made: set[tuple[str, str]] = set()
        self.refused = ""

    def is_marked(self, path: str) -> bool:
        return ("file system", path) in self.made

    def mark_file_system(self, path: str, mask: int) -> None:
        if path == self.refused:
            raise OSError(28, "No space left on device")
        self.made.add(("file system", path))

    def mark_mount(self, path: str, mask: int) -> None:
        self.made.add(("mount", path))


def test_targets_say_why_they_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    good, refused = tmp_path / "good", tmp_path / "refused"
    good.mkdir()
    refused.mkdir()
    chosen = GuardSettings(
        folders=(str(good), str(tmp_path / "file"), str(tmp_path / "none"), str(refused)),
        mounts=(str(good),),
        file_systems=("/proc",),
    )
    targets, marks = Targets(chosen, 1), _Marks()
    marks.refused = str(refused)
    anew, changes = targets.look_again(marks)
    assert anew
    assert [changes[target] for target in list(changes)[:4]] == [
        "",
        "not a folder",
        "No such file or directory",
        "No space left on device",
    ]
    assert any("proc holds nothing" in reason for reason in changes.values())
    assert ("mount", str(good)) in marks.made
    assert targets.look_again(marks) == (False, {})
    marks.made.clear()  # another file system in the same place
    assert targets.look_again(marks) == (True, {})


# --- facts --------------------------------------------------------------------------------


def test_facts_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    path.chmod(0o640)
    descriptor = os.open(path, os.O_RDONLY)
    found, status = facts_of(descriptor), path.stat()
    assert found.key == (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
    assert found.changed * 10**9 + found.changed_ns == status.st_ctime_ns
    assert (found.size, found.mode, found.uid) == (5, status.st_mode, status.st_uid)
    assert found.links == 1
    assert facts_at(str(path)) == found
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
        assert f"mnt_id:\t{found.mount}\n" in info.read()
    os.utime(path, ns=(0, 0))
    assert facts_of(descriptor).stamp != found.stamp
    with pytest.raises(OSError, match="No such file"):
        facts_at(str(tmp_path / "none"))
    os.close(descriptor)


def test_who_alone_may_write() -> None:
    assert facts(mode=stat.S_IFREG | 0o644).root_alone_writes
    assert not facts(mode=stat.S_IFREG | 0o664).root_alone_writes  # a group, or an ACL's mask
    assert not facts(mode=stat.S_IFREG | 0o646).root_alone_writes
    assert not facts(uid=1000).root_alone_writes


def test_whether_anybody_writes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    reader = os.open(path, os.O_RDONLY)
    assert nobody_writes(reader)
    writer = os.open(path, os.O_RDWR)
    assert not nobody_writes(reader)
    mapping = mmap.mmap(writer, 0)
    os.close(writer)
    assert not nobody_writes(reader)
    mapping.close()
    assert nobody_writes(reader)
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # the lease was given back
    os.close(reader)


def test_a_broken_lease_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    end = time.monotonic() + 0.7

    def look() -> None:
        prepare_leases()
        reader = os.open(path, os.O_RDONLY)
        while time.monotonic() < end:
            nobody_writes(reader)

    def write() -> None:
        while time.monotonic() < end:
            os.close(os.open(path, os.O_WRONLY))

    pids = [_child(each) for each in (look, write, write, write)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0, 0]


def _child(what: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            what()
            status = 0
        finally:
            os._exit(status)
    return pid


def test_who_a_process_is() -> None:
    me = who(os.getpid())
    assert me == Who(os.getpid(), os.geteuid(), os.readlink("/proc/self/exe"))
    assert who(0) == Who(0, -1, "")
    excluded = ProcessExclusions([me.program, "/no/such"], [])
    assert excluded.hold(os.getpid())
    assert not excluded.hold(0)
    assert ProcessExclusions([], [str(os.geteuid())]).hold(os.getpid())
    assert not ProcessExclusions(["/no/such"], ["4294000000"]).hold(os.getpid())
    assert not ProcessExclusions([], [])


# --- ways out -----------------------------------------------------------------------------


def test_nothing_waits_for_a_supervisor_that_does_not_listen(tmp_path: Path) -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    tally = Tally()
    outbox = Outbox(Channel(mine, to_child), tally)
    name = os.fsdecode(b"/tmp/\xff-name")
    event = detection(infected(name), name, Who(1, 0, "/bin/x"), "database", "denied")
    for _ in range(MOST_EVENTS + 500):
        outbox.happened(event)
    (tmp_path / "file").write_bytes(b"content")
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    outbox.found(name, infected(name), descriptor)
    os.close(descriptor)
    outbox.flush()
    assert outbox.waits
    assert tally.lost_messages == 500
    channel = Channel(theirs, from_child)
    events, taken = [], None
    while taken is None:
        received = channel.receive()
        if received is None:
            outbox.flush()
            continue
        message, descriptors = received
        if isinstance(message, HappenedWish):
            events.append(message.event)
        elif isinstance(message, TakeWish):
            taken = message
            assert os.pread(descriptors[0], 10, 0) == b"content"
            os.close(descriptors[0])
    assert len(events) == MOST_EVENTS
    assert events[0].details["path_bytes"] == b"/tmp/\xff-name".hex()
    assert events[0].path == "/tmp/\\xff-name"
    assert taken.path == b"/tmp/\xff-name"
    assert Report.from_dict(taken.report).verdict == "infected"
    channel.close()
    outbox.happened(event)
    with pytest.raises(ChannelClosed):
        outbox.flush()
    outbox.close()


def test_latency_is_counted_in_classes() -> None:
    tally = Tally()
    for seconds in (0.00001, 0.002, 99.0):
        tally.waited_for(seconds, "file")
    assert sum(tally.classes) == 3
    assert tally.classes[0] == 1
    assert tally.classes[-1] == 1
    assert len(tally.classes) == len(BOUNDS) + 1
    assert tally.to_dict()["slowest"] == {"seconds": 99.0, "path": "file"}


def test_nothing_can_be_imported_once_marks_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [_NoImport()])
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(ImportError, match="before it set marks"):
        import this  # noqa: F401


def _partly() -> Report:
    report = Report("/x")
    report.skipped.append(SkippedObject("/x: a", "encrypted", "no password fits"))
    return report


def _unread() -> Report:
    report = Report("/x")
    report.errors.append("it cannot be read")
    return report


@pytest.mark.parametrize(
    ("report", "by_setting"),
    [
        (
            Report("/x"),
            {("allow", "allow"), ("allow", "deny"), ("deny", "allow"), ("deny", "deny")},
        ),
        (_partly(), {("allow", "allow"), ("allow", "deny")}),
        (lost("/x", "its worker ended", 1.0), {("allow", "allow")}),
        (_unread(), {("allow", "allow")}),
    ],
    ids=["clean", "partly", "lost", "unread"],
)
def test_what_may_be_opened(report: Report, by_setting: set[tuple[str, str]]) -> None:
    """By `on_incomplete` and `fallback`: what was not looked at at all takes both."""
    for on_incomplete, fallback in product(("allow", "deny"), repeat=2):
        settings = GuardSettings(on_incomplete=on_incomplete, fallback=fallback)
        expected = (on_incomplete, fallback) in by_setting
        assert allows(report, settings) == expected, (on_incomplete, fallback)
