"""Which texts and unknown data are opened as mail besides."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tocsin.formats.identify import identify
from tocsin.formats.kinds import kinds

LONG = b"; a=" + b"\r\n ".join([b"a" * 70] * 30) + b"\r\n"
REST = b"From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
ENCODED = b"Content-Transfer-Encoding: base64\n\nAAAA\n"


def mail_kinds(data: bytes) -> set[str]:
    return {"MAIL", "MHTML"} & set(kinds(data, identify(data)))


@pytest.mark.parametrize(
    "name",
    [
        *("ARC-Seal", "DKIM-Signature", "Authentication-Results", "MIME-Version", "Thread-Topic"),
        *("Reply-To", "Cc", "Sender", "X-MS-Exchange-Organization-AuthSource", "Content-Type"),
    ],
)
def test_a_long_header_hides_no_mail(name: str) -> None:
    mail = name.encode() + b": x" + LONG + REST
    assert mail_kinds(mail) == {"MHTML"}
    assert mail_kinds(mail.replace(b"MIME-Version: 1.0\r\n", b"")) == {"MAIL"}
    assert identify(mail) == "TEXT_ASCII", "clamscan says the same"


@pytest.mark.parametrize(
    "data",
    [
        b"X-A: b" + LONG + ENCODED,
        b"X-A: b" + LONG.replace(b"\r\n", b"\r") + ENCODED.replace(b"\n", b"\r"),
        b"X-A: b" + LONG + b"CONTENT-type :text/plain\n\nhello",
        b"\xef\xbb\xbfX-A: b" + LONG + ENCODED,
        b"\r\n \r\nX-A: b" + LONG + ENCODED,
        b">From a b c\nX-A: b" + LONG + ENCODED,
        b"X-A: b\n" * 100_000 + ENCODED,
        b"n" * 300 + b": b" + LONG + ENCODED,
        ENCODED,
        b"\xef\xbb\xbf" + ENCODED,
        b"words\n" * 3000 + REST,
        b"words\n" * 3000 + REST.replace(b"\r", b""),
        bytes(range(256)) * 9 + b"\n" + REST,
        ("X-A: b" + LONG.decode() + ENCODED.decode()).encode("utf-16"),
        ("X-A: b" + LONG.decode() + ENCODED.decode()).encode("utf-16-le"),
    ],
    ids=range(15),
)
def test_what_is_a_mail(data: bytes) -> None:
    assert mail_kinds(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Package: a\nVersion: 1.0\nDescription: b\n c\n\nPackage: c\n",
        b"name: a\ncontent:\n  type: b\n\non:\n  push:\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hello",
        b'msgid ""\nmsgstr ""\n"MIME-Version: 1.0\\n"\n"Content-Type: text/plain\\n"\n',
        b"INFO: 12:00 something\n" * 100,
        b"Words: and more\n\nContent-Type: text/plain\n",
        b"A note on Content-Type: and MIME-Version: as they stand in mails\n",
        b"\0" * 4000,
        "Wörter: ja\n".encode("utf-16") * 40,
    ],
    ids=range(10),
)
def test_what_is_none(data: bytes) -> None:
    assert not mail_kinds(data)


def test_what_hides_in_a_text_is_looked_for_all_the_same() -> None:
    """A line that makes a text be opened as mail does not keep it from being looked at."""
    archive = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\x4b\x04\0\x43\xbe\xb7\xe8\1\0\0\0"
    text = b"words\n" * 300
    with_mail = set(kinds(text + REST + archive, "TEXT_ASCII"))
    assert with_mail - {"MHTML"} == set(kinds(text + archive, "TEXT_ASCII"))


@pytest.mark.parametrize(
    "data",
    [
        lambda: b"\nMIME-Version: x" * 400_000 + b"ontent-",
        lambda: b"a: b\n" + b"e-Version: " * 500_000 + b"ontent-",
        lambda: b"a: b" + b"\nContent-Type: " * 300_000,
        lambda: b"a: b\n" + b"content-" * 700_000,
        lambda: b"a: " + b"\nFrom: " * 700_000,
        lambda: b"\n" * 5_000_000,
        lambda: b"a" * 5_000_000,
    ],
    ids=range(7),
)
def test_time_stays_short(data: Callable[[], bytes]) -> None:
    text = data()
    start = time.process_time()
    mail_kinds(text)
    assert time.process_time() - start < 2
