"""What a device asks besides the metadata of its first mirror, bounded and seldom.

- The log, for versions that were pulled back: when the metadata changed, else once a day.
- Another mirror, for its timestamp alone: when the first has had nothing new for some hours. A
  mirror that stopped is behind and not wrong, so nothing else would show it before its metadata
  expires.

A check with nothing new is two requests, and one more every few hours where there are mirrors to
ask.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Timestamp

from tocsin.transparency.errors import TransparencyError
from tocsin.updates.layout import LOG, MOST_METADATA_BYTES
from tocsin.updates.receive.bundle import URL as BUNDLE
from tocsin.updates.receive.download import fetch_part, fetch_small
from tocsin.updates.receive.errors import NotVouchedFor
from tocsin.updates.receive.logview import OpenedLog, open_log
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.roots import RootKeeper
from tocsin.updates.receive.seen import LoggedWithdrawal, Place
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import TufClient
from tocsin.updates.receive.verify import Vouching
from tocsin.updates.receive.withdrawals import Word, begin_of_bundle, learn

LOG_EVERY = timedelta(days=1)
"""How long the log is not looked at when the metadata does not change."""

MIRROR_EVERY = timedelta(hours=6)
"""How long the word of one mirror is enough that there is nothing new."""

_MOST_KEPT = 4_096


class News:
    """Looks besides the metadata, of one run.

    Args:
        state: of the device.
        trust: what the user chose.
        mirrors: where everything comes from.
        keeper: knows the logs of successors that the user agreed to.
        moment: time that everything is judged by.
        max_age: seconds that the witnesses' word on the log may be old; 0 for any.
    """

    def __init__(
        self,
        state: UpdateState,
        trust: Trust,
        mirrors: MirrorFetcher,
        keeper: RootKeeper,
        moment: datetime,
        max_age: int,
    ) -> None:
        self._state = state
        self._trust = trust
        self._mirrors = mirrors
        self._keeper = keeper
        self._moment = moment
        self._max_age = max_age
        self._files: dict[str, bytes | None] = {}

    def begin(self) -> None:
        """Forget what a mirror gave: another one is asked from here on."""
        self._files.clear()

    # --- another mirror ---------------------------------------------------------------------

    def mirror_is_behind(self, client: TufClient) -> bool:
        """Ask another mirror whether it is further; if so, the first is left aside.

        Args:
            client: refreshed, with nothing new.
        """
        seen, at = self._state.seen(), datetime.now(UTC)
        others = [each for each in self._mirrors.standing() if each != self._mirrors.last]
        if not others or (seen.confirmed is not None and _within(at, seen.confirmed, MIRROR_EVERY)):
            return False
        self._state.keep_seen(msgspec.structs.replace(seen, confirmed=at))
        first, other = self._mirrors.last, secrets.choice(others)
        data = self._mirrors.ask(other, "metadata/timestamp.json", MOST_METADATA_BYTES["timestamp"])
        if data is None or not self._is_newer(client, data):
            return False
        self._mirrors.set_aside(first, f"it is behind: {other} has later metadata")
        return True

    def _is_newer(self, client: TufClient, data: bytes) -> bool:
        try:
            read = Metadata[Timestamp].from_bytes(data)
            if not isinstance(read.signed, Timestamp):
                return False
            client.root.verify_delegate(Timestamp.type, read.signed_bytes, read.signatures)
        except RepositoryError:
            return False  # the other mirror is wrong, which is no reason to leave the first
        if read.signed.is_expired(self._moment):
            return False
        return bool(read.signed.version > client.timestamp.version)

    def heard(self) -> None:
        """News came from the first mirror, so no other has to be asked for some time."""
        seen = self._state.seen()
        self._state.keep_seen(msgspec.structs.replace(seen, confirmed=datetime.now(UTC)))

    # --- the log ----------------------------------------------------------------------------

    def log_is_due(self, timestamp: int) -> bool:
        """Whether the log is to be looked at, under a version of the timestamp."""
        if self._is_bundle():  # which has the part of the log only that its own database needs
            return False
        seen = self._state.seen()
        return (
            seen.looked is None
            or seen.timestamp != timestamp
            or not _within(datetime.now(UTC), seen.looked, LOG_EVERY)
        )

    def look(
        self,
        client: TufClient,
        words: Callable[[str], Iterable[Word]],
        index: int,
        vouching: Vouching | None = None,
    ) -> tuple[LoggedWithdrawal, ...]:
        """Look into the log, and remember how far and what it says was pulled back.

        Args:
            client: refreshed.
            words: whose word counts in a log, by its origin; see `learn`.
            index: place in the log of the database that matters; what is before it does not.
            vouching: of a version that is to be used, which stands.

        Returns:
            All that is known to be pulled back.

        Raises:
            NotVouchedFor: the log is behind, damaged, incomplete, or not witnessed as asked.
            SplitLog: it signed two histories.
        """
        opened = self.demand_grown(vouching)
        head, seen = opened.reader.head, self._state.seen()
        begin = seen.read.get(head.origin)
        first = begin_of_bundle(index)
        if (
            begin is None
            or begin.size > head.size
            or (self._is_bundle() and begin.size < first.size)
        ):
            begin = first
        try:
            learned = learn(opened.reader, self._part, begin, words(head.origin))
        except TransparencyError as error:
            raise NotVouchedFor(f"the log: {error}") from error
        seen = self._state.seen()
        known = dict.fromkeys((*seen.withdrawn, *learned.withdrawals))
        withdrawn = tuple(known)[-_MOST_KEPT:]
        place = max(learned.place, seen.read.get(head.origin, Place()), key=lambda p: p.size)
        self._state.keep_seen(
            msgspec.structs.replace(
                seen,
                timestamp=client.timestamp.version,
                looked=datetime.now(UTC),
                read={**seen.read, head.origin: place},
                withdrawn=withdrawn,
            )
        )
        return withdrawn

    def demand_grown(self, vouching: Vouching | None) -> OpenedLog:
        """Check the log as it is shown now, and remember its checkpoint.

        Args:
            vouching: of something that is to be used, which stands.

        Raises:
            NotVouchedFor: the log is behind, damaged, or not witnessed as asked.
            SplitLog: it signed two histories.
        """
        opened = open_log(
            self._get,
            self._trust.policy,
            vouching,
            self._state,
            now=int(self._moment.timestamp()),
            max_age=self._max_age or None,
            log_keys=self._keeper.agreed_logs(),
        )
        self._state.keep_checkpoint(opened.checkpoint)  # from now on nothing else is believed
        return opened

    def _get(self, path: str, most: int) -> bytes | None:
        if path not in self._files:
            self._files[path] = fetch_small(self._mirrors, path, most)
        return self._files[path]

    def _part(self, path: str, offset: int, most: int) -> bytes | None:
        return fetch_part(self._mirrors, f"{LOG}/{path}", offset, most)

    def _is_bundle(self) -> bool:
        return all(each.startswith(BUNDLE) for each in self._mirrors.standing())


def _within(now: datetime, then: datetime, span: timedelta) -> bool:
    """Whether it is not longer ago; a time in the future was another clock's."""
    return timedelta(0) <= now - then < span
