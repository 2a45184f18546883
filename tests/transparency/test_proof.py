"""Proofs that stand on their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transparency_samples import LOG_KEY, ORIGIN, WITNESSES, Tree, entries

from tocsin.errors import TocsinError
from tocsin.transparency.checkpoint import Checkpoint
from tocsin.transparency.cosignature import cosign
from tocsin.transparency.errors import BadProof, BadSignature, MalformedNote, PolicyNotMet
from tocsin.transparency.merkle import inclusion_proof
from tocsin.transparency.policy import Policy
from tocsin.transparency.proof import TlogProof

LEAVES = entries(700)
TREE = Tree(LEAVES)
LINES = "".join(f"witness W{n} {key.verifier}\n" for n, key in enumerate(WITNESSES))
POLICY = Policy.parse(f"log {LOG_KEY.verifier}\n{LINES}group g 1 W0 W1 W2\nquorum g\n".encode())
NOW = 1_800_000_000


def proof_of(index: int, *, witnesses: int = 1, size: int = 700) -> TlogProof:
    note = LOG_KEY.signed(Checkpoint(ORIGIN, size, TREE.roots[size]).text())
    note = note.with_signatures(cosign(note.text, key, NOW) for key in WITNESSES[:witnesses])
    return TlogProof(index, tuple(inclusion_proof(index, size, TREE.hashes)), note.to_bytes())


PROOF = proof_of(73)


@given(st.integers(0, 699), st.one_of(st.none(), st.binary(max_size=100)))
@settings(max_examples=30, deadline=None)
def test_a_proof_is_read_as_it_is_written(index: int, extra: bytes | None) -> None:
    proof = replace(proof_of(index), extra=extra)
    assert TlogProof.parse(proof.to_bytes()) == proof


def test_an_entry_is_verified_off_line() -> None:
    verdict = TlogProof.parse(PROOF.to_bytes()).verify(LEAVES[73], POLICY, now=NOW, max_age=60)
    assert verdict.met
    assert verdict.quorum_time == NOW
    assert len(PROOF.to_bytes()) < 900  # so small that it goes beside whatever it vouches for


def test_another_entry_is_not() -> None:
    with pytest.raises(BadProof):
        PROOF.verify(LEAVES[74], POLICY)
    with pytest.raises(BadProof):
        replace(PROOF, index=74).verify(LEAVES[73], POLICY)
    with pytest.raises(BadProof):
        replace(PROOF, hashes=PROOF.hashes[:-1]).verify(LEAVES[73], POLICY)


def test_an_inner_node_cannot_be_passed_off_as_an_entry() -> None:
    """What is hashed into the tree above the leaves is told from leaves by its first byte."""
    left, right = TREE.hashes([*inner_nodes()])
    path = inclusion_proof(0, 700, TREE.hashes)
    with pytest.raises(BadProof):
        TlogProof(0, tuple(path[1:]), PROOF.checkpoint).verify(left + right, POLICY)


def inner_nodes():
    from tocsin.transparency.merkle import Node

    return Node(0, 0), Node(0, 1)


def test_the_quorum_is_insisted_on() -> None:
    lonely = proof_of(73, witnesses=0)
    assert not lonely.check(LEAVES[73], POLICY).met
    with pytest.raises(PolicyNotMet):
        lonely.verify(LEAVES[73], POLICY)
    with pytest.raises(PolicyNotMet, match="too long ago"):
        PROOF.verify(LEAVES[73], POLICY, now=NOW + 61, max_age=60)


def test_a_log_that_is_not_named_is_not_believed() -> None:
    with pytest.raises(BadSignature):
        PROOF.verify(LEAVES[73], Policy.parse(b"quorum none\n"))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_byte_of_a_proof_can_be_changed(data: st.DataObject) -> None:
    """Not even in the witness's line, without which the quorum is not met."""
    content = bytearray(PROOF.to_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TocsinError):
        TlogProof.parse(bytes(content)).verify(LEAVES[73], POLICY)


WHOLE = PROOF.to_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE.replace(b"@v1", b"@v2"),
        WHOLE.replace(b"index 73", b"index 073"),
        WHOLE.replace(b"index 73", b"index -73"),
        WHOLE.replace(b"index 73", b"Index 73"),
        WHOLE.replace(b"index 73\n", b""),
        WHOLE.replace(b"index 73", b"extra AA\nindex 73"),
        WHOLE.replace(b"index 73", b"extra AAAA\nextra AAAA\nindex 73"),
        WHOLE.replace(b"index 73", b"index 73\nextra AAAA"),
        WHOLE.replace(b"index 73\n", b"index 73\n" + b"A" * 43 + b"=\n" * 1),
        WHOLE.replace(b"index 73\n", b"index 73\n" + (b"A" * 43 + b"=\n") * 64),
        WHOLE.replace(b"index 73", b"index 73\r"),
        WHOLE.replace(b"\n\n", b"\n", 1),
        WHOLE[: WHOLE.index(b"\n\n")],
        WHOLE[: WHOLE.index(b"\n\n") + 2],
        b"\xff" + WHOLE,
    ],
)
def test_what_is_no_proof(content: bytes) -> None:
    with pytest.raises((MalformedNote, BadProof)):
        TlogProof.parse(content).verify(LEAVES[73], POLICY)


def test_proofs_are_bounded() -> None:
    with pytest.raises(MalformedNote, match="longer"):
        TlogProof.parse(WHOLE + b"a" * (2 << 20))
    with pytest.raises(MalformedNote, match="extra"):
        TlogProof.parse(replace(PROOF, extra=b"e" * 70_000).to_bytes())
