"""Asking witnesses to cosign the log, each with a proof that it continues what they last saw.

Specification: C2SP tlog-witness, `add-checkpoint`. A witness is somebody else's machine: what it
answers is bounded in size and time, and whatever it says counts only by its signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from tocsin.transparency.coding import decode_decimal, encode_base64
from tocsin.transparency.cosignature import cosignatures, parse_cosignature_lines
from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import NoteSignature, SignedNote
from tocsin.transparency.policy import Policy, Witness
from tocsin.transparency.tree_head import Checkpoint
from tocsin.updates.publish.http import pool_for
from tocsin.version import VERSION

MOST_ANSWER_BYTES = 64 << 10
TIMEOUT_SECONDS = 20.0
"""For one answer, from the request to its last byte, however it comes."""

_AT_ONCE = 8
_ATTEMPTS = 3
"""A witness may have to say once, and another time when somebody else asked in between, how far
it is."""

_OK, _CONFLICT = 200, 409
_MEANINGS = {
    400: "finds the request malformed, or the log smaller than it was",
    403: "does not know the log's key",
    404: "does not know this log; give its operator the log's key",
    422: "says that the log does not continue what it saw",
    429: "is asked too often",
}


class Answer(NamedTuple):
    """What an HTTP server said."""

    status: int
    content_type: str
    body: bytes


class Post(Protocol):
    """Sends bytes to an address.

    Raises:
        OSError: nothing came back, or too much.
    """

    def __call__(self, url: str, body: bytes) -> Answer:
        """Send, and give the answer."""


Consistency = Callable[[int, int], Sequence[bytes]]
"""Gives the proof that the log of one size continues in that of another."""


class Asked(NamedTuple):
    """What came of asking witnesses.

    Attributes:
        signatures: lines that verified.
        sizes: by a witness's name how far it is now.
        answers: by a witness's name what came of it, in words.
    """

    signatures: tuple[NoteSignature, ...]
    sizes: dict[str, int]
    answers: dict[str, str]


def ask_witnesses(
    policy: Policy,
    note: SignedNote,
    consistency: Consistency,
    sizes: Mapping[str, int],
    post: Post,
) -> Asked:
    """Ask every witness of a policy that has an address, several at a time.

    Args:
        policy: who they are.
        note: the checkpoint that the log signed.
        consistency: gives proofs from an earlier size to this one.
        sizes: how far witnesses were when they were last asked.
        post: how they are reached.
    """
    witnesses = list(policy.witnesses.values())
    asked = [witness for witness in witnesses if witness.url]
    head = Checkpoint.parse(note.text)
    answers = {w.name: "has no address in the policy" for w in witnesses if not w.url}
    signatures: list[NoteSignature] = []
    now_at = dict(sizes)
    if asked:
        with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as pool:
            results = pool.map(
                lambda witness: _ask(
                    witness, note, head.size, sizes.get(witness.name, 0), consistency, post
                ),
                asked,
            )
            for witness, (lines, words) in zip(asked, results, strict=True):
                answers[witness.name] = words
                if lines:
                    signatures += lines
                    now_at[witness.name] = head.size
    return Asked(tuple(signatures), now_at, answers)


def request_body(old: int, proof: Sequence[bytes], note: SignedNote) -> bytes:
    """What is sent to a witness (tlog-witness, "add-checkpoint")."""
    lines = "".join(f"{encode_base64(one)}\n" for one in proof)
    return f"old {old}\n{lines}\n".encode("ascii") + note.to_bytes()


def _ask(
    witness: Witness,
    note: SignedNote,
    size: int,
    old: int,
    consistency: Consistency,
    post: Post,
) -> tuple[tuple[NoteSignature, ...], str]:
    url = witness.url.rstrip("/") + "/add-checkpoint"
    old = min(old, size)
    for _ in range(_ATTEMPTS):
        proof = consistency(old, size) if 0 < old < size else ()
        try:
            answer = post(url, request_body(old, proof, note))
        except OSError as error:
            return (), f"does not answer: {error}"
        if answer.status == _OK:
            return _verified(witness, note, answer.body)
        if answer.status != _CONFLICT:
            meaning = _MEANINGS.get(answer.status, "refuses")
            return (), f"{meaning} (status {answer.status})"
        try:
            stated = decode_decimal(answer.body.decode("ascii").strip())
        except ValueError:
            return (), "says that it saw another size and not which"
        if stated > size:
            return (), f"has seen {stated:,} entries, and the log has {size:,}: was it set back?"
        old = stated
    return (), "says another size every time it is asked"


def _verified(
    witness: Witness, note: SignedNote, body: bytes
) -> tuple[tuple[NoteSignature, ...], str]:
    try:
        lines = parse_cosignature_lines(body)
        vouched = cosignatures(SignedNote(note.text, lines), [witness.key])
    except TransparencyError as error:
        return (), f"answers with something else than its cosignature: {error}"
    if not vouched:
        return (), "answers with a cosignature by another key than the policy has"
    if not all(one.timestamp for one in vouched):  # tlog-witness forbids it
        return (), "answers with a cosignature without a time, which counts for nothing"
    return tuple(one.signature for one in vouched), "cosigned"


def post_over_http(url: str, body: bytes) -> Answer:
    """Send to a witness; proxies are taken from the environment.

    Raises:
        OSError: nothing came back in time, or too much.
    """
    import urllib3
    from urllib3.exceptions import HTTPError

    from tocsin.http_connections import Deadline

    if not url.startswith(("https://", "http://")):
        raise OSError("an address must begin with https:// or http://")
    timeout = urllib3.Timeout(connect=TIMEOUT_SECONDS / 2, read=TIMEOUT_SECONDS)
    headers = {"User-Agent": f"tocsin/{VERSION}", "Content-Type": "text/plain; charset=utf-8"}
    try:
        with Deadline(TIMEOUT_SECONDS) as deadline, pool_for(url) as pool:
            response = pool.request(
                "POST",
                url,
                body=body,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            data = response.read(MOST_ANSWER_BYTES + 1)
            response.close()
            if deadline.over:  # what was cut off then may look whole
                raise TimeoutError("its answer took too long")
    except HTTPError as error:
        raise OSError("its answer took too long" if deadline.over else str(error)) from error
    if len(data) > MOST_ANSWER_BYTES:
        raise OSError(f"an answer of more than {MOST_ANSWER_BYTES:,} bytes")
    return Answer(response.status, response.headers.get("Content-Type", ""), data)
