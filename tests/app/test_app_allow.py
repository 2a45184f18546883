"""A user's exceptions on disk: added with a reason, expiring, revoked, never lost."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.app import allow
from tocsin.app.allow import add_allowed, current_exceptions, read_allowed, revoke_allowed
from tocsin.errors import SettingsError, UsageError

DIGEST = "ab" * 32
NOW = datetime.now(UTC)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "config" / "allow.json"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a" * 32, "digest"),
        ("A" * 40, "digest"),
        (DIGEST, "digest"),
        ("a" * 33, "name"),
        ("g" * 32, "name"),
        (DIGEST + "\n", "name"),
        ("Win.Test.EICAR", "name"),
        ("a/b", "path"),
        ("/nowhere", "path"),
    ],
)
def test_kind_of_what_is_allowed(value: str, kind: str) -> None:
    assert allow.kind_of(value) == kind


def test_existing_file_without_a_slash_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    (tmp_path / "tool").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    entry = add_allowed("tool", "ours", None, place)
    assert (entry.kind, entry.value) == ("path", str(tmp_path / "tool"))
    assert current_exceptions(place).allows_path(str(tmp_path / "tool"))


def test_what_is_added_holds_until_it_is_revoked(place: Path) -> None:
    first = add_allowed(DIGEST.upper(), " a tool of ours ", None, place)
    second = add_allowed("Win.Test", "monitoring", NOW + timedelta(days=1), place)
    assert (first.number, second.number) == (1, 2)
    assert first.reason == "a tool of ours"
    holding = current_exceptions(place)
    assert holding.digests == {DIGEST}
    assert holding.names == {"Win.Test"}
    revoked = revoke_allowed(1, place)
    assert revoked.revoked
    assert current_exceptions(place).digests == frozenset()
    assert [entry.number for entry in read_allowed(place)] == [1, 2]
    assert add_allowed(DIGEST, "again", None, place).number == 3


@pytest.mark.parametrize("number", [0, 1, 3])
def test_nothing_to_revoke(number: int, place: Path) -> None:
    add_allowed(DIGEST, "x", None, place)
    revoke_allowed(1, place)
    with pytest.raises(UsageError, match="no exception number"):
        revoke_allowed(number, place)


def test_expired_exception_no_longer_holds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_allowed(DIGEST, "for a week", NOW + timedelta(days=7), place)
    assert current_exceptions(place).digests

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return NOW + timedelta(days=7, seconds=1)

    monkeypatch.setattr(allow, "datetime", Later)
    assert not current_exceptions(place).digests
    assert len(read_allowed(place)) == 1


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_reason_is_required(reason: str, place: Path) -> None:
    with pytest.raises(UsageError, match="reason"):
        add_allowed(DIGEST, reason, None, place)
    assert not place.exists()


def test_end_in_the_past_is_refused(place: Path) -> None:
    with pytest.raises(UsageError, match="passed"):
        add_allowed(DIGEST, "x", NOW - timedelta(seconds=1), place)


ENTRY = {"number": 1, "kind": "name", "value": "A", "reason": "r", "added": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"version": 2, "allowed": []}',
        b'{"version": 1, "allowed": [{"number": 1}]}',
        b'{"version": 1, "allowed": 3}',
        b"\xff\xfe",
        json.dumps({"version": 1, "allowed": [{**ENTRY, "more": 1}]}).encode(),
        json.dumps({"version": 1, "allowed": [{**ENTRY, "expires": "soon"}]}).encode(),
        json.dumps({"version": 1, "allowed": [{**ENTRY, "expires": "2026-01-01"}]}).encode(),
        json.dumps({"version": 1, "allowed": [{**ENTRY, "number": "x"}]}).encode(),
        json.dumps({"version": 1, "allowed": [{**ENTRY, "value": 7}]}).encode(),
        b"[" * 100_000,
    ],
)
def test_damaged_file_is_said_and_left_as_it_is(content: bytes, place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(content)
    for act in (
        lambda: current_exceptions(place),
        lambda: add_allowed(DIGEST, "x", None, place),
        lambda: revoke_allowed(1, place),
    ):
        with pytest.raises(SettingsError, match=r"allow\.json"):
            act()
    assert place.read_bytes() == content


def test_no_file_means_no_exceptions(place: Path) -> None:
    assert read_allowed(place) == []
    assert current_exceptions(place) == ((frozenset()), frozenset(), ())


def test_write_that_fails_leaves_the_old_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_allowed(DIGEST, "x", None, place)
    before = place.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(allow.os, "fsync", full)
    with pytest.raises(SettingsError, match="No space"):
        add_allowed("Win.Test", "y", None, place)
    assert place.read_bytes() == before
    assert {path.name for path in place.parent.iterdir()} <= {"allow.json", "allow.lock"}


def test_processes_that_add_at_once_lose_nothing(place: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tocsin.app.allow import add_allowed\n"
        "for n in range(20): add_allowed(f'Name.{sys.argv[2]}.{n}', 'r', None, Path(sys.argv[1]))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(place), name]) for name in ("a", "b")
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    entries = read_allowed(place)
    assert sorted(entry.number for entry in entries) == list(range(1, 41))
    assert len({entry.value for entry in entries}) == 40


@pytest.mark.parametrize(
    ("excepted", "path", "allowed"),
    [
        ("/a/b", "/a/b", True),
        ("/a/b", "/a/b/c/d", True),
        ("/a/b", "/a/bc", False),
        ("/a/b", "/a", False),
        ("/a/b/", "/a/b/c", True),
        ("/", "/anything", True),
    ],
)
def test_path_covers_itself_and_what_is_below(excepted: str, path: str, allowed: bool) -> None:
    from tocsin import Exceptions

    assert Exceptions.of(paths=[excepted]).allows_path(path) is allowed
