"""Objects to scan, made while the tests run, and databases made of a few lines.

The EICAR test file is put together from parts, so that no file of this repository is one.
"""

from __future__ import annotations

import atexit
import bz2
import functools
import gzip
import io
import lzma
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ready_process
from tocsin.database.cache import open_database
from tocsin.database.index import Index

DatabaseMaker = Callable[..., Index]

EICAR = b"".join(
    (rb"X5O!P%@AP[4\PZX54(P^)", b"7CC)7}$EICAR", b"-STANDARD-ANTIVIRUS-", b"TEST-FILE!$H+H*")
)
PAYLOAD = b"a harmless text with the words tocsin-needle-one inside it" + b", on and on" * 20
BODY_RULE = "Test.Needle:0:*:746f6373696e2d6e6565646c652d6f6e65\n"
"""Matches `PAYLOAD`."""

COMMAND = (sys.executable, "-c", "from tocsin.cli.main import run; run()")


@functools.cache
def shared_cache() -> str:
    """A folder for indexes that all tests of this process share."""
    folder = tempfile.mkdtemp(prefix="tocsin-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def isolation(place: Path) -> dict[str, str]:
    """What keeps a test's own files apart from the user's."""
    return {
        "TOCSIN_CACHE_DIR": shared_cache(),
        "TOCSIN_CONFIG_DIR": str(place / "own" / "config"),
        "TOCSIN_STATE_DIR": str(place / "own" / "state"),
    }


def open_files(folder: Path, files: dict[str, str]) -> Index:
    """A database from signature files; keyword `x_ndb` stands for the file `x.ndb`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / ".".join(name.rsplit("_", 1))).write_text(text)
    return open_database(folder)


# --- containers ---------------------------------------------------------------------------


def zipped(data: bytes, name: str = "inner.exe") -> bytes:
    return zipped_all({name: data})


def zipped_all(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tarred(data: bytes, name: str = "dir/inner.exe", mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def mailbox(data: bytes) -> bytes:
    """Two messages; the data are the second one's text."""
    return (
        b"From a@example.org Mon Jan  1 00:00:00 2024\nFrom: a@example.org\n"
        b"Subject: nothing\n\nAll is well.\n\n"
        b"From b@example.org Mon Jan  1 00:00:01 2024\nFrom: b@example.org\n"
        b"Subject: the second one\n\n" + data + b"\n\n"
        b"From c@example.org Mon Jan  1 00:00:02 2024\nSubject: the last\n\nBye.\n"
    )


WRAPPINGS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "plain": (lambda data: data, ""),
    "zip": (zipped, "!/inner.exe"),
    "tar": (tarred, "!/dir/inner.exe"),
    "tgz": (lambda data: tarred(data, mode="w:gz"), "!/dir/inner.exe"),
    "tbz": (lambda data: tarred(data, mode="w:bz2"), "!/dir/inner.exe"),
    "txz": (lambda data: tarred(data, mode="w:xz"), "!/dir/inner.exe"),
    "gz": (gzip.compress, ""),
    "bz2": (bz2.compress, ""),
    "xz": (lzma.compress, ""),
    "zip in tar in gz": (
        lambda data: gzip.compress(tarred(zipped(data), "outer.zip")),
        "!/outer.zip!/inner.exe",
    ),
    "zip in zip": (lambda data: zipped(zipped(data), "a.zip"), "!/a.zip!/inner.exe"),
}
"""By name: how to wrap, and how the way to what was wrapped ends."""

# --- the command --------------------------------------------------------------------------


def environment(place: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOCSIN_")}
    return {**kept, **isolation(place), **more}


def tocsin(
    place: Path,
    *arguments: str | Path,
    stdin: bytes = b"",
    before: tuple[str, ...] = (),
    **more: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command with a user's files below `place`."""
    own = environment(place, **more.pop("env", {}))
    if not before and not more:
        return ready_process.run("tocsin.cli.main", arguments, input=stdin, env=own)
    return subprocess.run(
        [*before, *COMMAND, *map(os.fsencode, arguments)],
        input=stdin,
        capture_output=True,
        env=own,
        timeout=120,
        check=False,
        **more,
    )


def heed_interrupts() -> None:
    """Undo what a shell does to programs in the background, which then ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(
    place: Path, *arguments: str | Path, when: Callable[[subprocess.Popen[bytes]], None]
) -> tuple[int, bytes, bytes]:
    """Run the command and send it SIGINT once `when` returns."""
    process = subprocess.Popen(
        [*COMMAND, *map(os.fsencode, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(place),
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    try:
        when(process)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, output, errors
