"""The table of attacks: whatever is done to a device, it keeps its good state and says what it was.

Each device has version 1 in use. Then the repository is what an attacker made of it. Stolen keys
are in test_stolen_keys, slow data in test_slow_mirror, bad updates in test_bad_update;
docs/trust.md has the whole table.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from attack_case import Case, Made, case_of, damage, make
from receive_samples import NOW, Device, database_bytes
from securesystemslib.signer import CryptoSigner

from tocsin.errors import TocsinError
from tocsin.transparency.evidence import check_evidence
from tocsin.transparency.log import Log
from tocsin.updates.layout import database_name, database_target, entry_path, proof_path
from tocsin.updates.receive.errors import (
    ActivationFailed,
    ContentRefused,
    MetadataExpired,
    MetadataRefused,
    NotVouchedFor,
    SplitLog,
    UpdateError,
)
from tocsin.updates.statement import DatabasePredicate, parse_envelope, sign_statement


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("attacks"))


@pytest.fixture
def case(made: Made, tmp_path: Path) -> Case:
    return case_of(made, tmp_path)


# --- content ------------------------------------------------------------------------------


def test_the_attacked_would_be_updated(case: Case) -> None:
    case.publish()
    assert case.device.update().now == 2


def test_tampered_database(case: Case) -> None:
    case.publish(delta=False)
    place = case.repository.stored(database_target(2))
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    case.refuses(ContentRefused, "something else than was signed")


def test_a_database_in_which_something_else_is_packed(case: Case) -> None:
    import zstandard

    case.repository.add(2, delta=False)
    path = database_target(2)
    custom = case.repository.targets.signed.targets[path].custom
    packed = zstandard.compress(database_bytes(3))
    case.repository.put_target(path, packed, dict(custom))
    case.repository.publish_metadata()
    case.refuses(ContentRefused, "not the one that was signed")


def test_a_database_that_unpacks_without_end(case: Case) -> None:
    import zstandard

    case.repository.add(2, delta=False)
    path = database_target(2)
    custom = case.repository.targets.signed.targets[path].custom
    bomb = zstandard.compress(bytes(64 << 20))
    case.repository.put_target(path, bomb, dict(custom))
    case.repository.publish_metadata()
    case.refuses(ContentRefused, "more than the signed")


@pytest.mark.parametrize("how", ["damaged", "of another database", "missing"])
def test_a_bad_delta_costs_the_whole_database_and_nothing_else(case: Case, how: str) -> None:
    case.publish()
    place = case.repository.stored("deltas/1-2.delta")
    if how == "damaged":
        damage(place)
    elif how == "of another database":
        custom = dict(case.repository.targets.signed.targets["deltas/1-2.delta"].custom)
        case.repository.put_target("deltas/1-2.delta", b"nonsense", custom)
        case.repository.publish_metadata()
    else:
        place.unlink()
    outcome = case.device.update()
    assert (outcome.now, outcome.way) == (2, "full")
    (remark,) = outcome.remarks  # and is said, here and in the status
    assert "the delta could not be used, so the whole database was fetched: " in remark
    assert {
        "damaged": "gave something else than was signed",
        "of another database": "not a delta",
        "missing": "not there",
    }[how] in remark
    last = case.device.state.last_run()
    assert last is not None
    assert last.text == f"version 2; {remark}"


# --- log ----------------------------------------------------------------------------------


def test_tampered_proof(case: Case) -> None:
    case.publish()
    place = case.repository.folder / proof_path(case.sha256())
    lines = place.read_bytes().split(b"\n")
    lines[2] = lines[2][::-1].replace(b"=", b"") + b"="
    place.write_bytes(b"\n".join(lines))
    case.refuses(NotVouchedFor, "log: ")


def _cut(entry: bytes, case: Case) -> bytes:
    return entry[:-1]


def _of_a_stranger(entry: bytes, case: Case) -> bytes:
    statement = parse_envelope(entry).statement
    return sign_statement(statement, [CryptoSigner.generate_ed25519()]).to_bytes()


def _with_another_digest(entry: bytes, case: Case) -> bytes:
    """The publisher's signature over something else."""
    envelope = json.loads(entry)
    payload = base64.b64decode(envelope["payload"]).replace(case.sha256().encode(), b"0" * 64)
    envelope["payload"] = base64.b64encode(payload).decode()
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()


def _signed_and_never_logged(entry: bytes, case: Case) -> bytes:
    said = parse_envelope(entry).statement
    assert isinstance(said.predicate, DatabasePredicate)
    changed = msgspec.structs.replace(said.predicate, created=NOW - timedelta(days=1))
    other = msgspec.structs.replace(said, predicate=changed)
    return sign_statement(other, [case.repository.online["targets"]]).to_bytes()


@pytest.mark.parametrize(
    ("tampered", "said"),
    [
        (_cut, r"is not used: statement: [^;]*; log: [^;]*\Z"),
        (
            _of_a_stranger,
            r"is not used: signature: 0 of the publisher's keys signed, 1 needed; log: ",
        ),
        (
            _with_another_digest,
            r"signature: 0 of .*; subject: it is about SHA-256 0{64}, not .*log: ",
        ),
        (_signed_and_never_logged, r"databases/2\.tdb is not used: log: [^;]*\Z"),
    ],
)
def test_tampered_log_entry(
    case: Case, tampered: Callable[[bytes, Case], bytes], said: str
) -> None:
    case.publish()
    place = case.repository.folder / entry_path(case.sha256())
    place.write_bytes(tampered(place.read_bytes(), case))
    case.refuses(NotVouchedFor, said)


def test_tampered_tile(case: Case) -> None:
    case.publish()
    for place in (case.repository.folder / "log" / "tile" / "0").rglob("*"):
        if place.is_file():
            damage(place)
    case.refuses(NotVouchedFor, "do not give the root")


def test_tampered_checkpoint(case: Case) -> None:
    case.publish()
    place = case.repository.folder / "log" / "checkpoint"
    lines = place.read_bytes().split(b"\n")
    lines[1] = b"99"
    place.write_bytes(b"\n".join(lines))
    case.refuses(NotVouchedFor, "does not verify|signature")


def test_a_database_without_a_log_entry(case: Case) -> None:
    case.publish(logged=False)
    case.refuses(NotVouchedFor, "there is no log entry for databases/2.tdb")


def test_a_log_entry_of_another_database(case: Case) -> None:
    case.publish()
    for path in (entry_path, proof_path):
        shutil.copy(
            case.repository.folder / path(case.sha256(1)),
            case.repository.folder / path(case.sha256(2)),
        )
    case.refuses(NotVouchedFor, "it is about SHA-256")


def test_a_log_entry_without_a_database(case: Case) -> None:
    predicate = DatabasePredicate(2, NOW, None, 1, (), 1, 1, {})
    case.repository.vouch(database_name(2), b"never published", predicate)
    case.repository.publish_metadata()
    outcome = case.device.update()
    assert not outcome.changed  # nothing is offered, and nothing breaks


def test_a_quorum_that_is_short_by_one(case: Case) -> None:
    case.publish(witnesses=slice(0, 1))
    case.refuses(NotVouchedFor, r"q has 1 of 2.*w1 did not cosign.*w2 did not cosign")


def test_a_log_that_no_witness_saw_lately(case: Case) -> None:
    case.repository.cosigned_at = NOW - timedelta(days=9)
    case.publish()
    case.device.max_age = 7 * 86400
    case.refuses(NotVouchedFor, "cosigned too long ago")


def test_a_split_view_shown_to_one_device(case: Case) -> None:
    forged = case.folder / "forged"
    shutil.copytree(case.repository.folder, forged)
    shutil.rmtree(forged / "log")
    # The log's key, the targets key and the witnesses' keys of a quorum all work for the attacker.
    evil = case.repository
    evil.folder, evil.log = forged, Log.init(forged / "log", evil.log_key)
    for number in range(4):
        evil.vouch(f"databases/{number + 90}.tdb", b"%d" % number, _predicate(number + 90))
    evil.add(2)
    evil.publish_metadata()
    case.device.mirrors = [str(forged)]
    case.refuses(SplitLog, "are not one history")
    (place,) = case.device.state.evidence()
    check_evidence(place, [evil.log_key.verifier])  # by itself: nobody has to be asked


def _predicate(version: int) -> DatabasePredicate:
    return DatabasePredicate(version, NOW, None, 1, (), 1, 1, {})


def test_a_log_that_is_shown_as_it_was(case: Case) -> None:
    old = case.folder / "old-log"
    shutil.copytree(case.repository.folder / "log", old)
    case.publish(2)
    case.device.update()
    assert case.device.version == 2
    case.publish(3)
    shutil.rmtree(case.repository.folder / "log")
    shutil.copytree(old, case.repository.folder / "log")
    before = case.device.snapshot()
    with pytest.raises(NotVouchedFor, match=r"had \d already"):
        case.device.update()
    assert case.device.snapshot() == before


# --- metadata -----------------------------------------------------------------------------


def test_rollback_to_old_metadata(case: Case) -> None:
    old = case.folder / "old"
    shutil.copytree(case.repository.folder, old)
    case.publish()
    case.device.update()
    before = case.device.snapshot()
    case.device.mirrors = [str(old)]
    with pytest.raises(MetadataRefused, match="must be >="):
        case.device.update()
    assert case.device.snapshot() == before


def test_a_mirror_that_serves_old_files_is_named_and_another_is_asked(case: Case) -> None:
    old = case.folder / "old"
    shutil.copytree(case.repository.folder, old)
    case.publish(2)
    case.device.update()
    case.publish(3)
    case.device.mirrors = [str(old), str(case.repository.folder)]
    outcome = case.device.update()
    assert outcome.now == 3
    assert [name for name in outcome.failures if name.endswith("/old/")]


def test_freeze(case: Case) -> None:
    case.refuses(
        MetadataExpired,
        "this machine's clock is wrong; version 1 stays",
        at=NOW + timedelta(days=31),
    )


def test_mix_and_match(case: Case) -> None:
    case.publish(2)
    metadata = case.repository.folder / "metadata"
    old_snapshot = (metadata / "2.snapshot.json").read_bytes()
    (metadata / "3.snapshot.json").write_bytes(old_snapshot)
    case.refuses(MetadataRefused, "snapshot")


def test_endless_metadata(case: Case) -> None:
    case.publish()
    (case.repository.folder / "metadata" / "timestamp.json").write_bytes(b" " * 50_000)
    case.refuses(UpdateError, "exceeding")


def test_endless_target(case: Case) -> None:
    case.publish(delta=False)
    place = case.repository.stored(database_target(2))
    place.write_bytes(place.read_bytes() + bytes(1 << 20))
    case.refuses(UpdateError, "more bytes than were signed")


# --- what was signed and is bad -----------------------------------------------------------


def test_a_bad_update_is_not_used_and_not_tried_again(case: Case) -> None:
    class Crashed(TocsinError):
        pass

    case.publish()
    case.device.refuses = Crashed("it finds Bad.Rule in /bin/ls")
    before = case.device.snapshot()
    with pytest.raises(ActivationFailed, match=r"finds Bad\.Rule in /bin/ls"):
        case.device.update()
    assert case.device.snapshot() == before
    tried = len(case.device.activated)
    assert "did not pass" in case.device.update().choice.why
    assert len(case.device.activated) == tried
    case.device.refuses = None
    assert case.device.update(again=True).now == 2


def test_a_lying_mirror_is_named_and_the_honest_one_updates(case: Case) -> None:
    case.publish()
    liar = case.folder / "liar"
    shutil.copytree(case.repository.folder, liar)
    for place in (*(liar / "targets").rglob("*"), *(liar / "proofs").iterdir()):
        if place.is_file():
            damage(place)
    case.device.mirrors = [str(liar), str(case.repository.folder)]
    outcome = case.device.update()
    assert outcome.now == 2
    assert list(outcome.failures) == [f"{liar.as_uri()}/"]


# --- a withdrawal that is hidden ----------------------------------------------------------


def _metadata_files(case: Case) -> dict[Path, bytes]:
    folder = case.repository.folder / "metadata"
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _withdrawn_behind_their_backs(case: Case, version: int = 1) -> None:
    """The publisher pulls a version back, and a mirror goes on with the metadata from before."""
    before = _metadata_files(case)
    case.repository.withdraw(version, "flags /bin/ls")
    case.repository.log_withdrawal(version, "flags /bin/ls")
    case.repository.publish_metadata()
    for path, data in before.items():
        path.write_bytes(data)


def test_a_withdrawal_that_a_mirror_hides_is_in_the_log(case: Case) -> None:
    case.publish(2)
    case.device.update()
    _withdrawn_behind_their_backs(case, 2)
    case.device.forget_looks()
    outcome = case.device.update()  # the metadata is the one that it has, and offers version 2
    assert (outcome.before, outcome.now, outcome.way) == (2, 1, "kept")
    assert "version 2 was pulled back: flags /bin/ls" in outcome.choice.why


def test_a_withdrawal_that_the_publishers_keys_hide_is_in_the_log(case: Case) -> None:
    """Whoever has the targets key signs metadata without it; the log does not forget."""
    case.publish(2)
    case.device.update()
    case.repository.log_withdrawal(2, "flags /bin/ls")
    case.repository.publish_metadata()
    outcome = case.device.update()
    assert (outcome.before, outcome.now) == (2, 1)
    fresh = Device(case.folder / "fresh", case.repository)
    assert fresh.update().now == 1  # neither does a device take it that never had it


def test_a_device_with_nothing_else_keeps_a_withdrawn_version_and_says_so(case: Case) -> None:
    _withdrawn_behind_their_backs(case)
    case.device.forget_looks()
    outcome = case.device.update()
    assert not outcome.changed
    assert "pulled back: flags /bin/ls, and there is no other" in outcome.choice.why
    assert case.device.state.seen().in_use == "flags /bin/ls"
    case.publish(2)
    assert case.device.update().now == 2
    assert case.device.state.seen().in_use == ""


def test_the_entries_of_the_log_that_a_mirror_hides_come_from_another(case: Case) -> None:
    _withdrawn_behind_their_backs(case)
    case.device.forget_looks()
    honest = case.folder / "honest"
    shutil.copytree(case.repository.folder, honest)
    for place in (case.repository.folder / "log" / "tile" / "entries").rglob("*"):
        if place.is_file():
            place.unlink()
    case.refuses(NotVouchedFor, "missing from the log")
    case.device.mirrors = [str(case.repository.folder), str(honest)]
    outcome = case.device.update()
    assert "pulled back" in outcome.choice.why


def test_the_logs_key_alone_withdraws_nothing(case: Case) -> None:
    case.repository.log_withdrawal(1, "because I say so", signer=CryptoSigner.generate_ed25519())
    case.device.forget_looks()
    assert "newest" in case.device.update().choice.why


# --- a mirror that stopped ----------------------------------------------------------------


def test_a_mirror_that_is_behind_is_found_out_by_another_ones_timestamp(case: Case) -> None:
    stopped = case.folder / "stopped"
    shutil.copytree(case.repository.folder, stopped)
    case.publish(2)
    case.device.mirrors = [str(stopped), str(case.repository.folder)]
    assert not case.device.update().changed  # one mirror's word is enough for some hours
    case.device.forget_looks()
    outcome = case.device.update()
    assert outcome.now == 2
    assert outcome.failures == {
        f"{stopped.as_uri()}/": f"it is behind: {case.repository.folder.as_uri()}/ has later "
        "metadata"
    }


def test_nothing_new_at_two_mirrors_costs_one_small_request_more(case: Case) -> None:
    copy = case.folder / "copy"
    shutil.copytree(case.repository.folder, copy)
    case.device.mirrors = [str(case.repository.folder), str(copy)]
    case.device.forget_mirrors_asked()
    requests = []
    for _ in range(3):
        assert not case.device.update().changed
        assert case.device.fetcher is not None
        assert case.device.fetcher.received < 3000
        requests.append(case.device.fetcher.requests)
    assert requests == [3, 2, 2]


@pytest.mark.parametrize("what", ["nonsense", "endless", "another's"])
def test_what_another_mirror_says_wrongly_changes_nothing(case: Case, what: str) -> None:
    other = case.folder / "other"
    shutil.copytree(case.repository.folder, other)
    timestamp = other / "metadata" / "timestamp.json"
    if what == "another's":
        timestamp.write_bytes(timestamp.read_bytes().replace(b'"version": 2', b'"version": 9'))
    else:
        timestamp.write_bytes(b"x" * (10 if what == "nonsense" else 1 << 20))
    case.device.mirrors = [str(case.repository.folder), str(other)]
    case.device.forget_mirrors_asked()
    outcome = case.device.update()
    assert not outcome.changed
    assert not outcome.failures
