"""The guard on the system's own folders while the daemon starts, and under what hurts it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from protect.guard_machine import Machine, alive, eicar, mounted, needs_fanotify
from tocsin.protect.guard import guard
from tocsin.settings import GuardSettings

pytestmark = needs_fanotify

_SETTINGS = """\
[daemon]
socket = "{folder}/clamd.sock"
api_socket = "{folder}/api.sock"
user = "nobody"
state = "{folder}/state"

[guard]
enabled = true
folders = ["/usr", "/etc"]
fallback = "deny"
deadline = 20
removable = false
"""


# The system's folders as file systems of the test's own, so that no program outside waits for it.
_APART = """\
set -e
for name in usr etc; do
  mkdir -p "$1/$name/upper" "$1/$name/work"
  mount -t overlay tocsin-test "/$name" \
    -o "lowerdir=/$name,upperdir=$1/$name/upper,workdir=$1/$name/work"
done
mkdir -p /usr/local/tocsin-test
cp "$1/bad" "$1/good" /usr/local/tocsin-test
shift
exec "$@"
"""

_USE = """\
cat /etc/passwd /etc/hosts >/dev/null && ls /usr/bin >/dev/null || exit 3
cat /usr/local/tocsin-test/good >/dev/null || exit 4
cat /usr/local/tocsin-test/bad >/dev/null 2>&1 || exit 5
"""
_REFUSED = 5


@pytest.fixture
def layers(tmp_path: Path) -> Iterator[Path]:
    """A file system on which the upper layers may lie, with a good file and a bad one."""
    for program in ("unshare", "nsenter"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")
    with mounted(tmp_path / "layers") as place:
        (place / "bad").write_bytes(eicar())
        (place / "good").write_bytes(b"good")
        tried = subprocess.run(_apart(place, "true"), capture_output=True, text=True, check=False)
        if tried.returncode:
            pytest.skip(f"the system's folders cannot be set apart: {tried.stderr.strip()}")
        yield place


def test_the_daemon_starts_while_the_system_is_guarded(layers: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "tocsin.toml"
    file.write_text(_SETTINGS.format(folder=tmp_path))
    environment = {**os.environ, "TOCSIN_CACHE_DIR": str(tmp_path / "cache")}
    tocsin = Path(sys.executable).with_name("tocsin")
    command = _apart(layers, str(tocsin), "--config", str(file), "daemon")
    daemon = subprocess.Popen(command, env=environment, start_new_session=True)
    watchdog = threading.Timer(45, daemon.kill)  # its children end with it, everybody is let go
    watchdog.start()
    try:
        failed = []
        refused = False
        end = time.monotonic() + 30
        while time.monotonic() < end and not (refused and _answers(tmp_path / "clamd.sock")):
            code = _use_the_system(daemon.pid)
            if code == _REFUSED:
                refused = True
            elif code or refused:
                failed.append(code)
        assert daemon.poll() is None
        assert refused
        assert _answers(tmp_path / "clamd.sock")
        assert not failed, "0: it was guarded, and is no more; others: see _USE"
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
        assert (layers / "usr" / "upper" / "local" / "tocsin-test" / "bad").read_bytes() == eicar()
    finally:
        watchdog.cancel()
        daemon.kill()
        daemon.wait()


def _apart(layers: Path, *command: str) -> list[str]:
    private = ["unshare", "--mount", "--propagation", "private"]
    return [*private, "sh", "-c", _APART, "sh", str(layers), *command]


def _use_the_system(process: int) -> int:
    """What comes of using the folders as a process sees them; 0 before it has made them its own."""
    if os.readlink(f"/proc/{process}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
        return 0
    enter = ["nsenter", f"--mount=/proc/{process}/ns/mnt", "sh", "-c"]
    if subprocess.run([*enter, "test -e /usr/local/tocsin-test/good"], check=False).returncode:
        return 0
    return subprocess.run([*enter, _USE], capture_output=True, check=False).returncode


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, suppress(OSError):
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"PING\n")
        return client.recv(16) == b"PONG\n"
    return False


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_it_opens_nothing_that_could_be_guarded(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        folder = disk / "guarded"
        folder.mkdir()
        (folder / "bad").write_bytes(eicar())
        chosen = GuardSettings(
            enabled=True,
            folders=(str(folder), "/nowhere"),
            exclude_paths=("*.none",),
            exclude_processes=("/bin/cat",),
            exclude_users=("nobody",),
            on_infected="quarantine",
            fallback="deny",
        )
        with Machine(chosen) as machine:
            trace = tmp_path / "trace"
            strace = subprocess.Popen(
                ["strace", "-f", "-p", str(machine.guard), "-o", trace, "-e", "trace=%file"]
            )
            while not re.search(r"TracerPid:\t[1-9]", _status(machine.guard)):
                time.sleep(0.01)
            machine.start_host()
            for _ in range(2):
                with pytest.raises(PermissionError):
                    (folder / "bad").read_bytes()
            subprocess.run(["unshare", "-m", "head", folder / "bad"], capture_output=True)
            with mounted(folder / "more") as more:
                (more / "bad").write_bytes(eicar())
                machine.until(lambda: _refuses(more / "bad"))
            machine.until(lambda: bool(machine.findings))
            machine.hold()
            machine.start_host()
            with pytest.raises(PermissionError):
                (folder / "bad").read_bytes()
            machine.listen(2.2)
            machine.stop_guard()
            strace.wait(10)
        opened = re.findall(r'open(?:at2?)?\((?:[^,"]+, )?"([^"]*)", ([A-Z_|]+)', trace.read_text())
        assert any(path.startswith("/proc/") for path, _ in opened)
        others = [
            (path, flags)
            for path, flags in opened
            if not path.startswith(("/proc/", "/sys/")) and "O_DIRECTORY" not in flags
        ]
        assert others == []


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def _refuses(path: Path) -> bool:
    try:
        path.read_bytes()
    except PermissionError:
        return True
    return False


def test_a_guard_that_hangs_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "HANGS_AFTER", 2.0)
    with mounted(tmp_path / "disk") as disk:
        (disk / "file").write_bytes(b"anything")
        with Machine(GuardSettings(enabled=True, folders=(str(disk),), fallback="deny")) as machine:
            os.kill(machine.guard, signal.SIGSTOP)
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit((disk / "file").read_bytes)
                time.sleep(0.3)
                assert not waiting.done()
                machine.listen(2.5)
                os.kill(machine.guard, signal.SIGCONT)
                assert waiting.result(10) == b"anything"
            machine.until(lambda: not alive(machine.guard))
