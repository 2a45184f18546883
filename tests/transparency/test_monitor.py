"""A monitor: what was added, whether all see one history, and the proof where they do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from log_kit import KEYS, copy_of, fork_of, head_of, log_of, page_of
from transparency_samples import ED25519_WITNESS, LOG_KEY, ML_DSA_WITNESS, entries
from witness_kit import STRANGER

from tocsin.transparency.errors import (
    BadProof,
    BadSignature,
    LogBusy,
    LogDamaged,
    LogNotWritten,
    MalformedKey,
    SplitView,
    TransparencyError,
)
from tocsin.transparency.evidence import LARGER, PROOF, SMALLER, check_evidence, keep_evidence
from tocsin.transparency.follow import require_split
from tocsin.transparency.log import Log
from tocsin.transparency.log_files import LogFiles
from tocsin.transparency.merkle import EMPTY_ROOT
from tocsin.transparency.monitor import Monitor, Page, SplitFound, Standing
from tocsin.transparency.note import SignedNote
from tocsin.transparency.tree_head import Checkpoint


def looked(watching: Monitor) -> list[tuple[int, bytes]]:
    """What it tells of when it looks once."""
    told: list[tuple[int, bytes]] = []
    watching.look(lambda index, entry: told.append((index, entry)))
    return told


def watch(state: Path, log: Log, *pages: Page) -> Monitor:
    return Monitor(state, KEYS, log.fetch, pages)


# --- one history --------------------------------------------------------------------------


def test_it_tells_of_every_entry_once(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 300)
    assert looked(watch(tmp_path / "s", log)) == list(enumerate(entries(300)))
    assert looked(watch(tmp_path / "s", log)) == []
    log.append(entries(250, 300), LOG_KEY)
    assert looked(watch(tmp_path / "s", log)) == list(enumerate(entries(250, 300), 300))


def test_what_was_not_heard_is_told_again(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 5)

    def deaf(index: int, _entry: bytes) -> None:
        if index == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(tmp_path / "s", log).look(deaf)
    assert len(looked(watch(tmp_path / "s", log))) == 5


def test_an_old_state_of_the_log_is_said_to_be_one(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 5)
    old = copy_of(log, tmp_path / "old")
    log.append(entries(5, 5), LOG_KEY)
    watch(tmp_path / "s", log).look()
    look = watch(tmp_path / "s", old).look()
    assert (look.shown, look.size) == (5, 10)


@pytest.mark.parametrize("witness", [ED25519_WITNESS, ML_DSA_WITNESS])
def test_witnesses_that_agree(tmp_path: Path, witness: object) -> None:
    log = log_of(tmp_path / "log", 5)
    behind = copy_of(log, tmp_path / "behind")
    log.append(entries(5, 5), LOG_KEY)
    pages = (page_of(log, witness), page_of(behind, witness))  # type: ignore[arg-type]
    seen = watch(tmp_path / "s", log, *pages).look().pages
    assert [(each.standing, each.size) for each in seen] == [
        (Standing.AGREES, 10),
        (Standing.AGREES, 5),
    ]
    assert all(each.time == 1_800_000_000 for each in seen)


def test_witnesses_that_show_nothing_of_use(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 5)

    def absent(path: str, limit: int) -> bytes:
        raise FileNotFoundError(path, limit)

    def silent(path: str, limit: int) -> bytes:
        raise LogDamaged(f"no answer for {path}, {limit}")

    other = Log.init(tmp_path / "other", STRANGER)
    pages = (
        Page("absent", absent),
        Page("silent", silent),
        Page("garbage", lambda path, limit: b"garbage"),
        Page("uncosigned", page_of(log).fetch, ED25519_WITNESS.verifier),
        Page("another log", lambda path, limit: other.published().note.to_bytes()),
    )
    seen = watch(tmp_path / "s", log, *pages).look().pages
    expected = [Standing.NOTHING, Standing.SILENT, *[Standing.WRONG] * 3]
    assert [each.standing for each in seen] == expected


# --- two histories ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("common", "seen", "forked"),
    [(3, 7, 7), (3, 7, 12), (3, 12, 7), (255, 256, 600), (300, 513, 301), (0, 1, 2)],
)
def test_a_fork_is_found_whichever_is_larger_and_the_proof_is_kept(
    tmp_path: Path, common: int, seen: int, forked: int
) -> None:
    log = log_of(tmp_path / "log", seen)
    fork = fork_of(log, tmp_path / "fork", common, forked)
    watch(tmp_path / "s", log).look()
    with pytest.raises(SplitFound) as found:
        watch(tmp_path / "s", fork).look()
    place = found.value.place
    kept = [SignedNote.parse((place / name).read_bytes()).text for name in (SMALLER, LARGER)]
    assert sorted(kept) == sorted([head_of(log).text(), head_of(fork).text()])
    with pytest.raises(SplitFound) as again:
        watch(tmp_path / "s", fork).look()
    assert again.value.place == place
    check_evidence(place, KEYS)
    with pytest.raises(BadSignature):
        check_evidence(place, [STRANGER.verifier])
    # What was seen stays what it was, and the log goes on to be watched.
    assert watch(tmp_path / "s", log).look().size == seen


def test_a_witness_that_was_shown_a_fork(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 9)
    fork = fork_of(log, tmp_path / "fork", 4, 6)
    with pytest.raises(SplitFound) as found:
        watch(tmp_path / "s", log, page_of(log), page_of(fork, ED25519_WITNESS)).look()
    check_evidence(found.value.place, KEYS)


def test_a_witness_ahead_on_a_fork_that_nobody_shows_is_judged_later(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 9)
    fork = fork_of(log, tmp_path / "fork", 4, 12)
    look = watch(tmp_path / "s", log, page_of(fork)).look()
    assert [each.standing for each in look.pages] == [Standing.AHEAD]
    assert look.undecided == 1
    log.append(entries(10, 9), LOG_KEY)
    with pytest.raises(SplitFound) as found:  # the page is not asked any more
        watch(tmp_path / "s", log).look()
    check_evidence(found.value.place, KEYS)


def test_a_witness_ahead_on_the_same_history_is_no_alarm(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 9)
    ahead = copy_of(log, tmp_path / "ahead")
    ahead.append(entries(3, 9), LOG_KEY)
    assert watch(tmp_path / "s", log, page_of(ahead)).look().undecided == 1
    log.append(entries(8, 9), LOG_KEY)
    assert watch(tmp_path / "s", log).look().undecided == 0


def signed_and_withheld(log: Log) -> None:
    """The log goes on showing the checkpoint, and its tree no more."""
    shutil.rmtree(log.folder / "tile")


def test_a_tree_that_the_log_signed_and_does_not_show_is_kept_and_judged_later(
    tmp_path: Path,
) -> None:
    log = log_of(tmp_path / "log", 9)
    watch(tmp_path / "s", log).look()
    fork = fork_of(log, tmp_path / "fork", 4, 12)
    signed_and_withheld(fork)
    look = watch(tmp_path / "s", fork, page_of(log)).look()
    assert "missing" in look.trouble
    assert (look.size, look.undecided) == (9, 1)
    assert [each.standing for each in look.pages] == [Standing.AGREES]  # read all the same
    log.append(entries(10, 9), LOG_KEY)
    with pytest.raises(SplitFound) as found:
        watch(tmp_path / "s", log).look()
    check_evidence(found.value.place, KEYS)


def test_it_is_kept_the_first_time_too(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 9)
    fork = fork_of(log, tmp_path / "fork", 4, 6)
    signed_and_withheld(fork)
    with pytest.raises(LogDamaged, match="missing"):
        watch(tmp_path / "s", fork).look()
    with pytest.raises(SplitFound):
        watch(tmp_path / "s", log).look()


def test_a_log_that_does_not_answer_keeps_no_witness_from_being_read(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 9)
    fork = fork_of(log, tmp_path / "fork", 4, 6)
    watching = watch(tmp_path / "s", log)
    watching.look()
    (log.folder / "checkpoint").unlink()
    look = watch(tmp_path / "s", log, page_of(fork_of(log, tmp_path / "f2", 9, 9))).look()
    assert (look.shown, look.size, len(look.pages)) == (None, 9, 1)
    assert "no log here" in look.trouble
    with pytest.raises(SplitFound):
        watch(tmp_path / "s", log, page_of(fork)).look()


def test_a_disk_that_is_full_is_not_the_logs_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(tmp_path / "log", 9)

    def full(_source: object, _target: object) -> None:
        raise OSError(28, "No space left on device")

    watching = watch(tmp_path / "s", log)
    monkeypatch.setattr("tocsin.transparency.log_files.os.replace", full)
    with pytest.raises(LogNotWritten, match="No space"):
        watching.look()
    assert not list((watching.folder / "undecided").iterdir())


def test_an_empty_tree_with_a_root_of_its_own_is_evidence(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 5)
    watch(tmp_path / "s", log).look()
    wrong = LOG_KEY.signed(Checkpoint(head_of(log).origin, 0, b"x" * 32).text())
    bad = Page("w", lambda path, limit: wrong.to_bytes())
    with pytest.raises(SplitFound) as found:
        watch(tmp_path / "s", log, bad).look()
    check_evidence(found.value.place, KEYS)
    right = LOG_KEY.signed(Checkpoint(head_of(log).origin, 0, EMPTY_ROOT).text())
    with pytest.raises(BadProof):
        require_split((right.to_bytes(), log.published().note.to_bytes()), (), KEYS)


def test_what_is_put_off_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.transparency.monitor._MOST_UNDECIDED", 3)
    log = log_of(tmp_path / "log", 2)
    ahead = copy_of(log, tmp_path / "ahead")
    page = page_of(ahead)
    watching = watch(tmp_path / "s", log, page)
    for number in range(5):
        ahead.append(entries(1, 2 + number), LOG_KEY)
        look = watching.look()
        (seen,) = look.pages
        assert ("could not be kept" in seen.reason) == (number >= 3)
    assert look.undecided == 3


def test_evidence_that_proves_nothing_is_found_out(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 5)
    small = log.published().note.to_bytes()
    log.append(entries(5, 5), LOG_KEY)
    large = log.published().note.to_bytes()
    honest = (head_of(log).root, *log.consistency(5, 10))
    reader = log.reader()
    tied = (reader.root_at(5), *log.consistency(5, 10))
    for pair, proof in (
        ((small, small), ()),
        ((small, large), ()),
        ((small, large), honest),
        ((small, large), tied),
        ((large, small), tied),
    ):
        with pytest.raises(BadProof):
            require_split(pair, proof, KEYS)
    place = keep_evidence(tmp_path, SplitView("made up", (small, large), tied))
    with pytest.raises(BadProof):
        check_evidence(place, KEYS)
    (place / PROOF).write_text("not base64\n")
    with pytest.raises(BadProof):
        check_evidence(place, KEYS)
    (place / SMALLER).unlink()
    with pytest.raises(LogDamaged):
        check_evidence(place, KEYS)


# --- what cannot be judged ----------------------------------------------------------------


def test_a_log_whose_files_are_wrong_is_not_believed(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 300)
    (tmp_path / "log/tile/entries/000").write_bytes(b"\0\1x" * 256)
    with pytest.raises(LogDamaged, match="entries"):
        watch(tmp_path / "s", log).look()
    (tmp_path / "log/tile/0/001.p/44").unlink()
    with pytest.raises(LogDamaged, match="missing"):
        watch(tmp_path / "s", log).look()


def test_a_damaged_memory_is_said_and_not_begun_anew(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 3)
    watching = watch(tmp_path / "s", log)
    watching.look()
    (watching.folder / "checkpoint").write_bytes(b"")
    with pytest.raises(LogDamaged):
        watching.look()


def test_another_log_is_not_followed(tmp_path: Path) -> None:
    other = Log.init(tmp_path / "other", STRANGER)
    with pytest.raises(BadSignature):
        watch(tmp_path / "s", other).look()
    for keys in ((), (*KEYS, STRANGER.verifier)):
        with pytest.raises(MalformedKey):
            Monitor(tmp_path / "s", keys, other.fetch)


def test_two_monitors_of_one_folder_exclude_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(tmp_path / "log", 3)
    watching = watch(tmp_path / "s", log)
    monkeypatch.setattr(
        "tocsin.transparency.monitor.LogFiles", lambda folder: LogFiles(folder, timeout=0.05)
    )
    with LogFiles(watching.folder), pytest.raises(LogBusy):
        watching.look()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TransparencyError, match="file"):
        Monitor(tmp_path / "file", KEYS, log_of(tmp_path / "log", 1).fetch)
