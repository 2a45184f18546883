"""A witness: every status that the specification has, over a real socket, and what it keeps.

Specification: C2SP tlog-witness.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transparency_samples import LOG_KEY, ORIGIN
from witness_kit import (
    FORGED,
    MALFORMED,
    OTHER_ROOT,
    STRANGER,
    TREE,
    W_ED,
    W_PQ,
    Client,
    body,
    serving,
    signed,
)

from tocsin.transparency.cosignature import cosignatures, parse_cosignature_lines
from tocsin.transparency.errors import MalformedKey, WitnessError
from tocsin.transparency.evidence import check_evidence
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.note import KeyType, NoteSignature, SignedNote
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.witness import Refused, Submission, origin_hash
from tocsin.transparency.witness_store import WitnessStore, require_cosigners

PAGE = f"/{origin_hash(ORIGIN)}/checkpoint"
WITNESS = (W_ED.verifier, W_PQ.verifier)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path / "state") as client:
        yield client


def grown_to(client: Client, *sizes: int) -> None:
    before = 0
    for size in sizes:
        assert client.submit(body(before, signed(size)))[0] == 200
        before = size


def stored(client: Client) -> int:
    status, _, data = client.ask("GET", PAGE)
    return Checkpoint.parse(SignedNote.parse(data).text).size if status == 200 else 0


# --- what is cosigned ---------------------------------------------------------------------


def test_both_keys_cosign_and_the_page_shows_what_was_answered(witness: Client) -> None:
    note = signed(7)
    status, _, lines = witness.submit(body(0, note))
    assert status == 200
    given_out = parse_cosignature_lines(lines)
    found = cosignatures(SignedNote(note.text, given_out), WITNESS)
    assert [each.key for each in found] == [*WITNESS]
    assert all(each.timestamp for each in found)
    status, _, page = witness.ask("GET", PAGE)
    assert status == 200
    assert SignedNote.parse(page) == SignedNote(note.text, (*note.signatures, *given_out))


def test_it_grows_by_proofs_over_one_connection(witness: Client) -> None:
    grown_to(witness, 1, 2, 8, 9, 33, 40)
    assert stored(witness) == 40


def test_the_same_checkpoint_is_cosigned_again(witness: Client) -> None:
    grown_to(witness, 5)
    assert witness.submit(body(5, signed(5)))[0] == 200
    assert witness.submit(body(5, signed(6)))[0] == 200


def test_within_one_second_it_is_not_signed_anew(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    store = WitnessStore(tmp_path, clock=lambda: now[0])
    store.add_log(LOG_KEY.verifier)
    page = tmp_path / origin_hash(ORIGIN) / "checkpoint"
    first = store.submit(body(0, signed(3)), [W_ED, W_PQ])
    written = page.stat().st_ino
    assert store.submit(body(3, signed(3)), [W_ED, W_PQ]) == first
    assert page.stat().st_ino == written
    assert store.submit(body(3, signed(3)), [W_PQ]) in first
    now[0] += 1
    assert store.submit(body(3, signed(3)), [W_ED, W_PQ]) != first
    assert page.stat().st_ino != written


def test_an_empty_log_is_cosigned(witness: Client) -> None:
    assert witness.submit(body(0, signed(0)))[0] == 200
    assert witness.submit(body(0, signed(0)))[0] == 200
    assert witness.submit(body(0, signed(3)))[0] == 200


def test_lines_of_others_are_neither_checked_nor_shown(witness: Client) -> None:
    other = NoteSignature("somebody.else/w", b"abcd", bytes(72))
    assert witness.submit(body(0, signed(4).with_signatures([other])))[0] == 200
    assert b"somebody.else" not in witness.ask("GET", PAGE)[2]


# --- what is not --------------------------------------------------------------------------


@pytest.mark.parametrize("what", MALFORMED)
def test_400_what_is_malformed(witness: Client, what: str) -> None:
    assert witness.submit(MALFORMED[what])[0] == 400
    assert stored(witness) == 0


def test_403_what_the_log_did_not_sign(witness: Client) -> None:
    renamed = SigningKey.from_seed(ORIGIN, KeyType.ED25519, b"not the log's key" + bytes(15))
    assert witness.submit(body(0, signed(8, key=renamed)))[0] == 403
    assert witness.submit(body(0, FORGED))[0] == 403
    assert stored(witness) == 0


def test_403_a_wrong_signature_beside_a_right_one(witness: Client) -> None:
    note = SignedNote(signed(8).text, (*signed(8).signatures, *FORGED.signatures))
    assert witness.submit(body(0, note))[0] == 403


def test_404_a_log_that_is_not_known(witness: Client) -> None:
    assert witness.submit(body(0, signed(8, key=STRANGER)))[0] == 404
    assert witness.ask("GET", f"/{origin_hash(STRANGER.verifier.name)}/checkpoint")[0] == 404


def test_404_what_was_never_cosigned_and_what_is_no_page(witness: Client) -> None:
    paths = (PAGE, "/", "/checkpoint", "/../logs", "/logs", PAGE.upper(), PAGE + "/x", "/x" + PAGE)
    assert [witness.ask("GET", path)[0] for path in paths] == [404] * len(paths)


def test_405_another_method(witness: Client) -> None:
    assert witness.ask("GET", "/add-checkpoint")[0] == 405
    assert witness.ask("DELETE", PAGE)[0] == 405


def test_409_says_the_size(witness: Client) -> None:
    grown_to(witness, 9)
    for old, size in ((0, 9), (0, 40), (8, 40), (10, 40)):
        answer = witness.submit(body(old, signed(size)))
        assert answer == (409, "text/x.tlog.size", b"9\n")
    assert stored(witness) == 9


def test_409_before_the_first(witness: Client) -> None:
    assert witness.submit(body(3, signed(8))) == (409, "text/x.tlog.size", b"0\n")


def test_422_what_does_not_continue(witness: Client, tmp_path: Path) -> None:
    assert witness.submit(body(0, signed(0, root=OTHER_ROOT)))[0] == 422
    assert witness.submit(body(0, signed(8), [TREE.roots[1]]))[0] == 422
    assert stored(witness) == 0
    grown_to(witness, 9)
    refused = [
        body(9, signed(9, root=OTHER_ROOT)),
        body(9, signed(20, root=OTHER_ROOT)),
        body(9, signed(20), []),
        body(9, signed(9), [TREE.roots[9]]),
        body(3, signed(9, root=OTHER_ROOT), []),  # whatever it says, the log signed two trees
    ]
    assert [witness.submit(each)[0] for each in refused] == [422] * 4 + [409]
    assert stored(witness) == 9
    state = tmp_path / "state" / origin_hash(ORIGIN)
    kept = [path.read_bytes() for path in (state / "suspect").iterdir()]
    assert sorted(kept) == sorted(refused[1:4])
    (proof,) = (state / "evidence").iterdir()  # of two requests with one and the same other tree
    check_evidence(proof, [LOG_KEY.verifier])


def test_wrong_proofs_are_bounded_and_crowd_out_no_evidence(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path)
    store.add_log(LOG_KEY.verifier)
    store.submit(body(0, signed(9)), [W_ED])
    state = tmp_path / origin_hash(ORIGIN)
    honest = [body(9, signed(20), [b"%032d" % number]) for number in range(70)]
    forked = [body(9, signed(21, root=b"%032d" % number), []) for number in range(70)]
    split = [body(9, signed(9, root=b"%032d" % number)) for number in range(70)]
    for requests, suspects in ((honest, 1), (forked[:1], 2), (forked, 64), (split, 64)):
        for data in requests:
            with pytest.raises(Refused):
                store.submit(data, [W_ED])
        assert len(list((state / "suspect").iterdir())) == suspects
    assert forked[0] in [path.read_bytes() for path in (state / "suspect").iterdir()]
    assert len(list((state / "evidence").iterdir())) == 64
    store.submit(body(9, signed(20)), [W_ED])  # shown to continue after all
    assert len(list((state / "suspect").iterdir())) == 63


# --- races and prefixes -------------------------------------------------------------------


def test_of_two_that_race_none_sets_it_back(tmp_path: Path) -> None:
    """Six submitters at once, each by its own connection: what is stored only ever grows."""
    with serving(tmp_path) as client:
        grown_to(client, 1)
        granted: list[int] = []
        gate = threading.Barrier(6)

        def race(number: int) -> None:
            own = Client(client.host, client.port)
            gate.wait()
            for size in range(2 + number, 40, 6):
                for _ in range(20):
                    old = stored(own)
                    if old > size:
                        break
                    if own.submit(body(old, signed(size)))[0] == 200:
                        granted.append(size)
                        break
            own.close()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(race, range(6)))
        assert stored(client) == max(granted)


def test_two_processes_with_one_folder_exclude_each_other(tmp_path: Path) -> None:
    WitnessStore(tmp_path).add_log(LOG_KEY.verifier)
    WitnessStore(tmp_path).submit(body(0, signed(1)), [W_ED])
    several = multiprocessing.get_context("fork")
    answers, gate = several.SimpleQueue(), several.Barrier(2)

    def submit() -> None:
        store = WitnessStore(tmp_path)
        gate.wait()
        for size in range(2, 30):
            try:
                store.submit(body(1, signed(size)), [W_ED])
                answers.put("cosigned")
            except Refused as refused:
                answers.put(str(refused.answer.status))

    children = [several.Process(target=submit) for _ in range(2)]
    for child in children:
        child.start()
    found = sorted(answers.get() for _ in range(56))
    for child in children:
        child.join(20)
    assert found == ["409"] * 55 + ["cosigned"]


def test_a_prefix_stands_before_all_paths(tmp_path: Path) -> None:
    with serving(tmp_path, prefix="/w1/") as client:
        assert client.ask("POST", "/w1/add-checkpoint", body(0, signed(3)))[0] == 200
        assert client.ask("GET", "/w1" + PAGE)[0] == 200
        assert client.submit(body(3, signed(4)))[0] in (404, 413)


# --- what is kept -------------------------------------------------------------------------


def test_a_log_that_is_added_is_known_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        assert client.submit(body(0, signed(8, key=STRANGER)))[0] == 404
        WitnessStore(tmp_path).add_log(STRANGER.verifier)
        assert client.submit(body(0, signed(8, key=STRANGER)))[0] == 200
        assert client.submit(body(0, signed(8)))[0] == 200


def test_a_damaged_state_is_not_taken_for_none(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path)
    store.add_log(LOG_KEY.verifier)
    store.submit(body(0, signed(9)), [W_ED])
    (tmp_path / origin_hash(ORIGIN) / "checkpoint").write_bytes(b"")
    with pytest.raises(WitnessError, match="damaged"):
        store.submit(body(0, signed(8)), [W_ED])
    with serving(tmp_path) as client:
        assert client.submit(body(0, signed(8)))[0] == 500


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        grown_to(client, 9)
    with serving(tmp_path) as client:
        assert client.submit(body(0, signed(8)))[::2] == (409, b"9\n")


def test_a_clock_that_went_back_signs_nothing(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    store = WitnessStore(tmp_path, clock=lambda: now[0])
    store.add_log(LOG_KEY.verifier)
    store.submit(body(0, signed(3)), [W_ED, W_PQ])
    now[0] -= 1
    with pytest.raises(WitnessError, match="clock"):
        store.submit(body(3, signed(4)), [W_ED, W_PQ])
    now[0] += 1
    store.submit(body(3, signed(4)), [W_ED, W_PQ])


def test_a_clock_at_nothing_signs_nothing(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path, clock=lambda: 0.0)
    store.add_log(LOG_KEY.verifier)
    with pytest.raises(WitnessError, match="clock"):
        store.submit(body(0, signed(3)), [W_ED])


def test_only_keys_of_witnesses_are_taken() -> None:
    for keys in ((), (LOG_KEY,), (W_ED, W_ED)):
        with pytest.raises(MalformedKey):
            require_cosigners(keys)


def status_of(data: bytes, latest: Checkpoint | None) -> int:
    try:
        Submission.parse(data).judge([LOG_KEY.verifier], latest)
    except Refused as refused:
        return refused.answer.status
    return 200


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: b"old 0\n\n" + tail))
def test_any_bytes_are_a_request_or_refused_with_400(data: bytes) -> None:
    try:
        found = Submission.parse(data)
    except Refused:
        assert status_of(data, None) == 400
    else:
        assert body(found.old, found.note, found.proof) == data


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_what_is_cosigned_continues_what_was(known: int, old: int, size: int, fork: bool) -> None:
    root = OTHER_ROOT if fork else TREE.roots[size]
    latest = Checkpoint(ORIGIN, known, TREE.roots[known]) if known else None
    expected = 200
    if old > size:
        expected = 400
    elif old != known:
        expected = 409
    elif fork and (known or size == 0):
        expected = 422
    assert status_of(body(old, signed(size, root=root)), latest) == expected
