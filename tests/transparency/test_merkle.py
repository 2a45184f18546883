"""The Merkle tree: as RFC 6962 defines it, as others' vectors have it, and under attack."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transparency_samples import Tree, entries, unpacked

from tocsin.transparency.errors import BadProof
from tocsin.transparency.merkle import (
    EMPTY_ROOT,
    CompactRange,
    Range,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
)

LEAVES = entries(70)
TREE = Tree(LEAVES)
SIZES = st.integers(1, len(LEAVES))


def defined_root(leaves: list[bytes]) -> bytes:
    """The root word by word as RFC 6962, section 2.1, defines it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(defined_root(leaves[:half]), defined_root(leaves[half:]))


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_roots_are_as_defined(size: int) -> None:
    assert TREE.roots[size] == root_hash(size, TREE.hashes) == defined_root(LEAVES[:size])


@given(SIZES, st.data())
def test_a_tree_is_taken_up_where_it_ends(size: int, data: st.DataObject) -> None:
    begun = data.draw(st.integers(0, size))
    tree = CompactRange.load(begun, TREE.hashes)
    for leaf in LEAVES[begun:size]:
        tree.append(leaf_hash(leaf))
    assert tree.root() == TREE.roots[size]


def test_every_leaf_of_every_tree_is_proved() -> None:
    for size in range(1, 40):
        for index in range(size):
            proof = inclusion_proof(index, size, TREE.hashes)
            verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, TREE.roots[size])


def test_every_tree_continues_every_smaller_one() -> None:
    for new in range(1, 40):
        for old in range(1, new + 1):
            proof = consistency_proof(old, new, TREE.hashes)
            verify_consistency(old, TREE.roots[old], new, TREE.roots[new], proof)


@given(SIZES, st.data())
@settings(max_examples=200)
def test_an_altered_inclusion_proof_shows_nothing(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, TREE.hashes)
    leaf, root = leaf_hash(LEAVES[index]), TREE.roots[size]
    altered = data.draw(alterations(proof, index, size))
    with pytest.raises(BadProof):
        verify_inclusion(leaf, altered[1], altered[2], altered[0], root)


def alterations(proof: list[bytes], index: int, size: int) -> st.SearchStrategy[Any]:
    """Proofs with a hash changed, lost, added or moved, or an index that is another."""
    others = st.integers(0, size + 3).filter(lambda other: other != index)
    ways = [
        st.tuples(st.just([*proof, b"\0" * 32]), st.just(index), st.just(size)),
        st.tuples(st.just([b"\0" * 32, *proof]), st.just(index), st.just(size)),
        st.tuples(st.just(proof), others, st.just(size)),
    ]
    if proof:
        places = st.integers(0, len(proof) - 1)
        ways.append(
            places.map(
                lambda at: ([*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]], index, size)
            )
        )
        ways.append(places.map(lambda at: (proof[:at] + proof[at + 1 :], index, size)))
        ways.append(st.just(([proof[0][:31], *proof[1:]], index, size)))
    return st.one_of(ways)


@given(st.integers(2, len(LEAVES)), st.data())
@settings(max_examples=200)
def test_a_history_that_was_changed_is_not_continued(size: int, data: st.DataObject) -> None:
    """Whoever changes one entry of the past finds no proof that says otherwise."""
    old = data.draw(st.integers(1, size - 1))
    place = data.draw(st.integers(0, old - 1))
    forged = Tree([*LEAVES[:place], b"forged", *LEAVES[place + 1 : size]])
    for proof in (
        consistency_proof(old, size, forged.hashes),
        consistency_proof(old, size, TREE.hashes),
    ):
        with pytest.raises(BadProof):
            verify_consistency(old, TREE.roots[old], size, forged.roots[size], proof)


@given(SIZES, st.data())
def test_subtrees_are_proved(size: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, 6))
    start = data.draw(st.integers(0, (size - 1) >> level)) << level
    end = data.draw(st.integers(start + 1, min(size, start + (1 << level))))
    inner = defined_root(LEAVES[start:end])
    proof = consistency_proof(end, size, TREE.hashes, start=start)
    verify_subtree_consistency(Range(start, end), inner, size, TREE.roots[size], proof)
    with pytest.raises(BadProof):
        verify_subtree_consistency(
            Range(start, end), leaf_hash(inner), size, TREE.roots[size], proof
        )
    index = data.draw(st.integers(start, end - 1))
    path = inclusion_proof(index, end, TREE.hashes, start=start)
    verify_inclusion(leaf_hash(LEAVES[index]), index, end, path, inner, start=start)


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (-1, 5), (1, 1 << 63), (0, 0)], ids=str)
def test_what_no_tree_has_is_refused(old: int, new: int) -> None:
    with pytest.raises(BadProof):
        verify_consistency(old, EMPTY_ROOT, new, EMPTY_ROOT, [])
    with pytest.raises(BadProof):
        consistency_proof(old, new, TREE.hashes)


def test_proofs_in_the_largest_tree_take_no_time() -> None:
    size = (1 << 63) - 1
    proof = [b"\1" * 32] * 63
    with pytest.raises(BadProof, match="not in the tree"):
        verify_inclusion(b"\0" * 32, 0, size, proof, b"\2" * 32)
    with pytest.raises(BadProof, match="does not continue"):
        verify_consistency(1 << 62, b"\0" * 32, size, b"\2" * 32, proof[:1])


# --- vectors of transparency-dev/merkle -----------------------------------------------------


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    folder = unpacked("merkle-testdata.tar.gz", tmp_path_factory.mktemp("merkle"))
    return [
        (path.relative_to(folder).as_posix(), json.loads(path.read_text()))
        for path in sorted(Path(folder).rglob("*.json"))
    ]


def follows(kind: str, case: dict[str, Any]) -> bool:
    """Whether a vector's proof shows what it claims to."""

    def raw(key: str) -> bytes:
        return base64.b64decode(case.get(key) or "")

    proof = [base64.b64decode(each) for each in case.get("proof") or []]
    try:
        if kind == "inclusion":
            leaf, index, size = raw("leafHash"), case["leafIdx"], case["treeSize"]
            verify_inclusion(leaf, index, size, proof, raw("root"))
        elif kind == "subtreeinclusion":
            leaf, index, end = raw("leafHash"), case["leafIdx"], case["end"]
            verify_inclusion(leaf, index, end, proof, raw("root"), start=case["start"])
        elif kind == "consistency":
            verify_consistency(case["size1"], raw("root1"), case["size2"], raw("root2"), proof)
        else:
            part = Range(case["start"], case["end"])
            verify_subtree_consistency(part, raw("root1"), case["size"], raw("root2"), proof)
    except BadProof:
        return False
    return True


def test_all_vectors(vectors: list[tuple[str, dict[str, Any]]]) -> None:
    assert len(vectors) == 518
    wrong = [
        name for name, case in vectors if follows(name.split("/")[0], case) == bool(case["wantErr"])
    ]
    assert wrong == []
