"""Releases of a program that takes tocsin's place, small, and devices that install them.

The program is real: it is installed from its wheels and run. It knows the few verbs that a new
release is tried out with, and can be made to do them wrong.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

from receive_samples import NOW, Device, Repository

from tocsin.app.software_test import try_out_software
from tocsin.updates.layout import (
    ReleaseTarget,
    WheelTarget,
    release_manifest_target,
    wheel_target,
    write_field,
)
from tocsin.updates.receive.fetch import FolderFetcher, SchemeFetcher
from tocsin.updates.receive.installations import Installations
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.software import SoftwareOutcome, SoftwareUpdate, SoftwareWishes
from tocsin.updates.statement import ReleasePredicate, WheelEntry, canonical_json
from tocsin.updates.wheels import this_machine
from updates.wheel_samples import make_wheel

_MAIN = """
import json, os, sys, time
from helper import WORD
VERSION, FAULT = {version!r}, {fault!r}

def run():
    verb, *rest = sys.argv[1:]
    if verb == "--version":
        if FAULT == "crash":
            os.kill(os.getpid(), 11)
        if FAULT == "hang":
            time.sleep(600)
        print("tocsin, version", "9.9" if FAULT == "lie" else VERSION)
    elif verb == "scan":
        found = 0
        for path in rest[1:]:
            with open(path, "rb") as file:
                bad = file.read().startswith(b"TOCSIN-TEST-FILE") and FAULT != "blind"
            bad = bad or (FAULT == "flags" and path == "/bin/ls")
            found += bad
            names = [{{"name": "Found.It"}}] if bad else []
            print(json.dumps({{"path": path, "verdict": "infected" if bad else "clean",
                              "detections": names}}))
        sys.exit(1 if found else 0)
    elif verb == "config":
        problems = [{{"key": "[scan] jobs", "reason": "not any more"}}] if FAULT == "config" else []
        print(json.dumps({{"problems": problems}}))
        sys.exit(1 if problems else 0)
    elif verb == "say":
        print(WORD, VERSION, os.environ.get("TOCSIN_STATE_DIR", ""))
    elif verb == "reach":
        import socket
        socket.create_connection(("127.0.0.1", int(rest[0])), 2)

if __name__ == "__main__":
    run()
"""


def make_wheels(folder: Path, version: str, *, fault: str = "", helper: str = "1.0") -> list[Path]:
    """The wheels of a release: the program, and what it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    main = _MAIN.format(version=version, fault=fault)
    files = {
        "tocsin/__init__.py": "",
        "tocsin/__main__.py": main,
        f"tocsin-{version}.data/data/share/doc/tocsin/README": "read me\n",
    }
    own = make_wheel(
        folder,
        "tocsin",
        version,
        "helper>=1",
        'absent; python_version < "3"',
        files=files,
        scripts={"tocsin": "tocsin.__main__:run"},
    )
    return [own, make_wheel(folder, "helper", helper, files={"helper.py": "WORD = 'hello'\n"})]


def add_release(
    repository: Repository,
    version: str,
    wheels: list[Path],
    *,
    logged: bool = True,
    witnesses: slice = slice(0, 3),
    named: list[WheelEntry] | None = None,
    at: datetime = NOW,
    rings: tuple[tuple[int, int], ...] = (),
) -> list[WheelEntry]:
    """Put a release into a repository, as a publisher would; `publish_metadata` shows it.

    Args:
        repository: the publisher's.
        version: of the release.
        wheels: its wheels.
        logged: whether there is a log entry.
        witnesses: that cosign it.
        named: what the log entry names instead of the wheels.
        at: when both channels begin with it.
        rings: how it spreads.
    """
    entries = [
        WheelEntry(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in wheels
    ]
    predicate = ReleasePredicate(version, tuple(named if named is not None else entries))
    manifest = canonical_json(predicate)
    name, sha256 = release_manifest_target(version), hashlib.sha256(manifest).hexdigest()
    channels = {"stable": at, "fast": at}
    repository.put_target(
        name, manifest, write_field(ReleaseTarget(version, sha256, channels, rings))
    )
    for path in wheels:
        target = wheel_target(version, path.name)
        repository.put_target(target, path.read_bytes(), write_field(WheelTarget(version)))
    if logged:
        repository.vouch(name, manifest, predicate, witnesses=witnesses)
    return entries


class SoftwareDevice(Device):
    """A device that installs releases beside one another."""

    def __init__(self, folder: Path, repository: Repository) -> None:
        super().__init__(folder / "state", repository)
        self.prefix = folder / "software"
        self.running = "0.5"
        self.longest = 20.0
        self.settings_file: Path | None = None

    @property
    def store(self) -> Installations:
        return Installations(self.prefix)

    def try_out(self, environment: Path, version: str) -> None:
        try_out_software(environment, version, self.settings_file, longest=self.longest)

    def install(
        self,
        *,
        at: datetime | None = None,
        again: bool = False,
        check_only: bool = False,
        prune: bool = True,
    ) -> SoftwareOutcome:
        inner = SchemeFetcher({"file": FolderFetcher([Path("/")])})
        self.fetcher = MirrorFetcher(self.mirrors, inner)
        wishes = SoftwareWishes(
            lambda target, _device: target.channels.get(self.channel),
            self.running,
            this_machine(),
            self.max_age,
            at,
            again,
            check_only,
        )
        update = SoftwareUpdate(
            self.state, self.trust, self.fetcher, self.store, wishes, self.try_out
        )
        outcome = update.run()
        if prune and outcome.changed:
            with self.store.locked():
                self.store.prune()
        return outcome

    def says(self) -> str:
        """What the release in use says, started as a user starts it."""
        done = subprocess.run(
            [self.prefix / "bin" / "tocsin", "say"],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin"},
            check=True,
        )
        return done.stdout.strip()

    def versions(self) -> list[str]:
        """Versions of the releases that are here; the one in use first."""
        store = self.store
        names = [store.current(), *store.previous()]
        assert sorted(names) == sorted(store.kept())
        assert not [each for each in os.listdir(self.prefix / "versions") if each[0] == "."]
        return [name.rpartition("-")[0] for name in names]

    def copy_to(self, folder: Path) -> SoftwareDevice:
        """Another device in the same state."""
        made = SoftwareDevice.__new__(SoftwareDevice)
        made.__dict__ = {**self.__dict__}
        made.folder, made.prefix = folder / "state", folder / "software"
        made.mirrors = list(self.mirrors)
        shutil.copytree(self.folder.parent, folder, symlinks=True, dirs_exist_ok=True)
        # The first lines of scripts have the place they were made for.
        for script in made.prefix.glob("versions/*/bin/tocsin"):
            text = script.read_text()
            script.write_text(text.replace(str(self.prefix), str(made.prefix)))
        return made
