"""A witness that is ended at any of its system calls, or has any of them fail, never goes back.

`strace` ends a child at its first, second, third … system call, until it comes through; what it
answered before that must be stored.
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from transparency_samples import LOG_KEY, ORIGIN
from witness_kit import W_ED, body, signed

from tocsin.errors import TocsinError
from tocsin.transparency.note import SignedNote
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.witness import Refused, origin_hash
from tocsin.transparency.witness_store import WitnessStore

PR_SET_PTRACER = 0x59616D61
FAILED = 3
FAILING = frozenset({"openat", "write", "fsync", "rename", "mkdir", "flock", "getdents64"})
"""Calls that fail on a full or broken disk."""
OF_NO_PLACE = frozenset(
    ("poll", "restart_syscall", "exit_group", "brk", "mmap", "munmap", "mremap", "madvise", "futex")
)
"""What waits, or gets and gives back memory: now more often, now less, and nothing lasts of it."""


def may_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True)
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not may_trace(), reason="strace is not here or may not trace")


class End(NamedTuple):
    """How a child ended: its status, what it answered, and its system calls."""

    status: int
    answer: bytes
    log: str


class Witness:
    """Children that submit one checkpoint to a witness, under `strace`."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self._log = folder / "calls"
        self.store = WitnessStore(self.state)
        self.store.add_log(LOG_KEY.verifier)
        self.page = self.state / origin_hash(ORIGIN)

    def size(self) -> int:
        """Entries that a monitor is shown, by a store that was opened anew."""
        data = WitnessStore(self.state).checkpoint(origin_hash(ORIGIN))
        return 0 if data is None else Checkpoint.parse(SignedNote.parse(data).text).size

    def submit(self, old: int, size: int, *options: str) -> End:
        go_reader, go = os.pipe()
        answers, answer_writer = os.pipe()
        ready, ready_writer = os.pipe()
        data = body(old, signed(size))
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = self._child(data, go_reader, answer_writer, ready_writer)
            finally:
                os._exit(status)
        for each in (go_reader, answer_writer, ready_writer):
            os.close(each)
        assert os.read(ready, 1)  # else its own preparations would be counted now and then
        os.close(ready)
        self._log.unlink(missing_ok=True)
        tracer = subprocess.Popen(
            ["strace", "-qq", "-y", "-p", str(pid), "-o", str(self._log), *options],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not re.search("poll|restart_syscall", self._said()):
            assert tracer.poll() is None, "strace could not trace a child"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        os.write(go, b"g")
        os.close(go)
        answer = b""
        while chunk := os.read(answers, 65536):
            answer += chunk
        os.close(answers)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        tracer.wait(20)
        return End(status, answer, self._said())

    def _child(self, data: bytes, go: int, answers: int, ready: int) -> int:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_long(-1), 0, 0, 0)
        waiting = select.poll()  # a call that nothing else makes
        waiting.register(go, select.POLLIN)
        os.write(ready, b"r")
        waiting.poll()
        try:
            lines = self.store.submit(data, [W_ED])
        except TocsinError:
            return FAILED
        os.write(answers, lines)
        return 0

    def _said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def reset(self, size: int) -> None:
        """Bring the witness to where it cosigned a tree of a size."""
        shutil.rmtree(self.page, ignore_errors=True)
        if size:
            self.store.submit(body(0, signed(size)), [W_ED])


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    witness = Witness(tmp_path)
    witness.reset(5)
    witness.submit(5, 6)  # so that every module is there
    return witness


def each_call(
    witness: Witness, old: int, what: str, names: frozenset[str] = frozenset()
) -> Iterator[End]:
    """End or hinder a child at each of its calls while it goes from 5 entries to 9."""
    witness.reset(old)
    whole = witness.submit(old, 9)
    assert whole.status == 0
    calls = re.findall(r"^(\w+)\(", whole.log, re.M)
    calls = [name for name in calls if name not in OF_NO_PLACE]
    assert len(calls) > 10
    for place, name in enumerate(calls):
        if names and name not in names:
            continue
        witness.reset(old)
        which = calls[: place + 1].count(name)
        yield witness.submit(old, 9, "-e", f"inject={name}:{what}:when={which}")


@pytest.mark.parametrize("old", [0, 5])
def test_an_end_at_every_call_loses_nothing_that_was_answered(witness: Witness, old: int) -> None:
    sizes = []
    for end in each_call(witness, old, "signal=KILL"):
        assert end.status == -9
        sizes.append(witness.size())
        if end.answer:
            assert sizes[-1] == 9
        with pytest.raises(Refused, match=f"last: {sizes[-1]}$"):
            witness.store.submit(body(7, signed(8)), [W_ED])
        witness.store.submit(body(sizes[-1], signed(12)), [W_ED])
        assert not [each for each in os.listdir(witness.page) if each.startswith(".")]
    # Until some call the old one is stored, from then on the new one.
    assert sizes == sorted(sizes)
    assert set(sizes) == {old, 9}


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_call_that_fails_gives_no_answer_that_is_not_stored(witness: Witness, error: str) -> None:
    ends = []
    for end in each_call(witness, 5, f"error={error}", FAILING):
        ends.append(end.status)
        assert end.status in (0, 1, FAILED)  # 1: the answer itself could not be written
        assert witness.size() in (5, 9)
        if end.answer:
            assert witness.size() == 9
        if witness.size() == 5:
            assert not end.answer
    assert FAILED in ends


def test_it_is_on_the_disk_before_the_answer_leaves(witness: Witness) -> None:
    """What a loss of power may undo shows in the order of calls."""
    witness.reset(5)
    lines = witness.submit(5, 9).log.splitlines()

    def place(*parts: str) -> int:
        found = [at for at, line in enumerate(lines) if all(part in line for part in parts)]
        assert found, parts
        return found[-1]

    content = place("fsync(", "/.checkpoint.")
    renamed = place("rename(", "/checkpoint")
    named = place("fsync(", f"{origin_hash(ORIGIN)}>")
    answered = place("write(", "pipe:")
    assert place("flock(", "LOCK_EX") < content < renamed < named < answered
