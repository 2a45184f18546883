"""The Merkle tree of RFC 6962: roots, and proofs made and checked, without any I/O.

A tree is asked for the hashes it stores by `Hashes`: a function from nodes to hashes, where a
node is a complete subtree of 2^level leaves. All other hashes follow
from these. A proof is a list of 32-byte hashes, the one nearest to the leaves first.

Proofs are made and checked along one and the same walk from the root downwards (`_inclusion_walk`,
`_consistency_walk`), which says of what range of leaves each of a proof's hashes is.

Specification: RFC 6962 section 2.1; RFC 9162 section 2.1; for subtrees
draft-ietf-plants-merkle-tree-certs section 4.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tocsin.transparency.coding import HASH_BYTES, MAX_SIZE
from tocsin.transparency.errors import BadProof

EMPTY_ROOT = hashlib.sha256(b"").digest()


class Node(NamedTuple):
    """A complete subtree.

    Attributes:
        level: it spans 2^level leaves.
        place: how many of its level stand left of it.
    """

    level: int
    place: int


Hashes = Callable[[Sequence[Node]], Sequence[bytes]]
"""Gives the hashes of nodes, in their order; whoever stores them raises what it must."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf's content (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash over two neighbours (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Range(NamedTuple):
    """Leaves from `start` up to but not including `end`, which are a subtree."""

    start: int
    end: int

    def nodes(self) -> Iterator[Node]:
        """The complete subtrees that make it up, the largest first."""
        start, left = self
        while start < left:
            level = (left - start).bit_length() - 1
            yield Node(level, start >> level)
            start += 1 << level


def _folded(hashes: Sequence[bytes]) -> bytes:
    """The hash over complete subtrees that stand side by side, the largest first."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def _hashes_of(ranges: Sequence[Range], hashes: Hashes) -> list[bytes]:
    """Hashes of several ranges, with one question to the store."""
    nodes = [list(each.nodes()) for each in ranges]
    stored = hashes([node for group in nodes for node in group])
    result, place = [], 0
    for group in nodes:
        result.append(_folded(stored[place : place + len(group)]))
        place += len(group)
    return result


def root_hash(size: int, hashes: Hashes) -> bytes:
    """The root over the first leaves of a tree."""
    return _hashes_of([Range(0, size)], hashes)[0] if size else EMPTY_ROOT


class CompactRange:
    """A tree that grows by leaves and keeps no more than its right edge.

    Args:
        edge: hashes of the complete subtrees that make up the tree so far, the largest first.
        size: leaves so far.
    """

    def __init__(self, size: int = 0, edge: Sequence[bytes] = ()) -> None:
        if len(edge) != size.bit_count():
            raise ValueError("a tree's edge has one hash for each bit set in its size")
        self.size = size
        self._edge = list(edge)

    @classmethod
    def load(cls, size: int, hashes: Hashes) -> CompactRange:
        """Take up a tree where it ends."""
        return cls(size, hashes(list(Range(0, size).nodes())) if size else ())

    def append(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Add a leaf by its hash.

        Returns:
            The nodes that are complete now, from the leaf upwards.
        """
        level, index, value = 0, self.size, leaf
        made = [(Node(0, index), value)]
        while index & 1:
            value = node_hash(self._edge.pop(), value)
            level, index = level + 1, index >> 1
            made.append((Node(level, index), value))
        self._edge.append(value)
        self.size += 1
        return made

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return _folded(self._edge) if self._edge else EMPTY_ROOT


# --- the walks that proofs follow ----------------------------------------------------------


class _Side(enum.Enum):
    """Where the hash that a proof gives stands, seen from the way to the leaves."""

    RIGHT = enum.auto()
    LEFT = enum.auto()
    LEFT_INSIDE = enum.auto()
    """On the left, and part of the subtree that consistency is shown of."""


class _Step(NamedTuple):
    side: _Side
    sibling: Range


def _split(start: int, end: int) -> int:
    """Where a subtree's right half begins: the largest power of two below its leaves' number."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _inclusion_walk(index: int, start: int, end: int) -> list[_Step]:
    """From the root of a subtree down to one of its leaves."""
    steps = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            steps.append(_Step(_Side.RIGHT, Range(middle, end)))
            end = middle
        else:
            steps.append(_Step(_Side.LEFT, Range(start, middle)))
            start = middle
    return steps


def _consistency_walk(start: int, end: int, size: int) -> tuple[list[_Step], Range]:
    """From a tree's root down to where a subtree ends.

    Returns:
        The steps, and the range where they end. It is the subtree itself, whose hash the
        verifier has, unless a step went past a part of it.
    """
    steps = []
    low, high = 0, size
    while (low, high) != (start, end):
        middle = _split(low, high)
        if end <= middle:
            steps.append(_Step(_Side.RIGHT, Range(middle, high)))
            high = middle
        elif middle <= start:
            steps.append(_Step(_Side.LEFT, Range(low, middle)))
            low = middle
        else:
            steps.append(_Step(_Side.LEFT_INSIDE, Range(low, middle)))
            low = start = middle
    return steps, Range(low, high)


def _require_subtree(start: int, end: int, size: int) -> None:
    if not 0 <= start < end <= size <= MAX_SIZE:
        raise BadProof(f"there is no subtree of leaves {start} to {end} in a tree of {size}")
    if start & ((1 << (end - start - 1).bit_length()) - 1):
        raise BadProof(f"leaves {start} to {end} are no subtree of any tree")


def _require_hashes(proof: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in proof):
        raise BadProof(f"a hash in a proof does not have {HASH_BYTES} bytes")


# --- making proofs -------------------------------------------------------------------------


def inclusion_proof(index: int, size: int, hashes: Hashes, *, start: int = 0) -> list[bytes]:
    """Show that a leaf is in a tree (RFC 6962, section 2.1.1), or in the subtree from `start`.

    Args:
        index: the leaf's, counted from 0 in the whole tree.
        size: leaves of the tree; with `start`, where the subtree ends.
        hashes: stored ones.
        start: where the subtree begins.

    Raises:
        BadProof: there is no such leaf or subtree.
    """
    if not start <= index < size:
        raise BadProof(f"there is no leaf {index} in a tree of leaves {start} to {size}")
    _require_subtree(start, size, size)
    return _hashes_of(
        [step.sibling for step in reversed(_inclusion_walk(index, start, size))], hashes
    )


def consistency_proof(old: int, new: int, hashes: Hashes, *, start: int = 0) -> list[bytes]:
    """Show that a tree began as another (RFC 6962, section 2.1.2), or has a certain subtree.

    Args:
        old: leaves of the smaller tree; with `start`, where the subtree ends.
        new: leaves of the larger tree.
        hashes: stored ones.
        start: where the subtree begins.

    Raises:
        BadProof: the old tree is empty or larger, or the leaves are no subtree.
    """
    _require_subtree(start, old, new)
    steps, last = _consistency_walk(start, old, new)
    ranges = [step.sibling for step in reversed(steps)]
    return _hashes_of(ranges if last == (start, old) else [last, *ranges], hashes)


# --- checking proofs -----------------------------------------------------------------------


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes, *, start: int = 0
) -> None:
    """Check that a leaf is in a tree, or in the subtree from `start`.

    Args:
        leaf: the leaf's hash, not its content.
        index: the leaf's, counted from 0 in the whole tree.
        size: leaves of the tree; with `start`, where the subtree ends.
        proof: hashes, the one nearest to the leaf first.
        root: of the tree or subtree.
        start: where the subtree begins.

    Raises:
        BadProof: it is not shown.
    """
    if not start <= index < size:
        raise BadProof(f"there is no leaf {index} in a tree of leaves {start} to {size}")
    _require_subtree(start, size, size)
    _require_hashes((leaf, *proof))
    steps = _inclusion_walk(index, start, size)
    if len(proof) != len(steps):
        raise BadProof(f"the proof has {len(proof)} hashes where {len(steps)} are needed")
    value = leaf
    for step, sibling in zip(reversed(steps), proof, strict=True):
        right = step.side is _Side.RIGHT
        value = node_hash(value, sibling) if right else node_hash(sibling, value)
    if value != root:
        raise BadProof(f"leaf {index} is not in the tree with this root, or the proof was altered")


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that a tree began as another (RFC 6962, section 2.1.2).

    Args:
        old: leaves of the smaller tree, at least 1: nothing can be shown of an empty one.
        old_root: its root.
        new: leaves of the larger tree, which may be as many.
        new_root: its root.
        proof: hashes, the one nearest to the leaves first.

    Raises:
        BadProof: it is not shown.
    """
    _require_subtree(0, old, new)
    _verify_within(Range(0, old), old_root, new, new_root, proof)


def verify_subtree_consistency(
    subtree: Range, subtree_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that a tree has a certain subtree; an empty one is in every tree.

    Args:
        subtree: its leaves.
        subtree_root: its hash.
        size: leaves of the tree.
        root: of the tree.
        proof: hashes, the one nearest to the leaves first.

    Raises:
        BadProof: it is not shown.
    """
    start, end = subtree
    if start == end and 0 <= start <= size:
        if subtree_root != EMPTY_ROOT or proof:
            raise BadProof("an empty subtree has the hash of nothing and needs no proof")
        return
    _require_subtree(start, end, size)
    _verify_within(subtree, subtree_root, size, root, proof)


def _verify_within(
    part: Range, part_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    _require_hashes(proof)
    steps, last = _consistency_walk(part.start, part.end, size)
    known = last == part
    needed = len(steps) + (not known)
    if len(proof) != needed:
        raise BadProof(f"the proof has {len(proof)} hashes where {needed} are needed")
    first, rest = (part_root, proof) if known else (proof[0], proof[1:])
    inner = outer = first
    for step, sibling in zip(reversed(steps), rest, strict=True):
        if step.side is _Side.RIGHT:
            outer = node_hash(outer, sibling)
        else:
            outer = node_hash(sibling, outer)
            if step.side is _Side.LEFT_INSIDE:
                inner = node_hash(sibling, inner)
    if inner != part_root or outer != root:
        raise BadProof(f"the tree of {size} leaves does not continue the one of {part.end}")
