"""One stolen key of each role, and a mirror: all that the thief can do with it, and what is said.

What the thief does not have is the publisher's: each attack keeps to what its one key signs, and
shows beside it what others have signed honestly.
"""

from __future__ import annotations

import copy
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from attack_case import Case, Made, case_of, make
from receive_samples import NOW, Device, Repository
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from tocsin.transparency.cosignature import cosign
from tocsin.transparency.log import Log
from tocsin.updates.layout import (
    WITHDRAWN_FIELD,
    Withdrawn,
    database_name,
    proof_path,
    write_withdrawn,
)
from tocsin.updates.receive.errors import (
    MetadataExpired,
    MetadataRefused,
    NotVouchedFor,
    SplitLog,
)
from tocsin.updates.statement import DatabasePredicate, RootPredicate, Statement, sign_statement


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("stolen"))


@pytest.fixture
def case(made: Made, tmp_path: Path) -> Case:
    return case_of(made, tmp_path)


def show(case: Case, metadata: Metadata, name: str, stolen: CryptoSigner) -> None:
    """Let the mirror show metadata that the thief signed."""
    metadata.signatures.clear()
    metadata.sign(stolen)
    place = case.repository.folder / "metadata" / name
    place.write_bytes(metadata.to_bytes(JSONSerializer()))


def shown(case: Case, name: str) -> Metadata:
    """Metadata as the publisher signed it."""
    return Metadata.from_bytes((case.repository.folder / "metadata" / name).read_bytes())


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_one_key_is_not_taken_for_anothers(case: Case, role: str) -> None:
    """The thief signs every role, with the one key."""
    stolen = case.repository.online[role]
    case.repository.add(2)
    case.repository.publish_metadata(timestamp=stolen, snapshot=stolen, targets=stolen)
    case.refuses(MetadataRefused, "was signed by 0/1 keys")


# --- timestamp ------------------------------------------------------------------------------------


def freeze(case: Case, version: int = 0) -> None:
    """A timestamp for years, over what the publisher signed before version 2."""
    frozen = case.folder / "frozen"
    shutil.copytree(case.repository.folder, frozen)
    case.publish(2)
    held = Metadata[Timestamp].from_bytes((frozen / "metadata" / "timestamp.json").read_bytes())
    held.signed.version = version or held.signed.version + 1
    held.signed.expires = NOW + timedelta(days=3000)
    held.signatures.clear()
    held.sign(case.repository.online["timestamp"])
    (frozen / "metadata" / "timestamp.json").write_bytes(held.to_bytes(JSONSerializer()))
    case.device.mirrors = [str(frozen)]


def test_the_timestamp_key_freezes_until_what_it_points_to_expires(case: Case) -> None:
    freeze(case)
    before = case.device.snapshot()
    assert "version 1 is the newest" in case.device.update().choice.why  # which it is not
    assert case.device.snapshot() == before
    case.refuses(MetadataExpired, "version 1 stays in use", at=NOW + timedelta(days=31))


def test_a_freeze_by_the_timestamp_key_ends_where_the_log_must_be_seen_lately(case: Case) -> None:
    freeze(case)
    case.device.max_age = 7 * 86400
    case.device.forget_looks()
    case.refuses(NotVouchedFor, "cosigned too long ago", at=NOW + timedelta(days=8))


def test_the_timestamp_key_counts_up_and_its_rotation_ends_that(case: Case) -> None:
    """A number that the publisher never reaches: their own timestamps look old from then on."""
    freeze(case, version=1 << 30)
    case.device.update()
    honest = case.repository
    case.device.mirrors = [str(honest.folder)]
    case.refuses(MetadataRefused, "must be >=")
    old, new = honest.online["timestamp"], CryptoSigner.generate_ed25519()

    def change(root: Root) -> None:
        root.revoke_key(old.public_key.keyid, "timestamp")
        root.add_key(new.public_key, "timestamp")

    honest.write_root(honest.next_root(change), honest.root_keys[:2])
    honest.online["timestamp"] = new
    honest.publish_metadata()
    assert case.device.update().now == 2


def test_the_timestamp_key_points_to_nothing_of_the_thiefs_own(case: Case) -> None:
    case.publish(2)
    mine = CryptoSigner.generate_ed25519()
    snapshot = shown(case, "3.snapshot.json")
    show(case, snapshot, "3.snapshot.json", mine)
    held = shown(case, "timestamp.json")
    data = snapshot.to_bytes(JSONSerializer())
    held.signed.snapshot_meta = MetaFile.from_data(3, data, ["sha256"])
    show(case, held, "timestamp.json", case.repository.online["timestamp"])
    case.refuses(MetadataRefused, "snapshot was signed by 0/1 keys")


# --- snapshot -------------------------------------------------------------------------------------


def test_the_snapshot_key_hides_nothing_as_the_timestamp_names_the_digest(case: Case) -> None:
    case.publish(2)
    snapshot: Metadata[Snapshot] = shown(case, "3.snapshot.json")
    snapshot.signed.meta["targets.json"] = MetaFile(2)  # without version 2 of the database
    show(case, snapshot, "3.snapshot.json", case.repository.online["snapshot"])
    case.refuses(MetadataRefused, r"3\.snapshot\.json: .*hash")


# --- targets --------------------------------------------------------------------------------------


def thiefs_targets(case: Case) -> Metadata[Targets]:
    """The list under the number that the honest snapshot names; it has no digest of it."""
    return copy.deepcopy(case.repository.targets)


def show_targets(case: Case, targets: Metadata[Targets]) -> None:
    name = f"{targets.signed.version}.targets.json"
    show(case, targets, name, case.repository.online["targets"])


def test_the_targets_key_offers_a_bad_database_that_was_never_logged(case: Case) -> None:
    honest = thiefs_targets(case)
    case.repository.add(2, logged=False, delta=False)
    bad = thiefs_targets(case)
    case.repository.targets = honest
    case.repository.publish_metadata()
    bad.signed.version = case.repository.versions["targets"]
    show_targets(case, bad)
    case.refuses(NotVouchedFor, "there is no log entry for databases/2.tdb: it was never announced")


def test_the_targets_key_signs_an_entry_that_no_log_has(case: Case) -> None:
    case.publish(2)
    honest = (case.repository.folder / proof_path(case.sha256())).read_bytes()
    case.repository.add(3, logged=False, delta=False)
    case.repository.publish_metadata()
    predicate = DatabasePredicate(3, NOW, None, len(case.repository.plain[3]), (), 1, 1, {})
    said = Statement(database_name(3), case.sha256(3), predicate)
    entry = sign_statement(said, [case.repository.online["targets"]]).to_bytes()
    (case.repository.folder / "proofs" / f"{case.sha256(3)}.entry").write_bytes(entry)
    (case.repository.folder / proof_path(case.sha256(3))).write_bytes(honest)
    case.refuses(NotVouchedFor, r"databases/3\.tdb is not used: log: ")


def test_the_targets_key_takes_a_device_one_version_back_and_not_further_than_it_was(
    case: Case,
) -> None:
    """A withdrawal in the metadata alone counts: the device says it, and it is a good version."""
    case.publish(2)
    case.device.update()
    targets = thiefs_targets(case)
    case.repository.publish_metadata()
    targets.signed.version = case.repository.versions["targets"]
    targets.signed.unrecognized_fields[WITHDRAWN_FIELD] = write_withdrawn(
        (Withdrawn(2, "thief says so", NOW),)
    )
    show_targets(case, targets)
    outcome = case.device.update()
    assert (outcome.before, outcome.now, outcome.way) == (2, 1, "kept")
    assert "version 2 was pulled back: thief says so" in outcome.choice.why
    case.publish(3)  # what ends it
    assert case.device.update().now == 3


# --- log ------------------------------------------------------------------------------------------


def _bare(place: Path) -> None:
    """Without what witnesses signed, as they did not sign this."""
    place.write_bytes(place.read_bytes().split(b"\n\xe2\x80\x94 w0")[0] + b"\n")


def test_the_logs_key_signs_another_tree_that_no_witness_has_seen(case: Case) -> None:
    shutil.rmtree(case.repository.folder / "log")
    case.repository.log = Log.init(case.repository.folder / "log", case.repository.log_key)
    case.repository.add(2)
    case.repository.publish_metadata()
    _bare(case.repository.folder / proof_path(case.sha256()))
    _bare(case.repository.folder / "log" / "checkpoint")
    case.refuses(NotVouchedFor, "did not cosign")


def test_the_logs_key_appends_what_no_publisher_signed(case: Case) -> None:
    stranger = CryptoSigner.generate_ed25519()
    case.publish(2, signer=stranger)  # in the log, and cosigned
    case.refuses(NotVouchedFor, "signature: 0 of the publisher's keys signed, 1 needed")


def test_the_logs_key_forgets_nothing_before_a_device_that_saw_it(case: Case) -> None:
    """With a quorum of none, nobody but the device itself remembers the tree before."""
    repository = case.repository
    device = Device(case.folder / "alone", repository, quorum="quorum none\n")
    device.update()
    repository.log_withdrawal(1, "flags /bin/ls")
    device.forget_looks()
    assert "pulled back" in device.update().choice.why
    shutil.rmtree(repository.folder / "log")
    repository.log = Log.init(repository.folder / "log", repository.log_key)
    root, said = repository.root_bytes(1), RootPredicate(1, "whoever")
    repository.vouch("metadata/1.root.json", root, said)
    for version in (1, 90, 91):  # as many entries, and none of them the withdrawal
        predicate = DatabasePredicate(version, NOW, None, len(repository.plain[1]), (), 1, 1, {})
        repository.vouch(database_name(version), repository.plain[1], predicate)
    before = device.snapshot()
    device.forget_looks()
    with pytest.raises(SplitLog, match=r"does not begin as|are not one history"):
        device.update()
    assert device.snapshot() == before
    assert device.state.evidence()


# --- root, custodians, witnesses ------------------------------------------------------------------


def lower(root: Root) -> None:
    root.roles["root"].threshold = 1


@pytest.mark.parametrize("who", ["root key", "custodian key"])
def test_one_key_of_the_root_role_changes_nothing(case: Case, who: str) -> None:
    repository = case.repository
    key = repository.root_keys[0] if who == "root key" else repository.custodians[0]
    repository.write_root(repository.next_root(lower), [key])
    repository.publish_metadata()
    case.refuses(MetadataRefused, "was signed by 1/2 keys")
    assert not case.device.state.pending()


def test_a_root_key_and_a_custodian_key_change_nothing_and_are_shown(case: Case) -> None:
    """Python-tuf counts two; the device tells them apart, and goes on with the old root."""
    repository = case.repository
    root = repository.next_root(lambda root: None)
    repository.write_root(root, [repository.root_keys[0], repository.custodians[0]])
    case.publish(2)
    outcome = case.device.update()
    assert outcome.now == 2
    assert case.device.state.root_bytes(2) is None
    (waiting,) = outcome.waiting
    assert not waiting.may_be_agreed
    assert "1 of the publisher's own root keys signed it, and 2 are needed" in waiting.reasons()


def _seen_by(case: Case, *numbers: int) -> None:
    """Version 2 with the cosignatures of some witnesses, which others did not give."""
    repository: Repository = case.repository
    repository.add(2, witnesses=slice(0, 0), delta=False)
    newest = repository.log.newest()
    at = int(NOW.timestamp())
    forged = [cosign(newest.note.text, repository.witnesses[number], at) for number in numbers]
    repository.log.publish(forged)
    proof = repository.log.prove(newest.head.size - 1)
    (repository.folder / proof_path(case.sha256())).write_bytes(proof.to_bytes())
    repository.publish_metadata()


def test_the_key_of_one_witness_makes_no_quorum(case: Case) -> None:
    _seen_by(case, 0)
    case.refuses(NotVouchedFor, r"q has 1 of 2.*w1 did not cosign.*w2 did not cosign")


def test_it_takes_as_many_as_the_quorum(case: Case) -> None:
    """So that the test before shows what one lacks."""
    _seen_by(case, 0, 1)
    assert case.device.update().now == 2
