"""A device that wants databases rebuilt by others before it uses them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from receive_samples import NOW, Device, Repository
from securesystemslib.signer import Signature

from tocsin.transparency.keys import SigningKey
from tocsin.updates.layout import database_name
from tocsin.updates.receive.errors import NoTrust, NotVouchedFor
from tocsin.updates.receive.rebuilders import key_id, parse_rebuilders, rebuilds_path, who_rebuilt
from tocsin.updates.receive.recheck import recheck
from tocsin.updates.receive.updater import Wishes
from tocsin.updates.statement import RebuildPredicate, Statement, sign_statement

KEYS = [SigningKey.generate(f"rebuilder{n}.example") for n in range(3)]
VERIFIERS = tuple(key.verifier for key in KEYS)
SHA256 = hashlib.sha256(b"database").hexdigest()


class Signer:
    def __init__(self, key: SigningKey, keyid: str = "") -> None:
        self.key, self.keyid = key, keyid or key_id(key.verifier)

    def sign(self, payload: bytes) -> Signature:
        return Signature(self.keyid, self.key.sign(payload).hex())


def said(key: SigningKey, sha256: str = SHA256, version: int = 1, keyid: str = "") -> bytes:
    predicate = RebuildPredicate(version, "whoever", NOW, "tocsin", "0" * 64)
    statement = Statement(database_name(version), sha256, predicate)
    return sign_statement(statement, [Signer(key, keyid)]).to_bytes() + b"\n"


def test_only_the_users_rebuilders_count_and_each_once() -> None:
    lines = said(KEYS[0]) + said(KEYS[0]) + said(KEYS[1]) + b"nonsense\n\n"
    assert who_rebuilt(lines, SHA256, 1, VERIFIERS[1:]) == ("rebuilder1.example",)
    assert len(who_rebuilt(lines, SHA256, 1, VERIFIERS)) == 2


def test_what_is_said_of_something_else_does_not_count() -> None:
    lines = said(KEYS[0], "0" * 64) + said(KEYS[1], version=2)
    lines += said(KEYS[2], keyid=key_id(VERIFIERS[0]))  # in another's name
    assert who_rebuilt(lines, SHA256, 1, VERIFIERS) == ()
    assert who_rebuilt(None, SHA256, 1, VERIFIERS) == ()


def test_one_key_under_two_names_is_one_rebuilder() -> None:
    from tocsin.transparency.note import KeyType, VerifierKey

    other = VerifierKey("another.example", KeyType.ED25519, VERIFIERS[0].public)
    text = f"# mine\n{VERIFIERS[0].vkey}\n\n{other.vkey}\n".encode()
    assert len(parse_rebuilders(text, "rebuilders")) == 1
    with pytest.raises(NoTrust, match="line 1"):
        parse_rebuilders(b"nonsense", "rebuilders")


def test_a_device_waits_for_enough_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path / "repository")
    sha256 = hashlib.sha256(repository.add(1)).hexdigest()
    repository.publish_metadata()
    device = Device(tmp_path / "state", repository)
    device.trust = replace(device.trust, rebuilders=VERIFIERS)
    monkeypatch.setattr("receive_samples.Wishes", lambda *all_: Wishes(*all_, rebuilders=2))
    place = repository.folder / rebuilds_path(sha256)
    place.write_bytes(said(KEYS[0], sha256))
    with pytest.raises(NotVouchedFor, match="1 of your rebuilders got the same bytes, 2 needed"):
        device.update()
    assert device.version == 0
    place.write_bytes(said(KEYS[0], sha256) + said(KEYS[2], sha256))
    assert device.update().now == 1
    (stands,) = recheck(device.state, device.trust, rebuilders=2)
    assert stands.stands
    (does_not,) = recheck(device.state, device.trust, rebuilders=3)
    assert not does_not.stands
