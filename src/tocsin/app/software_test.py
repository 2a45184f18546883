"""Tries a new release of the software out before it is used: does it start, find, and pass over?

What was signed can still be wrong on this machine: it may not start, hang, or find something in
the system's own programs. So the new release is run beside the one in use, in a process that has
no network, no rights of root's, none of this device's folders, and an end.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from tocsin.app.update_test import SelfTestFailed
from tocsin.errors import InvalidSettings
from tocsin.protect.configuration.load import load_file
from tocsin.sandbox import identity, namespaces, syscalls
from tocsin.updates.receive.installations import passing

_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_LONGEST = 180.0
"""Seconds for one step; making the index of its own signatures takes a few."""

_MOST_CPU, _MOST_FILE = 300, 4 << 30
_MOST_SAID = 1 << 20
_HARMLESS = ("/bin/ls", "/bin/sh", "/usr/bin/env")
_SAMPLE = ("TOCSIN-TEST-FILE.THIS-IS-NOT-A-VIRUS.", "7d0f5c1e-3b1a-4f0e-9a53-2f5b0e6c4a11")
"""What every release must find (`data/README.md`), put together when it is run."""


def try_out_software(
    folder: Path,
    version: str,
    settings_file: Path | None,
    say: Callable[[str], None] = lambda _: None,
    longest: float = _LONGEST,
) -> None:
    """Run a release that was built, and insist that it does what it is for.

    Args:
        folder: of its environment.
        version: that it must be.
        settings_file: of this device; None where there is none.
        say: told in a few words what is being done.
        longest: seconds for one step.

    Raises:
        SelfTestFailed: it does not.
    """
    with _room(folder) as room:

        def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
            return _run(folder, room, arguments, longest)

        say("starting the new release")
        done = run("--version")
        if done.returncode or version not in done.stdout.decode("utf-8", "replace").split():
            raise SelfTestFailed(f"'tocsin --version' {_said(done)}, and it is to be {version}")
        say("scanning with the new release")
        _demand_finds(run, room.folder)
        if settings_file is not None:
            say("reading the settings with the new release")
            _demand_takes(run, room.folder, settings_file)


def _demand_finds(run: Callable[..., subprocess.CompletedProcess[bytes]], room: Path) -> None:
    """A sample must be found, and nothing in what every machine has."""
    sample = room / "sample"
    sample.write_text("".join(_SAMPLE) + "\n", encoding="ascii")
    done = run("scan", "--json", str(sample))
    if done.returncode != 1 or [each["verdict"] for each in _lines(done)] != ["infected"]:
        raise SelfTestFailed(f"the scan of a sample that must be found {_said(done)}")
    harmless = [name for name in _HARMLESS if os.path.isfile(name)]
    done = run("scan", "--json", *harmless)
    for each in _lines(done):
        if each["verdict"] != "clean":
            names = [one["name"] for one in each["detections"]] or [each["verdict"]]
            raise SelfTestFailed(f"it says {', '.join(names[:3])} of {each['path']}")
    if done.returncode or len(_lines(done)) != len(harmless):
        raise SelfTestFailed(f"the scan of {', '.join(harmless)} {_said(done)}")


def _demand_takes(
    run: Callable[..., subprocess.CompletedProcess[bytes]], room: Path, settings_file: Path
) -> None:
    """Settings that this release takes must be taken by the new one, where all may read them."""
    try:
        if os.geteuid() == 0 and not settings_file.stat().st_mode & stat.S_IROTH:
            return  # they may hold passwords: they are not handed to anybody
        text = settings_file.read_bytes()
        loaded = load_file(settings_file, needed=True)
    except (OSError, InvalidSettings):
        return  # they are wrong for this one as well
    if loaded.refused:
        return
    copy = room / "settings.toml"
    copy.write_bytes(text)
    done = run("config", "check", str(copy), "--json")
    if done.returncode == 0:
        return
    try:
        problems = json.loads(done.stdout)["problems"]
        said = "; ".join(f"{each['key']}: {each['reason']}" for each in problems[:3])
    except (ValueError, LookupError, TypeError):
        said = _said(done)
    raise SelfTestFailed(f"it does not take the settings in {settings_file}: {said}")


def _lines(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    try:
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return [
            {"verdict": str(each["verdict"]), "path": str(each["path"]),
             "detections": [{"name": str(one["name"])} for one in each["detections"]]}
            for each in found
        ]  # fmt: skip
    except (ValueError, LookupError, TypeError, RecursionError):
        raise SelfTestFailed(f"what it says of a scan cannot be read: it {_said(done)}") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """How a run ended, and the last line of what it said."""
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    how = f"ended with {done.returncode}"
    if done.returncode < 0:
        how = f"was ended by signal {-done.returncode}"
    return f"{how}: {lines[-1][:300]}" if lines else how


# --- a process that can do little ---------------------------------------------------------


class _Room(NamedTuple):
    """Folders for the runs.

    Attributes:
        folder: what a run reads.
        work: in it, what a run may write; nothing else is writable.
        as_nobody: whether the runs are another user's, who owns nothing.
    """

    folder: Path
    work: Path
    as_nobody: bool


@contextmanager
def _room(environment: Path) -> Iterator[_Room]:
    """Folders for the runs, which are removed with whatever is left in them.

    They are beside what is tried out, where the next update or going back looks for what one
    that was killed has left.

    Raises:
        SelfTestFailed: they cannot be made.
    """
    folder = passing(environment.parent, "room")
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise SelfTestFailed(f"{folder}: {error.strerror}; there is no place to try it") from error
    try:
        work = folder / "work"
        work.mkdir(mode=0o700)
        python = Path(os.path.realpath(environment / "bin" / "python"))
        as_nobody = os.geteuid() == 0 and all(
            map(identity.others_may_read, (folder.parent, environment, python))
        )
        if as_nobody:
            folder.chmod(0o755)
            os.chown(work, identity.NOBODY, identity.NOBODY)
        yield _Room(folder, work, as_nobody)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(
    folder: Path, room: _Room, arguments: Sequence[str], longest: float
) -> subprocess.CompletedProcess[bytes]:
    command = [str(folder / "bin" / "python"), "-I", "-m", "tocsin", *arguments]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(room.work),
        "LANG": "C.UTF-8",
        "TOCSIN_STATE_DIR": str(room.work / "state"),
        "TOCSIN_CONFIG_DIR": str(room.work / "config"),
        "TOCSIN_CACHE_DIR": str(room.work / "cache"),
    }
    with TemporaryFile() as out, TemporaryFile() as err:
        try:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=room.folder,
                env=environment,
                start_new_session=True,
                preexec_fn=lambda: _confine(room),  # noqa: PLW1509 - there is one thread
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SelfTestFailed(f"{command[0]} cannot be started: {error}") from error
        try:
            status = process.wait(longest)
        except subprocess.TimeoutExpired:
            raise SelfTestFailed(
                f"'tocsin {' '.join(arguments[:2])}' was not done after {longest:.0f} s"
            ) from None
        finally:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read(_MOST_SAID))
        return subprocess.CompletedProcess(command, status, *said)


def _confine(room: _Room) -> None:
    """Give up what a run does not need: the network, root's rights, and endless time.

    Where another user could not read the program (a Python that is root's alone), root stays root
    in name: without a capability, and with nothing to write to but a file system of its own.

    Raises:
        OSError: root's rights cannot be given up.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU, _MOST_CPU))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_FILE, _MOST_FILE))
    user, group = os.geteuid(), os.getegid()
    if user:
        with suppress(OSError):  # a kernel that grants no namespaces: then without
            syscalls.call("unshare", _NEW_USER | _NEW_NETWORK | _NEW_IPC)
            _map("setgroups", "deny")
            _map("uid_map", f"{user} {user} 1")
            _map("gid_map", f"{group} {group} 1")
    elif room.as_nobody:
        with suppress(OSError):
            syscalls.call("unshare", _NEW_NETWORK | _NEW_IPC)
        identity.become(identity.NOBODY)
    else:
        namespaces.enter(new_user=False)
        namespaces.make_read_only()
        namespaces.cover(room.work)
        identity.give_up_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)  # with whoever tries it out


def _map(name: str, text: str) -> None:
    descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
