"""The device's quarantine for those who cannot read it: what they may do, the daemon does.

Whose quarantine is meant? Root's is the device's. Another user has one of their own, and members
of `[daemon] admin_group` reach the device's besides it: an object is looked for in both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tocsin.app.device import Device, device_quarantine, is_closed, why_closed
from tocsin.app.quarantine import NoQuarantine, Quarantine, item_values, restored_values
from tocsin.app.settings import quarantine_folder
from tocsin.errors import DaemonRefused, DaemonUnreachable, QuarantineError
from tocsin.protect.quarantine.errors import NotRestored, UnknownRecord
from tocsin.settings import Settings

_DAY = 86_400
_PATIENCE = 60.0
_LONG = 3600.0
"""Seconds for putting back, which a large file on a slow disk may take."""


class RemoteQuarantine:
    """The device's quarantine, asked of the daemon.

    Args:
        settings: of the device.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._place = device_quarantine(settings)

    def items(self) -> list[dict[str, Any]]:
        """Everything in it, as `item_values` has it.

        Raises:
            QuarantineError: this user may not see it, or no daemon answers.
        """
        return list(self._act("list"))

    def show(self, number: str) -> dict[str, Any]:
        """One object.

        Raises:
            QuarantineError: there is no such object, or it cannot be shown.
        """
        return dict(self._act("show", id=number))

    def restore(self, number: str, to: str | None, *, keep_setid: bool) -> dict[str, Any]:
        """Have a file put back to its place.

        Returns:
            Its number, where it is, and what is not as it was.

        Raises:
            QuarantineError: it was not put back, and is still there.
        """
        if to is not None or keep_setid:
            raise NotRestored(
                f"{number}: only root puts back from the device's quarantine to another place or "
                "with set-user-ID bits: 'sudo tocsin quarantine restore' with --to, --keep-setid"
            )
        return dict(self._act("restore", _LONG, id=number))

    def delete(self, number: str) -> str:
        """Have an object deleted for good.

        Returns:
            Its whole number.

        Raises:
            QuarantineError: it was not deleted.
        """
        return str(self._act("delete", id=number)["id"])

    def _act(self, verb: str, patience: float = _PATIENCE, **arguments: str) -> Any:
        from tocsin.app.api_client import ApiClient  # HTTP is loaded when it is spoken

        client = ApiClient.of(self._settings, timeout=patience)
        wish = {"verb": f"quarantine-{verb}", "arguments": arguments}
        try:
            return client.post("/v1/act", wish)["result"]
        except (DaemonRefused, DaemonUnreachable) as error:
            called = f"quarantine {verb}"
            raise QuarantineError(why_closed(self._settings, self._place, error, called)) from error


class Quarantines:
    """What a user reaches: their own quarantine, the device's, or both; see `reached`.

    Args:
        own: the user's own, None when there is none.
        device: the device's, None when it is the user's own or there is none.

    Attributes:
        trouble: why the journal was not written, or empty.
        unseen: why the device's is not shown, or empty.
    """

    def __init__(self, own: Quarantine | None, device: RemoteQuarantine | None) -> None:
        self._own = own
        self._device = device
        self._items: dict[str, dict[str, Any]] | None = None
        self.unseen = ""

    @property
    def trouble(self) -> str:
        """Why the journal was not written, or empty."""
        return self._own.trouble if self._own is not None else ""

    def items(self) -> list[dict[str, Any]]:
        """Everything in them as `item_values` has it, the oldest first, what is damaged last.

        Raises:
            QuarantineError: there is none but the device's, and it cannot be seen.
        """
        own = [] if self._own is None else [item_values(item) for item in self._own.items()]
        found = {**self._devices(), **{str(item["id"]): item for item in own}}
        return sorted(found.values(), key=lambda item: item.get("taken", float("inf")))

    def show(self, number: str) -> dict[str, Any]:
        """One object.

        Raises:
            QuarantineError: there is no such object, or it cannot be shown.
        """
        number, own, device = self._where(number)
        if own is not None:
            return item_values(own.vault.record(number))
        assert device is not None
        return device.show(number)

    def restore(self, number: str, to: str | None, *, keep_setid: bool) -> dict[str, Any]:
        """Put a file back.

        Returns:
            Its number, where it is, and what is not as it was.

        Raises:
            QuarantineError: it was not put back, and is still there.
        """
        number, own, device = self._where(number)
        if own is not None:
            record, restored = own.restore(number, to, keep_setid=keep_setid)
            return {"id": record.id, **restored_values(restored)}
        assert device is not None
        return device.restore(number, to, keep_setid=keep_setid)

    def delete(self, number: str) -> str:
        """Delete an object for good; a damaged one too.

        Returns:
            Its whole number.

        Raises:
            QuarantineError: it was not deleted.
        """
        number, own, device = self._where(number)
        if own is not None:
            return own.delete(number)
        assert device is not None
        return device.delete(number)

    def expire(self, days: float) -> list[str]:
        """Delete what was taken longer ago than so many days.

        Returns:
            The numbers of what was deleted.
        """
        gone = [] if self._own is None else [record.id for record in self._own.expire(days)]
        if self._device is not None:
            before = time.time() - days * _DAY
            for number, item in self._devices().items():
                if item.get("taken", before) < before:
                    gone.append(self._device.delete(number))
        return gone

    def _where(self, number: str) -> tuple[str, Quarantine | None, RemoteQuarantine | None]:
        """In which of them an object is, and its number, whole where there are two to ask.

        Raises:
            UnknownRecord: it is in none, or several begin so.
        """
        if self._own is None or self._device is None:
            return number, self._own, self._device
        own = {item.id for item in self._own.items()}
        theirs = self._devices().keys() - own
        found = [each for each in (*own, *theirs) if number and each.startswith(number.lower())]
        if len(found) > 1:
            raise UnknownRecord(f"{number}: {len(found)} objects begin so; give more of the number")
        if not found and self.unseen:
            raise UnknownRecord(f"{number}: no such object of yours. {self.unseen}")
        if not found or found[0] in own:
            return number, self._own, None
        return found[0], None, self._device

    def _devices(self) -> dict[str, dict[str, Any]]:
        """The objects of the device by number; none where only they cannot be seen.

        Raises:
            QuarantineError: they cannot be seen, and there is nothing else.
        """
        if self._device is None:
            return {}
        if self._items is None:
            try:
                self._items = {str(item["id"]): item for item in self._device.items()}
            except QuarantineError as error:
                if self._own is None:
                    raise
                self.unseen, self._items = str(error), {}
        return self._items


@contextmanager
def reached(settings: Settings, device: Device, folder: Path | None) -> Iterator[Quarantines]:
    """What this user reaches.

    Args:
        settings: the user's.
        device: the device's.
        folder: a vault that the user names; then it is that alone.

    Raises:
        NoQuarantine: there is none.
        QuarantineError: the user's own cannot be used.
    """
    theirs = device_quarantine(device.settings)
    own_place = folder or quarantine_folder(settings)
    remote = None
    if folder is None and is_closed(theirs):
        remote = RemoteQuarantine(device.settings)
    if remote is not None and is_closed(own_place):
        yield Quarantines(None, remote)
        return
    try:
        own = Quarantine(settings, folder)
    except NoQuarantine:
        if remote is None:
            raise
        yield Quarantines(None, remote)
        return
    with own:
        yield Quarantines(own, remote)
