"""The vault itself: who may use it, what fits, what is damaged, what others do at the same time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pybit7z
import pytest
from quarantine_samples import EMPTY, FINDING, ROOT, left_in, make_sample, seen

from tocsin.engine.report import Detection, Level, Report, SkippedObject
from tocsin.errors import QuarantineError
from tocsin.protect.quarantine import content_cipher
from tocsin.protect.quarantine.errors import (
    DamagedItem,
    IdentityChanged,
    KeyGone,
    MailboxRefused,
    NotRestored,
    NotTaken,
    UnknownRecord,
    VaultBusy,
    VaultFull,
    VaultUnusable,
)
from tocsin.protect.quarantine.identity import FileIdentity
from tocsin.protect.quarantine.record import DamagedRecord, Finding, Record, seal, unseal
from tocsin.protect.quarantine.reexamine import reexamine
from tocsin.protect.quarantine.vault import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault(tmp_path / "vault") as vault:
        yield vault


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    make_sample(path)
    return path


# --- records --------------------------------------------------------------------------------


def test_a_record_holds_all_that_is_known(vault: Vault, file: Path) -> None:
    status = file.stat()
    report = Report(os.fspath(file))
    report.sha256 = seen(file)["digest"]
    report.detections.append(Detection("A.B", "a.ndb", f"{file}!/x\udcff", 3, Level.TEST))
    finding = Finding.of(report, database="d" * 40, origin="guard", uid=7)
    record = vault.take(file, finding=finding)
    assert vault.record(record.id[:6]) == record
    assert vault.records() == [record]
    assert (record.place, record.size, record.inode) == (
        os.fspath(file),
        status.st_size,
        (status.st_dev, status.st_ino),
    )
    assert record.names == ("A.B",)
    assert record.finding.detections[0].object == f"{file}!/x\udcff"
    assert (record.finding.database, record.finding.uid) == ("d" * 40, 7)
    assert record.finding.verdict == "infected"
    assert record.metadata.ctime_ns == status.st_ctime_ns
    assert len(record.md5) == 32
    assert record.folder == (file.parent.stat().st_dev, file.parent.stat().st_ino)
    assert abs(record.taken - status.st_ctime) < 3600


def test_nothing_readable_is_in_the_vault(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "telling-name"
    path.write_bytes(b"telling content" * 100)
    vault.take(path, finding=FINDING)
    for held in vault.folder.rglob("*"):
        if held.is_file():
            data = held.read_bytes()
            assert b"telling" not in data
            assert b"Needle" not in data
            assert held.stat().st_mode & 0o077 == 0
    keys = {path.read_bytes() for path in (vault.folder / "objects").iterdir()}
    again = tmp_path / "again"
    again.write_bytes(b"telling content" * 100)
    vault.take(again, finding=FINDING)
    assert {p.read_bytes() for p in (vault.folder / "objects").iterdir()} > keys  # no two alike


def test_numbers_are_told_apart(vault: Vault, file: Path) -> None:
    record = vault.take(file, finding=FINDING)
    for number in ("", "x", record.id[1:], "../" + record.id):
        with pytest.raises(UnknownRecord):
            vault.record(number)
    clash = record.id[:8] + ("0" * 8 if record.id[8:] != "0" * 8 else "1" * 8)
    (vault.folder / "records" / clash).write_bytes(b"")
    with pytest.raises(UnknownRecord, match="2 objects begin so"):
        vault.record(record.id[:4])
    assert vault.record(record.id) == record


# --- identity -------------------------------------------------------------------------------


def test_only_what_was_scanned_is_taken(vault: Vault, file: Path) -> None:
    was = seen(file)
    identity = FileIdentity.of(file.stat(), was["digest"])
    other = file.with_name("other")
    shutil.copy2(file, other)
    os.replace(other, file)
    with pytest.raises(IdentityChanged, match="another file"):
        vault.take(file, expected=identity, finding=FINDING)
    identity = FileIdentity.of(file.stat(), was["digest"])
    with open(file, "r+b") as opened:
        opened.write(b"HEAD")
    with pytest.raises(IdentityChanged, match="content changed"):
        vault.take(file, expected=identity, finding=FINDING)
    with open(file, "ab") as opened:
        opened.write(b"more")
    with pytest.raises(IdentityChanged, match="size"):
        vault.take(file, expected=identity, finding=FINDING)
    assert left_in(vault.folder) == EMPTY
    assert file.exists()


def test_a_finding_knows_what_was_scanned(vault: Vault, file: Path) -> None:
    report = Report(os.fspath(file))
    report.sha256 = "0" * 64
    finding = Finding.of(report, database="", origin="guard")
    descriptor = os.open(file, os.O_RDONLY)
    for held in (None, descriptor):
        with pytest.raises(IdentityChanged, match="content changed"):
            vault.take(file, finding=finding, descriptor=held)
    os.close(descriptor)
    assert file.exists()


def test_times_count_where_no_digest_is_known(vault: Vault, file: Path) -> None:
    identity = FileIdentity.of(file.stat())
    os.utime(file)
    with pytest.raises(IdentityChanged):
        vault.take(file, expected=identity, finding=FINDING)
    identity = FileIdentity.of(file.stat())
    os.chmod(file, 0o600)
    with pytest.raises(IdentityChanged):
        vault.take(file, expected=identity, finding=FINDING)
    with_digest = identity.with_digest(seen(file)["digest"])
    assert vault.take(file, expected=with_digest, finding=FINDING).size == identity.size


def test_a_descriptor_says_what_was_scanned(vault: Vault, file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    other = file.with_name("other")
    make_sample(other)
    os.replace(other, file)
    with pytest.raises(IdentityChanged):
        vault.take(file, finding=FINDING, descriptor=descriptor)
    os.close(descriptor)
    descriptor = os.open(file, os.O_RDONLY)
    assert vault.take(file, finding=FINDING, descriptor=descriptor).place == os.fspath(file)
    os.close(descriptor)


# --- what goes out --------------------------------------------------------------------------


def test_restoring_elsewhere(vault: Vault, file: Path, tmp_path: Path) -> None:
    was = seen(file)
    (tmp_path / "folder").mkdir()
    record = vault.take(file, finding=FINDING)
    assert vault.restore(record.id, tmp_path / "folder") == tmp_path / "folder" / "file"
    assert seen(tmp_path / "folder" / "file") == was
    record = vault.take(tmp_path / "folder" / "file", finding=FINDING)
    assert vault.restore(record.id, tmp_path / "new name") == tmp_path / "new name"
    assert seen(tmp_path / "new name") == was


@pytest.mark.parametrize("what", ["file", "link", "folder link", "no folder", "vault"])
def test_nothing_is_overwritten_or_followed(
    vault: Vault, file: Path, tmp_path: Path, what: str
) -> None:
    was = seen(file)
    record = vault.take(file, finding=FINDING)
    other = tmp_path / "other"
    other.mkdir()
    target = file
    if what == "file":
        file.write_bytes(b"new")
    elif what == "link":
        file.symlink_to(other / "not there")
    elif what == "folder link":
        (tmp_path / "link").symlink_to(other)
        target = tmp_path / "link" / "file"
    elif what == "no folder":
        target = tmp_path / "gone" / "file"
    else:
        target = vault.folder / "objects" / "file"
    with pytest.raises(NotRestored):
        vault.restore(record.id, target)
    assert list(other.iterdir()) == []
    assert left_in(vault.folder) == {"work": [], "objects": [record.id], "records": [record.id]}
    vault.restore(record.id, tmp_path / "elsewhere")
    assert seen(tmp_path / "elsewhere") == was


def test_without_nameless_files(vault: Vault, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    was = seen(file)
    record = vault.take(file, finding=FINDING)
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: path != "/proc/self/fd" and exists(path))
    vault.restore(record.id)
    assert seen(file) == was
    assert left_in(vault.folder) == EMPTY
    assert not list(file.parent.glob(".tocsin*"))


def test_deleting_destroys_the_key(vault: Vault, file: Path) -> None:
    record = vault.take(file, finding=FINDING)
    place = vault.folder / "objects" / record.id
    descriptor = os.open(place, os.O_RDONLY)  # as a disk might keep the bytes
    assert vault.delete(record.id[:5]) == record.id
    with pytest.raises(DamagedItem):
        list(content_cipher.open_pieces(descriptor, vault._store.keys.objects, record.id))
    os.close(descriptor)
    assert left_in(vault.folder) == EMPTY
    with pytest.raises(UnknownRecord):
        vault.delete(record.id)


def test_old_objects_expire(
    vault: Vault, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = vault.take(file, finding=FINDING)
    make_sample(file)
    monkeypatch.setattr("time.time", lambda: old.taken + 10 * 86_400)
    young = vault.take(file, finding=FINDING)
    assert vault.expire(0) == []
    assert vault.expire(11) == []
    assert vault.expire(9) == [old]
    assert vault.records() == [young]


def test_export_for_analysis(vault: Vault, file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    record = vault.take(file, finding=FINDING)
    target = tmp_path / "sample.zip"
    assert vault.export(record.id, target) == target
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as archive:
        (member,) = archive.infolist()
        assert (member.filename, member.file_size) == ("file", len(content))
        assert member.flag_bits & 1
        assert member.compress_type == 99  # AES, as WinZip has it
    with pybit7z.lib7zip_context() as library:
        extractor = pybit7z.BitMemExtractor(library, pybit7z.FormatZip)
        with pytest.raises(pybit7z.BitException):
            extractor.extract(target.read_bytes())
        extractor.set_password("infected")
        assert next(iter(extractor.extract(target.read_bytes()).values())) == content
    with pytest.raises(NotRestored, match="already"):
        vault.export(record.id, target)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotRestored):
        vault.export(record.id, tmp_path / "dangling")
    assert not (tmp_path / "nowhere").exists()
    assert vault.record(record.id) == record


def test_content_in_memory(vault: Vault, file: Path) -> None:
    content = file.read_bytes()
    record = vault.take(file, finding=FINDING)
    descriptor = vault.open_content(record.id)
    with pytest.raises(PermissionError):
        os.write(descriptor, b"x")
    with open(descriptor, "rb") as opened:
        assert opened.read() == content
    with pytest.raises(VaultUnusable, match="too many"):
        vault.open_content(record.id, most=1000)


# --- looking again --------------------------------------------------------------------------


def test_looking_again(vault: Vault, file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    record = vault.take(file, finding=FINDING)
    make_sample(file)
    by_hand = vault.take(file, finding=Finding(reason="for a look"))
    looked: list[str] = []
    verdicts = {"bad": Detection("New.Name", "b.ndb", "x", None)}

    def scan(name: str, descriptor: int) -> Report:
        looked.append(name)
        with open(descriptor, "rb", closefd=False) as opened:
            assert opened.read() == content
        report = Report(name)
        report.detections += verdicts.values()
        return report

    first = list(reexamine(vault, scan, "one"))
    assert [one.id for one, _ in first] == [record.id, by_hand.id]
    assert first[0][0].examined is not None
    assert first[0][0].examined.names == ("New.Name",)
    assert not first[0][0].may_be_restored
    assert list(reexamine(vault, scan, "one")) == []
    assert len(list(reexamine(vault, scan, "one", again=True))) == 2
    verdicts.clear()
    after, _ = next(iter(reexamine(vault, scan, "two")))
    assert after.may_be_restored
    assert vault.record(record.id) == after
    list(reexamine(vault, scan, "two"))
    assert not vault.record(by_hand.id).may_be_restored
    assert len(looked) == 6

    def cut_short(name: str, _descriptor: int) -> Report:
        report = Report(name)
        report.skipped.append(SkippedObject(name, "limit", "too deep"))
        return report

    again, _ = next(iter(reexamine(vault, cut_short, "three")))
    assert not again.may_be_restored
    (_, report), _ = reexamine(vault, scan, "four", most=10)
    assert report.skipped[0].reason == "limit"


# --- who may, and how much ------------------------------------------------------------------


def test_a_vault_open_to_others_is_refused(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "vault"
    Vault(folder).close()
    assert folder.stat().st_mode & 0o777 == 0o700
    for path, mode, match in (
        (folder, 0o750, "others may enter"),
        (folder / "objects", 0o701, "others may enter"),
        (folder / "master.key", 0o640, "others may read"),
    ):
        was = path.stat().st_mode
        path.chmod(mode)
        with pytest.raises(VaultUnusable, match=match):
            Vault(folder)
        path.chmod(was)
    Vault(folder).close()
    if ROOT:
        os.chown(folder, 1234, 1234)
        with pytest.raises(VaultUnusable, match="belongs to user 1234"):
            Vault(folder)


def test_the_key(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "vault"
    key = folder / "master.key"
    with Vault(folder) as vault:
        record = vault.take(file, finding=FINDING)
    held = key.read_bytes()
    key.unlink()
    with pytest.raises(KeyGone):
        Vault(folder)  # no new key, with which the old things could never be opened
    key.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VaultUnusable):
        Vault(folder)
    key.unlink()
    key.touch(0o600)
    for damaged in (held[:-1], held + b"x", held[:30] + b"x" + held[31:], b""):
        key.write_bytes(damaged)
        with pytest.raises(VaultUnusable, match="damaged"):
            Vault(folder)
    with Vault(tmp_path / "other"):
        key.write_bytes((tmp_path / "other" / "master.key").read_bytes())
    with Vault(folder) as vault:
        assert [type(item) for item in vault.items()] == [DamagedRecord]
    key.write_bytes(held)
    os.link(key, tmp_path / "second")
    with pytest.raises(VaultUnusable, match="one name"):
        Vault(folder)
    (tmp_path / "second").unlink()
    with Vault(folder) as vault:
        vault.restore(record.id)


def test_no_vault_is_made_to_look(tmp_path: Path) -> None:
    with pytest.raises(VaultUnusable, match="no quarantine yet"):
        Vault(tmp_path / "vault", create=False)
    assert not (tmp_path / "vault").exists()


def test_what_does_not_fit_stays(tmp_path: Path) -> None:
    with Vault(tmp_path / "vault", max_size=50_000) as vault:
        path = tmp_path / "file"
        path.write_bytes(os.urandom(30_000))
        record = vault.take(path, finding=FINDING)
        path.write_bytes(os.urandom(30_000))
        was = seen(path)
        with pytest.raises(VaultFull, match="max_size"):
            vault.take(path, finding=FINDING)
        assert seen(path) == was
        assert left_in(vault.folder) == {"work": [], "objects": [record.id], "records": [record.id]}
        vault.delete(record.id)
        vault.take(path, finding=FINDING)


def mounted(folder: Path, size: str) -> bool:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tocsin-test", folder]
    if not ROOT or shutil.which("mount") is None:
        return False
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    if not mounted(folder, "256k"):
        pytest.skip("only root may mount a small disk")
    try:
        path = tmp_path / "file"
        path.write_bytes(os.urandom(400_000))
        was = seen(path)
        with Vault(folder / "vault") as vault:
            with pytest.raises(VaultFull, match="No space left"):
                vault.take(path, finding=FINDING)
            assert seen(path) == was
            assert left_in(vault.folder) == EMPTY
            path.write_bytes(b"small")
            record = vault.take(path, finding=FINDING)
            large = folder / "vault" / "filler"
            with pytest.raises(OSError), open(large, "wb") as file:
                file.write(bytes(1 << 20))
            path.write_bytes(b"one more")
            with pytest.raises(VaultFull):
                vault.take(path, finding=FINDING)
            assert path.read_bytes() == b"one more"
            path.unlink()
            with pytest.raises(VaultFull):
                vault.restore(record.id)
            assert not path.exists()
            vault.delete(record.id)  # which must be possible on a full disk of all things
            assert left_in(vault.folder) == EMPTY
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_vault(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "disk"
    if not mounted(folder, "4m"):
        pytest.skip("only root may mount a disk")
    try:
        with Vault(folder / "vault") as vault:
            record = vault.take(file, finding=FINDING)
        make_sample(file)
        was = seen(file)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with Vault(folder / "vault") as vault:
            assert vault.records() == [record]
            os.close(vault.open_content(record.id))
            vault.export(record.id, tmp_path / "a.zip")
            for attempt in (
                lambda: vault.take(file, finding=FINDING),
                lambda: vault.restore(record.id, tmp_path / "elsewhere"),
                lambda: vault.delete(record.id),
            ):
                with pytest.raises(VaultUnusable, match="Read-only"):
                    attempt()
        assert seen(file) == was
        assert not (tmp_path / "elsewhere").exists()
    finally:
        subprocess.run(["umount", folder], check=True)


# --- damage ---------------------------------------------------------------------------------


def test_a_damaged_record_hides_no_other(vault: Vault, file: Path) -> None:
    numbers = []
    for _ in range(3):
        make_sample(file)
        numbers.append(vault.take(file, finding=FINDING).id)
    records = vault.folder / "records"
    data = bytearray((records / numbers[0]).read_bytes())
    data[60] ^= 1
    (records / numbers[0]).write_bytes(data)
    (records / numbers[1]).write_bytes((records / numbers[2]).read_bytes())  # another's
    damaged = {item.id for item in vault.items() if isinstance(item, DamagedRecord)}
    assert damaged == set(numbers[:2])
    assert [record.id for record in vault.records()] == [numbers[2]]
    with pytest.raises(DamagedItem):
        vault.restore(numbers[0])
    vault.restore(numbers[2])
    vault.delete(numbers[0])
    vault.delete(numbers[1])
    assert left_in(vault.folder) == EMPTY


def test_a_damaged_note_is_said_once(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of what was being taken does not open: it is listed, and can be deleted."""
    with Vault(tmp_path / "vault") as vault:
        record = vault.take(file, finding=FINDING)
        os.rename(
            vault.folder / "records" / record.id, vault.folder / "work" / f"{record.id}.taking"
        )
        (vault.folder / "work" / f"{record.id}.taking").write_bytes(b"rubbish")
    with Vault(tmp_path / "vault") as vault:
        assert "damaged" in vault.recovered[0].what
        (item,) = vault.items()
        assert isinstance(item, DamagedRecord)
    with Vault(tmp_path / "vault") as vault:
        assert vault.recovered == []
        vault.delete(record.id)
        assert left_in(vault.folder) == EMPTY


@pytest.mark.parametrize(
    "place", [0, 10, 40, 80, 5000, content_cipher.PIECE_BYTES + 200, -1, "cut", "swap", "gone"]
)
def test_a_damaged_object_is_never_put_back(vault: Vault, tmp_path: Path, place: int | str) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(3 * content_cipher.PIECE_BYTES))
    record = vault.take(file, finding=FINDING)
    held = vault.folder / "objects" / record.id
    data = bytearray(held.read_bytes())
    size = content_cipher.PIECE_BYTES + content_cipher.TAG_BYTES
    start = content_cipher.HEADER_BYTES
    if place == "cut":
        del data[start + 2 * size :]  # at the end of a piece, where no byte is wrong
    elif place == "swap":
        first, second = data[start : start + size], data[start + size : start + 2 * size]
        data[start : start + 2 * size] = second + first
    elif isinstance(place, int):
        data[place] ^= 0x40
    held.write_bytes(data)
    if place == "gone":
        held.unlink()
    with pytest.raises(DamagedItem):
        vault.restore(record.id)
    with pytest.raises(DamagedItem):
        vault.open_content(record.id)
    assert list(tmp_path.iterdir()) == [vault.folder]
    assert left_in(vault.folder)["work"] == []


def test_an_object_of_another_number_does_not_open(vault: Vault, file: Path) -> None:
    first = vault.take(file, finding=FINDING)
    make_sample(file)
    second = vault.take(file, finding=FINDING)
    objects = vault.folder / "objects"
    (objects / first.id).write_bytes((objects / second.id).read_bytes())
    with pytest.raises(DamagedItem):
        vault.restore(first.id)


def test_a_record_is_no_intent(vault: Vault, file: Path) -> None:
    record = vault.take(file, finding=FINDING)
    cipher = vault._store.keys.records
    sealed = seal(record, cipher, record.id)
    assert unseal(sealed, Record, cipher, record.id) == record
    with pytest.raises(DamagedItem):
        unseal(sealed, DamagedRecord, cipher, record.id)
    with pytest.raises(DamagedItem):
        unseal(sealed, Record, cipher, "0" * 16)
    with pytest.raises(DamagedItem):
        unseal(b"", Record, cipher, record.id)


# --- several at once ------------------------------------------------------------------------


def test_several_processes_at_once(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tocsin.protect.quarantine.record import Finding\n"
        "from tocsin.protect.quarantine.vault import Vault\n"
        "with Vault(Path(sys.argv[1])) as vault:\n"
        "    for path in sys.argv[2:]:\n"
        "        vault.put_back(vault.take(path, finding=Finding()).id)\n"
        "        vault.take(path, finding=Finding())\n"
    )
    paths = [tmp_path / f"file{number}" for number in range(20)]
    for path in paths:
        path.write_bytes(path.name.encode())
    processes = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path / "vault", *paths[start::2]])
        for start in range(2)
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    with Vault(tmp_path / "vault") as vault:
        assert vault.recovered == []
        assert sorted(record.place for record in vault.records()) == sorted(map(str, paths))


def test_a_busy_vault_says_so(tmp_path: Path, file: Path) -> None:
    Vault(tmp_path / "vault").close()
    with open(tmp_path / "vault" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with Vault(tmp_path / "vault", patience=0.05) as vault:
            assert vault.records() == []
            with pytest.raises(VaultBusy):
                vault.take(file, finding=FINDING)
        timer = threading.Timer(0.2, fcntl.flock, (lock, fcntl.LOCK_UN))
        timer.start()
        with Vault(tmp_path / "vault") as vault:
            assert vault.take(file, finding=FINDING)
        timer.join()


def test_several_threads_at_once(vault: Vault, tmp_path: Path) -> None:
    def work(number: int) -> None:
        path = tmp_path / f"file{number}"
        path.write_bytes(b"%d" % number)
        for _ in range(5):
            vault.put_back(vault.take(path, finding=FINDING).id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vault.recovered == []
    assert [(tmp_path / f"file{number}").read_bytes() for number in range(4)] == [
        b"%d" % number for number in range(4)
    ]
    assert left_in(vault.folder) == EMPTY


# --- mailboxes ------------------------------------------------------------------------------


def message(number: int) -> bytes:
    return (
        b"From a@example.org Mon Jan  5 12:00:0%d 2026\nSubject: %d\nMessage-ID: <%d@x>\n\nhi\n\n"
        % (number, number, number)
    )


@pytest.mark.parametrize(
    "content",
    [
        message(1) + message(2),
        message(1) + b"x\n" * (1 << 19) + b"\n" + message(2),  # past the first piece read
        message(1).replace(b"\n", b"\r\n") + message(2),
        b"!BDN" + bytes(500),
        b"*mbx*\r\n" + bytes(500),
    ],
)
def test_a_mailbox_is_not_taken(vault: Vault, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "inbox"
    path.write_bytes(content)
    with pytest.raises(MailboxRefused, match="x!/y") as caught:
        vault.take(path, finding=FINDING)
    assert caught.value.objects == ("x!/y",)
    assert path.read_bytes() == content
    assert left_in(vault.folder) == EMPTY


@pytest.mark.parametrize(
    "content", [message(1), b"From here on\n\nFrom there\n", b"Subject: x\n\n" + message(1)]
)
def test_a_single_message_is_taken(vault: Vault, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "message"
    path.write_bytes(content)
    vault.restore(vault.take(path, finding=FINDING).id)
    assert path.read_bytes() == content


def test_what_is_in_the_vault_is_not_taken_again(vault: Vault, file: Path) -> None:
    record = vault.take(file, finding=FINDING)
    with pytest.raises(NotTaken, match="already"):
        vault.take(vault.folder / "objects" / record.id, finding=FINDING)
    with pytest.raises(NotTaken):
        vault.take(vault.folder / "master.key", finding=FINDING)
    vault.restore(record.id)


def test_errors_are_of_one_family() -> None:
    for kind in (VaultBusy, VaultFull, NotTaken, NotRestored, DamagedItem, UnknownRecord):
        assert issubclass(kind, QuarantineError)
