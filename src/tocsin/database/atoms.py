"""Choosing what to look for first: one rare *atom* for each signature.

An atom is a short run of bytes that must stand in every object a signature matches. All
atoms together go into one multi-pattern search; a signature is only looked at where its
atom was seen. Which atom is taken decides the speed of everything: of an AND the rarest
child's, of an OR every child's, of a negation none, and rare means rare in benign files
(`commonness`), not long.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tocsin.database import commonness
from tocsin.database.compiled import edges, element_lengths, masked_class
from tocsin.signatures.clamav.body import (
    Alternatives,
    Body,
    Boundary,
    Element,
    Form,
    Masked,
    Nearby,
)
from tocsin.signatures.clamav.byte_compare import ByteCompare
from tocsin.signatures.clamav.expression import Branch, Expression
from tocsin.signatures.clamav.logical import Content, Macro, SubSignature
from tocsin.signatures.clamav.offset import Anchor
from tocsin.signatures.clamav.pcre import Pcre

MAX_ATOM_BYTES = 24
MAX_OPTIONS = 16
MASKED_LEVEL = 120
"""Level given to an atom with wildcards inside that has four literal bytes in all."""


class Atom(NamedTuple):
    """What the multi-pattern search looks for, and where it stands in its part.

    Attributes:
        pattern: a regular expression of fixed length for Hyperscan.
        nocase: whether letters match in either case.
        part: number of the part it is taken from.
        distance: bytes from the part's start to the atom's end.
        level: how common it is; see `commonness.level`.
    """

    pattern: bytes
    nocase: bool
    part: int
    distance: int
    level: int


class Required(NamedTuple):
    """Sub-signatures of which at least one must match, and how common they are together."""

    subs: frozenset[int]
    level: int


SPARE_ATOM_LEVEL = 32
"""A signature whose rarest atom is at least this common gets a second one."""

SPARE_ATOM_CEILING = 200
"""… unless that one is as common as this, and would cost more than it saves."""

LENGTH_WANTED = 16
"""An atom of which fewer bytes are given counts as more common, a level a byte."""

PLACED_BONUS = 24
"""A pattern bound to one place counts as rarer: its hits elsewhere cost next to nothing."""


@lru_cache(maxsize=256)
def body_atoms(body: Body) -> tuple[Atom, ...]:
    """One atom for each form of a pattern; none when some form has none."""
    # Kept, since it is asked for to choose among sub-signatures and again for those chosen.
    atoms = [_form_atom(form, body.nocase) for form in body.forms]
    return tuple(atom for atom in atoms if atom) if all(atoms) else ()


def level_of(sub: object) -> int | None:
    """How common a sub-signature's atoms are; None when it has none."""
    if not isinstance(sub, Content):
        return None
    chosen = body_atoms(sub.body)
    if not chosen:
        return None
    placed = sub.offset.anchor is not Anchor.ANY and len(sub.body.forms[0].parts) == 1
    level = sum(atom.level for atom in chosen)
    return max(0, level - PLACED_BONUS) if placed else level


def indexed_subsignatures(
    expression: Expression, subs: tuple[SubSignature, ...]
) -> tuple[list[int | None], list[int]]:
    """Which sub-signatures the search for atoms answers for.

    Returns:
        How common each sub-signature's atoms are, and the numbers of those to index: a set
        of which one must match, and a spare when that set is common. No numbers when the
        expression can be true without a match.
    """
    levels = [level_of(sub) for sub in subs]
    need = required(expression, subs, levels)
    if need is None:
        return levels, []
    indexed = sorted(need.subs)
    if need.level >= SPARE_ATOM_LEVEL:
        order = rarity_order(subs, levels, below=SPARE_ATOM_CEILING)
        indexed += [index for index in order if index not in need.subs][:1]
    return levels, indexed


def required(
    expression: Expression, subs: tuple[SubSignature, ...], levels: list[int | None]
) -> Required | None:
    """Which sub-signatures an expression cannot do without.

    Args:
        expression: the expression.
        subs: its sub-signatures.
        levels: for each sub-signature how common its atoms are; None when it has none.

    Returns:
        The rarest sufficient set, or None when the expression can be true without a match.
    """
    count = expression.bound
    if count is not None and (
        count.operator == "<" or (count.operator == "=" and count.matches == 0)
    ):
        return None
    if isinstance(expression, Branch):
        left = required(expression.left, subs, levels)
        right = required(expression.right, subs, levels)
        if expression.operator == "&":
            known = [side for side in (left, right) if side is not None]
            return min(known, key=lambda side: side.level) if known else None
        if left is None or right is None:
            return None
        return Required(left.subs | right.subs, left.level + right.level)
    return _required_leaf(expression.sub, subs, levels)


def _required_leaf(
    index: int, subs: tuple[SubSignature, ...], levels: list[int | None]
) -> Required | None:
    sub = subs[index]
    if isinstance(sub, Pcre):
        return required(sub.trigger, subs, levels)
    if isinstance(sub, ByteCompare):
        return _required_leaf(sub.trigger, subs, levels) if sub.trigger < index else None
    if isinstance(sub, Macro):
        return _required_leaf(index - 1, subs, levels) if index else None
    level = levels[index]
    return None if level is None else Required(frozenset({index}), level)


def rarity_order(subs: tuple[SubSignature, ...], levels: list[int | None], below: int) -> list[int]:
    """Numbers of the content sub-signatures with atoms of a level below `below`, rarest first."""
    known = [
        (level, index)
        for index, (sub, level) in enumerate(zip(subs, levels, strict=True))
        if level is not None and level < below and isinstance(sub, Content)
    ]
    return [index for _, index in sorted(known)]


def _form_atom(form: Form, nocase: bool) -> Atom | None:
    candidates = [
        atom
        for number, part in enumerate(form.parts)
        if (atom := _part_atom(number, part, nocase)) is not None
    ]
    return min(candidates, key=lambda atom: (atom.level, -len(atom.pattern)), default=None)


def _part_atom(number: int, part: tuple[Element, ...], nocase: bool) -> Atom | None:
    best: Atom | None = None
    at = 0
    ends = edges(part)
    for place, element in enumerate(part):
        if isinstance(element, bytes):
            start, window, level = _rarest_window(element, nocase)
            if best is None or level < best.level:
                end = at + start + len(window)
                best = Atom(_literal(window), nocase, number, end, level)
        shortest, longest = element_lengths(element, at_edge=place in ends)
        if shortest != longest:
            break
        at += shortest
    if best is None or best.level > MASKED_LEVEL:
        masked = _masked_atom(number, part, nocase)
        if masked is not None and (best is None or masked.level < best.level):
            return masked
    return best


def _rarest_window(literal: bytes, nocase: bool) -> tuple[int, bytes, int]:
    """Start, bytes and level of the part of a literal that is best looked for."""
    if len(literal) < commonness.GRAM or literal.count(literal[0]) == len(literal):
        return 0, literal[:MAX_ATOM_BYTES], commonness.level(literal)
    levels = commonness.gram_levels(literal, nocase=nocase)
    rarest = min(levels)
    scarce = max(0, LENGTH_WANTED - len(literal))
    middle = len(levels) // 2
    try:
        place = levels.index(rarest, middle)
    except ValueError:
        place = len(levels) - 1 - levels[::-1].index(rarest)
    start = max(0, min(place - 8, len(literal) - MAX_ATOM_BYTES))
    return start, literal[start : start + MAX_ATOM_BYTES], rarest + scarce


def _literal(window: bytes) -> bytes:
    return (r"\x" + window.hex("/").replace("/", r"\x")).encode() if window else b""


def _masked_atom(number: int, part: tuple[Element, ...], nocase: bool) -> Atom | None:
    """An atom that spans wildcards: the part's beginning as far as its length is fixed."""
    pattern: list[bytes] = []
    at = concrete = 0
    ends = edges(part)
    longest_literal = max((len(e) for e in part if isinstance(e, bytes)), default=0)
    for place, element in enumerate(part):
        shortest, longest = element_lengths(element, at_edge=place in ends)
        if shortest != longest or at + shortest > MAX_ATOM_BYTES:
            if isinstance(element, bytes) and at < MAX_ATOM_BYTES:
                rest = element[: MAX_ATOM_BYTES - at]
                pattern.append(_literal(rest))
                at += len(rest)
                concrete += len(rest)
            break
        source = _source(element)
        if source is None:
            if shortest:
                break
            continue
        pattern.append(source)
        at += shortest
        if not isinstance(element, Masked):
            concrete += shortest
    if concrete < max(commonness.GRAM, longest_literal + 1) or _one_byte_only(part):
        return None
    return Atom(b"".join(pattern), nocase, number, at, MASKED_LEVEL)


def _one_byte_only(part: tuple[Element, ...]) -> bool:
    return len(set(b"".join(e for e in part if isinstance(e, bytes)))) < 2


def _source(element: Element) -> bytes | None:
    if isinstance(element, bytes):
        return _literal(element)
    if isinstance(element, Masked):
        return masked_class(element)
    if isinstance(element, (Boundary, Nearby)):
        return None
    return _options(element)


def _options(element: Alternatives) -> bytes | None:
    if element.negated:
        return b"." * (element.length or 0)
    if len(element.options) > MAX_OPTIONS:
        return None
    sources = [[_source(e) for e in option] for option in element.options]
    if any(source is None for option in sources for source in option):
        return None
    return b"(?:" + b"|".join(b"".join(s or b"" for s in o) for o in sources) + b")"
