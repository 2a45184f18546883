"""Who owns the folder gains nothing: swaps, links and races around taking and putting back."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from quarantine_samples import EMPTY, FINDING, ROOT, left_in, make_sample, seen

from tocsin.protect.quarantine import removal, restore, safe_open
from tocsin.protect.quarantine.errors import IdentityChanged, NotRestored, NotTaken
from tocsin.protect.quarantine.identity import FileIdentity
from tocsin.protect.quarantine.recovery import recover
from tocsin.protect.quarantine.vault import Vault
from tocsin.sandbox import syscalls

ROUNDS = 60


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault(tmp_path / "vault") as vault:
        yield vault


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that an attacker owns, with what was found in it."""
    place = tmp_path / "place"
    place.mkdir()
    make_sample(place / "bad")
    return place


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder that is not the attacker's, with a file of the same name."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "bad").write_bytes(b"like /etc/shadow")
    os.chmod(folder / "bad", 0o600)
    return folder


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Have something done over and over by a thread."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            with suppress(OSError):
                work()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# --- opening --------------------------------------------------------------------------------


@pytest.fixture(params=["openat2", "walk"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the kernel's own call, and as on a kernel without it."""
    if request.param == "walk":
        call = syscalls.call

        def without(name: str, *arguments: Any) -> int:
            if name == "openat2":
                raise OSError(errno.ENOSYS, "not here")
            return call(name, *arguments)

        monkeypatch.setattr(syscalls, "call", without)


@pytest.mark.usefixtures("both_ways")
def test_no_link_in_a_path_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "a" / "b" / "c"
    real.mkdir(parents=True)
    descriptor = safe_open.open_folder(os.fsencode(real))
    assert os.path.samestat(os.fstat(descriptor), real.stat())
    assert os.listdir(descriptor) == []
    os.close(descriptor)
    (tmp_path / "l").symlink_to("a")
    (tmp_path / "a" / "m").symlink_to(real)
    os.symlink("..", real / "up")
    for path in ("l", "l/b", "l/b/c", "a/m", "a/b/c/up", "a/b/c/up/c"):
        with pytest.raises(OSError) as caught:
            safe_open.open_folder(os.fsencode(tmp_path / path))
        assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    with pytest.raises(OSError):
        safe_open.open_folder(b"/proc/self/cwd")
    os.close(safe_open.open_folder(b"/"))


@pytest.mark.usefixtures("both_ways")
def test_a_folder_replaced_by_a_link(vault: Vault, place: Path, precious: Path) -> None:
    identity = FileIdentity.of((place / "bad").stat())
    place.rename(place.with_name("moved"))
    place.symlink_to(precious)
    with pytest.raises(NotTaken, match=r"link|directory"):
        vault.take(place / "bad", expected=identity, finding=FINDING)
    assert (precious / "bad").read_bytes() == b"like /etc/shadow"
    assert left_in(vault.folder) == EMPTY


def test_a_file_replaced_by_a_link(vault: Vault, place: Path, precious: Path) -> None:
    identity = FileIdentity.of((place / "bad").stat())
    (place / "bad").unlink()
    (place / "bad").symlink_to(precious / "bad")
    for expected in (identity, None):
        with pytest.raises(NotTaken, match="this is a link"):
            vault.take(place / "bad", expected=expected, finding=FINDING)
    assert (precious / "bad").exists()


def test_a_file_replaced_by_a_hard_link(vault: Vault, place: Path, precious: Path) -> None:
    status = (place / "bad").stat()
    identity = FileIdentity.of(status, seen(place / "bad")["digest"])
    (place / "bad").unlink()
    os.link(precious / "bad", place / "bad")
    with pytest.raises(IdentityChanged):
        vault.take(place / "bad", expected=identity, finding=FINDING)
    assert (precious / "bad").stat().st_nlink == 2
    assert left_in(vault.folder) == EMPTY


# --- between comparing and removing -----------------------------------------------------------


def swap_at(monkeypatch: pytest.MonkeyPatch, call: str, swap: Callable[[], None]) -> None:
    """Do something in the very instant before a call of the removal."""
    real = getattr(removal, call)

    def swapped(*arguments: Any) -> Any:
        monkeypatch.setattr(removal, call, real)
        swap()
        return real(*arguments)

    monkeypatch.setattr(removal, call, swapped)


@pytest.mark.parametrize("what", ["file", "link", "folder", "nothing"])
def test_what_is_put_in_its_place_in_the_last_instant_stays(
    vault: Vault, place: Path, precious: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    bad = place / "bad"

    def swap() -> None:
        bad.rename(place / "hidden")
        if what == "file":
            os.link(precious / "bad", bad)
        elif what == "link":
            bad.symlink_to(precious / "bad")
        elif what == "folder":
            bad.mkdir()

    swap_at(monkeypatch, "rename_new", swap)
    with pytest.raises(IdentityChanged):
        vault.take(bad, finding=FINDING)
    assert (precious / "bad").read_bytes() == b"like /etc/shadow"
    assert (place / "hidden").exists()
    if what != "nothing":
        assert os.path.lexists(bad)  # it has its name again
    if what == "file":
        assert os.path.samefile(bad, precious / "bad")
    assert sorted(os.listdir(place)) == sorted({"hidden", *(["bad"] if what != "nothing" else [])})
    assert left_in(vault.folder) == EMPTY


def test_what_cannot_have_its_name_again_is_named(
    vault: Vault, place: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = place / "bad"
    swap_at(monkeypatch, "rename_new", lambda: os.replace(precious / "bad", bad))
    swap_at(monkeypatch, "_rename_back", lambda: bad.write_bytes(b"taken again"))
    with pytest.raises(NotTaken, match=r"now called \.tocsin-"):
        vault.take(bad, finding=FINDING)
    (kept,) = place.glob(".tocsin-*")
    assert kept.read_bytes() == b"like /etc/shadow"
    assert bad.read_bytes() == b"taken again"


def test_a_write_while_it_is_read_is_seen(
    vault: Vault, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = place / "bad"

    def write(*_arguments: object) -> None:
        with open(bad, "r+b") as file:
            file.write(b"benign now")

    monkeypatch.setattr("tocsin.protect.quarantine.take.read_metadata", spying(write))
    with pytest.raises(IdentityChanged, match="written"):
        vault.take(bad, finding=FINDING)
    assert bad.read_bytes().startswith(b"benign now")
    assert left_in(vault.folder) == EMPTY


def spying(work: Callable[..., None]) -> Callable[..., Any]:
    from tocsin.protect.quarantine.file_metadata import read_metadata

    def both(*arguments: Any) -> Any:
        work(*arguments)
        return read_metadata(*arguments)

    return both


def test_an_attacker_who_swaps_all_the_time(vault: Vault, place: Path, precious: Path) -> None:
    """The name changes between what is bad, a link, a hard link and another file, for ever."""
    bad = place / "bad"
    content = seen(bad, times=False)["digest"]
    spare = place / "spare"

    def attack() -> None:
        for make in (
            lambda: os.link(precious / "bad", spare),
            lambda: spare.symlink_to(precious / "bad"),
            lambda: make_sample(spare),
        ):
            make()
            os.rename(spare, bad)

    taken = refused = 0
    with meanwhile(attack):
        for _ in range(ROUNDS):
            with suppress(OSError):
                identity = FileIdentity.of(os.lstat(bad), content)
                try:
                    record = vault.take(bad, expected=identity, finding=FINDING)
                except NotTaken:
                    refused += 1
                else:
                    taken += 1
                    assert record.sha256 == content
                    vault.delete(record.id)
    assert (precious / "bad").read_bytes() == b"like /etc/shadow"
    assert left_in(vault.folder) == EMPTY
    assert taken + refused


def test_an_attacker_who_swaps_the_folder_all_the_time(
    vault: Vault, place: Path, precious: Path
) -> None:
    os.link(place / "bad", precious / "also bad")  # so that the identity alone does not tell
    os.rename(precious / "bad", precious / "kept")
    os.link(place / "bad", precious / "bad")
    aside, link = place.with_name("aside"), place.with_name("link")
    link.symlink_to(precious)

    def attack() -> None:
        os.rename(place, aside)
        os.rename(link, place)
        os.rename(place, link)
        os.rename(aside, place)

    identity = FileIdentity.of((precious / "bad").stat(), seen(precious / "bad")["digest"])
    with meanwhile(attack):
        for _ in range(ROUNDS):
            with suppress(NotTaken):
                vault.delete(vault.take(place / "bad", expected=identity, finding=FINDING).id)
                with suppress(OSError):
                    folder = place if not place.is_symlink() else aside
                    os.link(precious / "bad", folder / "bad")
            assert (precious / "bad").exists()
            assert (precious / "also bad").exists()


# --- putting back -----------------------------------------------------------------------------


def test_links_in_the_way_of_putting_back(vault: Vault, place: Path, precious: Path) -> None:
    record = vault.take(place / "bad", finding=FINDING)
    (precious / "bad").unlink()
    place.rmdir()
    place.symlink_to(precious)
    with pytest.raises(NotRestored, match="link"):
        vault.restore(record.id)
    assert os.listdir(precious) == []
    place.unlink()
    place.mkdir()
    (place / "bad").symlink_to(precious / "bad")
    with pytest.raises(NotRestored, match="already"):
        vault.restore(record.id)
    assert os.listdir(precious) == []


def test_a_temporary_name_that_is_swapped(
    vault: Vault, place: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file system needs one: what stands there in the end is not taken for the file."""
    record = vault.take(place / "bad", finding=FINDING)
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: path != "/proc/self/fd" and exists(path))
    real = restore.rename_new

    def swapped(folder: int, old: bytes, new: bytes) -> None:
        path = place / os.fsdecode(old)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.unlink()
        os.link(precious / "bad", path)
        real(folder, old, new)

    monkeypatch.setattr(restore, "rename_new", swapped)
    was = (precious / "bad").stat()
    with pytest.raises(NotRestored, match="still in the vault"):
        vault.restore(record.id)
    now = (precious / "bad").stat()
    assert (now.st_mode, now.st_uid, now.st_mtime_ns) == (was.st_mode, was.st_uid, was.st_mtime_ns)
    assert vault.records() == [record]
    monkeypatch.undo()
    vault.restore(record.id, place / "new")
    assert vault.recovered[-1].what.endswith("still in the vault")


def test_an_attacker_while_files_are_put_back(vault: Vault, place: Path, precious: Path) -> None:
    bad = place / "bad"
    was = seen(bad)
    (precious / "bad").unlink()
    target = precious / "victim"
    target.write_bytes(b"do not touch")
    before = target.stat()
    aside, link = place.with_name("aside"), place.with_name("link")
    link.symlink_to(precious)

    def attack() -> None:
        os.rename(place, aside)
        os.rename(link, place)
        for name in os.listdir(aside):  # whatever shows up is replaced by a link
            if name.startswith(".tocsin"):
                os.unlink(aside / name)
                os.symlink(target, aside / name)
        os.rename(place, link)
        os.rename(aside, place)

    number = vault.take(bad, finding=FINDING).id
    with meanwhile(attack):
        for _ in range(ROUNDS):
            with suppress(NotRestored):
                vault.restore(number)
                for folder in (aside, place):
                    with suppress(NotTaken, OSError):
                        number = vault.take(folder / "bad", finding=FINDING).id
                        break
                else:
                    break
    assert os.listdir(precious) == ["victim"]
    now = target.stat()
    assert (now.st_mode, now.st_uid, now.st_ctime_ns) == (
        before.st_mode,
        before.st_uid,
        before.st_ctime_ns,
    )
    for folder in (place, aside):
        if (folder / "bad").exists():
            assert seen(folder / "bad") == was


def test_a_link_taken_away_while_it_is_followed(
    vault: Vault, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = vault.take(place / "bad", finding=FINDING).id

    def gone(path: bytes) -> bytes:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    with monkeypatch.context() as patch:
        patch.setattr(os.path, "realpath", gone)
        with pytest.raises(NotRestored, match="try again"):
            vault.restore(number)
    assert vault.restore(number) == place / "bad"


def test_recovery_follows_no_links(vault: Vault, place: Path, precious: Path) -> None:
    """What was interrupted is not finished on whatever stands there by then."""
    bad = place / "bad"

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(removal, "_rename_and_remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            vault.take(bad, finding=FINDING)
    bad.unlink()
    os.link(precious / "bad", bad)
    (number,) = (number for number, kind in vault._store.unfinished() if kind == "taking")
    os.link(precious / "bad", place / f".tocsin-{number}")
    place.rename(place.with_name("moved"))
    place.symlink_to(precious)
    (recovered,) = recover(vault._store)
    assert "could not be looked" in recovered.what
    assert (precious / "bad").stat().st_nlink == 3
    assert [record.id for record in vault.records()] == [number]


def test_recovery_leaves_what_is_another_file(vault: Vault, place: Path, precious: Path) -> None:
    bad = place / "bad"

    def renamed_only(folder: int, name: bytes, *rest: Any) -> None:
        os.rename(bad, place / "hidden")
        os.link(precious / "bad", bad)
        safe_open.rename_new(folder, name, rest[-1])
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(removal, "_rename_and_remove", renamed_only)
        with pytest.raises(KeyboardInterrupt):
            vault.take(bad, finding=FINDING)
    assert not bad.exists()
    (recovered,) = recover(vault._store)
    assert "not there any more" in recovered.what
    assert os.path.samefile(bad, precious / "bad")  # it has its name again


# --- users --------------------------------------------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_user(uid: int, work: Callable[[], None]) -> None:
    """Do something as another user, in a child."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.skipif(not ROOT, reason="only root may become another user")
def test_a_user_and_their_own_vault(vault: Vault, shared: Path) -> None:
    home = shared / "home"
    home.mkdir()
    os.chown(home, 4321, 4321)
    theirs = shared / "theirs"
    make_sample(theirs)
    os.chmod(theirs, 0o644)
    make_sample(home / "owned by root")
    os.chmod(home / "owned by root", 0o4755)

    def work() -> None:
        with Vault(home / "vault") as own:
            make_sample(home / "file")
            was = seen(home / "file")
            record = own.take(home / "file", finding=FINDING)
            assert own.put_back(record.id).remarks == ()
            assert seen(home / "file") == was
            with pytest.raises(NotTaken, match="may not remove"):
                own.take(theirs, finding=FINDING)
            # In a folder of one's own one may take even what is another's; not give it back.
            record = own.take(home / "owned by root", finding=FINDING)
            remarks = own.put_back(record.id, keep_setid=True).remarks
            assert len(remarks) == 2
            status = (home / "owned by root").stat()
            assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (4321, 0o755)

    as_user(4321, work)
    with pytest.raises(Exception, match="belongs to user 4321"):
        Vault(home / "vault")


@pytest.mark.skipif(not ROOT, reason="only root may become another user")
def test_root_gives_back_to_the_owner(vault: Vault, shared: Path) -> None:
    home = shared / "home"
    home.mkdir()
    make_sample(home / "file")
    os.chmod(home / "file", 0o2750)
    for path in (home / "file", home):
        os.chown(path, 4321, 765)
    os.chmod(home / "file", 0o2750)
    record = vault.take(home / "file", finding=FINDING)
    assert vault.put_back(record.id).remarks == (
        "its set-user-ID or set-group-ID bit was left off",
    )
    status = (home / "file").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (4321, 765, 0o750)
