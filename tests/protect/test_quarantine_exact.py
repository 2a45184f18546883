"""What is put back is what was taken: a thousand files of every kind, and the odd single ones."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from quarantine_samples import EMPTY, FINDING, ROOT, left_in, make_sample, seen

from tocsin.protect.quarantine.errors import NotTaken
from tocsin.protect.quarantine.file_metadata import (
    ACCESS_LIST,
    APPEND_ONLY,
    CAPABILITY,
    IMMUTABLE,
    read_flags,
    write_flags,
)
from tocsin.protect.quarantine.sparse import Digests
from tocsin.protect.quarantine.vault import Vault

FILES = 1000
NO_DUMP = 0x40
NO_ATIME = 0x80


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault(tmp_path / "vault") as vault:
        yield vault


def odd_name(number: int, draw: random.Random) -> bytes:
    """A name that no two files share, of bytes that a system allows and a person would not."""
    alphabet = bytes(byte for byte in range(1, 256) if byte != ord("/"))
    odd = bytes(draw.choices(alphabet, k=draw.choice((0, 1, 5, 40, 200))))
    return draw.choice((b"", b" ", b"-", b".", b"\n", b"\xff", b"!")) + odd + b"%d" % number


def access_list(uid: int, mode: int) -> bytes:
    """An access list for the owner, one more user, the group, and others (acl(5))."""
    entries = (
        (0x01, mode >> 6 & 7, 0xFFFFFFFF),
        (0x02, 5, uid),
        (0x04, mode >> 3 & 7, 0xFFFFFFFF),
        (0x10, mode >> 3 & 7, 0xFFFFFFFF),
        (0x20, mode & 7, 0xFFFFFFFF),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def write_content(descriptor: int, draw: random.Random) -> None:
    """Nothing, something, or something with holes in it and behind it."""
    for _ in range(draw.choice((0, 1, 1, 3))):
        os.lseek(descriptor, draw.choice((0, 0, 8192, 1 << 16)), os.SEEK_CUR)
        os.write(descriptor, draw.randbytes(draw.choice((1, 100, 4096, 70_000))))
    if draw.random() < 0.2:
        size = os.fstat(descriptor).st_size
        os.ftruncate(descriptor, size + draw.choice((1, 4096, 1 << 18)))


def make_odd_file(folder: int, number: int, draw: random.Random, *, attributes: bool) -> bytes:
    name = odd_name(number, draw)
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    try:
        write_content(descriptor, draw)
        mode = draw.choice((0o600, 0o644, 0o400, 0o000, 0o755, 0o1770, 0o666)) | (
            0 if ROOT else 0o400
        )
        if ROOT:
            os.fchown(descriptor, draw.choice((0, 1, 1000, 70_000)), draw.choice((0, 5, 65534)))
        os.fchmod(descriptor, mode)
        if attributes and draw.random() < 0.4:
            value = draw.randbytes(draw.choice((0, 1, 300)))
            os.setxattr(descriptor, draw.choice(("user.a", "user.b\u00e4")), value)
        if attributes and draw.random() < 0.4:
            os.setxattr(descriptor, ACCESS_LIST, access_list(draw.randrange(2000), mode))
        if ROOT and attributes and draw.random() < 0.2:
            os.setxattr(descriptor, "trusted.tocsin", b"\0\1\2")
        if attributes and draw.random() < 0.1:
            flags = read_flags(descriptor)
            if flags is not None:
                write_flags(descriptor, flags | draw.choice((NO_DUMP, NO_ATIME)))
        times = (draw.randrange(2**61), draw.randrange(2**61))
        os.utime(descriptor, ns=times)
    finally:
        os.close(descriptor)
    return name


def has_attributes(folder: Path) -> bool:
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.a", b"1")
        os.setxattr(probe, ACCESS_LIST, access_list(1, 0o644))
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def test_a_thousand_odd_files(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # ten thousand waits for the disk show nothing
    draw = random.Random(4)
    place = os.fsencode(tmp_path / "odd\n\udcff folder")
    os.mkdir(place)
    folder = os.open(place, os.O_RDONLY)
    attributes = has_attributes(tmp_path)
    names = [make_odd_file(folder, n, draw, attributes=attributes) for n in range(FILES)]
    os.close(folder)
    was = {name: seen(place + b"/" + name) for name in names}
    numbers = {}
    for name in names:
        record = vault.take(place + b"/" + name, finding=FINDING)
        assert record.path == place + b"/" + name
        numbers[name] = record.id
    assert os.listdir(place) == []
    assert {record.id for record in vault.records()} == set(numbers.values())
    draw.shuffle(names)
    for name in names:
        restored = vault.put_back(numbers[name])
        assert restored == (place + b"/" + name, ())
    assert sorted(os.listdir(place)) == sorted(names)
    for name in names:
        assert seen(place + b"/" + name) == was[name]
    assert left_in(vault.folder) == EMPTY
    kinds = [bool(one["attributes"]) for one in was.values()]
    holes = [one for one in was.values() if sum(n for _, n in one["stretches"]) < one["size"]]
    assert len(holes) > FILES // 10  # or the disk has none, and nothing was shown
    assert any(kinds) or not attributes


def test_more_than_four_gigabytes_of_holes(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Digests of what is written only: those of four gigabytes of zeros take half a minute.
    monkeypatch.setattr(Digests, "skip_to", lambda _self, _place: None)
    path = tmp_path / "large"
    size = (4 << 30) + 12_345
    with open(path, "wb") as file:
        for place in (0, (2 << 30) - 5, (4 << 30) + 1000):
            file.seek(place)
            file.write(b"data at %d" % place)
        file.truncate(size)
    if path.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("this file system has no holes")
    was = path.stat()
    record = vault.take(path, finding=FINDING)
    assert record.stored < 100_000
    vault.put_back(record.id)
    assert path.stat().st_size == size
    assert path.stat().st_blocks <= was.st_blocks
    with open(path, "rb") as file:
        for place in (0, (2 << 30) - 5, (4 << 30) + 1000):
            file.seek(place)
            assert file.read(20).startswith(b"data at %d" % place)


@pytest.mark.skipif(not ROOT, reason="only root may make files immutable")
@pytest.mark.parametrize("flag", [IMMUTABLE, APPEND_ONLY])
def test_immutable_files(vault: Vault, tmp_path: Path, flag: int) -> None:
    path = tmp_path / "fixed"
    make_sample(path)
    descriptor = os.open(path, os.O_RDONLY)
    flags = read_flags(descriptor)
    if flags is None:
        pytest.skip("this file system has no flags")
    write_flags(descriptor, flags | flag)
    was = seen(path)
    try:
        record = vault.take(path, finding=FINDING)
        assert record.metadata.flags == flags | flag
        assert not path.exists()
        assert vault.put_back(record.id).remarks == ()
        assert seen(path) == was
    finally:
        write_flags(descriptor, flags)
        os.close(descriptor)
        if path.exists():
            descriptor = os.open(path, os.O_RDONLY)
            write_flags(descriptor, flags)
            os.close(descriptor)


@pytest.mark.skipif(not ROOT, reason="only root may make folders immutable")
def test_a_file_in_an_immutable_folder_stays(vault: Vault, tmp_path: Path) -> None:
    place = tmp_path / "fixed"
    place.mkdir()
    make_sample(place / "file")
    was = seen(place / "file")
    descriptor = os.open(place, os.O_RDONLY)
    flags = read_flags(descriptor)
    if flags is None:
        pytest.skip("this file system has no flags")
    write_flags(descriptor, flags | IMMUTABLE)
    try:
        with pytest.raises(NotTaken, match="immutable"):
            vault.take(place / "file", finding=FINDING)
    finally:
        write_flags(descriptor, flags)
        os.close(descriptor)
    assert seen(place / "file") == was
    assert left_in(vault.folder) == EMPTY


@pytest.mark.skipif(not ROOT, reason="only root may give capabilities")
def test_rights_of_programs_are_put_back_only_on_request(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "program"
    make_sample(path)
    os.chown(path, 1234, 1234)
    os.chmod(path, 0o6755)
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service
    os.setxattr(path, CAPABILITY, capability)
    was = seen(path)
    assert was["mode"] == 0o6755
    record = vault.take(path, finding=FINDING)
    remarks = vault.put_back(record.id).remarks
    assert len(remarks) == 2
    bare = seen(path)
    assert bare["mode"] == 0o755
    assert os.fsdecode(CAPABILITY) not in bare["attributes"]
    assert bare["owner"] == was["owner"] == (1234, 1234)
    path.unlink()

    make_sample(path)
    os.chown(path, 1234, 1234)
    os.chmod(path, 0o6755)
    os.setxattr(path, CAPABILITY, capability)
    record = vault.take(path, finding=FINDING)
    assert vault.put_back(record.id, keep_setid=True).remarks == ()
    assert seen(path) == was


def test_an_inherited_access_list_is_not_kept(vault: Vault, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    make_sample(place / "file")
    was = seen(place / "file")
    record = vault.take(place / "file", finding=FINDING)
    try:
        os.setxattr(place, "system.posix_acl_default", access_list(7, 0o777))
    except OSError:
        pytest.skip("this file system has no access lists")
    vault.put_back(record.id)
    assert seen(place / "file") == was


def test_other_names_are_named(vault: Vault, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "a" / "one"
    make_sample(path)
    os.link(path, tmp_path / "a" / "two")
    os.link(path, tmp_path / "b" / "three")
    record = vault.take(path, finding=FINDING)
    assert record.links_left == 2
    assert record.other_names == (b"two",)
    assert (tmp_path / "b" / "three").stat().st_nlink == 2
    vault.put_back(record.id)
    assert (tmp_path / "a" / "two").stat().st_nlink == 2  # a file of its own again


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "device", "socket"])
def test_what_is_no_file_is_refused(vault: Vault, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd"
    make_sample(tmp_path / "target")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("target")
    elif kind == "socket":
        os.mknod(path, 0o140600)
    elif ROOT:
        os.mknod(path, 0o020600, os.makedev(1, 3))
    else:
        path = Path("/dev/null")
    with pytest.raises(NotTaken, match=f"this is a {kind}"):
        vault.take(path, finding=FINDING)
    assert os.path.lexists(path)
    assert left_in(vault.folder) == EMPTY


@pytest.mark.parametrize("path", ["relative", "/", "/tmp/..", "/tmp/../etc/passwd", "", "/tmp/a/"])
def test_paths_that_name_no_file_are_refused(vault: Vault, path: str) -> None:
    with pytest.raises(NotTaken):
        vault.take(path, finding=FINDING)


@pytest.mark.skipif(not ROOT, reason="only root may mount")
def test_other_file_systems(vault: Vault, tmp_path: Path) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tocsin-test", place]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        path = place / "file"
        path.write_bytes(b"x" * 5000)
        os.chmod(path, 0o751)
        os.chown(path, 12, 34)
        was = seen(path)
        record = vault.take(path, finding=FINDING)
        vault.put_back(record.id)
        assert seen(path) == was
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        with pytest.raises(NotTaken, match="read-only"):
            vault.take(path, finding=FINDING)
        assert left_in(vault.folder) == EMPTY
        assert seen(path) == was
    finally:
        subprocess.run(["umount", place], check=True)
