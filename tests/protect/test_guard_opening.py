"""The guard against a real kernel: what is refused, what is not, and what is never missed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from protect.guard_machine import Machine, eicar, mounted, needs_fanotify
from tocsin.settings import GuardSettings

pytestmark = needs_fanotify

SETTLED = 0.08
"""Seconds after which what was written may be remembered."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk") as place:
        yield place


def settings(*folders: Path, **more: object) -> GuardSettings:
    return GuardSettings(
        enabled=True,
        folders=tuple(str(folder) for folder in folders),
        **{"fallback": "deny", "deadline": 20.0, **more},  # type: ignore[arg-type]
    )


def opens(path: Path, flags: int = os.O_RDONLY, folder: int | None = None) -> bool:
    try:
        os.close(os.open(path, flags, dir_fd=folder))
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        return False
    return True


def unmounts(place: Path) -> bool:
    return subprocess.run(["umount", str(place)], check=False).returncode == 0


def refused(path: Path) -> None:
    assert not opens(path)


def refused_at_last(machine: Machine, path: Path) -> None:
    """The kernel's ignore mark does not end with what root stores through a mapping, but by the
    guard's hand as soon as it has heard that the file was closed."""
    machine.until(lambda: not opens(path))


def as_user(what: Callable[[], int]) -> int:
    """What a function gives in a process of an ordinary user."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            status = what()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_opening_executing_copying_and_mapping(disk: Path) -> None:
    folder = disk / "guarded"
    folder.mkdir()
    bad, good, program, bad_program = (folder / name for name in ("bad", "good", "true", "evil"))
    bad.write_bytes(eicar())
    good.write_bytes(b"nothing of interest\n" * 100)
    shutil.copy("/bin/true", program)
    bad_program.write_bytes(eicar())
    bad_program.chmod(0o755)
    (disk / "elsewhere").write_bytes(eicar())
    with Machine(settings(folder)) as machine:
        machine.start_host()
        assert not opens(bad)
        assert not opens(bad, os.O_RDWR)
        with pytest.raises(PermissionError), bad.open("rb") as file:
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        copied = subprocess.run(["cp", bad, disk / "copy"], capture_output=True, check=False)
        assert copied.returncode != 0
        assert not (disk / "copy").exists() or not (disk / "copy").stat().st_size
        with pytest.raises(PermissionError):
            subprocess.run([bad_program], check=False)
        assert good.read_bytes() == b"nothing of interest\n" * 100
        assert subprocess.run([program], check=False).returncode == 0
        assert opens(disk / "elsewhere")  # not guarded
        machine.until(lambda: machine.said(f"{bad}: "))
        event = next(event for event in machine.events if event.path == str(bad))
        assert event.action == "denied"
        assert event.verdict == "infected"
        assert event.pid == os.getpid()
        assert event.uid == 0
        assert event.program == os.readlink("/proc/self/exe")
        assert event.sha256
        machine.stop_guard()
    assert opens(bad)  # nobody guards it any more


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_change_is_never_missed(tmp_path: Path, kind: str) -> None:
    with mounted(tmp_path / "disk", kind) as disk, Machine(settings(disk)) as machine:
        machine.start_host()
        clean = b"clean".ljust(5000, b" ")
        bad = eicar().ljust(5000, b" ")

        def remembered(name: str, *, user: bool) -> Path:
            """A clean file that the guard need not look at again."""
            path = disk / name
            path.write_bytes(clean)
            if user:
                os.chown(path, 65534, 65534)
            time.sleep(SETTLED)
            assert opens(path)
            assert opens(path)
            return path

        for user in (False, True):
            who = "user" if user else "root"
            path = remembered(f"{who}-written", user=user)
            path.write_bytes(bad)
            assert not opens(path)

            path = remembered(f"{who}-replaced", user=user)
            (disk / "new").write_bytes(bad)
            os.rename(disk / "new", path)
            assert not opens(path)

            path = remembered(f"{who}-by-another-name", user=user)
            os.link(path, disk / f"{who}-link")
            assert opens(disk / f"{who}-link")
            (disk / f"{who}-link").write_bytes(bad)
            assert not opens(path)

            path = remembered(f"{who}-mapped", user=user)
            with path.open("r+b") as file:
                mapping = mmap.mmap(file.fileno(), 0)
            assert mapping[0] == clean[0]  # a page that is there already: a store is no fault
            mapping[: len(bad)] = bad
            mapping.close()
            refused_at_last(machine, path) if not user else refused(path)

            path = remembered(f"{who}-asynchronously", user=user)
            write_asynchronously(path, bad)
            refused_at_last(machine, path) if not user else refused(path)
        # ten files twice, one whose change time a link altered, one that a user opened to map;
        # three of a user's were opened to write only
        machine.until(lambda: machine.state.get("looks") == 22)
        assert machine.state["write_only"] == 3


def test_what_is_mapped_writable_is_looked_at_each_time(disk: Path) -> None:
    path = disk / "file"
    path.write_bytes(b"clean".ljust(5000, b" "))
    os.chown(path, 65534, 65534)
    time.sleep(SETTLED)
    with Machine(settings(disk)) as machine:
        machine.start_host()
        assert opens(path)
        with path.open("r+b") as file:
            mapping = mmap.mmap(file.fileno(), 0)
        assert mapping[0]
        assert opens(path)
        mapping[: len(eicar())] = eicar()  # no time changes on tmpfs, nothing is told
        assert not opens(path)
        mapping[: len(eicar())] = b" " * len(eicar())
        assert opens(path)
        mapping.close()


def test_what_cannot_be_read_may_be_opened(disk: Path) -> None:
    bad = disk / "bad"
    bad.write_bytes(eicar())
    with Machine(settings(disk)) as machine:
        machine.start_host()
        assert not opens(bad)
        assert not opens(bad, os.O_RDWR)
        assert not opens(bad, os.O_RDWR | os.O_APPEND)
        assert opens(bad, os.O_WRONLY)
        descriptor = os.open(bad, os.O_WRONLY)
        assert not opens(Path(f"/proc/self/fd/{descriptor}"))
        os.close(descriptor)
        assert not opens(bad)
        assert opens(bad, os.O_RDWR | os.O_TRUNC)
        assert bad.stat().st_size == 0


def test_blocks_exchanged_behind_a_file_are_noticed(tmp_path: Path) -> None:
    """What EXT4_IOC_MOVE_EXT does to a file changes no time of it and counts as no write."""
    with mounted(tmp_path / "disk", "ext4") as disk, Machine(settings(disk)) as machine:
        machine.start_host()
        for name in ("one", "other"):
            (disk / name).write_bytes(name.encode() * 4096)
            os.chown(disk / name, 65534, 65534)
        os.sync()
        time.sleep(SETTLED)
        assert opens(disk / "other")
        assert opens(disk / "other")
        machine.until(lambda: machine.state.get("remembered") == 1)
        before = (disk / "other").stat()
        one, other = (os.open(disk / name, os.O_RDWR) for name in ("one", "other"))
        argument = bytearray(struct.pack("=IIQQQQ", 0, other, 0, 0, 3, 0))
        fcntl.ioctl(one, 0xC028660F, argument)
        os.close(one)
        os.close(other)
        assert (disk / "other").stat().st_ctime_ns == before.st_ctime_ns
        looks = machine.state["looks"]
        assert opens(disk / "other")
        machine.until(lambda: machine.state["looks"] == looks + 3)
        assert machine.state["remembered"] == 1


def test_a_folder_is_guarded_whatever_way_leads_into_it(tmp_path: Path, disk: Path) -> None:
    folder = disk / "a" / "guarded"
    folder.mkdir(parents=True)
    (disk / "elsewhere").write_bytes(eicar())
    with (
        mounted(tmp_path / "other", "bind", str(folder)) as other,
        mounted(tmp_path / "above", "bind", str(disk / "a")) as above,
        Machine(settings(folder)) as machine,
    ):
        machine.start_host()
        (folder / "new").mkdir()
        bad = folder / "new" / "bad"
        bad.write_bytes(eicar())
        with mounted(folder / "beneath") as beneath:
            (beneath / "bad").write_bytes(eicar())
            machine.until(lambda: not opens(beneath / "bad"))
        assert not opens(bad)
        assert not opens(other / "new" / "bad")
        assert not opens(above / "guarded" / "new" / "bad")
        (folder / "link").symlink_to(bad)
        assert not opens(folder / "link")
        os.link(bad, disk / "by-another-name")
        for place in (folder, tmp_path / "hidden"):
            (tmp_path / "hidden").mkdir(exist_ok=True)
            script = f"mount --bind {folder} {tmp_path}/hidden && exec cat {place}/new/bad"
            done = subprocess.run(
                ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False
            )
            assert "not permitted" in done.stderr
        done = subprocess.run(
            ["unshare", "-m", "cat", disk / "elsewhere"], capture_output=True, check=False
        )
        assert done.stdout == eicar()


def test_the_same_of_mounts_and_file_systems(tmp_path: Path, disk: Path) -> None:
    (disk / "bad").write_bytes(eicar())
    with mounted(tmp_path / "other", "bind", str(disk)) as other:
        chosen = GuardSettings(enabled=True, mounts=(str(other),), fallback="deny")
        with Machine(chosen) as machine:
            machine.start_host()
            assert not opens(other / "bad")
            assert opens(disk / "bad")
        chosen = GuardSettings(enabled=True, file_systems=(str(other),), fallback="deny")
        with Machine(chosen) as machine:
            machine.start_host()
            assert not opens(other / "bad")
            assert not opens(disk / "bad")


def test_a_thousand_openings_of_one_file_are_one_look(disk: Path) -> None:
    for name, content in (("bad", eicar()), ("good", b"good" * 500_000)):
        (disk / name).write_bytes(content)
        os.chown(disk / name, 65534, 65534)
    time.sleep(SETTLED)
    with Machine(settings(disk), workers=1) as machine:
        with ThreadPoolExecutor(250) as pool:
            bad = [pool.submit(opens, disk / "bad") for _ in range(500)]
            good = [pool.submit(opens, disk / "good") for _ in range(500)]
            machine.until(lambda: machine.state.get("waiting", 0) >= 250)
            machine.start_host()
            assert not any(opening.result(30) for opening in bad)
            assert all(opening.result(30) for opening in good)
        machine.until(lambda: machine.state["events"] == 1000)
        assert machine.state["looks"] == 2
        assert machine.state["denied"] == 500


def test_workers_and_hosts_die_and_databases_change_meanwhile(disk: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker.hdb"
    marker.write_text("")
    late = tmp_path / "late.ndb"
    late.write_text("Late.Marker:0:*:" + b"late-marker-of-a-test".hex() + "\n")
    default = Path(__file__).parents[2] / "src" / "tocsin" / "data"
    for number in range(60):
        (disk / f"bad-{number}").write_bytes(b"%d" % number + b"\n" * 10)
        (disk / f"bad-{number}").write_bytes(eicar())
        (disk / f"good-{number}").write_bytes(b"good %d" % number)
        (disk / f"late-{number}").write_bytes(b"%d late-marker-of-a-test" % number)
    with Machine(settings(disk)) as machine:
        machine.start_host()
        assert opens(disk / "late-0")
        with ThreadPoolExecutor(40) as pool:
            bad = [pool.submit(opens, disk / f"bad-{n % 60}") for n in range(300)]
            good = [pool.submit(opens, disk / f"good-{n % 60}") for n in range(300)]
            for _ in range(3):
                worker = machine.a_worker()
                if worker:
                    os.kill(worker, signal.SIGKILL)
                machine.listen(0.05)
            os.kill(machine.host, signal.SIGKILL)
            machine.listen(0.05)
            machine.start_host()
            machine.listen(0.1)
            machine.hold()
            machine.start_host((default, late))
            after = [pool.submit(opens, disk / f"late-{n}") for n in range(60)]
            assert not any(opening.result(30) for opening in bad)
            assert all(opening.result(30) for opening in good)
            assert not any(opening.result(30) for opening in after)
        assert machine.state["timed_out"] == 0


@pytest.mark.parametrize("fallback", ["deny", "allow"])
def test_of_a_file_with_which_workers_end_the_fallback_decides(disk: Path, fallback: str) -> None:
    """Nothing was looked at: that is no verdict, whatever happens to what was looked at partly."""
    large = disk / "large"
    large.write_bytes(os.urandom(48 << 20))
    with Machine(settings(disk, fallback=fallback)) as machine, ThreadPoolExecutor(1) as pool:
        machine.start_host()
        opening = pool.submit(opens, large)
        while not opening.done():
            if worker := machine.a_worker():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            machine.listen(0.01)
        assert opening.result() == (fallback == "allow")
        assert machine.state["timed_out"] == 0


def test_without_an_engine_the_fallback_decides(disk: Path) -> None:
    for name in ("bad", "good"):
        (disk / name).write_bytes(eicar() if name == "bad" else b"good")
    with Machine(settings(disk, deadline=0.2)) as machine:
        assert not opens(disk / "good")
        machine.until(lambda: machine.said("no verdict in time"))
    with Machine(settings(disk, deadline=0.2, fallback="allow")) as machine:
        assert opens(disk / "bad")
        machine.start_host()  # what was allowed is looked at later
        machine.until(lambda: machine.said("it had been opened already"))
        assert not opens(disk / "bad")


def test_exclusions(disk: Path) -> None:
    (disk / "skip").mkdir()
    for place in (disk / "skip" / "bad", disk / "bad.iso", disk / "bad"):
        place.write_bytes(eicar())
        place.chmod(0o644)
    cat = shutil.copy("/bin/cat", "/var/tmp/tocsin-test-cat")
    chosen = settings(
        disk,
        exclude_paths=(str(disk / "skip"), "*.iso"),
        exclude_processes=(str(cat),),
        exclude_users=("65534", "no-such-user-here"),
    )
    try:
        with Machine(chosen) as machine:
            machine.start_host()
            assert opens(disk / "skip" / "bad")
            assert opens(disk / "bad.iso")
            assert not opens(disk / "bad")
            assert subprocess.run([cat, disk / "bad"], capture_output=True).stdout == eicar()
            folder = os.open(disk, os.O_PATH)
            assert as_user(lambda: 0 if opens(Path("bad"), folder=folder) else 1) == 0
            os.close(folder)
            machine.until(lambda: machine.said("no account 'no-such-user-here'"))
            # another program in its place, in a mount namespace of somebody's own
            script = f"mount --bind /bin/dd {cat} && exec {cat} if={disk}/bad"
            done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True)
            assert done.stdout == b""
    finally:
        os.unlink(cat)


def test_what_is_found_is_handed_over(disk: Path) -> None:
    bad = os.path.join(os.fsencode(disk), b"bad-\xff\n")
    with open(bad, "wb") as file:
        file.write(eicar())
    with Machine(settings(disk, on_infected="quarantine")) as machine:
        machine.start_host()
        with pytest.raises(PermissionError):
            open(bad, "rb").close()
        machine.until(lambda: bool(machine.findings))
        wish, descriptor = machine.findings[0]
        assert wish.path == bad
        assert os.path.sameopenfile(descriptor, os.open(bad, os.O_PATH))
        assert wish.report["verdict"] == "infected"
        assert os.pread(descriptor, 100, 0) == eicar()
        machine.until(lambda: machine.said("found"))


def test_large_and_incomplete_files(disk: Path) -> None:
    (disk / "large").write_bytes(b"x" * 5000)
    with Machine(settings(disk, max_file_size=4096, on_incomplete="deny")) as machine:
        machine.start_host()
        assert not opens(disk / "large")
        machine.until(lambda: machine.said("could not be looked at wholly"))
    with Machine(settings(disk, max_file_size=4096, on_incomplete="allow")) as machine:
        machine.start_host()
        assert opens(disk / "large")
        machine.until(lambda: machine.state.get("allowed") == 1)
        assert machine.state["looks"] == 0


def test_it_says_what_is_not_guarded_and_why(disk: Path) -> None:
    chosen = GuardSettings(
        enabled=True,
        folders=(str(disk / "later"), "/proc/self"),
        file_systems=("/sys",),
        fallback="deny",
    )
    with Machine(chosen) as machine:
        machine.start_host()
        machine.until(lambda: machine.said(f"{disk}/later (folder) is not guarded: No such file"))
        machine.until(lambda: machine.said("/sys (file system) is not guarded: "))
        assert not machine.state["active"]
        (disk / "later").mkdir()
        (disk / "later" / "bad").write_bytes(eicar())
        with mounted(disk / "anything"):  # it looks again at once when something is mounted
            machine.until(lambda: machine.said(f"{disk}/later (folder) is guarded"))
        assert not opens(disk / "later" / "bad")
        machine.until(lambda: bool(machine.state["active"]))


def test_a_file_system_in_the_place_of_another_is_another(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    folder = tmp_path / "disk" / "guarded"
    place.mkdir()
    images = []
    for name, content in (("one", b"clean".ljust(100)), ("two", eicar().ljust(100))):
        with mounted(tmp_path / name, "ext4") as made:
            (made / "guarded").mkdir()
            (made / "guarded" / "file").write_bytes(content)
        images.append(tmp_path / f"{name}.img")
    subprocess.run(["mount", "-o", "loop", str(images[0]), str(place)], check=True)
    try:
        time.sleep(SETTLED)
        with Machine(settings(folder)) as machine:
            machine.start_host()
            assert opens(folder / "file")
            machine.until(
                lambda: not subprocess.run(["umount", str(place)], check=False).returncode
            )
            machine.until(lambda: machine.said("is not guarded: No such file"))
            subprocess.run(["mount", "-o", "loop", str(images[1]), str(place)], check=True)
            machine.until(lambda: sum("is guarded" in e.message for e in machine.events) == 2)
            assert not opens(folder / "file")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_whoever_waits_is_let_go_when_the_guard_dies(disk: Path) -> None:
    (disk / "file").write_bytes(b"anything")
    with Machine(settings(disk)) as machine, ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(opens, disk / "file")
        machine.until(lambda: machine.state.get("waiting") == 1)
        os.kill(machine.guard, signal.SIGKILL)
        assert waiting.result(10)
    with Machine(settings(disk)) as machine, ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(opens, disk / "file")
        machine.until(lambda: machine.state.get("waiting") == 1)
        os.kill(machine.guard, signal.SIGTERM)
        assert not waiting.result(10)  # by the fallback


def write_asynchronously(path: Path, data: bytes) -> None:
    """Write by `io_submit`, which ends no ignore mark."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}.get(os.uname().machine)
    if numbers is None:
        path.write_bytes(data)
        return
    setup, destroy, get, submit = numbers
    context = ctypes.c_ulong(0)
    assert libc.syscall(setup, 1, ctypes.byref(context)) == 0
    descriptor = os.open(path, os.O_WRONLY)
    buffer = ctypes.create_string_buffer(data, len(data))
    address = ctypes.addressof(buffer)
    fields = (1, 0, 0, 1, 0, descriptor, address, len(data), 0, 0, 0, 0)
    control = ctypes.create_string_buffer(struct.pack("=QIiHhIQQqQII", *fields), 64)
    pointers = (ctypes.c_void_p * 1)(ctypes.addressof(control))
    assert libc.syscall(submit, context, ctypes.c_long(1), pointers) == 1
    result = ctypes.create_string_buffer(32)
    assert libc.syscall(get, context, ctypes.c_long(1), ctypes.c_long(1), result, None) == 1
    assert struct.unpack_from("=q", result, 16)[0] == len(data)
    os.close(descriptor)
    libc.syscall(destroy, context)
