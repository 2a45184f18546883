"""A publisher's folder: what is where in it, its settings, and who works in it.

publisher.json   settings: the log's origin, the keys' folder, times, channels and rings
policy           whose cosignatures this publisher waits for (C2SP tlog-policy)
repository/      all that others see
trust/           what a user needs to begin with: root.json, policy
work/            what is unfinished: a draft of a root, what is staged
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tocsin.updates.layout import Ring, demand_rings
from tocsin.updates.publish.errors import WorkspaceError
from tocsin.updates.publish.files import make_folder, read_bounded, write_file

_FORMAT: Literal["tocsin-publisher-1"] = "tocsin-publisher-1"
_MOST_SETTINGS_BYTES = 1 << 20
_Days = Annotated[int, msgspec.Meta(ge=1, le=3_660)]
_Some = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)]


class PublisherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a publisher decided once; the file may be edited.

    Attributes:
        format: of this file.
        origin: name of the log, as its checkpoints have it.
        keys: folder of the keys; relative to the publisher's folder, or absolute.
        log_url: where others find the log; for the policy that users get.
        root_days: days until a root expires.
        targets_days: days until the list of targets expires.
        snapshot_days: days until the snapshot expires.
        timestamp_days: days until the timestamp expires: as long a device may be kept from news.
        channels: seconds after publishing at which a channel's devices may begin to update.
        rings: percent of devices and seconds after that; the last has 100 percent.
        keep: databases kept in whole.
        deltas: versions back from which deltas are made.
    """

    origin: str
    keys: str
    format: Literal["tocsin-publisher-1"] = _FORMAT
    log_url: str = ""
    root_days: _Days = 365
    targets_days: _Days = 90
    snapshot_days: _Days = 14
    timestamp_days: _Days = 3
    channels: dict[str, _Seconds] = msgspec.field(
        default_factory=lambda: {"fast": 0, "stable": 86_400}
    )
    rings: tuple[Ring, ...] = ((5, 0), (25, 7_200), (100, 21_600))
    keep: _Some = 10
    deltas: _Some = 7


class Workspace:
    """A publisher's folder.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.trust = folder / "trust"
        self.work = folder / "work"
        self.policy_path = folder / "policy"
        self.settings_path = folder / "publisher.json"
        self.draft_folder = self.work / "draft"
        self.staged = self.work / "staged"
        self.witnesses_path = self.work / "witnesses.json"

    @property
    def log(self) -> Path:
        """The log's folder, a part of the repository."""
        return self.repository / "log"

    def create(self, settings: PublisherSettings, policy: bytes) -> None:
        """Make the folder.

        Raises:
            WorkspaceError: there is one already, or it cannot be made.
        """
        if self.settings_path.exists():
            raise WorkspaceError(f"{self.folder}: a publisher's folder is here already")
        try:
            for folder in (self.repository, self.trust, self.work):
                make_folder(folder)
            os.chmod(self.work, 0o700)
        except OSError as error:
            raise WorkspaceError(f"{self.folder}: {error.strerror or error}") from error
        write_file(self.policy_path, policy)
        self.save_settings(settings)

    def settings(self) -> PublisherSettings:
        """Read the settings.

        Raises:
            WorkspaceError: this is no publisher's folder, or they are malformed.
        """
        if not self.settings_path.is_file():
            raise WorkspaceError(
                f"{self.folder}: no publisher's folder; make one with 'tocsin publish init'"
            )
        try:
            settings = msgspec.json.decode(
                read_bounded(self.settings_path, _MOST_SETTINGS_BYTES), type=PublisherSettings
            )
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise WorkspaceError(f"{self.settings_path}: {error}") from error
        demand_rings(settings.rings)
        return settings

    def save_settings(self, settings: PublisherSettings) -> None:
        """Write the settings."""
        data = msgspec.json.format(msgspec.json.encode(settings)) + b"\n"
        write_file(self.settings_path, data)

    def policy_bytes(self) -> bytes:
        """The policy's text.

        Raises:
            WorkspaceError: it cannot be read.
        """
        return read_bounded(self.policy_path, 4 << 20)

    def key_folder(self, settings: PublisherSettings) -> Path:
        """Where the keys are."""
        return self.folder / settings.keys  # an absolute path stays what it is

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who publishes here.

        Raises:
            WorkspaceError: somebody else does.
        """
        try:
            make_folder(self.work)
            descriptor = os.open(self.work / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WorkspaceError(f"{self.work}: {error.strerror or error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise WorkspaceError(
                f"{self.folder}: another process is publishing here; wait until it is done"
            ) from None
        finally:
            os.close(descriptor)
