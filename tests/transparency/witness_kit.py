"""A witness on a real socket, and what is sent to it."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transparency_samples import LOG_KEY, ORIGIN, Tree, entries

from tocsin.transparency.coding import encode_base64
from tocsin.transparency.http_server import HttpServer, Limits
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.merkle import consistency_proof
from tocsin.transparency.note import KeyType, NoteSignature, SignedNote
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.witness_server import WitnessService
from tocsin.transparency.witness_store import WitnessStore

W_ED = SigningKey.from_seed("w.example/w1", KeyType.ED25519_COSIGNATURE, b"1" * 32)
W_PQ = SigningKey.from_seed("w.example/w1", KeyType.ML_DSA_44_COSIGNATURE, b"2" * 32)
STRANGER = SigningKey.from_seed("example.net/other", KeyType.ED25519, b"S" * 32)
TREE = Tree(entries(40))


def signed(size: int, *, root: bytes | None = None, key: SigningKey = LOG_KEY) -> SignedNote:
    """A checkpoint of `TREE`, or one with another root."""
    head = Checkpoint(key.verifier.name, size, TREE.roots[size] if root is None else root)
    return key.signed(head.text())


def body(old: int, note: SignedNote, proof: Sequence[bytes] | None = None) -> bytes:
    """A request; with the right proof unless one is given."""
    size = Checkpoint.parse(note.text).size
    if proof is None:
        proof = consistency_proof(old, size, TREE.hashes) if 0 < old < size else ()
    lines = "".join(f"{encode_base64(each)}\n" for each in proof)
    return f"old {old}\n{lines}\n".encode() + note.to_bytes()


# --- what no witness cosigns ----------------------------------------------------------------

OTHER_ROOT = bytes(31) + b"x"
NOTE = signed(8).to_bytes()
FORGED = SignedNote(signed(8).text, (NoteSignature(ORIGIN, LOG_KEY.verifier.key_id, bytes(64)),))
HASH = "A" * 43 + "="

MALFORMED = {
    "nothing": b"",
    "no blank line": b"old 0\n" + NOTE,
    "no old size": b"\n" + NOTE,
    "another word": b"new 0\n\n" + NOTE,
    "two spaces": b"old  0\n\n" + NOTE,
    "a leading zero": b"old 00\n\n" + NOTE,
    "a sign": b"old +0\n\n" + NOTE,
    "too large a number": b"old 9223372036854775808\n\n" + NOTE,
    "a carriage return": b"old 0\r\n\n" + NOTE,
    "64 lines of proof": b"old 0\n" + f"{HASH}\n".encode() * 64 + b"\n" + NOTE,
    "a short hash": b"old 0\nAAAA\n\n" + NOTE,
    "base64 in another form": b"old 0\n" + b"A" * 42 + b"B=\n\n" + NOTE,
    "no note": b"old 0\n\n" + signed(8).text.encode(),
    "no checkpoint": b"old 0\n\n" + LOG_KEY.signed("hello\n").to_bytes(),
    "not UTF-8": b"old 0\n\n\xff" + NOTE,
    "an old size above the new": body(9, signed(8), []),
}


class Client:
    """Talks to one server over one connection that is kept open."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._http = http.client.HTTPConnection(host, port, timeout=20)

    def ask(self, method: str, path: str, data: bytes | None = None) -> tuple[int, str, bytes]:
        self._http.request(method, path, data)
        answer = self._http.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()

    def submit(self, data: bytes) -> tuple[int, str, bytes]:
        return self.ask("POST", "/add-checkpoint", data)

    def close(self) -> None:
        self._http.close()


@contextmanager
def serving(
    folder: Path,
    *,
    keys: Sequence[SigningKey] = (W_ED, W_PQ),
    limits: Limits = Limits(),  # noqa: B008
    prefix: str = "",
) -> Iterator[Client]:
    """A witness that knows the log of the samples, in a thread."""
    store = WitnessStore(folder)
    if not store.logs():
        store.add_log(LOG_KEY.verifier)
    service = WitnessService(store, keys, prefix)
    where: list[tuple[str, int]] = []
    begun = threading.Event()
    handle: list[tuple[asyncio.AbstractEventLoop, HttpServer]] = []

    def ready(host: str, port: int) -> None:
        where.append((host, port))
        begun.set()

    async def run() -> None:
        server = HttpServer(service.answer, service.most_bytes, limits=limits)
        handle.append((asyncio.get_running_loop(), server))
        await server.serve("127.0.0.1", 0, ready)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert begun.wait(10)
    client = Client(*where[0])
    try:
        yield client
    finally:
        client.close()
        loop, server = handle[0]
        loop.call_soon_threadsafe(server.stop)
        thread.join(15)
        assert not thread.is_alive()
