"""Fetching: what has not changed, what broke off, what is too much, and who is in between."""

from __future__ import annotations

import base64
import errno
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.updates.sources.errors import (
    SourceMissing,
    SourceStorage,
    SourceTooLarge,
    SourceUnreachable,
)
from tocsin.updates.sources.http import Http, Limits, http_date, proxy_of, read_retry_after
from tocsin.updates.sources.partial import Validators
from tocsin.updates.sources.state import LEDGER, SourceFolder
from updates.sources.sources_kit import Files, serve

DATA = bytes(range(256)) * 1000


@pytest.fixture
def site():
    with serve(Files()) as files:
        files.content["f"] = DATA
        yield files


@pytest.fixture
def held(tmp_path):
    with SourceFolder(tmp_path / "sources") as folder:
        yield folder


def http_of(held, **options):
    return Http(held.work, held, **{"limits": Limits(connect=2, stall=2, total=10), **options})


def test_a_file_comes_with_what_to_ask_again_with(site, held):
    http = http_of(held)
    fetched = http.fetch(f"{site.url}/f", "f")
    assert fetched.path.read_bytes() == DATA
    assert fetched.received == http.received == len(DATA)
    assert http.fetch(f"{site.url}/f", "g", validators=fetched.validators) is None
    by_time = Validators("", fetched.validators.modified)
    assert http.fetch(f"{site.url}/f", "g", validators=by_time) is None
    _, headers = site.seen[0]
    assert headers["User-Agent"].startswith("tocsin/")
    assert headers["Accept-Encoding"] == "identity"


def test_what_broke_off_goes_on_where_it_ended(site, held):
    site.cut["f"] = 100_000
    with pytest.raises(SourceUnreachable, match="broken off"):
        http_of(held).fetch(f"{site.url}/f", "f")
    fetched = http_of(held).fetch(f"{site.url}/f", "f")
    assert fetched.path.read_bytes() == DATA
    assert fetched.received < len(DATA)
    _, headers = site.seen[-1]
    assert int(headers["Range"].removeprefix("bytes=").rstrip("-")) > 0


def test_a_part_of_a_file_that_has_changed_since_is_not_gone_on_with(site, held):
    site.cut["f"] = 100_000
    with pytest.raises(SourceUnreachable):
        http_of(held).fetch(f"{site.url}/f", "f")
    site.content["f"] = DATA[::-1]
    assert http_of(held).fetch(f"{site.url}/f", "f").path.read_bytes() == DATA[::-1]
    site.cut["f"] = 100_000
    with pytest.raises(SourceUnreachable):
        http_of(held).fetch(f"{site.url}/f", "h")
    site.content["f"] = b"short"
    assert http_of(held).fetch(f"{site.url}/f", "h").path.read_bytes() == b"short"


def test_a_part_of_another_file_is_not_gone_on_with(site, held):
    site.cut["f"] = 100_000
    with pytest.raises(SourceUnreachable):
        http_of(held).fetch(f"{site.url}/f", "f")
    site.content["g"] = b"g" * len(DATA)
    assert http_of(held).fetch(f"{site.url}/g", "f").path.read_bytes() == b"g" * len(DATA)
    assert "Range" not in site.seen[-1][1]


def test_more_than_is_taken(site, held):
    with pytest.raises(SourceTooLarge):
        http_of(held).fetch(f"{site.url}/f", "f", largest=len(DATA) - 1)
    assert not list(held.work.iterdir())


def test_too_slow(site, held):
    site.content["f"] = b"x" * 1000
    site.pace["f"] = 0.1
    started = time.monotonic()
    with pytest.raises(SourceUnreachable, match="too few"):
        http_of(held, limits=Limits(connect=1, stall=0.3, total=10)).fetch(f"{site.url}/f", "f")
    with pytest.raises(SourceUnreachable, match="not done"):
        http_of(held, limits=Limits(connect=1, stall=5, total=0.3)).fetch(f"{site.url}/f", "f")
    assert time.monotonic() - started < 5


def test_statuses_that_are_no_file(site, held):
    with pytest.raises(SourceMissing) as caught:
        http_of(held).fetch(f"{site.url}/none", "f")
    assert caught.value.status == 404
    for status in (206, 301, 500, 503):
        site.status["f"] = (status, {})
        with pytest.raises(SourceMissing):
            http_of(held).fetch(f"{site.url}/f", "f")


def test_redirections_are_followed_three_times(site, held):
    for number in range(5):
        site.status[f"r{number}"] = (302, {"Location": f"r{number + 1}"})
    site.content["r5"] = b"there"
    assert http_of(held).fetch(f"{site.url}/r2", "f").path.read_bytes() == b"there"
    with pytest.raises(SourceUnreachable, match="redirected"):
        http_of(held).fetch(f"{site.url}/r0", "f")
    site.status["file"] = (302, {"Location": "file:///etc/passwd"})
    with pytest.raises(SourceUnreachable, match="neither http"):
        http_of(held).fetch(f"{site.url}/file", "f")


def test_over_a_proxy_with_a_password(site, held, monkeypatch):
    target = "http://nowhere.example/f"
    site.content[target] = b"over the proxy"
    proxy = proxy_of(site.url.replace("http://", "http://user:pa%20ss@"))
    assert proxy.url == site.url
    assert http_of(held, proxy=proxy).fetch(target, "f").path.read_bytes() == b"over the proxy"
    headers = {name.lower(): value for name, value in site.seen[-1][1].items()}
    sent = headers["proxy-authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"user:pa ss"
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert http_of(held).fetch(target, "g").path.read_bytes() == b"over the proxy"
    assert http_of(held).fetch(f"{site.url}/f", "h").size == len(DATA)


def test_what_is_no_proxy():
    for text in ("ftp://h:1", "http://h:99999999", "http://"):
        with pytest.raises(SourceUnreachable):
            proxy_of(text)


def test_a_full_disk_gets_its_bytes_back(site, held, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tocsin.updates.sources.partial.os.fsync", full)
    with pytest.raises(SourceStorage, match="disk is full"):
        http_of(held).fetch(f"{site.url}/f", "f")
    assert not list(held.work.iterdir())


def test_progress_is_told(site, held):
    told = []
    http_of(held, progress=lambda *values: told.append(values)).fetch(f"{site.url}/f", "f")
    assert told[-1] == ("f", len(DATA), len(DATA))
    assert [size for _, size, _ in told] == sorted(size for _, size, _ in told)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", timedelta(seconds=120)),
        ("Sat, 28 Nov 2026 01:00:00 GMT", timedelta(hours=1)),
        ("Fri, 27 Nov 2026 01:00:00 GMT", timedelta(0)),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("9" * 30, None),
    ],
)
def test_when_to_ask_again(text, expected):
    assert read_retry_after(text, datetime(2026, 11, 28, tzinfo=UTC)) == expected


def test_times_as_http_writes_them():
    assert http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"


# --- the folder ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ('{"format": 99}', "newer tocsin"),
        ('{"sources": {"x": {"kind": "y"}}}', "damaged"),
        (
            '{"sources": {"x": {"kind": "y", "url": "u", "file": "../x", "sha256": "", "size": 1,'
            ' "signatures": 1, "fetched": "2026-11-28T00:00:00Z"}}}',
            "outside",
        ),
    ],
)
def test_a_ledger_that_cannot_be_read_is_said_and_left(tmp_path, text, words):
    (tmp_path / LEDGER).write_text(text)
    with pytest.raises(SourceStorage, match=words), SourceFolder(tmp_path):
        pass
    assert (tmp_path / LEDGER).read_text() == text
    (tmp_path / LEDGER).unlink()
    with SourceFolder(tmp_path):  # the lock was given back
        pass


@pytest.mark.parametrize("name", ["", ".x", "a/b", "..", "x" * 200, LEDGER])
def test_names_that_no_file_gets(held, name):
    with pytest.raises(SourceStorage):
        held.candidate(name, b"")


def test_what_an_interrupted_run_left_is_removed_but_not_a_part_to_go_on_with(tmp_path):
    with SourceFolder(tmp_path) as held:
        held.candidate("x.tdb", b"untested")
        (held.work / "f.part").write_bytes(b"part")
        (held.work / "old.part").write_bytes(b"part")
        os.utime(held.work / "old.part", (1, 1))
    with SourceFolder(tmp_path) as held:
        assert [path.name for path in held.work.iterdir()] == ["f.part"]
