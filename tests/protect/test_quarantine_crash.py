"""A process that ends at any of its system calls, or has any of them fail, loses nothing.

`strace` ends the process at its first, second, third … system call, until it comes through;
each time the vault is opened anew and looked at. The same with system calls that fail as on a
full or broken disk. What a loss of power may undo shows in the order of the calls: what must be
on the disk first was synchronised first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from quarantine_samples import EMPTY, FINDING, left_in, make_sample, seen

from tocsin.protect.quarantine import removal
from tocsin.protect.quarantine.vault import Vault

HERE = Path(__file__).parent


FAILING = frozenset(
    {
        *("openat", "openat2", "write", "pread64", "pwrite64", "fsync", "rename", "renameat"),
        *("renameat2", "unlink", "unlinkat", "linkat", "newfstatat", "fstat", "lseek"),
        *("getdents64", "flock", "fchmod", "fchown", "utimensat", "fsetxattr", "fgetxattr"),
        *("flistxattr", "ftruncate", "statfs", "fstatfs", "faccessat", "faccessat2", "ioctl"),
    }
)
"""Calls that fail on a full or broken disk."""


def may_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True)
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not may_trace(), reason="strace is not here or may not trace")


class Children:
    """Children that do one thing with a vault, under `strace`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vault = folder / "vault"
        self.file = folder / "place" / "fi\nle"
        self.file.parent.mkdir()
        self.log = folder / "log"
        program = [sys.executable, str(HERE / "quarantine_crash_child.py"), str(self.vault)]
        self._server = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        assert self._server.wait(20) == 0

    def run(self, verb: str, number: str = "", *options: str) -> int:
        """Have a child do something under `strace`; the way it ended."""
        task = {"verb": verb, "vault": str(self.vault), "path": str(self.file), "number": number}
        pid = int(self._ask(json.dumps(task)))
        self.log.unlink(missing_ok=True)
        tracer = subprocess.Popen(
            ["strace", "-qq", "-p", str(pid), "-o", str(self.log), *options],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not self._waits():
            assert tracer.poll() is None, "strace could not trace a child"
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.001)
        ended = int(self._ask("go"))
        tracer.wait(20)
        return ended

    def _waits(self) -> bool:
        """Whether the child waits to be told, under the tracer's eyes."""
        said = self.log.read_text() if self.log.exists() else ""
        return "poll(" in said or "restart_syscall(" in said

    def calls(self, verb: str) -> list[tuple[str, int]]:
        """The system calls by which something is done: each one's name, and which of that name."""
        was, number = self.prepare(verb)
        assert self.run(verb, number) == 0
        names = re.findall(r"^(\w+)\(", self.log.read_text(), re.M)
        names = [name for name in names if name not in ("poll", "restart_syscall", "exit_group")]
        self.clear()
        assert was
        return [(name, names[: place + 1].count(name)) for place, name in enumerate(names)]

    def _ask(self, line: str) -> str:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        return self._server.stdout.readline()

    # --- before and after --------------------------------------------------------------------

    def prepare(self, verb: str) -> tuple[dict[str, Any], str]:
        """What something is to be done with: what the file was like, and its number."""
        make_sample(self.file)
        was = seen(self.file)
        if verb == "take":
            return was, ""
        with Vault(self.vault) as vault:
            if verb == "recover":
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(removal, "_rename_and_remove", interrupted)
                    with pytest.raises(KeyboardInterrupt):
                        vault.take(self.file, finding=FINDING)
                return was, ""
            return was, vault.take(self.file, finding=FINDING).id

    def check(self, was: dict[str, Any]) -> str:
        """Open the vault anew; the file must be in its place or in the vault, whole."""
        with Vault(self.vault) as vault:
            assert left_in(self.vault)["work"] == []
            records = vault.records()
            damaged = list(vault.items())
            assert len(damaged) == len(records) <= 1
            names = os.listdir(self.file.parent)
            assert names in ([], [self.file.name]), names
            if names:
                assert seen(self.file) == was
                assert not records
            if not records:
                assert left_in(self.vault) == EMPTY
                return "place" if names else "gone"
            vault.put_back(records[0].id)
        assert seen(self.file) == was
        return "vault"

    def clear(self) -> None:
        for path in self.file.parent.iterdir():
            path.unlink()
        with Vault(self.vault) as vault:
            for record in vault.records():
                vault.delete(record.id)


def interrupted(*_arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    children = Children(tmp_path)
    yield children
    children.close()


def each_call(
    children: Children, verb: str, what: str, names: frozenset[str] = frozenset()
) -> Iterator[tuple[int, Any]]:
    """End or hinder a child at each of its calls: how it ended, and what the file was like."""
    calls = [call for call in children.calls(verb) if not names or call[0] in names]
    assert len(calls) > 20
    for name, which in calls:
        was, number = children.prepare(verb)
        yield children.run(verb, number, "-e", f"inject={name}:{what}:when={which}"), was
        children.clear()


def test_taking_survives_an_end_at_every_call(children: Children) -> None:
    places = []
    for ended, was in each_call(children, "take", "signal=KILL"):
        assert ended == -9
        places.append(children.check(was))
    # Until some call it is in its place, from then on in the vault.
    assert places == sorted(places)
    assert set(places) == {"place", "vault"}


def test_restoring_survives_an_end_at_every_call(children: Children) -> None:
    places = []
    for ended, was in each_call(children, "restore", "signal=KILL"):
        assert ended == -9
        places.append(children.check(was))
    assert places == sorted(places, reverse=True)
    assert set(places) == {"place", "vault"}


def test_deleting_survives_an_end_at_every_call(children: Children) -> None:
    places = []
    for ended, was in each_call(children, "delete", "signal=KILL"):
        assert ended == -9
        places.append(children.check(was))
    assert places == sorted(places, reverse=True)
    assert set(places) == {"gone", "vault"}


@pytest.mark.parametrize(("verb", "error"), [("take", "ENOSPC"), ("restore", "EIO")])
def test_a_call_that_fails_loses_nothing(children: Children, verb: str, error: str) -> None:
    ends = []
    for ended, was in each_call(children, verb, f"error={error}", FAILING):
        ends.append(ended)
        assert ended in (0, 3), (len(ends), children.log.read_text())
        place = children.check(was)
        if ended == 0:
            assert place == ("vault" if verb == "take" else "place")
    assert 3 in ends


def test_recovery_survives_an_end_at_every_call(children: Children) -> None:
    """What was interrupted when the copy was whole and the file in its place is finished."""
    for ended, was in each_call(children, "recover", "signal=KILL"):
        assert ended == -9
        assert children.check(was) == "vault"


# --- a loss of power ----------------------------------------------------------------------


class Calls:
    """The calls that changed something, in their order, with the paths that they were about."""

    def __init__(self, log: str) -> None:
        self.lines = [line for line in log.splitlines() if line.endswith("= 0") or " = " in line]

    def first(self, *parts: str) -> int:
        """The place of the first call in whose line all of some texts stand."""
        for place, line in enumerate(self.lines):
            if all(part in line for part in parts):
                return place
        raise AssertionError(f"no call has {parts}")

    def last(self, before: int, *parts: str) -> int:
        """The place of the last such call before another."""
        for place in range(before - 1, -1, -1):
            if all(part in self.lines[place] for part in parts):
                return place
        raise AssertionError(f"no call before {self.lines[before]} has {parts}")


def test_all_is_on_the_disk_before_the_original_goes(children: Children) -> None:
    children.prepare("take")
    children.run("take", "", "-y")
    calls = Calls(children.log.read_text())
    gone = calls.first("renameat2", "/place>")
    for name in (".object>", ".half>"):
        written = calls.last(gone, "write(", name)
        assert written < calls.last(gone, "fsync", name)
    named = calls.last(gone, "renameat(", ".taking")
    assert calls.last(gone, "openat", "O_CREAT", ".object") < named
    assert named < calls.last(gone, "fsync", "/work>") < gone
    removed = calls.first("unlinkat", "/place>")
    finished = calls.first("renameat(", "/records>")
    assert removed < calls.last(finished, "fsync", "/place>")
    moved = calls.last(finished, "renameat(", "/objects>")
    assert moved < calls.last(finished, "fsync", "/objects>")


def test_all_is_on_the_disk_before_the_vault_lets_go(children: Children) -> None:
    _, number = children.prepare("restore")
    children.run("restore", number, "-y")
    calls = Calls(children.log.read_text())
    named = calls.first("linkat", "/place>")
    synced = calls.last(named, "fsync", "/place/")
    for change in ("pwrite64", "ftruncate", "fchmod", "utimensat", "fsetxattr"):
        assert calls.last(named, change, "/place/") < synced
    assert calls.last(named, "renameat(", ".restoring") < calls.last(named, "fsync", "/work>")
    let_go = calls.first("renameat(", ".deleting")
    assert named < calls.last(let_go, "fsync", "/place>")


def test_the_key_goes_first(children: Children) -> None:
    _, number = children.prepare("delete")
    children.run("delete", number, "-y")
    calls = Calls(children.log.read_text())
    begun = calls.first("renameat(", ".deleting")
    key = calls.first("pwrite64", "/objects/")
    assert begun < calls.last(key, "fsync", "/records>")
    unlinked = calls.first("unlinkat", "/objects>")
    assert key < calls.last(unlinked, "fsync", "/objects/")
    assert unlinked < calls.last(calls.first("unlinkat", ".deleting"), "fsync", "/objects>")
