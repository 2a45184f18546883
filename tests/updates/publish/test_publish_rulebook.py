"""Editions of the rulebook: the same bytes for all, numbers that go up, changes that are said."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from rulebook_samples import write_book

from tocsin.app.law_editions import make_edition, try_edition
from tocsin.cli.main import main
from tocsin.errors import LawError
from tocsin.updates.layout import RulebookTarget, entry_path, parse_custom
from tocsin.updates.publish.ceremony import draft_rotation, finish
from tocsin.updates.publish.errors import PublishError, QuorumNotMet
from tocsin.updates.publish.metadata import read_published
from tocsin.updates.publish.roots import roles_of, with_role
from tocsin.updates.publish.rulebook import PublishedEdition, editions, publish_rulebook
from tocsin.updates.publish.spread import change_spread
from tocsin.updates.publish.status import publisher_status
from tocsin.updates.statement import MOST_ENTRY_BYTES, RulebookPredicate, parse_envelope
from updates.publish.publisher_kit import Reader, World, root_1


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, witnesses=1, quorum=1).begin()


def publish(world: World, folder: Path) -> PublishedEdition:
    made = make_edition(folder)
    return publish_rulebook(world.session(), made.data, made.files, try_edition)


def predicate_of(world: World, sha256: str) -> RulebookPredicate:
    envelope = parse_envelope((world.repository / entry_path(sha256)).read_bytes())
    assert isinstance(envelope.statement.predicate, RulebookPredicate)
    return envelope.statement.predicate


# --- what is made -------------------------------------------------------------------------


def test_the_same_content_gives_the_same_bytes_however_it_is_laid_out(tmp_path: Path) -> None:
    one = make_edition(write_book(tmp_path / "one", 2, "a-1", "b-2"))
    other = write_book(tmp_path / "other", 2, "b-2", "a-1")
    for path in (other / "rules").iterdir():  # comments, spaces and another zone say the same
        text = path.read_text().replace("2024-07-20T00:00:00-04:00", "2024-07-20T04:00:00Z")
        path.write_text("# a comment\n\n" + text.replace(' = "', '   =  "'))
    assert make_edition(other).data == one.data
    assert make_edition(other).files != one.files


def test_a_folder_that_does_not_say_which_edition_it_is_is_refused(tmp_path: Path) -> None:
    folder = write_book(tmp_path / "book", 2)
    (folder / "edition.toml").unlink()
    with pytest.raises(LawError, match="says which edition this is"):
        make_edition(folder)


# --- what is published --------------------------------------------------------------------


def test_a_reader_finds_the_edition_and_its_log_entry(world: World, tmp_path: Path) -> None:
    folder = write_book(tmp_path / "book", 2, "a-1", "b-2")
    done = publish(world, folder)
    assert (done.facts.version, done.before, str(done.rules)) == (2, 0, "+2 -0 ~0")
    updater = Reader(world.repository, tmp_path / "state", root_1(world)).refreshed(world.now)
    info = updater.get_targetinfo("rulebooks/2.json")
    data = Path(updater.download_target(info)).read_bytes()
    assert data == make_edition(folder).data
    custom = parse_custom(info.custom)
    assert isinstance(custom, RulebookTarget)
    assert custom.sha256 == info.hashes["sha256"] == hashlib.sha256(data).hexdigest()
    said = predicate_of(world, custom.sha256)
    assert (said.version, str(said.checked), said.size) == (2, "2026-11-29", len(data))
    assert said.counts == {"instruments": 2, "rules": 2, "suppliers": 1}
    assert said.previous is None
    files = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in said.files}
    assert said.files == files
    assert sorted(files) == [
        "edition.toml", "rules/a-1.toml", "rules/b-2.toml", "suppliers/acme.toml"
    ]  # fmt: skip


def test_what_changed_is_said_by_rule(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "book"
    first = publish(world, write_book(folder, 2, "a-1", "b-2"))
    second = publish(world, write_book(folder, 3, "b-2", "c-3", effective="2024-09-29T04:00:00Z"))
    assert second.rules == (("c-3/no-sale",), ("a-1/no-sale",), ("b-2/no-sale",))
    assert second.others == (("c-3",), ("a-1",), ())
    said = predicate_of(world, second.sha256)
    assert (said.added, said.removed, said.changed) == (1, 1, 1)
    assert said.previous is not None
    assert (said.previous.version, said.previous.sha256) == (2, first.sha256)
    third = publish(world, write_book(folder, 9, "b-2", "c-3", effective="2024-09-29T04:00:00Z"))
    assert (str(third.rules), third.before) == ("+0 -0 ~0", 3)


@pytest.mark.parametrize("number", [1, 2])
def test_a_number_that_is_not_higher_is_refused(world: World, tmp_path: Path, number: int) -> None:
    publish(world, write_book(tmp_path / "book", 2))
    size = world.session().log().newest().head.size
    with pytest.raises(PublishError, match=r"count it up in edition\.toml to 3"):
        publish(world, write_book(tmp_path / "book", number, "other"))
    assert world.session().log().newest().head.size == size


def test_the_same_edition_again_is_nothing_new(world: World, tmp_path: Path) -> None:
    publish(world, write_book(tmp_path / "book", 2))
    assert publish(world, write_book(tmp_path / "book", 2)).completed is None


def test_what_devices_could_not_use_is_not_published(world: World, tmp_path: Path) -> None:
    made = make_edition(write_book(tmp_path / "book", 2))
    for data in (b"{}", made.data.replace(b'"sell"', b'"uninstall"'), made.data + b" "):
        with pytest.raises(LawError):
            publish_rulebook(world.session(), data, made.files, try_edition)
    assert not editions(read_published(world.repository))


def test_files_of_a_large_rulebook_fit_into_the_log_entry(world: World, tmp_path: Path) -> None:
    made = make_edition(write_book(tmp_path / "book", 2))
    files = {f"rules/zz-instrument-{n:04}.toml": f"{n:064x}" for n in range(400)}
    done = publish_rulebook(world.session(), made.data, files, try_edition)
    assert len((world.repository / entry_path(done.sha256)).read_bytes()) < MOST_ENTRY_BYTES


def test_the_last_few_are_offered(world: World, tmp_path: Path) -> None:
    sums = [publish(world, write_book(tmp_path / "book", n, f"a-{n}")).sha256 for n in range(2, 8)]
    assert sorted(editions(read_published(world.repository))) == [5, 6, 7]
    assert not (world.repository / entry_path(sums[0])).exists()
    assert (world.repository / entry_path(sums[-1])).exists()


def test_without_the_quorum_readers_see_nothing(world: World, tmp_path: Path) -> None:
    world.witnesses[0].down = True
    with pytest.raises(QuorumNotMet):
        publish(world, write_book(tmp_path / "book", 2))
    assert not editions(read_published(world.repository))
    world.witnesses[0].down = False
    assert finish(world.session()).what == "edition 2 of the rulebook"
    assert sorted(editions(read_published(world.repository))) == [2]


def test_another_targets_key_signs_what_is_offered_anew(world: World, tmp_path: Path) -> None:
    done = publish(world, write_book(tmp_path / "book", 2))
    roles = roles_of(read_published(world.repository).root.signed)
    draft_rotation(world.session(), with_role(roles, "targets", world.role("targets-2")))
    finish(world.session())
    envelope = parse_envelope((world.repository / entry_path(done.sha256)).read_bytes())
    assert world.key("targets-2").keyid in {each.keyid for each in envelope.signatures}


def test_who_gets_it_when_is_changed_afterwards(world: World, tmp_path: Path) -> None:
    publish(world, write_book(tmp_path / "book", 2))
    change_spread(
        world.session(), 2, kind=RulebookTarget, channels={"fast": None}, rings=((100, 0),)
    )
    held = editions(read_published(world.repository))[2]
    assert (set(held.channels), held.rings) == ({"stable"}, ((100, 0),))


def test_the_status_shows_it(world: World, tmp_path: Path) -> None:
    publish(world, write_book(tmp_path / "book", 2, "a-1", "b-2"))
    (one,) = publisher_status(world.session()).rulebooks
    assert (one.version, one.rules, one.added, str(one.checked)) == (2, 2, 2, "2026-11-29")
    shutil.rmtree(world.repository / "proofs")
    assert "edition 2 of the rulebook has no log entry here" in " ".join(
        publisher_status(world.session()).warnings
    )


# --- the command --------------------------------------------------------------------------


def run(world: World, *arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(
        main, [str(each) for each in arguments], env={"TOCSIN_PASSPHRASE": "a passphrase"}
    )
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def alone(tmp_path: Path) -> World:
    return World(tmp_path / "alone").begin()


def test_the_command_publishes_and_says_what_changed(alone: World, tmp_path: Path) -> None:
    folder = tmp_path / "book"
    where = ("publish", "rulebook", alone.folder, write_book(folder, 2, "a-1", "b-2"))
    status, said, _ = run(alone, *where)
    assert status == 0
    assert "Edition 2 of the rulebook, checked 2026-11-29: rules +2 -0 ~0" in said
    write_book(folder, 3, "b-2", "c-3")
    status, said, _ = run(alone, *where)
    assert "rules +1 -1 ~0" in said
    assert "  +c-3/no-sale\n  -a-1/no-sale\n" in said
    status, said, _ = run(alone, *where, "--json")
    assert (status, json.loads(said)["published"]) == (0, None)
    status, said, _ = run(alone, "publish", "status", alone.folder)
    assert "Rulebook" in said
    status, said, _ = run(
        alone, "publish", "rings", alone.folder, "3", "--rulebook", "--not-for", "fast"
    )
    assert status == 0


def test_the_command_shows_every_mistake_with_line_and_key(alone: World, tmp_path: Path) -> None:
    folder = write_book(tmp_path / "book", 2, "a-1", "b-2")
    for name, (old, new) in {
        "rules/a-1.toml": ('basis = "primary"', 'basis = "hearsay"'),
        "rules/b-2.toml": ('["sell"]', '["sel"]'),
    }.items():
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace(old, new))
    status, _, said = run(alone, "publish", "rulebook", alone.folder, folder)
    assert status == 2
    assert "a-1.toml:9: basis: expected one of" in said
    assert "b-2.toml:16: [[rule]] 1 'no-sale': operations 1: expected one of" in said
    status, printed, _ = run(alone, "publish", "rulebook", alone.folder, folder, "--json")
    assert (status, len(json.loads(printed)["problems"])) == (2, 3)
    assert not editions(read_published(alone.repository))
