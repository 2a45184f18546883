"""A device against the publisher of this package: what one writes, the other believes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from receive_samples import Device

from tocsin.transparency.policy import Policy
from tocsin.updates.layout import Publisher
from tocsin.updates.publish.add import add_database
from tocsin.updates.publish.ceremony import (
    draft_rotation,
    finish,
    make_log_key,
    successor_roles,
    write_policy,
)
from tocsin.updates.publish.keys import KeyFolder
from tocsin.updates.publish.metadata import read_published
from tocsin.updates.publish.roots import Roles, roles_of, sign_draft, with_role
from tocsin.updates.publish.succession import take_over
from tocsin.updates.publish.workspace import PublisherSettings, Workspace
from tocsin.updates.receive.errors import ConsentNeeded, MetadataExpired
from tocsin.updates.receive.fetch import FolderFetcher
from tocsin.updates.receive.recheck import recheck
from tocsin.updates.receive.roots import agree, waiting_roots
from tocsin.updates.receive.trust import Trust
from updates.publish.publisher_kit import CHEAP, World, secrets

D = [hashlib.sha256(bytes([n])).hexdigest() for n in range(250)]


def device_of(world: World, folder: Path) -> Device:
    device = Device.__new__(Device)
    device.folder = folder
    root = (world.repository / "metadata" / "1.root.json").read_bytes()
    device.trust = Trust(root, Policy.parse((world.folder / "trust" / "policy").read_bytes()))
    device.mirrors, device.activated = [str(world.repository)], []
    device.refuses, device.fetcher, device.channel = None, None, "stable"
    device.max_age = 7 * 86400
    device.schemes = {"file": FolderFetcher([Path("/")])}
    return device


def test_databases_rotation_and_time(tmp_path: Path) -> None:
    world = World(tmp_path, witnesses=3, quorum=2).begin()
    world.witnesses[2].down = True
    device = device_of(world, tmp_path / "device")
    add_database(world.session(), world.sources("a", *D[:150]), None)
    world.later(hours=7)
    assert device.update(at=world.now).now == 1
    world.later(hours=17)
    add_database(world.session(), world.sources("b", *D[5:155]), None)
    world.later(hours=7)
    outcome = device.update(at=world.now)
    assert (outcome.now, outcome.way) == (2, "delta")
    assert outcome.vouching is not None
    assert outcome.vouching.verdict is not None
    assert outcome.vouching.verdict.missing == ("w2",)

    roles = roles_of(read_published(world.repository).root.signed)
    rotated = with_role(roles, "root", world.role("root-1", "root-2", "root-4", threshold=2))
    session = world.session()
    draft_rotation(session, rotated, Publisher("The Example Guild"))
    finish(session)
    assert not device.update(at=world.now).changed
    assert device.state.root_bytes(2) is not None  # routine: nobody was asked
    assert all(each.stands for each in recheck(device.state, device.trust))

    world.later(days=400)
    with pytest.raises(MetadataExpired, match="version 2 stays in use"):
        device.update(at=world.now)
    assert device.version == 2


def test_the_publisher_vanishes_and_one_device_consents(tmp_path: Path) -> None:
    world = World(tmp_path, witnesses=2, quorum=2)
    world.begin(world.role("c-1", "c-2", "c-3", threshold=2))
    add_database(world.session(), world.sources("a", *D[:150]), None)
    world.later(hours=7)
    agrees, refuses = (device_of(world, tmp_path / name) for name in ("agrees", "refuses"))
    for device in (agrees, refuses):
        assert device.update(at=world.now).now == 1
    draft_rotation(world.session())  # which neither device has heard of yet
    finish(world.session())
    away = tmp_path / "away"
    away.mkdir()
    for name in ("c-1", "c-2"):
        for file in world.keys.glob(f"{name}.*"):
            shutil.copy(file, away)
    for path in world.keys.glob("*.key"):
        path.unlink()

    new = World(tmp_path / "successor")
    new.folder.parent.mkdir()
    new.now, new.witnesses, new.quorum = world.now, world.witnesses, 2
    workspace = Workspace(new.folder)
    workspace.create(PublisherSettings("new.example/log", str(new.keys)), b"quorum none\n")
    new.keys.mkdir()
    session = new.session()
    make_log_key(session, log2_n=CHEAP)
    for witness in new.witnesses:
        witness.logs["new.example/log"] = session.log().verifier
    write_policy(session, new.policy())
    before = take_over(workspace, world.repository, device.trust.root, device.trust.policy)
    one = {role: new.role(f"{role}-1") for role in ("targets", "snapshot", "timestamp")}
    own = Roles(new.role("own-1", "own-2", threshold=2), **one)
    draft = draft_rotation(session, successor_roles(before, own), Publisher("The New Guild")).path
    sign_draft(draft, KeyFolder(away, secrets), names=("c-1", "c-2"))
    finish(new.session())
    add_database(new.session(), new.sources("b", *D[5:155]), None)
    new.later(hours=7)

    for device in (agrees, refuses):
        device.mirrors = [str(new.repository)]
        with pytest.raises(ConsentNeeded, match="'The New Guild'"):
            device.update(at=new.now)
        assert device.version == 1
    state = agrees.state
    ((_, waiting),) = waiting_roots(state, agrees.trust)
    assert waiting.step.appointed
    assert len(waiting.step.signed_custodians) == 2
    assert waiting.vouching.stands  # in the successor's log, seen by the witnesses of the policy
    assert any("new.example/log" in reason for reason in waiting.step.reasons)
    agree(state, [waiting])
    outcome = agrees.update(at=new.now)
    assert (outcome.now, outcome.way) == (2, "delta")
    assert all(each.stands for each in recheck(agrees.state, agrees.trust))
    with pytest.raises(ConsentNeeded):
        refuses.update(at=new.now)
    assert refuses.version == 1
    assert recheck(refuses.state, refuses.trust)[0].stands
