"""Ways to confine, from everything down to nothing, and what hostile code achieves in each."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sandbox_hostile import ATTEMPTS, LIBC, Attempt, Victim

from tocsin.sandbox import confine
from tocsin.sandbox.policy import ALL, Mechanism, Policy, runtime_paths

LANDLOCK, SECCOMP = Mechanism.LANDLOCK, Mechanism.SECCOMP
NAMESPACES, IDENTITY = Mechanism.NAMESPACES, Mechanism.IDENTITY
RLIMITS = Mechanism.RLIMITS

SOME_USER = 54_321
PATIENCE = 60.0


class Way(NamedTuple):
    """A way to confine.

    Attributes:
        title: of its column in the table.
        use: the mechanisms.
        landlock: version of Landlock's interface, at most.
        sealed: no path can be opened; None lets the policy decide.
    """

    title: str
    use: frozenset[Mechanism]
    landlock: int = 1_000
    sealed: bool | None = False

    @property
    def policy(self) -> Policy:
        """The policy that is tried."""
        return Policy(
            readable=runtime_paths(),
            memory=2 << 30,
            cpu_seconds=1,
            use=self.use,
            sealed=self.sealed,
            landlock_abi_at_most=self.landlock,
        )


WAYS = (
    Way("all", ALL),
    Way("all, sealed", ALL, sealed=True),
    Way("seccomp", frozenset({SECCOMP}), sealed=None),
    Way("Landlock", frozenset({LANDLOCK})),
    Way("Landlock 2", frozenset({LANDLOCK}), 2),
    Way("namespaces", frozenset({NAMESPACES})),
    Way("identity", frozenset({IDENTITY})),
    Way("rlimits", frozenset({RLIMITS})),
    Way("seccomp, rlimits", frozenset({SECCOMP, RLIMITS}), sealed=None),
    Way("Landlock 2, seccomp, rlimits", frozenset({LANDLOCK, SECCOMP, RLIMITS}), 2),
    Way("all but seccomp", ALL - {SECCOMP}),
    Way("all but seccomp, Landlock 2", ALL - {SECCOMP}, 2),
    Way("all but Landlock", ALL - {LANDLOCK}, sealed=None),
    Way("nothing", frozenset()),
)


class Column(NamedTuple):
    """A way to confine, and who is confined.

    Attributes:
        way: the way.
        as_root: the process that forks is root, or some user.
    """

    way: Way
    as_root: bool


COLUMNS = tuple(Column(way, as_root) for way in WAYS for as_root in (True, False))


class Outcome(NamedTuple):
    """What came of an attempt.

    Attributes:
        through: it returned without being refused.
        how: the refusal, or what went wrong with the test itself.
        happened: the world was changed; None where that cannot be seen.
        seconds: how long it took.
    """

    through: bool
    how: str
    happened: bool | None
    seconds: float


def outcomes(column: Column) -> dict[str, Outcome]:
    """What hostile code achieves in one way to confine, by the attempts' names.

    It is tried from a process of its own, which is small: a test run is large, and every attempt
    is a fork.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(COLUMNS.index(column))],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return {name: Outcome(*values) for name, values in json.loads(done.stdout).items()}


def _try_all(column: Column) -> dict[str, Any]:
    return dict(_as_victim(column, lambda policy: {a.name: _try(policy, a) for a in ATTEMPTS}))


def lacking(column: Column) -> list[str]:
    """What this kernel does not grant of a way to confine."""
    return list(_as_victim(column, _lacking))


def _lacking(policy: Policy) -> list[str]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        applied = confine.confine(policy, (writer,))
        os.write(writer, json.dumps(applied.lacking).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said)


def _as_victim(column: Column, act: Callable[[Policy], Any]) -> Any:
    """Act in a process that is root or is not, as the column says."""
    policy = column.way.policy
    reader, writer = os.pipe()
    victim = os.fork()
    if victim == 0:
        os.close(reader)
        if not column.as_root and os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(SOME_USER, SOME_USER, SOME_USER)
            os.setresuid(SOME_USER, SOME_USER, SOME_USER)
            LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which changing the user took away
        with os.fdopen(writer, "w", encoding="utf-8") as answer:
            json.dump(act(policy), answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as answers:
        said = answers.read()
    status = os.waitpid(victim, 0)[1]
    assert status == 0, f"the victim died: {status}"
    return json.loads(said)


def _try(policy: Policy, attempt: Attempt) -> Outcome:
    folder = tempfile.mkdtemp(prefix="tocsin-hostile-")
    os.chmod(folder, 0o777)
    victim = Victim(folder)
    started = time.monotonic()
    try:
        how = _run_confined(policy, attempt, victim)
        seconds = time.monotonic() - started
        time.sleep(0)  # a signal that was sent is handled now
        happened = attempt.happened(victim) if attempt.happened else None
        through = bool(happened) if attempt.silent else how == "through"
        return Outcome(through, how, happened, seconds)
    finally:
        victim.close()
        shutil.rmtree(folder, ignore_errors=True)


def _run_confined(policy: Policy, attempt: Attempt, victim: Victim) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, _life(policy, attempt, victim, writer))
        os._exit(0)
    os.close(writer)
    said = b""
    while select.select([reader], [], [], PATIENCE)[0]:
        chunk = os.read(reader, 4096)
        if not chunk:
            break
        said += chunk
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    if said.startswith(b"started") and said != b"started":
        return said.removeprefix(b"started").decode()
    if not said:
        return f"broken: it was never confined: {status}"
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return "through"  # it ended without a word, as a program that was started does


def _life(policy: Policy, attempt: Attempt, victim: Victim, writer: int) -> bytes:
    try:
        confine.confine(policy, (writer, victim.handed), victim.pid)
        os.write(writer, b"started")
        attempt.run(victim)
    except (OSError, MemoryError) as error:
        return f"refused: {error!r}".encode()
    except BaseException as error:
        return f"broken: {error!r}".encode()
    return b"through"


if __name__ == "__main__":
    print(json.dumps(_try_all(COLUMNS[int(sys.argv[1])])))
