"""Signatures as the machine index stores them: plain tuples that `marshal` can write.

`marshal` reads a tuple of bytes in a microsecond and needs no import, which no other
serialiser does; it is no format for untrusted data, and the index is not that: it is made on
this machine, verified when it is opened, and tied to the Python version (see ADR 3).

The layouts below are the contract between the index compiler and the engine. This module
holds only that contract, so that scanning imports nothing of the compiler.

    PART       (literal, regex, anchor, anchor_at, shortest, longest)
               literal: the whole part when it is nothing but bytes, lower-case if nocase
               regex: source of a Python `re` for the whole part otherwise, else None
               anchor: longest literal at a fixed place in it, or b""; anchor_at: that place
    FORM       (PARTs, gaps); a gap is (low, high), high -1 for no bound
    OFFSET     (anchor, distance, index, max_shift), or None for anywhere
    CONTENT    (0, OFFSET, FORMs, nocase, number): equal numbers are equal patterns
    MACRO      (1, group, low, high)
    PCRE       (2, OFFSET, EXPRESSION, regex bytes, flags)
    BYTES      (3, trigger, offset, base, little, exact, length, comparisons)
    EXPRESSION leaf (index, operator, matches) or
               branch (operator, left, right, count operator, matches, distinct)
    SIGNATURE  (name, source, pua, conditions, EXPRESSION, subs, indexed, counted)
               conditions: (file_size, entry_point, sections, container, intermediates)
               indexed: numbers of the subs whose every match an atom reports
               counted: whether some count matters
    USE        (CONTENT, form, part, distance, ((signature, sub, target), ...))
               distance: bytes from the start of the part to the end of the atom
"""

from __future__ import annotations

CONTENT, MACRO, PCRE, BYTES = range(4)
NO_BOUND = -1
ANY_TARGET = 0

NAME_HEAD = 5
"""Bytes before a name in the section of names: source (2), flags (1), length (2)."""

PUA_FLAG = 1
