"""What is done with what was found: reported, taken into quarantine, deleted, or ended.

Whatever does it looks first whether it still is what was scanned. What could not be done is an
outcome like any other: the scan of the rest goes on, and the outcome says why.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Any

import msgspec

from tocsin.engine.report import Report, Verdict
from tocsin.errors import QuarantineError
from tocsin.protect.own_files import NOTHING, OwnFiles
from tocsin.protect.processes import Process, ancestors, read_process, running
from tocsin.protect.quarantine.identity import FileIdentity
from tocsin.protect.quarantine.record import Finding
from tocsin.protect.quarantine.removal import check_removable, private_name, remove_name
from tocsin.protect.quarantine.safe_open import sync_folder
from tocsin.protect.quarantine.sparse import Digests, pack_file
from tocsin.protect.quarantine.take import Opened
from tocsin.protect.quarantine.vault import Vault

_PATIENCE_MS = 5000

NOT_OWN = "it is one of tocsin's own files, which are never taken away or deleted"


class Action(StrEnum):
    """What is to be done with what is found."""

    REPORT = "report"
    QUARANTINE = "quarantine"
    DELETE = "delete"
    TERMINATE = "terminate"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an action.

    Attributes:
        action: what was to be done.
        state: what was done: `reported`, `quarantined`, `deleted`, `terminated`, or `failed`.
        detail: why not, or what else is to be known, in words.
        record: number in the quarantine, or empty.
    """

    action: Action
    state: str
    detail: str = ""
    record: str = ""

    @property
    def failed(self) -> bool:
        """Whether it was not done."""
        return self.state == "failed"

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "action": self.action.value,
            "state": self.state,
            "detail": self.detail,
            "record": self.record,
        }


def acts_on(report: Report) -> bool:
    """Whether what a report says is acted on: what is infected, not what is merely suspicious."""
    return report.verdict is Verdict.INFECTED


def act(
    action: Action,
    report: Report,
    identity: FileIdentity,
    *,
    path: bytes,
    vault: Callable[[], Vault],
    database: str,
    origin: str,
    uid: int = -1,
    descriptor: int | None = None,
    own: OwnFiles = NOTHING,
) -> Outcome:
    """Do with a file what is to be done with it.

    Args:
        action: what.
        report: what was found; its digest must be that of the file.
        identity: what was scanned.
        path: where it is, absolute and without links.
        vault: opens the quarantine when it is needed; it is closed again.
        database: identity of the database that was scanned with.
        origin: who acts.
        uid: on whose behalf, -1 for nobody's.
        descriptor: of the file that was scanned, where it is still open.
        own: this program's own files, which are neither taken nor deleted.

    Returns:
        What came of it. It does not raise for what it meets.
    """
    finding = Finding.of(report, database=database, origin=origin, uid=uid)
    expected = identity.with_digest(report.sha256)
    takes = action in (Action.QUARANTINE, Action.DELETE)
    if takes and own.keeps((identity.device, identity.inode), path):
        return Outcome(action=action, state="failed", detail=NOT_OWN)
    try:
        if action is Action.QUARANTINE:
            with vault() as opened:
                record = opened.take(
                    path, expected=expected, finding=finding, descriptor=descriptor
                )
            return Outcome(
                action=action,
                state="quarantined",
                record=record.id,
                detail=_links_left(record.links_left, record.other_names),
            )
        if action is Action.DELETE:
            left = delete_file(path, expected, finding)
            return Outcome(action=action, state="deleted", detail=_links_left(left, ()))
    except QuarantineError as error:
        return Outcome(action=action, state="failed", detail=str(error))
    except OSError as error:
        return Outcome(action=action, state="failed", detail=error.strerror or str(error))
    if action is Action.TERMINATE:
        return Outcome(action=action, state="failed", detail="a file is no process to be ended")
    return Outcome(action=action, state="reported")


def _links_left(count: int, names: tuple[bytes, ...]) -> str:
    if not count:
        return ""
    known = ", ".join(os.fsdecode(name) for name in names)
    also = f"; in the same folder: {known}" if known else ""
    return f"the same content still stands under {count} other name(s) on its file system{also}"


def delete_file(path: bytes, expected: FileIdentity, finding: Finding) -> int:
    """Remove a file for good, if it is what was scanned.

    Args:
        path: where it is, absolute and without links.
        expected: what was scanned.
        finding: why; a mailbox is not removed for one message.

    Returns:
        Other names under which its content still stands.

    Raises:
        QuarantineError: it was not removed.
        OSError: it could not be read.
    """
    with Opened(path, expected) as opened:
        check_removable(opened.folder, opened.place)
        opened.check_no_mailbox(finding)
        if expected.sha256:
            digests = Digests("sha256")
            pack_file(opened.descriptor, opened.status.st_size, lambda _: None, digests)
            opened.check_digest(*digests.hex())
            opened.check_unchanged()
        remove_name(
            opened.folder,
            opened.name,
            opened.status,
            opened.descriptor,
            opened.place,
            private_name(f"removed-{secrets.token_hex(8)}"),
        )
        sync_folder(opened.folder)
        return os.fstat(opened.descriptor).st_nlink


# --- processes ----------------------------------------------------------------------------


def process_start(pid: int) -> int:
    """When a process was started, in clock ticks since the machine was; tells it from another.

    Raises:
        OSError: there is no such process.
    """
    return read_process(pid).start


def terminate(pid: int, start_time: int) -> Outcome:
    """End a process, if it is the one that was looked at.

    It gets no signal that it could catch, because what is ended is what means harm. The first
    process, threads of the kernel, this process and those it descends from are never ended. The
    children of what is ended go on; they are named.

    Args:
        pid: its number.
        start_time: what `process_start` said of it when it was looked at.
    """
    action = Action.TERMINATE
    if pid <= 1 or pid == os.getpid() or pid in ancestors(os.getpid()):
        detail = f"process {pid} is not ended: this program depends on it"
        return Outcome(action=action, state="failed", detail=detail)
    try:
        handle = os.pidfd_open(pid)
    except OSError as error:
        return Outcome(action=action, state="failed", detail=error.strerror or str(error))
    try:
        # The handle stands for one process for good; so it is compared after it was opened.
        found = read_process(pid)
        if found.start != start_time:
            detail = f"process {pid} is another one now"
            return Outcome(action=action, state="failed", detail=detail)
        if found.kernel:
            detail = f"process {pid} is a thread of the kernel, which is not ended"
            return Outcome(action=action, state="failed", detail=detail)
        children = [process for process in running() if process.parent == pid]
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(_PATIENCE_MS):
            detail = f"process {pid} was sent SIGKILL but has not ended yet"
            return Outcome(action=action, state="failed", detail=detail)
    except OSError as error:
        return Outcome(action=action, state="failed", detail=error.strerror or str(error))
    finally:
        with suppress(OSError):
            os.close(handle)
    return Outcome(action=action, state="terminated", detail=_children_left(children))


def _children_left(children: list[Process]) -> str:
    """Which of a process's children go on without it, in words."""
    left = []
    for child in children:
        with suppress(OSError):
            if read_process(child.pid).start == child.start:
                left.append(f"{child.pid} ({child.name})")
    return f"its children go on: {', '.join(left)}" if left else ""
