"""A publication end to end: what a stranger's TUF client and log verifier make of the folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import zstandard

from tocsin.transparency.policy import Policy
from tocsin.transparency.proof import TlogProof
from tocsin.updates.layout import (
    database_target,
    entry_path,
    parse_custom,
    proof_path,
)
from tocsin.updates.publish.add import add_database
from tocsin.updates.statement import parse_envelope, verify_envelope
from updates.publish.publisher_kit import Reader, World

D = [hashlib.sha256(bytes([n])).hexdigest() for n in range(200)]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    world = World(tmp_path_factory.mktemp("world"), witnesses=3, quorum=2).begin()
    add_database(world.session(), world.sources("a", *D[:150]), None)
    world.later(days=1)
    add_database(world.session(), world.sources("b", *D[5:155]), None)
    return world


def reader(world: World, tmp_path) -> Reader:
    return Reader(
        world.repository,
        tmp_path / "state",
        (world.repository / "metadata" / "1.root.json").read_bytes(),
    )


def test_a_tuf_client_finds_the_newest_database(world: World, tmp_path) -> None:
    updater = reader(world, tmp_path).refreshed(world.now)
    info = updater.get_targetinfo(database_target(2))
    assert info is not None
    custom = parse_custom(info.custom)
    plain = zstandard.ZstdDecompressor().decompress(
        Path(updater.download_target(info)).read_bytes()
    )
    assert hashlib.sha256(plain).hexdigest() == custom.sha256
    assert len(plain) == custom.length


def test_its_entry_is_signed_and_proven_with_the_quorum(world: World, tmp_path) -> None:
    updater = reader(world, tmp_path).refreshed(world.now)
    custom = parse_custom(updater.get_targetinfo(database_target(2)).custom)
    entry = (world.repository / entry_path(custom.sha256)).read_bytes()
    proof = TlogProof.parse((world.repository / proof_path(custom.sha256)).read_bytes())
    policy = Policy.parse((world.folder / "trust" / "policy").read_bytes())
    verdict = proof.verify(entry, policy, now=int(world.now.timestamp()), max_age=3600)
    assert verdict.head.size == 3
    envelope = parse_envelope(entry)
    root = updater._trusted_set.root
    verify_envelope(envelope, {k: root.keys[k] for k in root.roles["targets"].keyids}, 1)
    predicate = envelope.statement.predicate
    assert (predicate.version, predicate.added, predicate.removed) == (2, 5, 5)
    assert predicate.previous.version == 1
    assert predicate.sources[0].uri == "https://example.org/test.hsb"
