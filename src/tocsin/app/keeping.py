"""The keeper composed: opening files, the quarantine, and tasks at their times."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tocsin.app.own_files import own_files
from tocsin.app.quarantine import item_values
from tocsin.app.settings import quarantine_folder
from tocsin.app.task_table import make_scheduler
from tocsin.app.update_rounds import UpdateRounds, starter
from tocsin.engine.report import Report
from tocsin.errors import ChannelClosed, QuarantineError, SettingsError, UsageError
from tocsin.protect.actions import NOT_OWN
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.control_messages import (
    DatabaseNote,
    FromChild,
    HappenedWish,
    ReloadWish,
    StopNote,
    TakeNote,
    ToChild,
    to_child,
)
from tocsin.protect.daemon.keeper import Keeper
from tocsin.protect.daemon.peer import Peer
from tocsin.protect.daemon.rights import show_nothing
from tocsin.protect.daemon.socket_origin import Origin
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.sendable import sendable_event
from tocsin.protect.own_files import Key
from tocsin.protect.quarantine.errors import DamagedItem
from tocsin.protect.quarantine.extent import extent
from tocsin.protect.quarantine.record import Finding, Record
from tocsin.protect.quarantine.vault import Vault
from tocsin.protect.schedule.scheduler import Scheduler
from tocsin.settings import Settings

_EXPIRE_EVERY = 3600.0
_SCHEDULE_AGAIN = 30.0


class Keeping:
    """What the keeper does with files that were found, for the guard and for administrators.

    Args:
        settings: the settings.
        config: the settings file, None for the usual place.
        say: has an event journalled.
        reload: has the database looked at again.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        say: Callable[[Event], None],
        reload: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._config = config
        self._say = say
        self._said = ""
        self._looking_again: list[subprocess.Popen[bytes]] = []
        self._expire_at = 0.0
        self._scheduler: Scheduler | None = None
        self._schedule_at = 0.0
        self._updates = UpdateRounds(settings, starter(config), reload)
        self._said_of_updates = ""
        self._folder = quarantine_folder(settings)
        self._database = ""
        self.own = own_files(settings)
        self._verbs: dict[str, Callable[[dict[str, Any], Peer], Any]] = {
            "quarantine-extent": self._extent,
            "quarantine-list": self._list,
            "quarantine-show": self._show,
            "quarantine-restore": self._restore,
            "quarantine-delete": self._delete,
        }

    def act(self, verb: str, arguments: dict[str, Any], peer: Peer) -> Any:
        """Do something for an administrator.

        Raises:
            UsageError: there is no such verb.
            QuarantineError: it cannot be done.
        """
        known = self._verbs.get(verb)
        if known is None:
            raise UsageError(f"there is no verb {verb!r}; there are {', '.join(self._verbs)}")
        return known(arguments, peer)

    def database_is(self, identity: str) -> None:
        """Another database is in use: what is in the vault is looked at again."""
        changed = identity != self._database
        self.own = own_files(self._settings)
        self._database = identity
        if changed and self._settings.quarantine.reexamine and self._folder.is_dir():
            self._looking_again.append(self._start(("quarantine", "reexamine")))

    def now_and_then(self) -> float:
        """What has its time: tasks, and what is too old in the vault.

        Returns:
            Seconds until this is to be called again.
        """
        self._looking_again = [each for each in self._looking_again if each.poll() is None]
        now = time.monotonic()
        if now >= self._expire_at:
            self._expire_at = now + _EXPIRE_EVERY
            self._expire()
            self.own = own_files(self._settings)
        if self._scheduler is None and self._settings.task and now >= self._schedule_at:
            self._begin_schedule(now)
        wait = _EXPIRE_EVERY
        if self._scheduler is not None:
            wait = self._scheduler.run_once()
            self._say_trouble(self._scheduler.trouble)
        elif self._settings.task:
            wait = _SCHEDULE_AGAIN
        wait = min(wait, self._updates.run_once())
        self._said_of_updates = self._say_new(self._updates.trouble, self._said_of_updates)
        return max(0.1, min(wait, self._expire_at - now))

    def close(self) -> None:
        """Stop what was started; tasks go on where they stopped when there is a keeper again."""
        if self._scheduler is not None:
            self._scheduler.close()
        self._updates.close()
        for each in self._looking_again:
            each.terminate()

    def _start(self, verb: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Run a verb of this program, in this session: the guard lets it open what it must."""
        named = [] if self._config is None else ["--config", str(self._config)]
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tocsin", *named, *verb],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def _expire(self) -> None:
        """Delete what has been in the vault for longer than the settings say."""
        days = self._settings.quarantine.keep_days
        if not days or not self._folder.is_dir():
            return
        with suppress(QuarantineError), self._vault() as vault:
            for record in vault.expire(days):
                message = f"deleted from quarantine for its age: {record.place}"
                self._say(_acted("deleted", message, None, record.place))

    def _begin_schedule(self, now: float) -> None:
        """Schedule tasks, unless another process does; then this is tried again."""
        self._schedule_at = now + _SCHEDULE_AGAIN
        try:
            self._scheduler = make_scheduler(self._settings, self._config, new_session=False)
        except (SettingsError, OSError) as error:
            self._say_trouble(f"no task is started: {error}")

    def _say_trouble(self, trouble: str) -> None:
        self._said = self._say_new(trouble, self._said)

    def _say_new(self, trouble: str, said: str) -> str:
        if trouble and trouble != said:
            self._say(
                Event(
                    kind=Kind.FAILURE,
                    severity=Severity.WARNING,
                    origin="schedule",
                    message=trouble,
                )
            )
        return trouble

    def take(self, path: bytes, descriptor: int, values: dict[str, Any], origin: str) -> None:
        """Take away what was found; whatever comes of it is journalled."""
        report = Report.from_dict(values)
        report.path = os.fsdecode(path)
        finding = Finding.of(report, database=self._database, origin=origin)
        names = tuple(dict.fromkeys(each.name for each in report.detections))
        try:
            if not report.detections:
                raise QuarantineError(f"{report.path}: nothing was found in it")
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_PATH | os.O_WRONLY):
                raise QuarantineError(f"{report.path}: whoever found it could not read it")
            status = os.fstat(descriptor)
            if own_files(self._settings).keeps((status.st_dev, status.st_ino), path):
                raise QuarantineError(f"{report.path}: {NOT_OWN}")
            with self._vault() as vault:
                record = vault.take(path, finding=finding, descriptor=descriptor)
        except (QuarantineError, OSError) as error:
            self._say(
                Event(
                    kind=Kind.FAILURE,
                    severity=Severity.ALARM,
                    origin=origin,
                    message=f"not taken into quarantine: {error}",
                    path=report.path,
                    signatures=names,
                )
            )
            return
        self._say(
            Event(
                kind=Kind.ACTION,
                severity=Severity.WARNING,
                origin=origin,
                message=f"taken into quarantine: {report.path}",
                path=report.path,
                signatures=names,
                action="quarantined",
                record=record.id,
                sha256=record.sha256,
                size=record.size,
                database=self._database,
            )
        )

    @contextmanager
    def _vault(self) -> Iterator[Vault]:
        """The vault; what an interruption had left in it is journalled."""
        with Vault(self._folder, max_size=self._settings.quarantine.max_size) as vault:
            try:
                yield vault
            finally:
                for recovered in vault.recovered:
                    message = f"after an interruption: {recovered.what}"
                    self._say(_acted("recovered", message, None, ""))

    def _extent(self, _arguments: dict[str, Any], _peer: Peer) -> Any:
        return extent(self._folder)._asdict()

    def _list(self, _arguments: dict[str, Any], _peer: Peer) -> Any:
        with self._vault() as vault:
            return [item_values(item) for item in vault.items()]

    def _show(self, arguments: dict[str, Any], _peer: Peer) -> Any:
        with self._vault() as vault:
            return item_values(vault.record(str(arguments["id"])))

    def _restore(self, arguments: dict[str, Any], peer: Peer) -> Any:
        """Put a file back to its place, without set-user-ID bits.

        Other places and such bits are for root's own command, which goes to the vault itself: what
        comes through the front is not believed that far.
        """
        if "to" in arguments or "keep_setid" in arguments:
            raise UsageError("another place, or set-user-ID bits: sudo tocsin quarantine restore")
        with self._vault() as vault:
            record = vault.record(str(arguments["id"]))
            restored = vault.put_back(record.id)
        path = os.fsdecode(restored.path)
        message = f"restored from quarantine: {path}"
        self._say(_acted("restored", message, peer, record.place, record))
        return {"id": record.id, "path": path, "remarks": list(restored.remarks)}

    def _delete(self, arguments: dict[str, Any], peer: Peer) -> Any:
        """Delete an object for good; a damaged one too."""
        record: Record | None = None
        with self._vault() as vault:
            with suppress(DamagedItem):
                record = vault.record(str(arguments["id"]))
            whole = vault.delete(str(arguments["id"]))
        place = "" if record is None else record.place
        message = f"deleted from quarantine: {place or whole}"
        self._say(_acted("deleted", message, peer, place, record, whole))
        return {"id": whole}


class Control:
    """The keeper's end of the channel to the supervisor.

    Args:
        end: the socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self._channel: Channel[ToChild, FromChild] = Channel(end, to_child)
        self.keeping: Keeping | None = None
        self.keeper: Keeper | None = None

    def fileno(self) -> int:
        """Readable when the supervisor says something."""
        return self._channel.fileno()

    def say(self, event: Event) -> None:
        """Have an event journalled; from any thread, for a packet is sent whole or not."""
        self._channel.send(HappenedWish(sendable_event(event)))

    def reload(self) -> None:
        """Have the database looked at again: an update took another one into use."""
        self._channel.send(ReloadWish("an update"))

    def hear(self) -> None:
        """Do what the supervisor wants.

        Raises:
            ChannelClosed: it has gone, or wants this process to end.
        """
        keeping, keeper = self.keeping, self.keeper
        assert keeping is not None
        assert keeper is not None
        while (received := self._channel.receive()) is not None:
            message, descriptors = received
            if isinstance(message, TakeNote) and len(descriptors) == 1:
                keeper.take_away(message.path, message.report, message.origin, descriptors)
                continue
            for descriptor in descriptors:
                os.close(descriptor)
            if isinstance(message, DatabaseNote):
                keeping.database_is(message.facts.identity)
            elif isinstance(message, StopNote):
                raise ChannelClosed("told to end")


def run_keeper(
    settings: Settings,
    config: Path | None,
    control: socket.socket,
    front: socket.socket,
    network: Peer,
    admin_gid: int | None,
    places: frozenset[Origin],
) -> None:
    """The life of the keeper's process.

    Args:
        settings: the settings.
        config: the settings file, None for the usual place.
        control: the channel to the supervisor.
        front: the channel to the front.
        network: as whom files are opened for clients over a network.
        admin_gid: the group whose members may act.
        places: the files at which the daemon listens.
    """
    show_nothing()
    supervisor = Control(control)
    keeping = Keeping(settings, config, supervisor.say, supervisor.reload)
    exclude = settings.scan.exclude

    def own() -> frozenset[Key]:
        return keeping.own.left_out

    keeper = Keeper(front, network, admin_gid, keeping.act, keeping.take, exclude, places, own)
    supervisor.keeping, supervisor.keeper = keeping, keeper
    try:
        keeper.serve(keeping.now_and_then, listen={supervisor: supervisor.hear})
    finally:
        keeping.close()


def _acted(
    action: str,
    message: str,
    peer: Peer | None,
    path: str,
    record: Record | None = None,
    number: str = "",
) -> Event:
    event = Event(
        kind=Kind.ACTION,
        severity=Severity.NOTICE,
        origin="daemon",
        message=message,
        path=path,
        action=action,
        uid=peer.uid if peer is not None else -1,
        pid=peer.pid if peer is not None else 0,
        record=number,
    )
    if record is not None:
        event.record, event.signatures = record.id, record.names
        event.sha256, event.size = record.sha256, record.size
    return event
