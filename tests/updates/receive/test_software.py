"""Releases of the software on a device: side by side, tried out, switched, gone back from.

Whatever is done to a device, the release that was in use stays in use, and what happened is said.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from receive_samples import NOW, Repository
from software_samples import SoftwareDevice, add_release, make_wheels

from tocsin.app import software_test
from tocsin.app.update_test import SelfTestFailed
from tocsin.errors import TocsinError
from tocsin.updates.errors import WheelError
from tocsin.updates.layout import entry_path, proof_path, release_manifest_target, wheel_target
from tocsin.updates.receive.errors import (
    ActivationFailed,
    ContentRefused,
    MetadataExpired,
    MetadataRefused,
    NoRoom,
    NothingFits,
    NothingReached,
    NotVouchedFor,
    StateDamaged,
)
from tocsin.updates.statement import WheelEntry
from updates.wheel_samples import make_wheel


class Scene:
    """A publisher with release 1.0, which a device uses; everything may be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = Repository(folder / "repository")
        self.device = SoftwareDevice(folder / "device", self.repository)
        self.publish("1.0")

    def publish(self, version: str, *, fault: str = "", **how: object) -> list[Path]:
        wheels = make_wheels(self.folder / "wheels" / version, version, fault=fault)
        add_release(self.repository, version, wheels, **how)
        self.repository.publish_metadata()
        return wheels

    def stored(self, version: str, wheel: str) -> Path:
        return self.repository.stored(wheel_target(version, wheel))

    def refuses(self, kind: type[TocsinError], match: str, **how: object) -> None:
        """The device stays with 1.0, which still runs, and nothing is left over."""
        before = self.device.store.current()
        with pytest.raises(kind, match=match):
            self.device.install(**how)
        assert self.device.store.current() == before
        assert self.device.versions() == ["1.0"]
        assert self.device.says() == "hello 1.0"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("software"))
    scene.first = scene.device.install()  # type: ignore[attr-defined]
    return scene


@pytest.fixture
def scene(begun: Scene, tmp_path: Path) -> Scene:
    """The same, in folders of its own."""
    made = Scene.__new__(Scene)
    made.folder = tmp_path
    made.repository = begun.repository.copied(tmp_path / "repository")
    made.device = begun.device.copy_to(tmp_path / "device")
    made.device.mirrors = [str(made.repository.folder)]
    return made


# --- what is to happen --------------------------------------------------------------------


def test_a_release_is_installed_and_runs(begun: Scene) -> None:
    outcome, store = begun.first, begun.device.store  # type: ignore[attr-defined]
    assert outcome.changed
    assert outcome.wheels == 2
    assert begun.device.says() == "hello 1.0"
    folder = store.place(store.current())
    release = store.release(store.current())
    assert release.version == "1.0"
    assert list(release.wheels) == ["helper-1.0-py3-none-any.whl", "tocsin-1.0-py3-none-any.whl"]
    assert os.readlink(begun.device.prefix / "current") == f"versions/{store.current()}"
    assert (folder / "share/doc/tocsin/README").read_text() == "read me\n"
    assert outcome.vouching is not None
    assert outcome.vouching.stands
    assert not any((begun.device.folder / "partial").iterdir())


def test_nothing_in_it_could_ask_a_registry(begun: Scene) -> None:
    folder = begun.device.store.place(begun.device.store.current())
    done = subprocess.run([folder / "bin/python", "-m", "pip"], capture_output=True, text=True)
    assert "No module named pip" in done.stderr


def test_compiled_files_and_scripts_know_the_place_they_are_in(begun: Scene) -> None:
    folder = begun.device.store.place(begun.device.store.current())
    script = (folder / "bin/tocsin").read_text()
    assert script.startswith(f"#!{folder}/bin/python\n")
    (compiled,) = folder.glob("lib/python3*/site-packages/tocsin/__pycache__/__main__*.pyc")
    assert str(folder).encode() in compiled.read_bytes()
    assert b".half" not in compiled.read_bytes()


def test_others_may_run_it_whatever_the_umask(begun: Scene) -> None:
    for place in begun.device.prefix.rglob("*"):
        if not place.is_symlink() and place.name != "lock":
            mode = place.stat().st_mode
            assert mode & stat.S_IROTH, place
            assert not mode & (stat.S_IWGRP | stat.S_IWOTH), place


def test_a_later_one_is_switched_to_and_gone_back_from(scene: Scene) -> None:
    device = scene.device
    assert not device.install().changed
    scene.publish("1.1")
    assert device.install(check_only=True).available == "1.1"
    assert device.says() == "hello 1.0"
    assert device.install().now.startswith("1.1-")
    assert device.says() == "hello 1.1"
    with device.store.locked():
        device.store.switch(device.store.previous()[0])
    assert device.says() == "hello 1.0"
    assert device.versions() == ["1.0", "1.1"]
    outcome = device.install()  # not the same again: somebody went back from it
    assert not outcome.changed
    assert outcome.why == "went back from version 1.1; waiting for a later one"
    scene.publish("1.2")
    assert device.install().changed
    assert device.versions() == ["1.2", "1.0", "1.1"]


def test_two_before_are_kept(scene: Scene) -> None:
    for number in range(1, 4):
        scene.publish(f"1.{number}")
        assert scene.device.install().changed
    assert scene.device.versions() == ["1.3", "1.2", "1.1"]


def test_a_release_that_a_process_runs_is_not_removed(scene: Scene, monkeypatch) -> None:
    device = scene.device
    for number in range(1, 3):
        scene.publish(f"1.{number}")
        device.install()
    # A process that has something of the release mapped, as one that loaded its libraries has.
    library = device.store.place(device.store.kept()[-1]) / "library.so"
    shutil.copyfile("/bin/ls", library)
    library.chmod(0o755)
    with subprocess.Popen([library, "-R", "/proc/self/fd"], stdout=subprocess.PIPE) as _:
        pass
    shutil.copyfile("/bin/sleep", library)
    process = subprocess.Popen([library, "60"])
    try:
        scene.publish("1.3")
        device.install(prune=False)
        with device.store.locked():
            assert [name[:3] for name in device.store.prune()] == ["1.0"]
    finally:
        process.kill()
        process.wait()
    with device.store.locked():
        assert device.store.prune() == []
    assert device.versions() == ["1.3", "1.2", "1.1"]


def test_channel_and_ring_decide_when(scene: Scene) -> None:
    scene.publish("1.1", at=NOW + timedelta(hours=2))
    outcome = scene.device.install(at=NOW + timedelta(hours=1))
    assert (outcome.changed, outcome.waiting) == (False, "1.1")
    assert "reaches this device on" in outcome.why
    assert scene.device.install(at=NOW + timedelta(hours=2)).changed


def test_a_release_for_other_machines_is_passed_over(scene: Scene) -> None:
    scene.publish("1.1")
    folder = scene.folder / "other"
    folder.mkdir()
    wheel = make_wheel(folder, "tocsin", "1.2", tag="cp399-cp399-manylinux_2_17_x86_64")
    add_release(scene.repository, "1.2", [wheel])
    scene.repository.publish_metadata()
    outcome = scene.device.install()
    assert outcome.now.startswith("1.1-")
    assert "no wheel of tocsin" in outcome.passed_over["1.2"]


def test_one_that_fits_nowhere_is_said(scene: Scene) -> None:
    folder = scene.folder / "other"
    folder.mkdir()
    wheel = make_wheel(folder, "tocsin", "1.2", tag="cp399-cp399-manylinux_2_17_x86_64")
    add_release(scene.repository, "1.2", [wheel])
    scene.repository.publish_metadata()
    scene.refuses(NothingFits, "1.2 has no wheel of tocsin for .*1.0 stays in use")


def test_a_download_that_was_cut_off_goes_on(scene: Scene) -> None:
    (wheel, _) = scene.publish("1.1")
    data = wheel.read_bytes()
    from hashlib import sha256

    scene.device.state.partial(sha256(data).hexdigest()).write_bytes(data[:300])
    outcome = scene.device.install()
    step = next(step for step in outcome.steps if step.name == "wheels")
    assert step.bytes == wheel.stat().st_size - 300


@pytest.mark.parametrize("damage", ["", "flip", "cut", "grow"])
def test_a_wheel_that_is_here_is_not_fetched_again(scene: Scene, damage: str) -> None:
    """Only if it still is what was signed; another release has the same helper."""
    (own, helper) = scene.publish("1.1")
    held = scene.device.store.wheels
    kept = next(each for each in held.iterdir() if each.read_bytes() == helper.read_bytes())
    data = bytearray(kept.read_bytes())
    if damage == "flip":
        data[50] ^= 1
    elif damage:
        data = data[:-9] if damage == "cut" else data + b"more"
    kept.write_bytes(data)
    outcome = scene.device.install()
    step = next(step for step in outcome.steps if step.name == "wheels")
    again = {"": 0, "flip": len(data), "cut": 9, "grow": len(data) - 4}[damage]
    assert step.bytes == own.stat().st_size + again
    assert scene.device.says() == "hello 1.1"
    assert helper.read_bytes() in [each.read_bytes() for each in held.iterdir()]


def test_wheels_of_releases_that_are_gone_go(scene: Scene) -> None:
    for number in range(1, 4):
        scene.publish(f"1.{number}")
        scene.device.install()
    assert len(list(scene.device.store.wheels.iterdir())) == 4  # three programs, one helper


def test_a_folder_of_something_else_is_not_touched(scene: Scene, tmp_path: Path) -> None:
    scene.device.prefix = tmp_path / "home"
    scene.device.prefix.mkdir()
    (scene.device.prefix / ".profile").write_text("mine")
    with pytest.raises(StateDamaged, match="used for something else"):
        scene.device.install()
    assert os.listdir(scene.device.prefix) == [".profile"]


# --- attacks and mishaps ------------------------------------------------------------------


def tampered(scene: Scene) -> None:
    place = scene.stored("1.1", "tocsin-1.1-py3-none-any.whl")
    data = bytearray(place.read_bytes())
    data[100] ^= 1
    place.write_bytes(data)


def missing_file(scene: Scene) -> None:
    scene.stored("1.1", "tocsin-1.1-py3-none-any.whl").unlink()


def endless(scene: Scene) -> None:
    place = scene.stored("1.1", "tocsin-1.1-py3-none-any.whl")
    place.write_bytes(place.read_bytes() + b"\0" * 10_000_000)


def unlogged(scene: Scene) -> None:
    _without(scene, entry_path)


def unproven(scene: Scene) -> None:
    _without(scene, proof_path)


def _without(scene: Scene, path: Callable[[str], str]) -> None:
    target = scene.repository.targets.signed.targets[release_manifest_target("1.1")]
    sha256 = target.unrecognized_fields["custom"]["sha256"]
    (scene.repository.folder / path(sha256)).unlink()


def old_metadata(scene: Scene) -> None:
    scene.device.install(check_only=True)
    scene.repository.versions = dict.fromkeys(scene.repository.versions, 0)
    scene.repository.publish_metadata()


@pytest.mark.parametrize(
    ("attack", "kind", "match"),
    [
        (tampered, ContentRefused, "gave something else than was signed"),
        (missing_file, NothingReached, "tocsin-1.1"),
        (endless, NothingReached, "more bytes than were signed"),
        (unlogged, NotVouchedFor, "never announced"),
        (unproven, NotVouchedFor, "no proof that the entry is logged"),
        (old_metadata, MetadataRefused, "version"),
    ],
)
def test_a_mirror_that_lies(
    scene: Scene, attack: Callable[[Scene], None], kind: type[TocsinError], match: str
) -> None:
    scene.publish("1.1")
    attack(scene)
    scene.refuses(kind, match)


def test_one_lying_mirror_does_not_keep_the_release_away(scene: Scene) -> None:
    scene.publish("1.1")
    honest = scene.folder / "honest"
    shutil.copytree(scene.repository.folder, honest)
    tampered(scene)
    scene.device.mirrors.append(str(honest))
    outcome = scene.device.install()
    assert scene.device.says() == "hello 1.1"
    (reason,) = outcome.failures.values()
    assert "gave something else than was signed" in reason


def test_too_few_witnesses(scene: Scene) -> None:
    scene.publish("1.1", witnesses=slice(0, 1))
    scene.refuses(NotVouchedFor, "witnesses")


def test_metadata_and_log_that_mean_different_wheels(scene: Scene) -> None:
    """Whoever has the keys of TUF alone cannot put another file under a logged release."""
    named = [
        WheelEntry("helper-1.0-py3-none-any.whl", "0" * 64, 10),
        WheelEntry("tocsin-1.1-py3-none-any.whl", "1" * 64, 10),
    ]
    scene.publish("1.1", named=named)
    scene.refuses(ContentRefused, "mean different files")


def test_a_wheel_that_only_the_log_names(scene: Scene) -> None:
    named = [
        WheelEntry("helper-1.9-py3-none-any.whl", "0" * 64, 10),
        WheelEntry("tocsin-1.1-py3-none-any.whl", "1" * 64, 10),
    ]
    scene.publish("1.1", named=named)
    scene.refuses(ContentRefused, "the metadata does not offer it")


def test_dependency_confusion_is_refused(scene: Scene, tmp_path: Path) -> None:
    """What is missing in the release is not looked for anywhere else."""
    wheels = make_wheels(tmp_path / "wheels", "1.1")[:1]
    add_release(scene.repository, "1.1", wheels)
    scene.repository.publish_metadata()
    scene.refuses(WheelError, "there is no wheel of helper .tocsin-1.1-py3-none-any.whl needs it")


@pytest.mark.parametrize(
    "path",
    [
        "../../../../evil.py",
        "/tmp/evil.py",
        "helper/../../evil.py",
        "helper-1.0.data/scripts/../../../evil",
        "a\\..\\evil.py",
    ],
)
def test_a_wheel_that_reaches_out_of_its_folder(scene: Scene, tmp_path: Path, path: str) -> None:
    (tmp_path / "wheels").mkdir()
    own = make_wheels(tmp_path / "wheels", "1.1")[0]
    evil = make_wheel(tmp_path / "wheels", "helper", "1.0", files={path: "evil"})
    add_release(scene.repository, "1.1", [own, evil])
    scene.repository.publish_metadata()
    scene.refuses(WheelError, "is no path inside of a wheel")
    assert not list(tmp_path.rglob("evil*"))


def test_a_wheel_that_would_replace_the_interpreter(scene: Scene, tmp_path: Path) -> None:
    own = make_wheels(tmp_path / "wheels", "1.1")[0]
    files = {"helper-1.0.data/data/bin/python": "#!/bin/sh\n"}
    evil = make_wheel(tmp_path / "wheels", "helper", "1.0", files=files)
    add_release(scene.repository, "1.1", [own, evil])
    scene.repository.publish_metadata()
    scene.refuses(WheelError, "it would replace a file")


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ("crash", "ended by signal 11"),
        ("lie", "ended with 0: tocsin, version 9.9, and it is to be 1.1"),
        ("flags", "it says Found.It of /bin/ls"),
        ("blind", "a sample that must be found ended with 0"),
    ],
)
def test_a_release_that_does_not_do(scene: Scene, fault: str, match: str) -> None:
    scene.publish("1.1", fault=fault)
    scene.refuses(ActivationFailed, match)
    outcome = scene.device.install()  # it is not fetched again and again
    assert outcome.why == "version 1.1 did not pass its test here"
    scene.refuses(ActivationFailed, match, again=True)
    scene.publish("1.2")
    assert scene.device.install().changed


def test_a_release_that_hangs(scene: Scene) -> None:
    scene.device.longest = 1.0
    scene.publish("1.1", fault="hang")
    scene.refuses(ActivationFailed, "was not done after 1 s")


def test_a_release_that_does_not_take_the_settings(scene: Scene, tmp_path: Path) -> None:
    scene.device.settings_file = tmp_path / "tocsin.toml"
    scene.device.settings_file.write_text("[scan]\njobs = 2\n")
    scene.publish("1.1", fault="config")
    scene.refuses(ActivationFailed, r"does not take the settings .*\[scan\] jobs: not any more")


def test_settings_that_are_wrong_already_are_no_reason(scene: Scene, tmp_path: Path) -> None:
    scene.device.settings_file = tmp_path / "tocsin.toml"
    scene.device.settings_file.write_text("[scan]\njobs = 'many'\n")
    scene.publish("1.1", fault="config")
    assert scene.device.install().changed


def test_an_older_release_is_not_taken(scene: Scene) -> None:
    scene.publish("0.9")
    outcome = scene.device.install()
    assert (outcome.changed, outcome.why) == (False, "version 1.0 is the newest")


def test_a_program_that_is_newer_than_the_release_keeps_it_out(scene: Scene) -> None:
    scene.device.prefix = scene.folder / "elsewhere"
    scene.device.running = "2.0"
    assert scene.device.install().why == "version 2.0 is the newest"
    assert scene.device.install(check_only=True).why == "version 2.0 is the newest"
    scene.device.running = "1.0"  # the same version, moved to where releases are side by side
    looked = scene.device.install(check_only=True)
    assert (looked.available, looked.changed) == ("1.0", False)
    assert "where there is no release yet" in looked.why
    assert scene.device.install().changed


def test_expired_metadata_stops_the_update_only(scene: Scene) -> None:
    scene.publish("1.1")
    later = NOW + timedelta(days=40)
    scene.refuses(MetadataExpired, "tocsin 1.0 stays in use, and scanning goes on", at=later)


def test_a_full_disk(scene: Scene, tmp_path: Path) -> None:
    """The wheels fit, the environment does not: a small file system, really full."""
    (tmp_path / "wheels").mkdir()
    own = make_wheels(tmp_path / "wheels", "1.1")[0]
    files = {"helper.py": "WORD = 'hello'\n", "helper.dat": b"\0" * 2_000_000}
    helper = make_wheel(tmp_path / "wheels", "helper", "1.0", files=files)
    add_release(scene.repository, "1.1", [own, helper])
    scene.repository.publish_metadata()
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1500k,mode=755", "tmpfs", small]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    try:
        scene.device = scene.device.copy_to(small)
        scene.refuses(NoRoom, "No space left")
        subprocess.run(["mount", "-o", "remount,size=9000k", small], check=True)
        assert scene.device.install().changed
    finally:
        subprocess.run(["umount", "-l", small], check=True)


# --- the confined test run ----------------------------------------------------------------


def test_an_update_that_is_killed_leaves_no_process_and_nothing_that_stays(scene: Scene) -> None:
    device = scene.device
    scene.publish("1.1", fault="hang")
    device.longest = 60.0
    child = os.fork()
    if not child:  # an update of its own, which ends in no other way
        with suppress(BaseException):
            device.install()
        os._exit(0)
    versions = device.prefix / "versions"
    try:
        wait_until(lambda: list(versions.glob(".room.*")) and processes_of(versions))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    wait_until(lambda: not processes_of(versions))
    assert len(list(versions.glob(".*"))) == 2  # half a release, and the folders it was tried in
    with device.store.locked():
        assert device.versions() == ["1.0"]


def processes_of(folder: Path) -> list[int]:
    """Processes that were started with a program in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(os.fsencode(folder)):
                found.append(int(process.name))
    return found


def wait_until(is_so: Callable[[], object], longest: float = 20.0) -> None:
    until = time.monotonic() + longest
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_is_tried_out_reaches_no_network(begun: Scene) -> None:
    folder = begun.device.store.place(begun.device.store.current())
    with socket.create_server(("127.0.0.1", 0)) as server, software_test._room(folder) as room:
        port = str(server.getsockname()[1])
        command = [folder / "bin/python", "-I", "-m", "tocsin", "reach", port]
        assert subprocess.run(command).returncode == 0  # by itself it does
        done = software_test._run(folder, room, ["reach", port], 20)
    if b"Network is unreachable" not in done.stderr:
        if os.geteuid():
            pytest.skip("the kernel grants no namespaces to users here")
        pytest.fail(f"it reached the network: {done.stderr!r}")


def test_what_is_tried_out_has_no_rights_of_roots(begun: Scene, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("not root")
    folder = begun.device.store.place(begun.device.store.current())
    with software_test._room(folder) as room:
        aim = tmp_path / "written"
        code = f"open({str(aim)!r}, 'w')"
        environment = shutil.copytree(folder, tmp_path / "environment", symlinks=True)
        (package,) = environment.glob("lib/python3*/site-packages/tocsin")
        (package / "__main__.py").write_text(
            "import os, sys\n"
            "print(open('/proc/self/status').read())\n"
            f"open(os.environ['HOME'] + '/may', 'w').write('yes')\n{code}\n"
        )
        done = software_test._run(environment, room, ["x"], 20)
    assert done.returncode == 1
    assert b"Read-only file system" in done.stderr or b"Permission denied" in done.stderr
    assert b"CapEff:\t0000000000000000" in done.stdout
    assert not aim.exists()


def test_a_settings_file_with_secrets_is_handed_to_nobody(scene: Scene, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("not root")
    scene.device.settings_file = tmp_path / "tocsin.toml"
    scene.device.settings_file.write_text("[scan]\njobs = 2\n")
    scene.device.settings_file.chmod(0o600)
    scene.publish("1.1", fault="config")
    assert scene.device.install().changed


def test_the_word_of_a_release_is_bounded(begun: Scene) -> None:
    folder = begun.device.store.place(begun.device.store.current())
    with pytest.raises(SelfTestFailed, match="'tocsin --version' ended with 0"):
        software_test.try_out_software(folder, "7.7", None)
