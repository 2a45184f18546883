"""A mirror: what it signs it holds, checked; what is wrong or forked it neither takes nor signs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from log_kit import KEYS, copy_of, counting, fork_of, head_of, log_of
from transparency_samples import (
    ED25519_WITNESS,
    LOG_KEY,
    ML_DSA_WITNESS,
    THIRD_WITNESS,
    entries,
)

from tocsin.transparency.cosignature import cosign, cosignatures
from tocsin.transparency.errors import BadSignature, LogDamaged, MalformedKey, SplitView
from tocsin.transparency.evidence import check_evidence, keep_evidence
from tocsin.transparency.fsck import fsck
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log import Log
from tocsin.transparency.log_files import LogFiles
from tocsin.transparency.mirror import Mirror
from tocsin.transparency.note import NoteSignature, SignedNote

NOW = 1_800_000_000


def mirror(folder: Path, *keys: SigningKey, now: int = NOW) -> Mirror:
    return Mirror(folder, KEYS, keys=keys, clock=lambda: now)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_it_signs_it_holds(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 600)
    done = mirror(tmp_path / "m", ED25519_WITNESS, ML_DSA_WITNESS).update(log.fetch)
    copy = Log(tmp_path / "m", LOG_KEY.verifier)
    assert head_of(copy) == head_of(log)
    assert fsck(copy.folder, head_of(copy)).clean
    assert list(copy.reader().entries()) == entries(600)
    found = cosignatures(copy.published().note, [ED25519_WITNESS.verifier, ML_DSA_WITNESS.verifier])
    assert [each.timestamp for each in found] == [NOW, NOW]
    assert (done.before, done.checkpoint.head.size) == (0, 600)
    there = contents(tmp_path / "log")
    assert {name: data for name, data in contents(copy.folder).items() if name in there} == {
        **there,
        "checkpoint": copy.published().note.to_bytes(),
    }


def test_it_fetches_what_is_new_and_signs_with_a_new_time(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 1000)
    mirror(tmp_path / "m", ED25519_WITNESS).update(log.fetch)
    wanted: list[str] = []
    done = mirror(tmp_path / "m", ED25519_WITNESS, now=NOW + 9).update(counting(log.fetch, wanted))
    assert (done.written, wanted) == (0, ["checkpoint"])
    (found,) = cosignatures(done.checkpoint.note, [ED25519_WITNESS.verifier])
    assert found.timestamp == NOW + 9
    log.append(entries(5, 1000), LOG_KEY)
    wanted.clear()
    mirror(tmp_path / "m").update(counting(log.fetch, wanted))
    assert [path for path in wanted if "entries" in path] == ["tile/entries/003.p/237"]
    assert fsck(tmp_path / "m", head_of(log)).clean


def test_an_interrupted_copy_goes_on_where_it_was(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 2000)
    cut: list[str] = []
    with pytest.raises(ConnectionError):
        mirror(tmp_path / "m", ED25519_WITNESS).update(counting(log.fetch, cut, most=12))
    assert not (tmp_path / "m/checkpoint").exists()
    wanted: list[str] = []
    mirror(tmp_path / "m", ED25519_WITNESS).update(counting(log.fetch, wanted))
    assert fsck(tmp_path / "m", head_of(log)).clean
    bundles = {path for path in cut if "entries" in path}
    assert len(bundles) > 2
    assert len(bundles & set(wanted)) <= 1  # the one that was cut off


def test_a_source_that_is_behind_takes_nothing_away(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 5)
    old = copy_of(log, tmp_path / "old")
    log.append(entries(5, 5), LOG_KEY)
    copy = mirror(tmp_path / "m", ED25519_WITNESS)
    copy.update(log.fetch)
    done = copy.update(old.fetch)
    assert (done.source_size, done.checkpoint.head) == (5, head_of(log))


@pytest.mark.parametrize(("held", "forked"), [(7, 7), (7, 12), (12, 7)])
def test_a_fork_is_neither_taken_nor_signed(tmp_path: Path, held: int, forked: int) -> None:
    log = log_of(tmp_path / "log", held)
    fork = fork_of(log, tmp_path / "fork", 3, forked)
    copy = mirror(tmp_path / "m", ED25519_WITNESS)
    copy.update(log.fetch)
    before = contents(tmp_path / "m")
    with pytest.raises(SplitView) as found:
        copy.update(fork.fetch)
    assert contents(tmp_path / "m") == before
    check_evidence(keep_evidence(tmp_path / "evidence", found.value), KEYS)


@pytest.mark.parametrize(
    "path", ["tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/0/001.p/44"]
)
def test_what_the_source_has_wrong_is_not_signed(tmp_path: Path, path: str) -> None:
    log = log_of(tmp_path / "log", 300)
    data = (log.folder / path).read_bytes()
    for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data[:-1], data + b"\0", b""):
        (log.folder / path).write_bytes(wrong)
        with pytest.raises(LogDamaged):
            mirror(tmp_path / "m", ED25519_WITNESS).update(log.fetch)
        assert not (tmp_path / "m/checkpoint").exists()
    (log.folder / path).write_bytes(data)
    mirror(tmp_path / "m", ED25519_WITNESS).update(log.fetch)
    assert fsck(tmp_path / "m", head_of(log)).clean


def test_what_was_damaged_here_is_fetched_again(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 600)
    copy = mirror(tmp_path / "m")
    copy.update(log.fetch)
    for path in ("tile/entries/001", "tile/0/000", "tile/1/000.p/2"):
        (tmp_path / "m" / path).write_bytes(b"damaged")
    (tmp_path / "m/tile/0/002.p/88").unlink()
    assert not fsck(tmp_path / "m", head_of(log)).clean
    assert copy.update(log.fetch, whole=True).written == 4
    assert fsck(tmp_path / "m", head_of(log)).clean


def test_a_mirror_of_a_mirror(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 300)
    mirror(tmp_path / "one", ED25519_WITNESS).update(log.fetch)
    one = Log(tmp_path / "one", LOG_KEY.verifier)
    done = mirror(tmp_path / "two", ML_DSA_WITNESS).update(one.fetch)
    both = [ED25519_WITNESS.verifier, ML_DSA_WITNESS.verifier]
    assert [each.key for each in cosignatures(done.checkpoint.note, both)] == both


def test_with_cosigners_that_are_known_only_theirs_are_passed_on(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 3)
    text = log.published().note.text
    log.publish([cosign(text, ED25519_WITNESS, NOW), cosign(text, THIRD_WITNESS, NOW)])
    copy = Mirror(tmp_path / "m", KEYS, cosigners=[ED25519_WITNESS.verifier])
    names = [each.name for each in copy.update(log.fetch).checkpoint.note.signatures]
    assert names == [LOG_KEY.verifier.name, ED25519_WITNESS.verifier.name]
    key = ED25519_WITNESS.verifier
    log.publish([NoteSignature(key.name, key.key_id, bytes(72))])
    with pytest.raises(BadSignature):
        copy.update(log.fetch)


def test_a_logs_key_is_no_mirrors_key(tmp_path: Path) -> None:
    with pytest.raises(MalformedKey):
        mirror(tmp_path / "m", LOG_KEY).update(log_of(tmp_path / "log", 1).fetch)


def test_what_was_kept_unsigned_binds_too(tmp_path: Path) -> None:
    """Ended between keeping and signing, it signs no fork of what was kept."""
    log = log_of(tmp_path / "log", 7)
    fork = fork_of(log, tmp_path / "fork", 3, 7)
    mirror(tmp_path / "m").update(log.fetch)
    (tmp_path / "m/checkpoint").rename(tmp_path / "m/pending")
    with pytest.raises(SplitView):
        mirror(tmp_path / "m", ED25519_WITNESS).update(fork.fetch)


def test_cut_off_at_any_step_it_has_signed_nothing_that_it_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended before each file that is written or taken away; then it goes on to the end."""
    log = log_of(tmp_path / "log", 300)
    folder = tmp_path / "m"
    mirror(folder, ED25519_WITNESS).update(log.fetch)
    log.append(entries(300, 300), LOG_KEY)
    steps, left = 0, 0

    def counted(name: str) -> Callable[..., None]:
        real = getattr(LogFiles, name)

        def step(files: LogFiles, *arguments: object) -> None:
            nonlocal steps
            steps += 1
            if steps > left:
                raise KeyboardInterrupt
            real(files, *arguments)

        return step

    for name in ("write", "remove", "settle"):
        monkeypatch.setattr(LogFiles, name, counted(name))
    sizes = []
    for allowed in range(30):
        left = allowed
        steps = 0
        done = False
        with suppress(KeyboardInterrupt):
            mirror(folder, ED25519_WITNESS).update(log.fetch)
            done = True
        signed = Log(folder, LOG_KEY.verifier).published()
        assert cosignatures(signed.note, [ED25519_WITNESS.verifier])
        assert fsck(folder, signed.head).clean
        sizes.append(signed.head.size)
        if done:
            break
    assert sizes == sorted(sizes)
    assert set(sizes) == {300, 600}
    assert done


def junk(count: int, size: int = 64) -> list[NoteSignature]:
    """Lines that anybody can make, by keys that nobody has."""
    return [NoteSignature(f"junk{n}.example", bytes(4), bytes(size)) for n in range(count)]


@pytest.mark.parametrize(("count", "size"), [(127, 64), (99, 7900)])
def test_lines_by_nobody_do_not_lock_it_out_of_its_own_copy(
    tmp_path: Path, count: int, size: int
) -> None:
    """A source may show as many as can be read; the mirror's own come on top of them."""
    log = log_of(tmp_path / "log", 5)
    note = log.published().note
    whole = SignedNote(note.text, (*junk(count, size), *note.signatures))
    (log.folder / "checkpoint").write_bytes(whole.to_bytes())
    for _ in range(2):
        mirror(tmp_path / "m", ED25519_WITNESS, ML_DSA_WITNESS).update(log.fetch)
    served = Log(tmp_path / "m", LOG_KEY.verifier).published().note
    both = [ED25519_WITNESS.verifier, ML_DSA_WITNESS.verifier]
    assert [each.key for each in cosignatures(served, both)] == both
    log.append(entries(5, 5), LOG_KEY)
    assert mirror(tmp_path / "m").update(log.fetch).checkpoint.head.size == 10


def test_a_log_takes_no_more_lines_than_it_can_read(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 5)
    log.publish(junk(300))
    log.publish(
        [cosign(log.published().note.text, ED25519_WITNESS, NOW)], [ED25519_WITNESS.verifier]
    )
    note = log.published().note
    assert len(note.signatures) == 128
    assert cosignatures(note, [ED25519_WITNESS.verifier])
    with pytest.raises(BadSignature):
        log.publish([NoteSignature(LOG_KEY.verifier.name, LOG_KEY.verifier.key_id, bytes(64))])
    log.append(entries(5, 5), LOG_KEY)
    assert log.published().head.size == 10


def test_what_a_source_shows_as_the_mirrors_own_word_is_not_taken(tmp_path: Path) -> None:
    """A time in the future under its name would keep it from signing until then."""
    log = log_of(tmp_path / "log", 3)
    key = ED25519_WITNESS.verifier
    later = (1 << 62).to_bytes(8, "big") + bytes(64)
    log.publish([NoteSignature(key.name, key.key_id, later)])
    copy = mirror(tmp_path / "m", ED25519_WITNESS)
    write = LogFiles.write

    def cut(files: LogFiles, path: str, content: bytes) -> None:
        if path == "checkpoint":
            raise KeyboardInterrupt
        write(files, path, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogFiles, "write", cut)
        with pytest.raises(KeyboardInterrupt):
            copy.update(log.fetch)
    for _ in range(2):
        found = cosignatures(copy.update(log.fetch).checkpoint.note, [key])
        assert [each.timestamp for each in found] == [NOW]


@pytest.mark.parametrize("damage", ["gone", "short", "long"])
@pytest.mark.parametrize("path", ["tile/entries/000", "tile/0/000", "tile/0/001.p/44"])
def test_a_file_that_is_gone_or_cut_is_noticed_before_it_signs_again(
    tmp_path: Path, path: str, damage: str
) -> None:
    log = log_of(tmp_path / "log", 300)
    mirror(tmp_path / "m", ED25519_WITNESS).update(log.fetch)
    place = tmp_path / "m" / path
    data = place.read_bytes()
    if damage == "gone":
        place.unlink()
    else:
        place.write_bytes(data[:300] if damage == "short" else data + bytes(1 << 24))
    assert mirror(tmp_path / "m", ED25519_WITNESS).update(log.fetch).written == 1
    assert place.read_bytes() == data


def test_the_names_of_folders_last_whoever_made_them(tmp_path: Path) -> None:
    """A run that was killed made the folder, and did not get as far as to sync its name."""
    (tmp_path / "log/tile/entries").mkdir(parents=True)
    synced: list[Path] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tocsin.transparency.log_files.sync_folder", synced.append)
        with LogFiles(tmp_path / "log") as files:
            files.write("tile/entries/000.p/1", b"x")
            files.settle()
    parts = ("", "tile", "tile/entries", "tile/entries/000.p")
    assert set(synced) >= {tmp_path / "log" / part for part in parts}
