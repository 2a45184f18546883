"""What every run over a repository has in common: metadata, proofs, and whom else to ask.

`updater` brings databases, `software` brings releases. Both go the same way to what is signed
and logged: TUF's metadata behind the consent gate, the log entry and its proof under a root that
was in force, and the next mirror where one lied.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from tuf.api.exceptions import DownloadError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Root

from tocsin.transparency.proof import MAX_PROOF_BYTES
from tocsin.updates.layout import entry_path, proof_path
from tocsin.updates.receive.download import Progress, fetch_small
from tocsin.updates.receive.errors import (
    ConsentNeeded,
    ContentRefused,
    MetadataExpired,
    MetadataRefused,
    NotVouchedFor,
    UpdateError,
)
from tocsin.updates.receive.fetch import is_absent
from tocsin.updates.receive.gate import ConsentGate, RootRefused
from tocsin.updates.receive.mirrors import REPOSITORY, MirrorFetcher
from tocsin.updates.receive.news import News
from tocsin.updates.receive.outcome import Step
from tocsin.updates.receive.roots import Get, RootKeeper, target_keys
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import MAX_ROOT, TufClient, read_root
from tocsin.updates.receive.verify import Expected, Finding, Vouching, examine
from tocsin.updates.receive.withdrawals import Word
from tocsin.updates.statement import MOST_ENTRY_BYTES

_LIES = (MetadataRefused, NotVouchedFor, ContentRefused)
"""What another mirror may have right."""

_Result = TypeVar("_Result")


class Run:
    """One run over a repository.

    Args:
        state: of the device.
        trust: what the user chose.
        mirrors: where everything comes from.
        at: time that was stated; None for now.
        moment: time that everything is judged by.
        max_checkpoint_age: seconds that the witnesses' word on the log may be old; 0 for any.
        progress: told how far it is.
    """

    def __init__(
        self,
        state: UpdateState,
        trust: Trust,
        mirrors: MirrorFetcher,
        *,
        at: datetime | None,
        moment: datetime,
        max_checkpoint_age: int,
        progress: Progress,
    ) -> None:
        self._state = state
        self._trust = trust
        self._mirrors = mirrors
        self._progress = progress
        self._at = at
        self._moment = moment
        self._now = int(moment.timestamp())
        self._keeper = RootKeeper(state, trust, self._get, self._now, self._further_mirrors)
        self._news = News(state, trust, mirrors, self._keeper, moment, max_checkpoint_age)
        self._steps: list[Step] = []

    def _stays(self) -> str:
        """What stays in use when nothing comes, in words."""
        raise NotImplementedError

    def _with_any_mirror(self, attempt: Callable[[], _Result]) -> _Result:
        """Attempt it with one mirror after the other until none is left that was not caught lying.

        Raises:
            UpdateError: none of them could do it; the first reason.
        """
        first: UpdateError | None = None
        while True:
            try:
                self._keeper.begin()
                self._news.begin()
                return attempt()
            except _LIES as error:
                first = first or error
                self._mirrors.set_aside(self._liar(error), str(error))
                if self._may_be_agreed():
                    raise self._consent_needed() from error
                if not self._mirrors.standing():
                    if self._keeper.held:
                        raise self._consent_needed() from error
                    raise first from None

    def _liar(self, error: UpdateError) -> str:
        """Which mirror is left aside for what was wrong.

        Entries, proofs and the log are many files, of which one mirror may have some and another
        the rest. The first that is asked answers for them: it lied, or lacks what the next gave.
        """
        standing = self._mirrors.standing()
        return standing[0] if isinstance(error, NotVouchedFor) and standing else self._mirrors.last

    def _may_be_agreed(self) -> bool:
        """Whether roots wait that the user may agree to: then no mirror can do without them."""
        waiting = self._keeper.waiting
        return bool(waiting) and all(each.may_be_agreed for each in waiting)

    def _further_mirrors(self) -> Iterator[Get]:
        for mirror in self._mirrors.standing()[1:]:
            yield partial(self._mirrors.ask, mirror)

    # --- metadata ---------------------------------------------------------------------------

    def _refreshed(self) -> TufClient:
        """The metadata, of another mirror if the first turns out to be behind."""
        before = self._state.timestamp_bytes()
        client = self._refresh()
        if before != self._state.timestamp_bytes():
            self._news.heard()
        elif self._news.mirror_is_behind(client):
            client = self._refresh()
        return client

    def _refresh(self) -> TufClient:
        gate = ConsentGate(self._mirrors, self._keeper.lets_pass)
        try:
            client = TufClient(
                self._state.metadata,
                f"{REPOSITORY}metadata/",
                gate,
                trusted_root=self._trust.root,
                at=self._at,
            )
            client.refresh()
        except ExpiredMetadataError as error:
            raise self._refused(MetadataExpired(self._expired(str(error)))) from error
        except RepositoryError as error:
            raise self._refused(
                MetadataRefused(f"{self._mirrors.last_file()}: {error}. {self._stays()}")
            ) from error
        except RootRefused as error:
            raise self._refused(self._root_refused(error.reason)) from error
        except DownloadError as error:
            if self._mirrors.standing():  # one that answers has not what is needed, or too much
                raise self._refused(
                    MetadataRefused(
                        f"{self._mirrors.last_file()}: the metadata is not whole: {error}. "
                        f"{self._stays()}"
                    )
                ) from error
            raise self._refused(self._mirrors.nothing_reached(str(error))) from error
        self._follow_up()
        return client

    def _refused(self, error: UpdateError) -> UpdateError:
        """The error itself, or that consent is what is missing.

        A root that nobody may agree to is no reason not to ask the next mirror.
        """
        if not self._keeper.waiting:
            return error
        self._follow_up()
        if isinstance(error, _LIES) and not self._may_be_agreed():
            return error
        return self._consent_needed()

    def _root_refused(self, error: UpdateError) -> UpdateError:
        if isinstance(error, NotVouchedFor):
            return NotVouchedFor(f"{error}. {self._stays()}")
        if isinstance(error, MetadataRefused):
            return MetadataRefused(f"{self._mirrors.last_file()}: {error}. {self._stays()}")
        return error

    def _expired(self, said: str) -> str:
        return (
            f"{said} (judged at {self._moment:%Y-%m-%d %H:%M} UTC). Either the publisher has "
            f"stopped, or every mirror is behind, or this machine's clock is wrong; "
            f"{self._stays()}, and scanning goes on"
        )

    def _consent_needed(self) -> ConsentNeeded:
        last = self._keeper.held[-1].step
        name = repr(last.publisher.name) if last.publisher else "nobody by name"
        return ConsentNeeded(
            f"root {last.version} would make {name} the publisher and waits for you: 'tocsin "
            "update consent' shows who signed it. What is in use stays in use, and scanning goes "
            "on",
            last.version,
            last.sha256,
        )

    def _follow_up(self) -> None:
        def fetch_root(version: int) -> bytes | None:
            try:
                url = f"{REPOSITORY}metadata/{version}.root.json"
                return self._mirrors.download_bytes(url, MAX_ROOT)
            except DownloadError as error:
                if is_absent(error):
                    return None
                raise

        self._keeper.follow_up(fetch_root)

    # --- what is vouched for ----------------------------------------------------------------

    def _prove(self, client: TufClient, expected: Expected) -> tuple[bytes, bytes, Vouching, int]:
        """Find an entry in the log that is about something, signed under a root that was in force.

        Returns:
            The entry, its proof, what is true of it, and the version of the root.

        Raises:
            NotVouchedFor: a point does not stand.
        """
        entry = self._get(entry_path(expected.sha256), MOST_ENTRY_BYTES)
        proof = self._get(proof_path(expected.sha256), MAX_PROOF_BYTES)
        first: Vouching | None = None
        for version, root in self._signing_roots(client):
            vouching = examine(
                expected,
                entry,
                proof,
                *target_keys(root),
                self._trust.policy,
                now=self._now,
                log_keys=self._keeper.agreed_logs(),
            )
            if vouching.stands and self._is_of_its_time(client, version, vouching):
                assert entry is not None
                assert proof is not None
                return entry, proof, vouching, version
            if vouching.stands:
                late = f"root {version} named the keys that signed it, and a later one dropped them"
                finding = Finding("signature", False, f"{late} before it was logged")
                first = replace(vouching, findings=(*vouching.findings, finding))
            first = first or vouching
        assert first is not None
        first.require()
        raise AssertionError

    def _signing_roots(self, client: TufClient) -> Iterator[tuple[int, Root]]:
        """Roots by version, the newest first: keys may have changed since an entry was signed."""
        for version in range(client.root.version, self._trust.root_version - 1, -1):
            root = client.root if version == client.root.version else self._old_root(version)
            if root is not None:
                yield version, root

    def _is_of_its_time(self, client: TufClient, version: int, vouching: Vouching) -> bool:
        """Whether an entry was logged while the keys of the root that it stands by had a say."""
        if version == client.root.version:
            return True
        assert vouching.verdict is not None
        assert vouching.proof is not None
        words = self._words(client, vouching.verdict.head.origin)
        return any(
            each.root == version and (each.until is None or vouching.proof.index < each.until)
            for each in words
        )

    def _words(self, client: TufClient, origin: str) -> Iterator[Word]:
        """Whose word counts in a log, and up to where, the newest first.

        The keys of a root have a say until the root is logged that has others. Where that is not
        known they have none: what is still to count is logged anew when keys change.
        """
        until, ended_by, after = None, "", None
        for version, root in self._signing_roots(client):
            keys = target_keys(root)
            if keys == after:
                continue  # the newer root says the same, and for longer
            if after is not None:
                place = self._keeper.place(version + 1, origin)
                until = place if until is None else min(until, place)
                ended_by = self._keeper.digest(version + 1)
                if not until:
                    return
            yield Word(*keys, until, ended_by, version)
            after = keys

    def _old_root(self, version: int) -> Root | None:
        held = self._state.root_bytes(version)
        return None if held is None else read_root(held).signed

    def _get(self, path: str, most: int) -> bytes | None:
        return fetch_small(self._mirrors, path, most)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        received, requests = self._mirrors.received, self._mirrors.requests
        try:
            yield
        finally:
            self._steps.append(
                Step(
                    name,
                    (time.perf_counter() - started) * 1000,
                    self._mirrors.received - received,
                    self._mirrors.requests - requests,
                )
            )
