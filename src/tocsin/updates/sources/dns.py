"""Asking a resolver for a name's TXT records, over UDP and, when they do not fit, TCP.

Nothing that comes back is believed further than as a hint that something newer exists: what is
then fetched is checked by its signature.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tocsin.updates.sources.dns_message import LARGEST, Truncated, read_answer, write_question
from tocsin.updates.sources.errors import SourceUnreachable

Address = tuple[str, int]
_PORT = 53
_MOST_RESOLVERS = 3
_ATTEMPTS = 2


def system_resolvers(configuration: Path = Path("/etc/resolv.conf")) -> list[Address]:
    """The resolvers that the system names, at most three."""
    found: list[Address] = []
    with suppress(OSError):
        text = configuration.read_text("utf-8", "replace")[: 1 << 16]
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "nameserver":
                with suppress(ValueError):
                    ipaddress.ip_address(words[1].partition("%")[0])
                    found.append((words[1], _PORT))
    return found[:_MOST_RESOLVERS] or [("127.0.0.1", _PORT)]


def query_txt(
    name: str, resolvers: Sequence[Address] | None = None, *, timeout: float = 3.0
) -> list[str]:
    """The TXT records of a name.

    Args:
        name: dotted.
        resolvers: whom to ask, in order; None for the system's.
        timeout: seconds that one resolver is waited for.

    Raises:
        SourceUnreachable: none of them has an answer.
    """
    last: SourceUnreachable | None = None
    for _ in range(_ATTEMPTS):
        for resolver in system_resolvers() if resolvers is None else resolvers:
            try:
                return _ask(name, resolver, timeout)
            except SourceUnreachable as error:
                last = error
            except OSError as error:
                last = SourceUnreachable(
                    f"{name}: no answer from the resolver {resolver[0]}: {error}"
                )
    raise last or SourceUnreachable(f"{name}: there is no resolver to ask")


def _ask(name: str, resolver: Address, timeout: float) -> list[str]:
    question = write_question(name, secrets.randbits(16))
    family = socket.AF_INET6 if ":" in resolver[0] else socket.AF_INET
    end = time.monotonic() + timeout
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.connect(resolver)  # the kernel then drops what others send
        channel.send(question)
        while True:
            channel.settimeout(max(0.001, end - time.monotonic()))
            data = channel.recv(LARGEST)
            if data[:2] == question[:2]:  # else an answer that comes late to another question
                break
            if time.monotonic() >= end:
                raise SourceUnreachable(f"{name}: no answer in {timeout:g} s")
    try:
        return read_answer(data, question)
    except Truncated:
        return _ask_over_tcp(question, resolver, timeout)


def _ask_over_tcp(question: bytes, resolver: Address, timeout: float) -> list[str]:
    with socket.create_connection(resolver, timeout) as channel:
        channel.sendall(struct.pack("!H", len(question)) + question)
        with channel.makefile("rb") as stream:
            head = stream.read(2)
            length = struct.unpack("!H", head)[0] if len(head) == 2 else 0
            return read_answer(stream.read(length), question)
