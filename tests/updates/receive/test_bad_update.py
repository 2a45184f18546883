"""An update that verifies and is bad: the device's own trial keeps it out, with nothing simulated.

The databases are compiled, and workers scan this machine's programs with them, as
`tocsin update` has it done.
"""

from __future__ import annotations

import faulthandler
import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from receive_samples import Device, Repository

from tocsin.app import update_test
from tocsin.app.update_test import SelfTestFailed, try_out
from tocsin.database.portable import build_portable
from tocsin.engine.object_scan import ObjectScanner
from tocsin.engine.report import Report
from tocsin.settings import DatabaseSettings, Settings
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.receive.errors import ActivationFailed

LS = Path(os.path.realpath("/bin/ls"))


def portable(kind: Kind, *lines: str) -> bytes:
    source = Source("feed", "a" * 64)
    return build_portable(Record(kind, line, source, False, 0, "") for line in lines)


class Tried(Device):
    """A device that tries databases out as the command does, with a few known files."""

    settings = Settings(database=DatabaseSettings(with_default=False))

    def activate(self, database: Path) -> None:
        self.activated.append(database)
        try_out(self.settings, database)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Repository, Tried]]:
    folder = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("STATE", "CONFIG", "CACHE"):
            patched.setenv(f"TOCSIN_{name}_DIR", str(folder / name.lower()))
        patched.setattr(update_test, "known_good", lambda: [LS])
        repository = Repository(folder / "repository")
        repository.add(1, data=portable(Kind.FILE_DIGEST, "0" * 64 + ":100:Sample.Old"))
        repository.publish_metadata()
        device = Tried(folder / "state" / "updates", repository)
        assert device.update().now == 1
        yield repository, device


def publish(repository: Repository, data: bytes | None = None) -> None:
    repository.add(max(repository.plain) + 1, data=data, delta=False)
    repository.publish_metadata()


def refused(device: Tried, match: str) -> None:
    before = device.snapshot()
    with pytest.raises(ActivationFailed, match=match) as said:
        device.update()
    assert isinstance(said.value.__cause__, SelfTestFailed)
    assert device.snapshot() == before
    assert device.state.kept_versions() == [1]
    last = device.state.last_run()
    assert last is not None
    assert last.outcome == "failed"
    tries = len(device.activated)
    assert "did not pass its test" in device.update().choice.why  # not again and again
    assert len(device.activated) == tries


def test_one_that_flags_bin_ls(tried: tuple[Repository, Tried]) -> None:
    repository, device = tried
    data = LS.read_bytes()
    line = f"{hashlib.sha256(data).hexdigest()}:{len(data)}:Bad.Ls"
    publish(repository, portable(Kind.FILE_DIGEST, line))
    refused(device, rf"it finds Bad\.Ls in {LS}")


@pytest.mark.parametrize(
    "act",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: (faulthandler.disable(), os.kill(os.getpid(), signal.SIGSEGV)),
    ],
    ids=["killed", "crashed"],
)
def test_one_with_which_the_worker_ends(
    tried: tuple[Repository, Tried], act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's process really ends; only what ends it is put into it before it is forked."""
    repository, device = tried
    whole = ObjectScanner.scan_stream

    def scan_stream(self: ObjectScanner, stream: Any, path: str, expected: int = 0) -> Report:
        if self.database.signature_count > 1:  # so that it does with the new one only
            act()
        return whole(self, stream, path, expected)

    monkeypatch.setattr(ObjectScanner, "scan_stream", scan_stream)
    publish(repository)
    refused(device, rf"with it, {LS} is not wholly looked at: not scanned: its worker")


def test_one_that_cannot_be_compiled(tried: tuple[Repository, Tried]) -> None:
    repository, device = tried
    publish(repository, b"not a database")
    refused(device, "did not pass its test")
