"""What clients hand to the daemon: files, archives and mails; and programs that are clients."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

from running_daemon import eicar

from unpack.unpack_samples import encrypted_entry, make_zip

INFECTED = ("bad.com", "inner/bad.zip", "inner/schön und schlecht", "bad.eml")
CLEAN = ("good.txt", "inner/good.zip", "empty", "good.eml")


def zipped(data: bytes) -> bytes:
    """A zip with one file."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.com", data)
    return found.getvalue()


def locked_zip() -> bytes:
    """A zip that cannot be looked into: nobody knows its password."""
    return make_zip([encrypted_entry(b"known to nobody")])


def mail(data: bytes | None = None, name: str = "attached.bin") -> EmailMessage:
    """A mail, with something attached in base64."""
    message = EmailMessage()
    message["From"] = "Ann <ann@example.org>"
    message["To"] = "ben@example.org"
    message["Subject"] = "what we spoke of"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
    message["Message-ID"] = "<1.2.3@example.org>"
    message.set_content("Ben,\n\nhere it is.\n\nAnn\n")
    if data is not None:
        message.add_attachment(
            data, maintype="application", subtype="octet-stream", cte="base64", filename=name
        )
    return message


def make_tree(folder: Path) -> Path:
    """A folder with the files of `INFECTED` and `CLEAN`."""
    (folder / "inner").mkdir(parents=True)
    contents = {
        "bad.com": eicar(),
        "inner/bad.zip": zipped(eicar()),
        "inner/schön und schlecht": eicar(),
        "bad.eml": bytes(mail(zipped(eicar()), "bill.zip")),
        "good.txt": b"nothing to see here\n",
        "inner/good.zip": zipped(b"nothing to see here\n" * 50),
        "empty": b"",
        "good.eml": bytes(mail(b"\x00\x01" * 400)),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clamd_conf(path: Path, target: str | int) -> str:
    """The settings by which Debian's clients find a daemon: at a socket's path, or at a port."""
    if isinstance(target, int):
        path.write_text(f"TCPSocket {target}\nTCPAddr 127.0.0.1\n")
    else:
        path.write_text(f"LocalSocket {target}\n")
    return str(path)


@contextlib.contextmanager
def program(words: list[str], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Another's program that stays, from when it is ready; ended by its process group."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            words, stdout=output, stderr=output, cwd="/", start_new_session=True
        )
    try:
        end = time.monotonic() + 60
        while not ready():
            said = log.read_text(errors="replace")[-3000:]
            assert process.poll() is None, f"{words[0]} ended: {said}"
            assert time.monotonic() < end, f"{words[0]} is not ready: {said}"
            time.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
