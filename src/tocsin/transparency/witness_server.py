"""A witness over HTTP: what is asked at which path, and the answer.

Specification: C2SP tlog-witness, "HTTP Interface". Both prefixes, for submitting and for
monitoring, are the same here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.transparency.http_server import Request
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.witness import MAX_REQUEST_BYTES, Answer, Refused
from tocsin.transparency.witness_store import WitnessStore, require_cosigners

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_NOT_THERE = Answer(404, b"there is nothing here\n")


class WitnessService:
    """Answers requests to a witness.

    Args:
        store: what it keeps.
        keys: by which it cosigns.
        prefix: of its paths, without a slash at the end.

    Raises:
        MalformedKey: the keys are no witness's.
        ValueError: the prefix is no path.
    """

    def __init__(self, store: WitnessStore, keys: Sequence[SigningKey], prefix: str = "") -> None:
        require_cosigners(keys)
        prefix = prefix.rstrip("/")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError("a prefix is written /LIKE/THIS")
        self._store = store
        self._keys = tuple(keys)
        self._submit = f"{prefix}/add-checkpoint"
        self._page = re.compile(re.escape(prefix) + "/([0-9a-f]{64})/checkpoint")

    def most_bytes(self, method: str, path: str) -> int:
        """The longest body that is read for a request."""
        return MAX_REQUEST_BYTES if (method, path) == ("POST", self._submit) else 0

    def answer(self, request: Request) -> Answer:
        """Answer a request.

        Raises:
            TransparencyError: what is kept cannot be read or written; nothing was cosigned.
        """
        if request.path == self._submit:
            if request.method != "POST":
                return Answer(405, b"a checkpoint is sent by POST\n")
            try:
                return Answer(200, self._store.submit(request.body, self._keys))
            except Refused as refused:
                return refused.answer
        page = self._page.fullmatch(request.path)
        if page is None:
            return _NOT_THERE
        if request.method != "GET":
            return Answer(405, b"a checkpoint is read by GET\n")
        found = self._store.checkpoint(page[1])
        return _NOT_THERE if found is None else Answer(200, found)
