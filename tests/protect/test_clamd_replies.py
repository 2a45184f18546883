"""What the daemon answers, held against Debian's clamd asked the same with the same signatures."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_daemon import MARKER, RunningDaemon, daemon_folder, hear, piece

CLAMD = shutil.which("clamd")
NOTHING = piece(b"")
Part = bytes | tuple[bytes, str]

LIMIT = 20_000


def asked(path: str, *parts: Part) -> bytes:
    """Send parts, some with a descriptor, and hear until the other side closes."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(20)
        end.connect(path)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                if isinstance(part, tuple):
                    descriptor = os.open(part[1], os.O_RDONLY)
                    socket.send_fds(end, [part[0]], [descriptor])
                    os.close(descriptor)
                else:
                    end.sendall(part)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := end.recv(65536):
                found += chunk
        return found


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with daemon_folder() as folder:
        tree = folder / "tree"
        (tree / "inner").mkdir(parents=True)
        (tree / "bad").write_bytes(b"xx " + MARKER)
        (tree / "inner" / "bad too").write_bytes(MARKER)
        (tree / "good").write_bytes(b"hello")
        (tree / "empty").touch()
        (folder / "nothing").mkdir()
        (folder / "left").mkdir()
        (folder / "left" / "out.tmp").write_bytes(MARKER)
        os.mkfifo(folder / "fifo")
        running = RunningDaemon(
            folder,
            daemon={
                "stream_max_length": LIMIT,
                "idle_timeout": 1.0,
                "command_timeout": 1.0,
            },
            database={"with_default": False, "sources": [str(folder / "db")]},
            scan={"exclude": ["*.tmp"]},
        )
        yield running.start()
        running.stop()


@pytest.fixture(scope="module")
def clamd(daemon: RunningDaemon) -> Iterator[str]:
    if CLAMD is None:
        pytest.skip("clamd is not installed")
    folder = daemon.folder
    place = folder / "oracle.sock"
    config = folder / "clamd.conf"
    config.write_text(
        f"DatabaseDirectory {folder}/db\nLocalSocket {place}\nForeground yes\n"
        f"StreamMaxLength {LIMIT}\nIdleTimeout 1\nCommandReadTimeout 1\nReadTimeout 1\n"
        f"User root\nExcludePath \\.tmp$\n"
    )
    with (folder / "clamd.log").open("w") as log:
        process = subprocess.Popen([CLAMD, "-c", str(config)], stdout=log, stderr=log, cwd="/")
    try:
        end = time.monotonic() + 30
        while not place.exists():
            if process.poll() is not None or time.monotonic() > end:
                pytest.skip(f"clamd does not start: {(folder / 'clamd.log').read_text()[-300:]}")
            time.sleep(0.05)
        yield str(place)
    finally:
        process.terminate()
        process.wait(20)


def _plain(answer: bytes) -> bytes:
    """An answer without what is each program's own."""
    answer = re.sub(rb"fd\[\d+\]", b"fd[N]", answer)
    answer = re.sub(rb"ClamAV [^|\0\n]*|tocsin \d[^|\0\n]*", b"VERSION", answer)
    return answer.replace(b" SELFCHECK", b"")


T = b"@TREE@"

SAME: list[list[Part]] = [
    [b"PING\n"],
    [b"nPING\n"],
    [b"zPING\0"],
    [b"PING"],
    [b"nping\n"],
    [b"zNOPE\0"],
    [b"nNOPE\n"],
    [b"NOPE\n"],
    [b"\n"],
    [b"z\0"],
    [b"xPING\0"],
    [b"nPING\nnPING\n"],
    [b"zPING\0zVERSION\0"],
    [b"zPING arg\0"],
    [b"zPINGX\0"],
    [b"zVERSION\0"],
    [b"zVERSIONCOMMANDS\0"],
    [b"nVERSIONCOMMANDS\n"],
    [b"zRELOAD\0"],
    [b"zSTREAM\0"],
    [b"zEND\0"],
    [b"zDETSTATS\0"],
    [b"zDETSTATSCLEAR\0"],
    [b""],
    [b"zSCAN " + T + b"/bad\0"],
    [b"nSCAN " + T + b"/bad\n"],
    [b"SCAN " + T + b"/bad\n"],
    [b"SCAN " + T + b"/bad\r\n"],
    [b"zSCAN " + T + b"/inner/bad too\0"],
    [b"zSCAN " + T + b"/good\0"],
    [b"zSCAN " + T + b"/empty\0"],
    [b"zSCAN " + T + b"/missing\0"],
    [b"zCONTSCAN " + T + b"/missing\0"],
    [b"zMULTISCAN " + T + b"/missing\0"],
    [b"zSCAN\0"],
    [b"zSCAN \0"],
    [b"zSCAN missing\0"],
    [b"zSCAN " + T + b"\0"],
    [b"zSCAN " + T + b"/\0"],
    [b"zSCAN " + T + b"//bad\0"],
    [b"zCONTSCAN " + T + b"\0"],
    [b"nCONTSCAN " + T + b"\n"],
    [b"zMULTISCAN " + T + b"\0"],
    [b"zMULTISCAN " + T + b"/good\0"],
    [b"zSCAN " + T + b"/../nothing\0"],
    [b"zCONTSCAN " + T + b"/../nothing\0"],
    [b"zSCAN " + T + b"/../left/out.tmp\0"],
    [b"zCONTSCAN " + T + b"/../left\0"],
    [b"zINSTREAM\0" + piece(b"hello") + NOTHING],
    [b"nINSTREAM\n" + piece(MARKER) + NOTHING],
    [b"nINSTREAM\n", piece(MARKER[:9]), piece(MARKER[9:]), NOTHING],
    [b"zINSTREAM\0" + NOTHING],
    [b"INSTREAM\n" + piece(b"hi") + NOTHING],
    [b"zINSTREAM\0" + piece(b"x" * (LIMIT + 1)) + NOTHING],
    [b"zINSTREAM\0" + piece(b"x" * LIMIT) + piece(b"x") + NOTHING],
    [b"zINSTREAM\0" + piece(b"x" * LIMIT) + NOTHING],
    [b"zINSTREAM\0\xff\xff\xff\xff"],
    [b"zINSTREAM\0" + piece(b"hello")],
    [b"zINSTREAM\0" + piece(b"hello") + NOTHING + b"zPING\0"],
    [b"zFILDES\0", (b"\0", "@TREE@/bad")],
    [b"nFILDES\n", (b"\0", "@TREE@/good")],
    [b"FILDES\n", (b"\0", "@TREE@/bad")],
    [b"zFILDES\0", (b"\0", "@TREE@")],
    [b"zFILDES\0", b"\0"],
    [b"zIDSESSION\0zPING\0zVERSION\0zEND\0"],
    [
        b"zIDSESSION\0zFILDES\0",
        (b"\0", "@TREE@/bad"),
        b"zFILDES\0",
        (b"\0", "@TREE@/bad"),
        b"zEND\0",
    ],
    [b"zIDSESSION\0zNOPE\0zPING\0zEND\0"],
    [b"zIDSESSION\0nPING\nzEND\0"],
    [b"zIDSESSION\0zRELOAD\0zPING\0zEND\0"],
    [b"zIDSESSION\0zIDSESSION\0zEND\0"],
    [b"zIDSESSION\0zVERSIONCOMMANDS\0zEND\0"],
    [b"zIDSESSION\0zSCAN " + T + b"/missing\0zEND\0"],
    [b"zIDSESSION\0zALLMATCHSCAN " + T + b"/bad\0zEND\0"],
    [b"zIDSESSION\0zINSTREAM\0" + piece(MARKER) + NOTHING + b"zEND\0"],
    [b"zIDSESSION\0"],
    [b"IDSESSION\n"],
]


def _in(tree: str, part: Part) -> Part:
    if isinstance(part, tuple):
        return part[0], part[1].replace("@TREE@", tree)
    return part.replace(T, tree.encode())


def _infected(tree: Path) -> list[Path]:
    return [tree / "bad", tree / "inner" / "bad too"]


@pytest.mark.parametrize("parts", SAME, ids=lambda parts: repr(parts[0])[:60])
def test_same_as_clamd(daemon: RunningDaemon, clamd: str, parts: list[Part]) -> None:
    tree = daemon.folder / "tree"
    real = [_in(str(tree), part) for part in parts]
    expected, got = _plain(asked(clamd, *real)), _plain(asked(daemon.socket, *real))
    many = real[0] if isinstance(real[0], bytes) else b""
    if many[1:].startswith((b"CONTSCAN", b"MULTISCAN", b"IDSESSION")):  # in any order
        end = b"\0" if many.startswith(b"z") else b"\n"
        assert sorted(got.split(end)) == sorted(expected.split(end))
    elif real[0] in (b"zSCAN %s\0" % bytes(tree), b"zSCAN %s/\0" % bytes(tree)):
        # the first that is found ends it, in whatever order a folder is read
        either = [b"%s: Test.Marker.UNOFFICIAL FOUND\0" % bytes(p) for p in _infected(tree)]
        assert {got, expected} <= set(either)
    else:
        assert got == expected


def test_stats_have_the_same_lines(daemon: RunningDaemon, clamd: str) -> None:
    """What clamdtop and its like read."""
    names = [
        [line.split(b":")[0] for line in asked(path, b"nSTATS\n").splitlines() if b":" in line]
        for path in (clamd, daemon.socket)
    ]
    assert names[0] == names[1]


def test_wanted_differences(daemon: RunningDaemon) -> None:
    """See docs/daemon.md, "Where it answers otherwise than clamd"."""
    tree = daemon.folder / "tree"
    link = daemon.folder / "link"
    if not link.exists():
        link.symlink_to(tree / "bad")
    # clamd calls a link, a fifo and an unreadable folder clean
    assert daemon.ask(b"zSCAN %s\0" % bytes(link)).endswith(b"Test.Marker.UNOFFICIAL FOUND\0")
    fifo = daemon.folder / "fifo"
    assert daemon.ask(
        b"zSCAN %s\0" % bytes(fifo)
    ) == b"%s: Not supported file type ERROR\0" % bytes(fifo)
    # clamd names each match twice, and stops after the first file
    answer = daemon.ask(b"zALLMATCHSCAN %s\0" % bytes(tree)).split(b"\0")[:-1]
    assert sorted(answer) == sorted(
        b"%s: %s.UNOFFICIAL FOUND" % (bytes(path), name)
        for path in (tree / "bad", tree / "inner" / "bad too")
        for name in (b"Test.Marker", b"Test.Second")
    )
    assert daemon.ask(b"zSELFCHECK\0") == b"SELFCHECKING\0"  # as 1.5 has it


def test_endless_command_is_cut_off(daemon: RunningDaemon) -> None:
    with daemon.connect() as end:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                end.sendall(b"n" + b"A" * 10_000)
        with contextlib.suppress(ConnectionResetError):
            assert hear(end) == b""


def test_who_hears_nothing_is_closed(daemon: RunningDaemon) -> None:
    """A session that asks and never reads does not fill the daemon's memory."""
    with daemon.connect() as end:
        end.sendall(b"zIDSESSION\0")
        with contextlib.suppress(OSError):
            end.settimeout(5)
            for _ in range(200):
                end.sendall(b"zVERSIONCOMMANDS\0" * 2000)
    assert daemon.ask(b"zPING\0") == b"PONG\0"


def test_sessions_answers_are_numbered(daemon: RunningDaemon) -> None:
    tree = daemon.folder / "tree"
    with daemon.connect() as end:
        end.sendall(b"nIDSESSION\n")
        for _ in range(300):
            end.sendall(b"nSCAN %s/bad\n" % bytes(tree))
            end.sendall(b"nINSTREAM\n" + piece(b"hello") + NOTHING)
        end.sendall(b"nEND\n")
        lines = hear(end).splitlines()
    numbers = sorted(int(line.partition(b":")[0]) for line in lines)
    assert numbers == list(range(1, 601))
    for line in lines:
        number = int(line.partition(b":")[0])
        assert line.endswith(b" FOUND" if number % 2 else b"stream: OK"), line
