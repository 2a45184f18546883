"""`update verify`: whatever was changed of what is installed is said, and by which point."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from receive_samples import Repository
from securesystemslib.signer import CryptoSigner
from software_samples import SoftwareDevice, add_release, make_wheels
from tuf.api.metadata import Root

from tocsin.transparency.errors import SplitView
from tocsin.transparency.evidence import keep_evidence
from tocsin.updates.layout import PUBLISHER_FIELD
from tocsin.updates.receive.recheck import Rechecked, recheck
from tocsin.updates.receive.recheck_metadata import recheck_log, recheck_metadata
from tocsin.updates.receive.recheck_software import recheck_software
from tocsin.updates.receive.roots import agree, waiting_roots
from tocsin.updates.receive.state_trusted import EVIDENCE

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> SoftwareDevice:
    """A device with two databases and two releases."""
    folder = tmp_path_factory.mktemp("installed")
    repository = Repository(folder / "repository")
    device = SoftwareDevice(folder / "device", repository)
    for number, version in enumerate(("1.0", "1.1"), 1):
        repository.add(number)
        add_release(repository, version, make_wheels(folder / "wheels" / version, version))
        repository.publish_metadata()
        device.update()
        device.install()
    return device


@pytest.fixture
def device(installed: SoftwareDevice, tmp_path: Path) -> SoftwareDevice:
    """A copy of it, in its place."""
    kept = tmp_path / "kept"
    shutil.copytree(installed.folder.parent, kept, symlinks=True)
    yield installed
    shutil.rmtree(installed.folder.parent)
    shutil.copytree(kept, installed.folder.parent, symlinks=True)


def looked_at(device: SoftwareDevice, *, now: datetime = NOW) -> list[Rechecked]:
    found = recheck(device.state, device.trust)
    found += recheck_software(device.store, device.state, device.trust)
    more = recheck_metadata(device.state, device.trust, now)
    return [*found, *more, *recheck_log(device.state, device.trust, found, now)]


def wrong(device: SoftwareDevice) -> set[tuple[str, str]]:
    """Kinds and points that do not stand."""
    return {
        (each.kind, point.point)
        for each in looked_at(device)
        for point in each.findings
        if not point.stands
    }


def detail(found: list[Rechecked], kind: str, point: str) -> str:
    return next(f.detail for e in found if e.kind == kind for f in e.findings if f.point == point)


def test_all_that_is_installed_stands_and_is_named(installed: SoftwareDevice) -> None:
    found = looked_at(installed)
    assert [f for each in found for f in each.findings if not f.stands] == []
    assert [(each.kind, each.name.partition("-")[0], each.in_use) for each in found] == [
        ("database", "2", True),
        ("database", "1", False),
        ("release", "1.1", True),
        ("release", "1.0", False),
        ("metadata", "root 1", True),
        ("log", "log0.example/1", True),
    ]
    assert "seen by w0, w1, w2" in detail(found, "release", "witnesses")
    assert "2 of the 2 wheels" in detail(found, "release", "manifest")
    assert detail(found, "log", "proofs") == "4 of what is installed are in it"
    assert "days ago" in detail(found, "log", "witnesses")


def library(device: SoftwareDevice) -> Path:
    release = device.store.place(device.store.current())
    (found,) = release.glob("lib/python3*/site-packages")
    return found


def append(place: Path) -> None:
    place.write_bytes(place.read_bytes() + b"#\n")


def in_release(device: SoftwareDevice, name: str) -> Path:
    return device.store.place(device.store.current()) / name


def forget_a_wheel(device: SoftwareDevice) -> None:
    release = device.store.release(device.store.current())
    kept = {file: sha for file, sha in release.wheels.items() if not file.startswith("helper")}
    changed = msgspec.structs.replace(release, wheels=kept)
    in_release(device, "release.json").write_bytes(msgspec.json.encode(changed))


def exchange_proofs(device: SoftwareDevice) -> None:
    other = next(n for n in device.store.kept() if n != device.store.current())
    for name in ("entry", "tlog-proof"):
        shutil.copy(device.store.place(other) / name, in_release(device, name))


RELEASES: dict[str, tuple[Callable[[SoftwareDevice], object], set[str]]] = {
    "a module changed": (lambda d: append(library(d) / "helper.py"), {"content"}),
    "a module gone": (lambda d: (library(d) / "helper.py").unlink(), {"content"}),
    "a command changed": (lambda d: append(in_release(d, "bin/tocsin")), {"content"}),
    "a RECORD changed": (lambda d: append(next(library(d).glob("tocsin-*/RECORD"))), {"content"}),
    "run at each start": (
        lambda d: (library(d) / "evil.pth").write_text("import evil\n"),
        {"strangers"},
    ),
    "a command more": (lambda d: in_release(d, "bin/sudo").write_text("x"), {"strangers"}),
    "compiled from nowhere": (
        lambda d: (library(d) / "__pycache__" / "os.cpython-311.pyc").write_bytes(b"x"),
        {"strangers"},
    ),
    "no entry": (lambda d: in_release(d, "entry").unlink(), {"statement"}),
    "no proof": (lambda d: in_release(d, "tlog-proof").unlink(), {"log"}),
    "another's entry and proof": (exchange_proofs, {"subject", "manifest"}),
    "a wheel not named": (forget_a_wheel, {"strangers"}),
    "a damaged record": (lambda d: append(in_release(d, "release.json")), {"record"}),
}


@pytest.mark.parametrize("case", RELEASES)
def test_a_release_that_was_changed_is_said(device: SoftwareDevice, case: str) -> None:
    change, points = RELEASES[case]
    change(device)
    assert wrong(device) == {("release", point) for point in points}


def test_a_wheel_that_is_not_kept_is_said_and_its_files_compared_with_their_record(
    device: SoftwareDevice,
) -> None:
    release = device.store.release(device.store.current())
    digest = next(sha for file, sha in release.wheels.items() if file.startswith("tocsin"))
    (device.store.wheels / digest).unlink()
    assert wrong(device) == set()
    assert "1 wheel(s) are not kept" in detail(looked_at(device), "release", "content")
    append(library(device) / "tocsin" / "__main__.py")
    assert wrong(device) == {("release", "content")}


def test_a_kept_wheel_that_was_changed_is_said(device: SoftwareDevice) -> None:
    release = device.store.release(device.store.current())
    append(device.store.wheels / next(iter(release.wheels.values())))
    assert ("release", "record") in wrong(device)


def version(device: SoftwareDevice, name: str) -> Path:
    return device.state.version_folder(2) / name


def lead_elsewhere(device: SoftwareDevice) -> None:
    link = device.folder / "current.tdb"
    link.unlink()
    link.symlink_to("versions/1/database.tdb")


def no_longer_there(device: SoftwareDevice) -> None:
    shutil.rmtree(device.state.version_folder(2))


DATABASES: dict[str, tuple[Callable[[SoftwareDevice], object], set[str]]] = {
    "changed": (lambda d: append(version(d, "database.tdb")), {"content", "subject"}),
    "no proof": (lambda d: version(d, "tlog-proof").unlink(), {"statement"}),
    "how it came": (lambda d: version(d, "received.json").unlink(), {"record"}),
    "scans use another": (lead_elsewhere, {"link"}),
    "gone": (no_longer_there, {"content"}),
}


@pytest.mark.parametrize("case", DATABASES)
def test_a_database_that_was_changed_is_said(device: SoftwareDevice, case: str) -> None:
    change, points = DATABASES[case]
    change(device)
    assert wrong(device) == {("database", point) for point in points}


def change_signed(place: Path) -> None:
    place.write_bytes(place.read_bytes().replace(b'"sig": "', b'"sig": "00', 1))


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_that_was_changed_is_said(device: SoftwareDevice, role: str) -> None:
    change_signed(device.state.metadata / f"{role}.json")
    assert wrong(device) == {("metadata", role)}


def test_metadata_that_has_expired_stands_and_is_said(installed: SoftwareDevice) -> None:
    later = looked_at(installed, now=NOW + timedelta(days=60))
    assert all(each.stands for each in later)
    assert "expired on" in detail(later, "metadata", "timestamp")
    assert "60." in detail(later, "log", "witnesses")


def test_a_checkpoint_that_the_witnesses_did_not_sign_is_said(device: SoftwareDevice) -> None:
    place = device.folder / "checkpoint"
    lines = place.read_text().splitlines(keepends=True)
    place.write_text("".join(line for line in lines if " w1.example " not in line))
    assert wrong(device) == set()  # two of three are the quorum
    place.write_text("".join(line for line in lines if ".example " not in line or "log0" in line))
    assert wrong(device) == {("log", "witnesses")}
    place.write_text("nothing\n")
    assert wrong(device) == {("log", "log")}


def test_proofs_of_a_longer_log_than_the_last_checkpoint_are_said(
    device: SoftwareDevice, installed: SoftwareDevice
) -> None:
    """Somebody put an old checkpoint back."""
    older = device.state.evidence_of(1)[1].partition(b"\n\n")[2]
    (device.folder / "checkpoint").write_bytes(older)
    assert wrong(device) == {("log", "proofs")}


STATE_FILES = ("installed.json", "consent.json", "checkpoint", "metadata/root.json")


@pytest.mark.parametrize("name", [*STATE_FILES, "metadata/targets.json", "current software"])
def test_one_damaged_file_hides_nothing_else(device: SoftwareDevice, name: str) -> None:
    whole = {(each.kind, each.name) for each in looked_at(device)}
    if name == "current software":
        (device.prefix / "current").unlink()
        (device.prefix / "current").symlink_to("/")
    else:
        place = device.folder / name
        data = place.read_bytes() if place.exists() else b""
        place.unlink(missing_ok=True)
        place.write_bytes(data[:20] + b"\xff" * (9 << 20))
    found = looked_at(device)
    assert not all(each.stands for each in found)
    kinds = {(each.kind, each.name) for each in found if each.kind in ("database", "release")}
    assert kinds >= {each for each in whole if each[0] in ("database", "release")}
    assert {each.kind for each in found} >= {kind for kind, _ in whole}


def test_two_histories_are_said(device: SoftwareDevice) -> None:
    older = device.state.evidence_of(1)[1].partition(b"\n\n")[2]
    newest = device.state.last_checkpoint()
    assert newest is not None
    keep_evidence(device.folder / EVIDENCE, SplitView("made up", (older, newest), ()))
    assert wrong(device) == {("log", "history")}


def test_roots_are_followed_from_the_one_that_was_chosen(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    device = SoftwareDevice(tmp_path / "device", repository)
    repository.add(1)
    repository.publish_metadata()
    repository.write_root(repository.next_root(), repository.root_keys[:2])
    device.update()
    own = [CryptoSigner.generate_ed25519() for _ in range(2)]

    def change(signed: Root) -> None:
        for old in repository.root_keys:
            signed.revoke_key(old.public_key.keyid, "root")
        for new in own:
            signed.add_key(new.public_key, "root")
        signed.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Heir"

    repository.write_root(repository.next_root(change), [*repository.custodians[:2], *own])
    repository.publish_metadata()
    device.update()
    agree(device.state, [each for _, each in waiting_roots(device.state, device.trust)])
    device.update()
    (metadata,) = recheck_metadata(device.state, device.trust, NOW)
    assert metadata.stands
    assert metadata.findings[0].detail.endswith("which you chose: 1 by routine, 1 agreed")
    (device.folder / "consent.json").unlink()
    assert wrong(device) == {("metadata", "roots")}
    assert "you never agreed" in detail(looked_at(device), "metadata", "roots")
    (device.state.metadata / "root_history" / "2.root.json").unlink()
    assert "root 2 is missing" in detail(looked_at(device), "metadata", "roots")
