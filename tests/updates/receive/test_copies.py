"""Mirrors and bundles: copies that nobody has to trust."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receive_samples import Device, Repository
from tuf.api.exceptions import DownloadError
from tuf.api.metadata import TargetFile

from tocsin.updates.receive.bundle import URL, BundleFetcher, write_bundle
from tocsin.updates.receive.copies import OWN, Copied, copy_repository
from tocsin.updates.receive.errors import (
    BundleDamaged,
    MetadataRefused,
    NothingReached,
    NotVouchedFor,
)
from tocsin.updates.receive.fetch import FolderFetcher, SchemeFetcher
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.updater import Outcome


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.add(1)
    made.add(2)
    made.publish_metadata()
    return made


def copied(repository: Repository, folder: Path, **how: object) -> Copied:
    device = Device(folder, repository)
    inner = SchemeFetcher({"file": FolderFetcher([Path("/")])})
    return copy_repository(
        MirrorFetcher([str(repository.folder)], inner), folder, device.trust, **how
    )


def bundled(repository: Repository, folder: Path) -> Path:
    done = copied(repository, folder, complete=False)
    place = folder.with_suffix(".bundle")
    write_bundle(place, ((name, folder / name) for name in dict.fromkeys(done.files)))
    return place


def imported(device: Device, place: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    fetcher = BundleFetcher(place)
    with monkeypatch.context() as patch:
        patch.setattr(
            "receive_samples.MirrorFetcher",
            lambda mirrors, inner: MirrorFetcher([URL], SchemeFetcher({"bundle": fetcher})),
        )
        return device.update()


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and OWN not in path.parts
    }


def test_a_mirror_is_complete(repository: Repository, tmp_path: Path) -> None:
    copied(repository, tmp_path / "mirror")
    mirror = files_of(tmp_path / "mirror")
    whole = files_of(repository.folder)
    newest = {name for name in whole if name.endswith(("2.snapshot.json", "2.targets.json"))}
    assert newest <= mirror.keys()
    for name, data in mirror.items():
        assert whole[name] == data
    for name in whole.keys() - mirror.keys():  # only what nobody needs any more
        assert ".p/" in name or name.endswith(("1.snapshot.json", "1.targets.json")), name
    shutil.rmtree(repository.folder / "targets")
    device = Device(tmp_path / "state", repository)
    device.mirrors = [str(tmp_path / "mirror")]
    assert device.update().now == 2


def test_a_mirror_goes_on_where_it_was(repository: Repository, tmp_path: Path) -> None:
    first = copied(repository, tmp_path / "mirror")
    repository.add(3)
    repository.publish_metadata()
    again = copied(repository, tmp_path / "mirror")
    assert (first.version, again.version) == (2, 3)
    second = copied(repository, tmp_path / "mirror")
    assert second.received < first.received  # targets are there already


def test_a_mirror_takes_no_log_that_was_rewritten(repository: Repository, tmp_path: Path) -> None:
    old = tmp_path / "old-log"
    shutil.copytree(repository.folder / "log", old)
    repository.add(3)
    repository.publish_metadata()
    copied(repository, tmp_path / "mirror")
    shutil.rmtree(repository.folder / "log")
    shutil.copytree(old, repository.folder / "log")
    with pytest.raises(NotVouchedFor, match="not what followed"):
        copied(repository, tmp_path / "mirror")


@pytest.mark.parametrize(
    "path",
    [
        "../../out/evil.pth",
        "/etc/evil",
        "a/../../evil",
        "a//b",
        ".hidden/x",
        "a\\..\\b",
        "a\nb",
        "",
    ],
)
def test_no_signed_name_leads_out_of_the_copy(
    repository: Repository, tmp_path: Path, path: str
) -> None:
    """Whoever has the keys that are on line writes into no other folder of who makes a mirror."""
    data = b"import os"
    target = TargetFile.from_data(path, data, ["sha256"])
    repository.targets.signed.targets[path] = target
    repository.publish_metadata()
    folder = tmp_path / "above" / "mirror"
    before = {p for p in tmp_path.rglob("*") if folder not in (p, *p.parents)}
    with pytest.raises(MetadataRefused, match="no path that a repository may have"):
        copied(repository, folder)
    after = {p for p in tmp_path.rglob("*") if folder not in (p, *p.parents)}
    assert after - before == {tmp_path / "above"}


def test_a_device_takes_nothing_from_such_metadata_either(
    repository: Repository, tmp_path: Path
) -> None:
    repository.targets.signed.targets["../x"] = TargetFile.from_data("../x", b"x", ["sha512"])
    repository.publish_metadata()
    device = Device(tmp_path / "state", repository)
    with pytest.raises(MetadataRefused, match="cannot be used"):
        device.update()
    assert device.version == 0


def test_a_stick_cannot_have_other_files_of_the_machine_copied(
    repository: Repository, tmp_path: Path
) -> None:
    """A link to what only root may read would lie in a mirror for everybody."""
    secret = tmp_path / "shadow"
    secret.write_text("root:secret")
    for place in (repository.folder / "proofs").glob("*.entry"):
        rebuilds = place.with_suffix(".rebuilds")
        rebuilds.symlink_to(secret)
    folder = tmp_path / "mirror"
    device = Device(folder, repository)
    inner = SchemeFetcher({"file": FolderFetcher([repository.folder])})
    with pytest.raises(NothingReached, match="leads out of"):
        copy_repository(MirrorFetcher([str(repository.folder)], inner), folder, device.trust)
    assert b"root:secret" not in files_of(folder).values()


@pytest.mark.parametrize("ending", ["entry", "tlog-proof"])
def test_a_mirror_takes_no_proof_that_proves_nothing(
    repository: Repository, tmp_path: Path, ending: str
) -> None:
    for place in (repository.folder / "proofs").glob(f"*.{ending}"):
        place.write_bytes(b"root:secret\n")
    with pytest.raises(NotVouchedFor, match="tlog-proof"):
        copied(repository, tmp_path / "mirror")
    assert b"root:secret\n" not in files_of(tmp_path / "mirror").values()


def test_a_mirror_takes_nothing_as_rebuilders_words_that_is_none(
    repository: Repository, tmp_path: Path
) -> None:
    for place in (repository.folder / "proofs").glob("*.entry"):
        place.with_suffix(".rebuilds").write_bytes(b"root:secret\n")
    copied(repository, tmp_path / "mirror")
    assert b"root:secret\n" not in files_of(tmp_path / "mirror").values()


def test_a_bundle_updates_a_device_without_a_network(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bundled(repository, tmp_path / "copy")
    device = Device(tmp_path / "state", repository)
    outcome = imported(device, place, monkeypatch)
    assert (outcome.now, outcome.source) == (2, URL)


def test_a_replayed_bundle_is_refused(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = bundled(repository, tmp_path / "old")
    device = Device(tmp_path / "state", repository)
    repository.add(3)
    repository.publish_metadata()
    imported(device, bundled(repository, tmp_path / "new"), monkeypatch)
    before = device.snapshot()
    with pytest.raises(MetadataRefused, match="must be >="):
        imported(device, old, monkeypatch)
    assert device.snapshot() == before


def test_a_bundle_is_the_same_bytes_whenever_it_is_made(
    repository: Repository, tmp_path: Path
) -> None:
    places = [bundled(repository, tmp_path / name) for name in ("a", "b")]
    assert places[0].read_bytes() == places[1].read_bytes()


def test_a_bundle_is_written_over_no_file_that_others_point_to(
    repository: Repository, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".copy.bundle.part").symlink_to(victim)
    bundled(repository, tmp_path / "copy")
    assert victim.read_text() == "precious"


@pytest.fixture(scope="module")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "a").write_bytes(b"content of a")
    write_bundle(folder / "small.bundle", [("metadata/a", folder / "a")])
    return (folder / "small.bundle").read_bytes(), folder


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_bundle_is_an_error_and_no_crash(
    small_bundle: tuple[bytes, Path], data: st.DataObject
) -> None:
    whole, folder = small_bundle
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    place = folder / "changed.bundle"
    place.write_bytes(bytes(changed[:cut]) if data.draw(st.booleans()) else bytes(changed))
    try:
        fetcher = BundleFetcher(place)
    except BundleDamaged:
        return
    try:
        for chunk in fetcher.fetch_from(f"{URL}metadata/a", 0):
            assert len(chunk) <= 1 << 16
    except DownloadError:
        pass
    finally:
        fetcher.close()


def test_a_compressed_member_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "bomb.bundle"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata/a", bytes(1 << 20))
    with pytest.raises(DownloadError, match="compressed"):
        BundleFetcher(place).fetch_from(f"{URL}metadata/a", 0)
