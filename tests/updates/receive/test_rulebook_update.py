"""Editions of the rulebook on a device: taken, attacked, refused; what is in use stays whole.

Whatever is done, the edition that was in use stays in use, `tocsin law` goes on answering, and the
database goes its own way.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from attack_case import Case, Made, case_of, damage, make
from edition_samples import add_edition, edition_of, file_of, held, take
from receive_samples import NOW, Device, Repository
from rulebook_samples import book_bytes
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

from tocsin.app.law import current_rulebook
from tocsin.app.law_editions import try_edition
from tocsin.cli.update_progress import edition_values, print_edition
from tocsin.settings import DaemonSettings, Settings
from tocsin.transparency.policy import Policy
from tocsin.updates.layout import entry_path, proof_path, rulebook_name
from tocsin.updates.receive.copies import copy_repository
from tocsin.updates.receive.fetch import FolderFetcher, SchemeFetcher
from tocsin.updates.receive.former import begin_with_another
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.recheck import Rechecked
from tocsin.updates.receive.recheck_metadata import recheck_log
from tocsin.updates.receive.recheck_rulebook import recheck_rulebooks
from tocsin.updates.receive.rulebook import EditionOutcome
from tocsin.updates.receive.trust import Trust


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A device that has edition 2."""
    folder = tmp_path_factory.mktemp("rulebook")
    repository, at = make(folder)
    add_edition(repository, 2, book_bytes(folder, 2))
    repository.publish_metadata()
    outcome = take(Device(folder / "state", repository))
    assert outcome.changed, outcome.why
    return repository, at


@pytest.fixture
def case(made: Made, tmp_path: Path) -> Case:
    return case_of(made, tmp_path)


def publish(case: Case, version: int = 3, *names: str, **how: object) -> bytes:
    """The next edition."""
    data = book_bytes(case.folder, version, *names)
    add_edition(case.repository, version, data, **how)
    case.repository.publish_metadata()
    return data


def law(device: Device) -> tuple[int, str]:
    """The edition that questions are answered by, and what is said of trouble."""
    settings = Settings(daemon=DaemonSettings(state=str(device.folder.parent / "law")))
    link = device.folder.parent / "law" / "updates"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(device.folder)
    found = current_rulebook(settings)
    assert found.book.rules
    return found.origin.number, found.origin.trouble


@pytest.fixture(autouse=True)
def _nothing_of_mine(tmp_path: Path) -> object:
    with mock.patch.dict("os.environ", {"TOCSIN_CONFIG_DIR": str(tmp_path / "none")}):
        yield


def refuses(case: Case, match: str, **how: object) -> EditionOutcome:
    """The device stays with edition 2, says why, and can update its database."""
    before = held(case.device)
    outcome = take(case.device, **how)
    assert not outcome.changed
    assert match in outcome.failed
    assert held(case.device) == before
    assert edition_of(case.device) == 2
    assert law(case.device) == (2, "")
    last = case.device.state.rulebooks.last_run()
    assert last is not None
    assert last.outcome == "failed"
    assert match in last.text
    return outcome


# --- what is to happen --------------------------------------------------------------------


def test_a_later_edition_is_taken_and_the_two_before_are_kept(case: Case) -> None:
    for version in (3, 4, 7):
        publish(case, version, f"a-{version}")
        outcome = take(case.device)
        assert (outcome.now, outcome.failed) == (version, "")
        assert outcome.vouching is not None
        assert outcome.vouching.stands
        assert outcome.facts is not None
        assert outcome.facts.rules.keys() == {f"a-{version}/no-sale"}
        assert law(case.device) == (version, "")
    state = case.device.state.rulebooks
    assert state.kept_versions() == [7, 4, 3]
    assert state.installed().previous == (4, 3)
    assert (case.device.folder / "rulebook" / "current.json").resolve() == file_of(case.device, 7)
    assert not any((case.device.folder / "partial").iterdir())


def test_what_an_edition_takes_away_is_told(
    case: Case, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(case, 3, "a-1", "b-1")
    assert str(take(case.device).rules) == "+1 -0 ~0"
    publish(case, 4, "b-1")  # as whoever stole the key of targets may
    outcome = take(case.device)
    assert outcome.rules == ((), ("a-1/no-sale",), ())
    print_edition(outcome)
    assert "rules removed: a-1/no-sale" in capsys.readouterr().out
    assert edition_values(outcome)["rules"]["removed"] == ("a-1/no-sale",)
    first = take(Device(tmp_path / "another", case.repository))  # against what comes with tocsin
    assert first.rules is not None
    assert "us-bis-icts-2021-002/updates" in first.rules.removed


def test_nothing_is_asked_for_when_the_metadata_has_nothing_later(case: Case) -> None:
    assert take(case.device).why == "edition 2 is the newest"
    assert take(case.device, packaged=5).why == "edition 5 is the newest"


def test_an_edition_not_later_than_the_packaged_one_is_not_fetched(made: Made, tmp_path) -> None:
    repository, _ = made
    device = Device(tmp_path / "new", repository)
    assert not take(device, packaged=2).changed
    assert take(device, packaged=1).now == 2


def test_channel_and_ring_decide_when(case: Case) -> None:
    publish(case, 3, channels={"stable": NOW + timedelta(hours=2)})
    outcome = take(case.device, at=NOW + timedelta(hours=1))
    assert not outcome.changed
    assert "edition 3 reaches this device on" in outcome.why
    assert take(case.device, at=NOW + timedelta(hours=2)).now == 3


def test_a_damaged_edition_is_said_not_used_and_fetched_again(case: Case) -> None:
    for harm in (damage, Path.unlink):
        harm(file_of(case.device, 2))
        number, trouble = law(case.device)
        assert number == 1  # the packaged one
        assert "'tocsin update' brings it again" in trouble
        assert take(case.device).why == "edition 2 of the rulebook is in use"
        assert law(case.device) == (2, "")


def test_a_damaged_record_stops_neither_law_nor_the_database(case: Case) -> None:
    (case.device.folder / "rulebook" / "installed.json").write_text("{")
    number, trouble = law(case.device)
    assert number == 1
    assert "installed.json: damaged" in trouble
    case.publish(2)
    assert case.device.update().now == 2
    assert "damaged" in take(case.device).failed


# --- looking again ------------------------------------------------------------------------


def looked(device: Device) -> Rechecked:
    (found,) = recheck_rulebooks(device.state, device.trust, try_edition)
    return found


def wrong(found: Rechecked) -> set[str]:
    return {finding.point for finding in found.findings if not finding.stands}


def test_it_is_looked_at_again_off_line(case: Case) -> None:
    shutil.rmtree(case.repository.folder)
    found = looked(case.device)
    assert (found.kind, found.name, found.in_use, wrong(found)) == ("rulebook", "2", True, set())
    points = {finding.point for finding in found.findings}
    assert points >= {"content", "signature", "subject", "log", "witnesses", "rulebook", "link"}
    (log,) = recheck_log(case.device.state, case.device.trust, [found], NOW)
    assert log.stands


@pytest.mark.parametrize(
    ("harm", "points"),
    [
        (lambda folder: damage(folder / "rulebook.json"), {"content", "subject"}),
        (lambda folder: damage(folder / "entry"), {"statement"}),
        (lambda folder: damage(folder / "tlog-proof"), {"log"}),
        (lambda folder: (folder / "entry").unlink(), {"statement"}),
        (lambda folder: (folder / "received.json").unlink(), {"record"}),
        (lambda folder: shutil.rmtree(folder), {"content"}),
    ],
)
def test_what_changed_since_does_not_stand(
    case: Case, harm: Callable[[Path], object], points: set[str]
) -> None:
    harm(file_of(case.device, 2).parent)
    assert wrong(looked(case.device)) >= points


def test_a_stricter_policy_is_asked_afterwards(case: Case) -> None:
    text = case.repository.policy_text("group q 3 w0 w1 w2\nquorum q\n")
    case.device.trust = Trust(case.device.trust.root, Policy.parse(text))
    assert looked(case.device).stands
    other = Repository(case.folder / "other")
    mixed = case.repository.policy_text("").decode() + (
        f"witness x {other.witnesses[0].verifier.vkey}\ngroup g all w0 x\nquorum g\n"
    )
    case.device.trust = Trust(case.device.trust.root, Policy.parse(mixed.encode()))
    assert wrong(looked(case.device)) == {"witnesses"}


# --- attacks ------------------------------------------------------------------------------


def test_a_tampered_edition(case: Case) -> None:
    publish(case)
    damage(case.repository.stored(rulebook_name(3)))
    refuses(case, "gave something else than was signed")


def test_a_tampered_edition_of_one_mirror_costs_that_mirror(case: Case) -> None:
    publish(case)
    lying = case.folder / "lying"
    shutil.copytree(case.repository.folder, lying)
    stored = case.repository.stored(rulebook_name(3)).relative_to(case.repository.folder)
    damage(lying / stored)
    case.device.mirrors = [str(lying), str(case.repository.folder)]
    outcome = take(case.device)
    assert outcome.now == 3
    assert list(outcome.failures) == [f"file://{lying}/"]


@pytest.mark.parametrize("path", [entry_path, proof_path])
def test_a_tampered_log_entry_or_proof_of_an_edition(
    case: Case, path: Callable[[str], str]
) -> None:
    data = publish(case)
    damage(case.repository.folder / path(hashlib.sha256(data).hexdigest()))
    refuses(case, "rulebooks/3.json is not used")


def test_an_edition_without_a_log_entry(case: Case) -> None:
    """All keys but the log's: announced to nobody."""
    publish(case, logged=False)
    refuses(case, "it was never announced")


def test_a_log_entry_without_an_edition(case: Case) -> None:
    publish(case, offered=False)
    outcome = take(case.device)
    assert (outcome.changed, outcome.failed, outcome.why) == (False, "", "edition 2 is the newest")
    assert law(case.device) == (2, "")


def test_an_edition_that_too_few_witnesses_saw(case: Case) -> None:
    publish(case, witnesses=slice(0, 1))
    refuses(case, "rulebooks/3.json is not used: witnesses")


def test_an_edition_that_the_targets_key_did_not_sign_in_the_log(case: Case) -> None:
    publish(case, signer=CryptoSigner.generate_ed25519())
    refuses(case, "signature: 0 of the publisher's keys signed")


def test_the_number_of_an_edition_never_goes_back(case: Case) -> None:
    """The thief of the targets key offers the old edition, or it alone, anew."""
    data = publish(case)
    assert take(case.device).now == 3
    del case.repository.targets.signed.targets[rulebook_name(3)]
    case.repository.publish_metadata()
    assert take(case.device).why == "edition 3 is the newest"
    add_edition(case.repository, 2, book_bytes(case.folder / "x", 2, "other"))
    case.repository.publish_metadata()
    assert not take(case.device).changed
    shutil.rmtree(file_of(case.device, 3).parent)  # not even where the newest is lost
    assert not take(case.device).changed
    add_edition(case.repository, 3, data, logged=False)
    case.repository.publish_metadata()
    assert take(case.device).now == 3


def test_an_old_edition_under_a_new_number(case: Case) -> None:
    """Signed and logged as edition 3, and it says itself that it is the first."""
    add_edition(case.repository, 3, book_bytes(case.folder / "x", 1))
    case.repository.publish_metadata()
    refuses(case, "it says that it is edition 1")


def test_an_edition_checked_on_another_day_than_the_log_says(case: Case) -> None:
    publish(case, checked=date(2020, 1, 1))
    refuses(case, "checked 2026-11-29")


def nested() -> bytes:
    return b"[" * 200_000


def with_rule(data: bytes, **changed: object) -> bytes:
    """A portable rulebook in canonical form, with something in its rule that no file may say."""
    book = json.loads(data)
    book["instruments"][0]["rule"][0].update(changed)
    return msgspec.json.encode(book, order="sorted")


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "another-object": lambda data: b"{}",
    "nested-without-end": lambda data: nested(),
    "not-utf-8": lambda data: b"\xff\xfe" + data,
    "cut-off": lambda data: data[:-1],
    "not-canonical": lambda data: data + b"\n",
    "of-another-format": lambda data: data.replace(b'"format":1', b'"format":2'),
    "forbids-to-uninstall": lambda data: with_rule(data, operations=["uninstall"]),
    "after-the-last-year": lambda data: with_rule(data, effective="9999-12-31T23:59:59-12:00"),
    "in-the-last-year": lambda data: with_rule(data, effective="9999-12-31T23:59:59Z"),
    "without-a-zone": lambda data: with_rule(data, effective="2024-07-20T00:00:00"),
    "writes-to-the-terminal": lambda data: with_rule(data, summary="\x1b[2J"),
    "of-no-country": lambda data: with_rule(data, nexus={"places": ["NOWHERE"]}),
    "exempts-from-nothing": lambda data: with_rule(data, exempts=["nothing/there"]),
    "of-an-unknown-kind": lambda data: with_rule(data, kind="decree"),
}


@pytest.mark.parametrize("malform", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_book_by_a_stolen_targets_key_breaks_nothing(
    case: Case, malform: Callable[[bytes], bytes]
) -> None:
    """Signed, logged and seen by the witnesses, and no rulebook; the next one is taken."""
    add_edition(case.repository, 3, malform(book_bytes(case.folder, 3)))
    case.repository.publish_metadata()
    refuses(case, "it cannot be used here")
    outcome = take(case.device)  # not fetched again
    assert outcome.failed == "edition 3 did not pass its test here"
    assert law(case.device) == (2, "")
    publish(case, 4)
    assert take(case.device).now == 4


def test_a_failure_is_over_when_what_failed_is_offered_no_more(case: Case) -> None:
    add_edition(case.repository, 3, b"{}")
    case.repository.publish_metadata()
    refuses(case, "it cannot be used here")
    targets = case.repository.targets.signed
    assert take(case.device, seen=targets).failed == "edition 3 did not pass its test here"
    del targets.targets[rulebook_name(3)]
    assert take(case.device, seen=targets).why == "edition 2 is the newest"
    last = case.device.state.rulebooks.last_run()
    assert last is not None
    assert last.outcome == "updated"


def test_an_edition_without_end(case: Case) -> None:
    publish(case)
    path = case.repository.stored(rulebook_name(3))
    path.write_bytes(path.read_bytes() + b" " * 100_000)
    refuses(case, "more bytes than were signed")


def test_an_edition_larger_than_any_is_not_fetched(case: Case) -> None:
    publish(case)
    case.repository.targets.signed.targets[rulebook_name(3)].length = (16 << 20) + 1
    case.repository.publish_metadata()
    refuses(case, "larger than 16,777,216 bytes")


@pytest.mark.parametrize("field", [{"version": "3"}, {"sha256": "x"}, {"rings": [[50, 0]]}])
def test_a_malformed_description_of_an_edition_stops_no_database(
    case: Case, field: dict[str, object]
) -> None:
    publish(case)
    custom = case.repository.targets.signed.targets[rulebook_name(3)].unrecognized_fields["custom"]
    custom.update(field)
    case.publish(2)
    refuses(case, "the signed metadata cannot be read")
    assert case.device.update().now == 2


def test_a_bad_database_stops_no_edition(case: Case) -> None:
    publish(case)
    case.publish(2, logged=False)
    with pytest.raises(Exception, match="it was never announced"):
        case.device.update()
    assert take(case.device).now == 3


def test_a_split_view_shown_with_an_edition(case: Case) -> None:
    other = case.repository.copied(case.folder / "split")
    for repository, number in ((case.repository, 3), (other, 4)):
        add_edition(repository, number, book_bytes(case.folder, number))
        repository.publish_metadata()
    assert take(case.device).now == 3
    other.publish_metadata()
    case.device.mirrors = [str(other.folder)]
    outcome = take(case.device)
    assert "signed two trees" in outcome.failed
    assert edition_of(case.device) == 3
    assert case.device.state.evidence()


def test_an_edition_under_a_root_that_waits_for_consent(case: Case) -> None:
    """The root's keys go to somebody else, who has an edition ready."""
    others = [CryptoSigner.generate_ed25519() for _ in range(3)]

    def change(root: Root) -> None:
        for old, new in zip(case.repository.root_keys, others, strict=True):
            root.revoke_key(old.public_key.keyid, "root")
            root.add_key(new.public_key, "root")
        online = CryptoSigner.generate_ed25519()
        root.revoke_key(case.repository.online["targets"].public_key.keyid, "targets")
        root.add_key(online.public_key, "targets")
        case.repository.online = {**case.repository.online, "targets": online}

    root = case.repository.next_root(change)
    case.repository.write_root(root, [*case.repository.root_keys[:2], *others[:2]])
    publish(case)
    refuses(case, "waits for you: 'tocsin update consent'")


# --- ways and publishers ------------------------------------------------------------------


def copied(case: Case, folder: Path, **how: object) -> set[str]:
    mirrors = MirrorFetcher(
        [str(case.repository.folder)], SchemeFetcher({"file": FolderFetcher([Path("/")])})
    )
    return set(copy_repository(mirrors, folder, case.device.trust, **how).files)


def test_a_mirror_carries_every_edition_and_a_bundle_the_newest(case: Case, tmp_path: Path) -> None:
    sums = [hashlib.sha256(book_bytes(case.folder / "x", 2)).hexdigest()]
    sums.append(hashlib.sha256(publish(case)).hexdigest())
    mirror = copied(case, tmp_path / "mirror")
    bundle = copied(case, tmp_path / "bundle", complete=False)
    for number, sha256 in enumerate(sums, 2):
        files = {
            f"targets/rulebooks/{sha256}.{number}.json", entry_path(sha256), proof_path(sha256)
        }  # fmt: skip
        assert files <= mirror
        assert (files <= bundle) == (number == 3)
    for folder in ("mirror", "bundle"):
        device = Device(tmp_path / f"by-{folder}", case.repository)
        device.mirrors = [str(tmp_path / folder)]
        assert take(device).now == 3


def test_with_another_publisher_the_packaged_one_is_used_until_its_first(case: Case) -> None:
    with case.device.state.locked():
        begin_with_another(case.device.state)
    assert law(case.device) == (1, "")
    other = Repository(case.folder / "other", seed=1)
    add_edition(other, 2, book_bytes(case.folder / "o", 2, "theirs"))
    other.publish_metadata()
    device = Device(case.device.folder, other)
    assert take(device).now == 2
    assert law(device) == (2, "")


def test_power_lost_while_it_is_stored_leaves_the_one_before(case: Case) -> None:
    publish(case)
    state = type(case.device.state.rulebooks)
    for step in ("store_version", "keep_installed"):
        interrupted = mock.patch.object(state, step, side_effect=KeyboardInterrupt)
        with interrupted, pytest.raises(KeyboardInterrupt):
            take(case.device)
        assert law(case.device) == (2, "")
    half = file_of(case.device, 2).parent.with_name(".3.deadbeef")
    half.mkdir()
    assert take(case.device).now == 3
    assert not half.exists()
