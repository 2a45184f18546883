"""An edition of the rulebook from its folder to an answer: publisher, witnesses, mirror, device.

Everything is this package's own, joined as the commands join it; only the trial of databases,
which takes long and is tested elsewhere, is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rulebook_samples import write_book

from tocsin.app.law import current_rulebook
from tocsin.app.law_editions import make_edition, try_edition
from tocsin.app.rebuild_rulebook import rebuild_rulebook
from tocsin.app.update_copies import export_bundle, import_bundle, make_mirror
from tocsin.app.update_verify import verified_values
from tocsin.app.update_versions import status_values
from tocsin.app.updates import Asked, update_device
from tocsin.settings import Settings, UpdatesSettings
from tocsin.updates.errors import UpdatesError
from tocsin.updates.publish.add import add_database
from tocsin.updates.publish.rulebook import PublishedEdition, publish_rulebook
from tocsin.updates.rebuild.errors import EntryNotFound
from tocsin.updates.receive.rulebook import EditionOutcome
from updates.publish.publisher_kit import World

AT_ONCE: dict[str, Any] = {"channels": {"fast": 0, "stable": 0}, "rings": ()}
DIGESTS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(4)]


class Journey:
    """A publisher with three witnesses, a mirror, and a device that knows the mirror only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(folder, witnesses=3, quorum=2)
        self.world.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        self.world.begin()
        self.settings = Settings(updates=UpdatesSettings(mirrors=(str(self.mirror),)))
        self.publish_database(*DIGESTS[:2])
        self.publish_book(2, "a-1", "b-2")

    @property
    def mirror(self) -> Path:
        return self.folder / "mirror"

    @property
    def book(self) -> Path:
        return self.folder / "book"

    @property
    def at(self) -> datetime:
        return self.world.now

    def asked(self, **how: object) -> Asked:
        return Asked(trust=self.world.folder / "trust", at=self.at, **how)  # type: ignore[arg-type]

    def publish_database(self, *digests: str) -> None:
        sources = self.world.sources("a", *digests)
        add_database(self.world.session(), sources, None, **AT_ONCE)
        self.world.later(minutes=10)

    def publish_book(self, number: int, *names: str) -> PublishedEdition:
        made = make_edition(write_book(self.book, number, *names))
        done = publish_rulebook(self.world.session(), made.data, made.files, try_edition, **AT_ONCE)
        self.world.later(minutes=10)
        return done

    def carry(self) -> None:
        source = self.asked(mirrors=[str(self.world.repository)])
        make_mirror(self.settings, source, self.mirror, lambda *_: None)

    def update(self, **how: object) -> tuple[int, EditionOutcome]:
        told: list[EditionOutcome] = []
        outcome = update_device(self.settings, self.asked(**how), told=told.append)
        (edition,) = told
        return outcome.now, edition


@pytest.fixture
def journey(tmp_path: Path) -> Iterator[Journey]:
    places = {
        "TOCSIN_STATE_DIR": str(tmp_path / "state"),
        "TOCSIN_CONFIG_DIR": str(tmp_path / "config"),
    }
    with mock.patch.dict(os.environ, places), mock.patch("tocsin.app.updates.try_out"):
        made = Journey(tmp_path)
        made.carry()
        yield made


def test_from_a_folder_to_an_answer(journey: Journey) -> None:
    trust = journey.world.folder / "trust"
    assert current_rulebook().origin.number == 1
    database, edition = journey.update()
    assert (database, edition.now, edition.failed) == (1, 2, "")
    assert edition.source == f"file://{journey.mirror}/"
    found = current_rulebook()
    assert (found.origin.base, found.origin.number) == ("edition", 2)
    assert {rule.id for rule in found.book.rules} == {"a-1/no-sale", "b-2/no-sale"}
    assert found.book.to_bytes() == make_edition(journey.book).data

    shown = status_values(journey.settings, trust)["rulebook"]
    assert (shown["base"], shown["edition"], shown["checked"]) == ("edition", 2, "2026-11-29")
    assert shown["witnesses"] == ["w0", "w1", "w2"]
    assert shown["trouble"] == []
    looked = verified_values(journey.settings, trust)
    assert looked["stands"]
    assert [(each["edition"], each["in_use"]) for each in looked["rulebooks"]] == [(2, True)]

    journey.publish_book(3, "b-2", "c-3")
    assert journey.update()[1].now == 2  # the mirror is behind
    journey.carry()
    assert journey.update()[1].now == 3
    assert status_values(journey.settings, trust)["rulebook"]["previous"] == [2]


def test_a_device_without_a_network(journey: Journey, tmp_path: Path) -> None:
    bundle = tmp_path / "today.bundle"
    export_bundle(journey.settings, journey.asked(), bundle, None, lambda *_: None)
    told: list[EditionOutcome] = []
    asked = Asked(journey.world.folder / "trust", (), bundle, "", journey.at)
    import_bundle(journey.settings, asked, lambda *_: None, lambda _: None, told.append)
    assert told[0].now == 2
    assert current_rulebook().origin.number == 2


def test_database_and_rulebook_fail_apart(journey: Journey) -> None:
    """First the database is wrong, then the edition; each time the other is taken."""
    with mock.patch("tocsin.app.updates.try_out", side_effect=UpdatesError("flags /bin/ls")):
        told: list[EditionOutcome] = []
        with pytest.raises(UpdatesError, match="did not pass its test"):
            update_device(journey.settings, journey.asked(), told=told.append)
    assert told[0].now == 2
    assert current_rulebook().origin.number == 2
    edition = journey.publish_book(3)
    journey.publish_database(*DIGESTS[2:])
    journey.carry()
    stored = journey.mirror / "targets" / "rulebooks" / f"{edition.sha256}.3.json"
    stored.write_bytes(stored.read_bytes()[::-1])
    database, outcome = journey.update(again=True)
    assert database == 2
    assert "gave something else than was signed" in outcome.failed
    shown = status_values(journey.settings, journey.world.folder / "trust")
    assert any("the last update of the rulebook failed" in each for each in shown["attention"])
    assert current_rulebook().origin.number == 2


def test_anybody_makes_it_again_from_the_folder(journey: Journey, tmp_path: Path) -> None:
    rebuilt = rebuild_rulebook(journey.settings, journey.asked(), 2, journey.book)
    assert rebuilt.same
    assert rebuilt.files == ((), (), ())
    kept = tmp_path / "kept.json"
    write_book(journey.book, 2, "a-1", "c-3", checked="2026-11-29")
    rebuilt = rebuild_rulebook(journey.settings, journey.asked(), 2, journey.book, keep=kept)
    assert not rebuilt.same
    assert rebuilt.files == (("rules/c-3.toml",), ("rules/b-2.toml",), ())
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == rebuilt.sha256
    with pytest.raises(EntryNotFound, match="about edition 7"):
        rebuild_rulebook(journey.settings, journey.asked(), 7, journey.book)
    for number in range(3, 8):  # offered no more, and in the log for ever
        journey.publish_book(number, f"n-{number}")
    journey.carry()
    write_book(journey.book, 2, "a-1", "b-2")
    assert rebuild_rulebook(journey.settings, journey.asked(), 2, journey.book).same


_ROUND = """
import json, sys
from unittest import mock
from tocsin.app import update_task
from tocsin.settings import Settings, UpdatesSettings
from tocsin.app.updates import Asked
from datetime import datetime
settings = Settings(updates=UpdatesSettings(mirrors=(sys.argv[1],), trust=sys.argv[2]))
asked = Asked(at=datetime.fromisoformat(sys.argv[3]))
told = []
with (
    mock.patch.object(update_task, "try_out"),
    mock.patch.object(update_task, "Asked", lambda: asked),
    mock.patch.object(update_task, "make_journal_folder"),
    mock.patch.object(update_task, "write_events", lambda _, events: told.extend(events)),
):
    status, trouble = update_task.update_in_background(settings)
print(json.dumps([status, [[event.action, event.message] for event in told]]))
"""


def in_background(journey: Journey) -> tuple[int, list[list[str]]]:
    """One round as the daemon makes it: what talks to mirrors has no rights."""
    done = subprocess.run(
        [sys.executable, "-c", _ROUND, str(journey.mirror), str(journey.world.folder / "trust"),
         journey.at.isoformat()],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    status, events = json.loads(done.stdout)
    return status, events


def test_in_the_background_it_is_journalled_and_a_failure_once(journey: Journey) -> None:
    status, events = in_background(journey)
    assert status == 0
    assert [action for action, _ in events] == ["updated", "updated"]
    message = events[1][1]
    assert message.startswith("edition 2 of the rulebook is in use, seen by w0, w1, w2; rules +")
    assert in_background(journey) == (0, [])
    edition = journey.publish_book(3)
    journey.carry()
    (journey.mirror / "targets" / "rulebooks" / f"{edition.sha256}.3.json").write_bytes(b"")
    status, events = in_background(journey)
    assert status == 2
    ((action, message),) = events
    assert action == "failed"
    assert message.startswith("the update of the rulebook failed: ")
    assert in_background(journey) == (2, [])
    assert current_rulebook().origin.number == 2
