"""A log in a folder: it grows, never forks, and is whole wherever it was interrupted."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest
from transparency_samples import (
    ED25519_WITNESS,
    LOG_KEY,
    ML_DSA_WITNESS,
    ORIGIN,
    Tree,
    entries,
    unpacked,
)

from tocsin.transparency.checkpoint import open_checkpoint, require_continues
from tocsin.transparency.cosignature import cosign
from tocsin.transparency.errors import (
    BadProof,
    BadSignature,
    LogBusy,
    LogDamaged,
    LogExists,
    MalformedKey,
    MalformedNote,
)
from tocsin.transparency.fsck import fsck
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log import Log
from tocsin.transparency.log_files import LogFiles
from tocsin.transparency.merkle import leaf_hash, verify_consistency, verify_inclusion
from tocsin.transparency.note import KeyType, NoteSignature, VerifierKey
from tocsin.transparency.reader import LogReader, folder_fetch

TREE = Tree(entries(700))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log.init(tmp_path / "log", LOG_KEY)


def checked(log: Log):
    return fsck(log.folder, log.published().head)


def test_a_log_grows(log: Log) -> None:
    size = 0
    for count in (0, 1, 2, 252, 1, 1, 300):
        grown = log.append(entries(count, size), LOG_KEY)
        assert grown.first == size
        size += count
        assert grown.size == log.published().head.size == size
        assert log.published().head.root == TREE.roots[size]
        found = checked(log)
        assert (found.damaged, found.beyond) == ((), ())
    assert list(log.reader().entries()) == entries(size)
    proof = log.prove(300)
    verify_inclusion(leaf_hash(b"entry 300"), 300, size, proof.hashes, TREE.roots[size])
    path = log.consistency(255)
    verify_consistency(255, TREE.roots[255], size, TREE.roots[size], path)
    assert log.consistency(0) == []
    with pytest.raises(BadProof):
        log.consistency(1, size + 1)
    with pytest.raises(BadProof):
        log.prove(size)


def test_two_logs_are_not_made_in_one_place(log: Log) -> None:
    with pytest.raises(LogExists):
        Log.init(log.folder, LOG_KEY)
    assert log.published().head.size == 0


def test_another_key_signs_nothing_here(log: Log) -> None:
    before = log.published()
    other = SigningKey.from_seed(ORIGIN, KeyType.ED25519, b"o" * 32)
    with pytest.raises(MalformedKey):
        log.append([b"a"], other)
    with pytest.raises(LogDamaged, match="no key that is known"):
        Log(log.folder, other.verifier).append([b"a"], other)
    with pytest.raises(MalformedKey):
        Log.init(log.folder / "other", ED25519_WITNESS)
    assert log.published() == before


def test_an_entry_that_is_too_long_adds_none_of_those_with_it(log: Log) -> None:
    log.append(entries(3), LOG_KEY)
    with pytest.raises(MalformedNote):
        log.append([*entries(300, 3), b"a" * 65_536], LOG_KEY)
    assert log.published().head.size == 3
    log.append(entries(1, 3), LOG_KEY)
    assert log.published().head.root == TREE.roots[4]
    assert checked(log).beyond == ()


# --- never two histories ------------------------------------------------------------------


def test_a_damaged_log_signs_nothing(log: Log) -> None:
    log.append(entries(300), LOG_KEY)
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"):
        place = log.folder / path
        content = place.read_bytes()
        place.write_bytes(content[:-1] + b"\0")
        with pytest.raises(LogDamaged):
            log.append([b"a"], LOG_KEY)
        place.write_bytes(content)
    assert log.append(entries(1, 300), LOG_KEY).checkpoint.head.root == TREE.roots[301]


def test_what_was_signed_is_gone_on_from(log: Log) -> None:
    """A tree that witnesses may have seen is not forgotten, published or not."""
    log.append(entries(2), LOG_KEY)
    seen = log.integrate(entries(3, 2), LOG_KEY).checkpoint
    assert log.published().head.size == 2
    later = log.integrate(entries(1, 5), LOG_KEY).checkpoint
    require_continues(seen, later, log.consistency(5, 6))
    assert later.head.root == TREE.roots[6]
    assert log.publish().head.size == 6
    assert log.pending() is None


def test_a_pending_tree_of_another_history_is_refused(log: Log, tmp_path: Path) -> None:
    log.append(entries(2), LOG_KEY)
    other = Log.init(tmp_path / "other", LOG_KEY)
    forged = other.append([b"x", b"y", b"z"], LOG_KEY).checkpoint
    (log.folder / "pending").write_bytes(forged.note.to_bytes())
    with pytest.raises(LogDamaged, match="does not continue"):
        log.append([b"a"], LOG_KEY)


def test_two_writers_take_turns(log: Log) -> None:
    with LogFiles(log.folder), pytest.raises(LogBusy), LogFiles(log.folder, timeout=0.05):
        pass
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(log_one, [(log.folder, n) for n in range(12)])
    assert log.published().head.size == 12
    assert sorted(log.reader().entries()) == sorted(b"%d" % n for n in range(12))
    assert checked(log).clean


def log_one(task: tuple[Path, int]) -> None:
    folder, number = task
    Log(folder, LOG_KEY.verifier).append([b"%d" % number], LOG_KEY)


# --- cosignatures -------------------------------------------------------------------------


def test_witnesses_see_a_tree_before_readers_do(log: Log) -> None:
    waiting = log.integrate(entries(3), LOG_KEY).checkpoint
    lines = [cosign(waiting.note.text, key, 5) for key in (ED25519_WITNESS, ML_DSA_WITNESS)]
    shown = log.publish(lines, [ED25519_WITNESS.verifier, ML_DSA_WITNESS.verifier])
    assert shown.head.size == log.published().head.size == 3
    assert [each.name for each in log.published().note.signatures] == [
        ORIGIN,
        ED25519_WITNESS.verifier.name,
        ML_DSA_WITNESS.verifier.name,
    ]
    later = cosign(waiting.note.text, ED25519_WITNESS, 9)
    assert len(log.publish([later]).note.signatures) == 3
    assert later in log.published().note.signatures


def test_strangers_and_wrong_cosignatures_are_not_published(log: Log) -> None:
    waiting = log.integrate(entries(3), LOG_KEY).checkpoint
    stranger = cosign(waiting.note.text, ML_DSA_WITNESS, 5)
    assert stranger not in log.publish([stranger], [ED25519_WITNESS.verifier]).note.signatures
    witness = ED25519_WITNESS.verifier
    wrong = NoteSignature(witness.name, witness.key_id, b"\0" * 72)
    with pytest.raises(BadSignature):
        log.publish([wrong], [witness])


# --- interruptions ------------------------------------------------------------------------

_WRITES = ("write", "replace", "fsync", "mkdir", "unlink", "open")


def killed_at(step: int, folder: Path) -> bool:
    """Append in a child that is gone before its step-th call that changes a disk.

    Returns:
        Whether it came to an end before.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) == 0
    left = step

    def counting(call):
        def counted(*arguments, **more):
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(1)
            return call(*arguments, **more)

        return counted

    for name in _WRITES:
        setattr(os, name, counting(getattr(os, name)))
    Log(folder, LOG_KEY.verifier).append(entries(259, 254), LOG_KEY)
    os._exit(0)


def test_killed_at_every_step_of_an_append_it_is_whole(log: Log, tmp_path: Path) -> None:
    """Readers see the old tree or the new one, and the next append goes on from it."""
    log.append(entries(254), LOG_KEY)
    seen = set()
    done, step = False, 0
    while not done:
        folder = tmp_path / "killed"
        shutil.copytree(log.folder, folder)
        done = killed_at(step, folder)
        after = Log(folder, LOG_KEY.verifier)
        size = after.published().head.size
        assert checked(after).clean, step
        assert after.newest().head.root == TREE.roots[after.newest().head.size], step
        seen.add((size, after.newest().head.size))
        newest = after.newest().head.size
        grown = after.append(entries(2, newest), LOG_KEY)
        assert grown.checkpoint.head.root == TREE.roots[newest + 2], step
        found = checked(after)
        assert (found.damaged, found.beyond) == ((), ()), step
        assert not (folder / ".work").exists()
        shutil.rmtree(folder)
        step += 1
    assert seen == {(254, 254), (254, 513), (513, 513)}
    assert step > 30


def test_a_full_disk_leaves_the_log_as_it_was(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(entries(10), LOG_KEY)
    before = log.published()
    calls = 0
    true = os.fsync

    def failing(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError(28, "No space left on device")
        true(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(LogDamaged, match="No space left"):
            log.append(entries(300, 10), LOG_KEY)
    assert log.published() == before
    assert checked(log).clean
    log.append(entries(1, 10), LOG_KEY)
    assert log.published().head.root == TREE.roots[11]


# --- fsck ---------------------------------------------------------------------------------


def test_fsck_names_every_file_that_is_wrong(log: Log) -> None:
    for count in (5, 600):
        log.append(entries(count), LOG_KEY)
    wrong = ["tile/0/000", "tile/entries/001", "tile/0/000.p/5", "tile/entries/000.p/5"]
    for path in wrong:
        place = log.folder / path
        place.write_bytes(place.read_bytes()[:-1] + b"\0")
    (log.folder / "tile/entries/002.p/99").write_bytes(b"")
    (log.folder / "tile/note").write_bytes(b"")
    found = checked(log)
    assert not found.clean
    named = {sentence.split(":")[0] for sentence in found.damaged}
    assert {"tile/0/000", "tile/entries/001"} <= named <= set(wrong)
    assert found.beyond == ("tile/entries/002.p/99", "tile/note")


def test_fsck_of_a_log_without_its_edge(log: Log) -> None:
    log.append(entries(5), LOG_KEY)
    (log.folder / "tile/0/000.p/5").unlink()
    assert "missing" in checked(log).damaged[0]


def test_where_there_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogDamaged, match="no log here"):
        Log(tmp_path, LOG_KEY.verifier).published()
    with pytest.raises(LogDamaged):
        Log(tmp_path / "missing", LOG_KEY.verifier).append([], LOG_KEY)


def test_twenty_thousand_entries_take_seconds(log: Log) -> None:
    started = time.process_time()
    log.append((b"%d" % number for number in range(20_000)), LOG_KEY)
    assert log.reader().entry(19_999) == b"19999"
    assert time.process_time() - started < 5


# --- a log that others wrote ----------------------------------------------------------------

TESSERA_ORIGIN = "example.com/log/testdata"
TESSERA_KEY = VerifierKey.parse(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)
"""The key that signs Tessera's test log."""


@pytest.fixture(scope="module")
def tessera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("tessera-log.tar.gz", tmp_path_factory.mktemp("tessera"))


@pytest.mark.parametrize("size", range(16))
def test_tesseras_log_is_read_at_every_size(tessera: Path, size: int) -> None:
    head = open_checkpoint((tessera / f"checkpoint.{size}").read_bytes(), TESSERA_KEY).head
    assert (head.origin, head.size) == (TESSERA_ORIGIN, size)
    whole = LogReader(folder_fetch(tessera), head)
    held = list(whole.entries())
    assert len(held) == size
    for index, entry in enumerate(held):
        proof = whole.inclusion_proof(index)
        verify_inclusion(leaf_hash(entry), index, size, proof, head.root)


def test_tesseras_log_is_what_ours_would_be(tessera: Path, log: Log) -> None:
    head = open_checkpoint((tessera / "checkpoint").read_bytes(), TESSERA_KEY).head
    held = list(LogReader(folder_fetch(tessera), head).entries())
    for entry in held:
        log.append([entry], LOG_KEY)
    ours = {p.relative_to(log.folder): p for p in (log.folder / "tile").rglob("*") if p.is_file()}
    theirs = {p.relative_to(tessera): p for p in (tessera / "tile").rglob("*") if p.is_file()}
    assert set(ours) == set(theirs)
    for name, path in ours.items():
        assert path.read_bytes() == theirs[name].read_bytes(), name
    assert log.published().head.root == head.root
    assert open_checkpoint(log.published().note, VerifierKey.parse(LOG_KEY.verifier.vkey))
