"""Mirrors and bundles: copies that nobody has to trust."""

from __future__ import annotations

import errno
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receive_samples import Device, Repository
from tuf.api.exceptions import DownloadError
from tuf.api.metadata import TargetFile

from tocsin import durable
from tocsin.transparency.evidence import check_evidence
from tocsin.transparency.fsck import fsck
from tocsin.transparency.log import Log
from tocsin.updates.receive.bundle import URL, BundleFetcher, write_bundle
from tocsin.updates.receive.copies import OWN, Copied, copy_repository
from tocsin.updates.receive.errors import (
    BundleDamaged,
    MetadataRefused,
    NoRoom,
    NothingReached,
    NotVouchedFor,
    SplitLog,
    StateDamaged,
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


# --- several mirrors, of which some lie ----------------------------------------------------------


def copied_from(repository: Repository, folder: Path, *mirrors: Path) -> tuple[Copied, set[str]]:
    """Copy from several mirrors; also says which were left aside."""
    trust = Device(folder.with_name("trust"), repository).trust
    inner = SchemeFetcher({"file": FolderFetcher([Path("/")])})
    fetcher = MirrorFetcher([str(each) for each in mirrors], inner)
    done = copy_repository(fetcher, folder, trust)
    return done, {Path(url.removeprefix("file:")).name for url in fetcher.failures}


def liar_of(repository: Repository, folder: Path) -> Path:
    shutil.copytree(repository.folder, folder)
    return folder


def without_witnesses(note: bytes) -> bytes:
    return note.split(b"\n\xe2\x80\x94 w0")[0] + b"\n"


def flip(place: Path) -> bytes:
    data = place.read_bytes()
    place.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return data


def as_another_would_read_it(folder: Path, repository: Repository) -> None:
    log = Log(folder / "log", repository.log_key.verifier)
    assert fsck(log.folder, log.published().head).clean


@pytest.mark.parametrize("path", ["tile/entries", "tile/0", "checkpoint"])
def test_a_mirror_whose_log_is_wrong_is_left_for_the_next(
    repository: Repository, tmp_path: Path, path: str
) -> None:
    liar = liar_of(repository, tmp_path / "liar")
    place = liar / "log" / path
    for file in [place] if place.is_file() else place.rglob("*/*"):
        flip(file)
    done, left = copied_from(repository, tmp_path / "mirror", liar, repository.folder)
    assert (done.version, left) == (2, {"liar"})
    as_another_would_read_it(tmp_path / "mirror", repository)
    with pytest.raises(NotVouchedFor, match="the log"):
        copied_from(repository, tmp_path / "other", liar)


def test_a_checkpoint_without_the_quorum_is_left_for_the_next(
    repository: Repository, tmp_path: Path
) -> None:
    liar = liar_of(repository, tmp_path / "liar")
    place = liar / "log" / "checkpoint"
    place.write_bytes(without_witnesses(place.read_bytes()))
    _, left = copied_from(repository, tmp_path / "mirror", liar, repository.folder)
    assert left == {"liar"}
    with pytest.raises(NotVouchedFor, match="did not cosign"):
        copied_from(repository, tmp_path / "other", liar)


def test_proofs_without_their_witnesses_come_from_whoever_has_these(
    repository: Repository, tmp_path: Path
) -> None:
    liar = liar_of(repository, tmp_path / "liar")
    proofs = list((liar / "proofs").glob("*.tlog-proof"))
    for place in proofs:
        place.write_bytes(without_witnesses(place.read_bytes()))
    done, left = copied_from(repository, tmp_path / "mirror", liar, repository.folder)
    assert (done.unwitnessed, left) == (0, set())
    assert files_of(tmp_path / "mirror" / "proofs") == files_of(repository.folder / "proofs")
    done, _ = copied_from(repository, tmp_path / "other", liar)
    assert done.unwitnessed == len(proofs)


def test_what_is_damaged_in_a_mirror_is_fetched_again(
    repository: Repository, tmp_path: Path
) -> None:
    copied(repository, tmp_path / "mirror")
    tiles = [p for p in (tmp_path / "mirror" / "log" / "tile").rglob("*") if p.is_file()]
    whole = {place: flip(place) for place in tiles}
    assert {place.parts[-3] for place in tiles} == {"entries", "0"}
    copied(repository, tmp_path / "mirror")
    assert {place: place.read_bytes() for place in tiles} == whole


def test_full_tiles_are_healed_too_and_what_is_whole_is_not_fetched(
    repository: Repository, tmp_path: Path
) -> None:
    repository.log.append([b"x%d" % n for n in range(600)], repository.log_key)
    repository.cosign()
    copied(repository, tmp_path / "mirror")
    log = tmp_path / "mirror" / "log"
    whole = [flip(log / path) for path in ("tile/entries/000", "tile/0/001")]
    shutil.rmtree(repository.folder / "log/tile/entries/001", ignore_errors=True)
    (repository.folder / "log/tile/entries/001").unlink()
    copied(repository, tmp_path / "mirror")
    assert [(log / p).read_bytes() for p in ("tile/entries/000", "tile/0/001")] == whole


def test_a_split_view_is_kept_where_anybody_can_check_it(
    repository: Repository, tmp_path: Path
) -> None:
    fork = tmp_path / "fork"
    other = repository.copied(fork)
    repository.add(3)
    repository.publish_metadata()
    copied(repository, tmp_path / "mirror")
    for version in (4, 5):
        other.add(version)
    other.versions = dict(repository.versions)
    other.publish_metadata()
    before = files_of(tmp_path / "mirror" / "log")
    with pytest.raises(SplitLog, match="log evidence"):
        copied(other, tmp_path / "mirror")
    assert files_of(tmp_path / "mirror" / "log") == before
    (place,) = (tmp_path / "mirror" / OWN / "evidence").iterdir()
    check_evidence(place, [repository.log_key.verifier])


def test_a_damaged_checkpoint_is_said_and_not_begun_anew(
    repository: Repository, tmp_path: Path
) -> None:
    copied(repository, tmp_path / "mirror")
    (tmp_path / "mirror/log/checkpoint").write_bytes(b"")
    with pytest.raises(StateDamaged, match="how far this copy is"):
        copied(repository, tmp_path / "mirror")


def test_a_full_disk_is_no_lie_of_a_mirrors(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: object, _target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tocsin.transparency.log_files.os.replace", full)
        with pytest.raises(NoRoom):
            copied(repository, tmp_path / "mirror")
    assert copied(repository, tmp_path / "mirror").version == 2


@pytest.mark.parametrize("begun", [False, True])
def test_what_metadata_names_is_on_the_disk_before_it(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """Also what a run that was ended in between had put there already."""
    folder = tmp_path / "mirror"
    if begun:
        copied(repository, folder)
        shutil.rmtree(folder / "metadata")
    steps: list[str] = []
    real = (durable.sync_folder, durable.write_file)

    def synced(place: Path) -> None:
        steps.append(str(Path(place).relative_to(folder)) if Path(place) != tmp_path else "")
        real[0](place)

    def written(place: Path, data: bytes, **how: int) -> None:
        if OWN not in place.parts:
            steps.append(f"write {place.relative_to(folder)}")
        real[1](place, data, **how)

    monkeypatch.setattr("tocsin.updates.receive.copies.sync_folder", synced)
    monkeypatch.setattr(durable, "write_file", written)
    copied(repository, folder)
    first = next(n for n, step in enumerate(steps) if step.startswith("write metadata/"))
    assert {".", "targets", "targets/databases", "proofs", "log", "log/tile"} <= set(steps[:first])
    assert steps[-1] == "write metadata/timestamp.json"


def test_the_log_is_not_held_in_memory(repository: Repository, tmp_path: Path) -> None:
    entries = [n.to_bytes(4, "big") * 1000 for n in range(256 * 8)]
    repository.log.append(entries, repository.log_key)
    repository.cosign()
    copied(repository, tmp_path / "mirror")
    for place in (tmp_path / "mirror/log/tile/entries").iterdir():
        if place.is_file():
            place.unlink()
    tracemalloc.start()
    try:
        copied(repository, tmp_path / "mirror")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < sum(map(len, entries)) * 0.8  # a bundle of 1 MB is there several times over


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
