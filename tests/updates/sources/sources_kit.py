"""What the tests of sources share: databases signed by keys of our own, and servers on loopback.

The keys are made of Mersenne primes: fit for a test, not for a secret.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import struct
import tarfile
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tocsin.signatures.clamav import cvd
from tocsin.updates.sources.clamav import Trust

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"


def require_words(error):
    """An error must tell a person something."""
    assert str(error).strip()


def key_pair(p, q):
    return cvd.PublicKey(p * q, 65537), pow(65537, -1, (p - 1) * (q - 1))


HEADER_KEY, HEADER_SECRET = key_pair(2**127 - 1, 2**521 - 1)
INFO_KEY, INFO_SECRET = key_pair(2**521 - 1, 2**1279 - 1)
TRUST = Trust(HEADER_KEY, INFO_KEY, INFO_KEY)


def signature_text(number):
    digits = []
    while number:
        number, digit = divmod(number, 64)
        digits.append(ALPHABET[digit])
    return "".join(digits)


def pss(message, salt=b"s" * 32):
    length = (INFO_KEY.modulus.bit_length() + 7) // 8
    digest = hashlib.sha256(bytes(8) + hashlib.sha256(message).digest() + salt).digest()
    block = bytes(length - 33 - 33) + b"\x01" + salt
    mask = b"".join(
        hashlib.sha256(digest + n.to_bytes(4, "big")).digest() for n in range(len(block) // 32 + 1)
    )
    masked = bytearray(a ^ b for a, b in zip(block, mask, strict=False))
    masked[0] &= 0x7F
    number = int.from_bytes(bytes(masked) + digest + b"\xbc", "big")
    return signature_text(pow(number, INFO_SECRET, INFO_KEY.modulus))


def members_of(name, version, lines):
    """COPYING, one file of digests, and the signed list of both."""
    held = {"COPYING": b"GPL, version 2\n", f"{name}.hsb": b"".join(line + b"\n" for line in lines)}
    head = f"ClamAV-VDB:28 Nov 2026 06-00 +0000:{version}:{len(lines)}:90:X:X:tester:1795845600\n"
    body = head.encode() + b"".join(
        f"{n}:{len(d)}:{hashlib.sha256(d).hexdigest()}\n".encode() for n, d in held.items()
    )
    held[f"{name}.info"] = body + b"DSIG:" + pss(body).encode() + b"\n"
    return held


def digest_lines(*numbers):
    return [
        b"%s:*:Test.%d:73" % (hashlib.sha256(b"%d" % n).hexdigest().encode(), n) for n in numbers
    ]


def make_cvd(name, version, lines):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, data in members_of(name, version, lines).items():
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    body = gzip.compress(buffer.getvalue(), mtime=0)
    md5 = hashlib.md5(body).digest()
    dsig = signature_text(pow(int.from_bytes(md5, "big"), HEADER_SECRET, HEADER_KEY.modulus))
    header = (
        f"ClamAV-VDB:28 Nov 2026 06-00 +0000:{version}:{len(lines)}:90:{md5.hex()}:{dsig}"
        ":tester:1795845600"
    )
    return header.encode().ljust(512) + body


def make_script(name, version, before, after):
    """The commands from one list of lines to the next; appends what is new."""
    gone = [
        f"DEL {place} ".encode() + line[:20]
        for place, line in enumerate(before, 1)
        if line not in after
    ]
    kept = [line for line in before if line in after]
    added = [b"ADD " + line for line in after[len(kept) :]]
    info = members_of(name, version, after)[f"{name}.info"]
    commands = [
        f"OPEN {name}.hsb".encode(),
        *gone,
        *added,
        b"CLOSE",
        f"UNLINK {name}.info".encode(),
    ]
    commands += [f"OPEN {name}.info".encode()]
    commands += [b"ADD " + line for line in info.rstrip(b"\n").split(b"\n")] + [b"CLOSE"]
    return b"\n".join(commands) + b"\n"


def make_cdiff(version, script, *, sign=pss):
    body = f"ClamAV-Diff:{version}:{len(script)}:".encode() + gzip.compress(script, mtime=0)
    return body + b":" + sign(body).encode()


class Files:
    """What a server serves.

    Attributes:
        content: bytes by path.
        status: for a path, another status than 200, with headers.
        seen: every request: path and headers.
        cut: for a path, after how many bytes the connection breaks, once.
        pace: for a path, seconds between two bytes.
    """

    def __init__(self):
        self.content = {}
        self.status = {}
        self.seen = []
        self.cut = {}
        self.pace = {}
        self.etags = True
        self.modified = time.time() - 3600
        self.url = ""

    def paths(self):
        return [path for path, _ in self.seen]


def _not_newer(files, since):
    return since and parsedate_to_datetime(since).timestamp() >= int(files.modified)


def _handler(files):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_GET(self):
            path = self.path.lstrip("/") if not self.path.startswith("http") else self.path
            files.seen.append((path, dict(self.headers)))
            if path in files.status:
                status, headers = files.status[path]
                return self._answer(status, b"", headers)
            data = files.content.get(path)
            if data is None:
                return self._answer(404, b"no such file")
            tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            headers = {"Last-Modified": formatdate(files.modified, usegmt=True)}
            if files.etags:
                headers["ETag"] = tag
            if self.headers.get("If-None-Match"):
                if self.headers["If-None-Match"] == tag:
                    return self._answer(304, None, headers)
            elif _not_newer(files, self.headers.get("If-Modified-Since")):
                return self._answer(304, None, headers)
            wanted = self.headers.get("Range", "")
            if_range = self.headers.get("If-Range")
            if wanted and (if_range is None or if_range in (tag, headers["Last-Modified"])):
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                begin, end = int(first), min(int(last) + 1 if last else len(data), len(data))
                if begin >= len(data):
                    return self._answer(416, b"")
                headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(data)}"
                return self._answer(206, data[begin:end], headers, path)
            return self._answer(200, data, headers, path)

        def _answer(self, status, data, headers=None, path=""):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if data is not None:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if not data:
                return
            cut = files.cut.pop(path, None)
            if cut is not None:
                self.wfile.write(data[:cut])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            pace = files.pace.get(path)
            if pace:
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(pace)
                return
            self.wfile.write(data)

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@contextmanager
def serve(files):
    with _Server(("127.0.0.1", 0), _handler(files)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        files.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield files
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def resolver(answer_udp, answer_tcp=None):
    """A resolver whose answers are what the functions make of a question."""
    udp, tcp = one_port()
    stop = threading.Event()
    udp.settimeout(0.05)
    tcp.settimeout(0.05)

    def loop():
        while not stop.is_set():
            try:
                question, sender = udp.recvfrom(4096)
                for answer in answer_udp(question):
                    udp.sendto(answer, sender)
            except TimeoutError:
                pass
            if answer_tcp is None:
                continue
            try:
                channel, _ = tcp.accept()
            except TimeoutError:
                continue
            with channel:
                head = channel.recv(2)
                question = channel.recv(struct.unpack("!H", head)[0])
                answer = answer_tcp(question)
                channel.sendall(struct.pack("!H", len(answer)) + answer)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield udp.getsockname()
    finally:
        stop.set()
        thread.join()
        udp.close()
        tcp.close()


def one_port() -> tuple[socket.socket, socket.socket]:
    """A number that is free for both; the one that the kernel gives for one may not be."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()


def txt_answer(question, *texts, flags=0x8180):
    """A message that answers a question with TXT records."""
    number = struct.unpack("!H", question[:2])[0]
    records = b""
    for text in texts:
        data = b"".join(
            bytes([len(piece)]) + piece
            for piece in (text.encode()[i : i + 255] for i in range(0, len(text), 255))
        )
        records += b"\xc0\x0c" + struct.pack("!2HIH", 16, 1, 300, len(data)) + data
    return struct.pack("!6H", number, flags, 1, len(texts), 0, 0) + question[12:] + records
