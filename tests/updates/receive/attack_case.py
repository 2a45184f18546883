"""A publisher, and a device that is attacked: it has version 1 in use, and version 2 is to come."""

from __future__ import annotations

import copy
import hashlib
import shutil
from pathlib import Path

import pytest
from receive_samples import Device, Repository

from tocsin.errors import TocsinError
from tocsin.transparency.log import Log

Made = tuple[Repository, Path]


class Case:
    """A publisher, a device with version 1, and what is to come: version 2."""

    def __init__(self, repository: Repository, device: Device, folder: Path) -> None:
        self.repository = repository
        self.device = device
        self.folder = folder

    def publish(self, version: int = 2, **how: object) -> None:
        self.repository.add(version, **how)
        self.repository.publish_metadata()

    def refuses(self, kind: type[TocsinError], match: str, **how: object) -> None:
        before = self.device.snapshot()
        activated = len(self.device.activated)
        with pytest.raises(kind, match=match):
            self.device.update(**how)
        assert self.device.snapshot() == before
        assert self.device.version == 1
        assert len(self.device.activated) == activated
        last = self.device.state.last_run()
        assert last is not None
        assert last.outcome == "failed"

    def sha256(self, version: int = 2) -> str:
        return hashlib.sha256(self.repository.plain[version]).hexdigest()


def make(folder: Path) -> Made:
    """A publisher and a device, to be copied for each attack."""
    repository = Repository(folder / "repository")
    repository.add(1)
    repository.publish_metadata()
    Device(folder / "state", repository).update()
    return repository, folder


def case_of(made: Made, folder: Path) -> Case:
    """A copy of both in a folder."""
    template, at = made
    shutil.copytree(at, folder / "at", symlinks=True)
    repository = copy.copy(template)
    repository.folder = folder / "at" / "repository"
    repository.log = Log(repository.folder / "log", repository.log_key.verifier)
    repository.targets = copy.deepcopy(template.targets)
    repository.plain, repository.versions = dict(template.plain), dict(template.versions)
    repository.online = dict(template.online)
    return Case(repository, Device(folder / "at" / "state", repository), folder)


def damage(place: Path) -> None:
    """Flip one bit of a file."""
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
