"""Parts of signatures in words: targets, offsets, bytes, patterns and expressions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tocsin.signatures.clamav.body import (
    Alternatives,
    Boundary,
    Element,
    Form,
    Gap,
    Masked,
    Nearby,
)
from tocsin.signatures.clamav.expression import Branch, Count, Expression, Leaf
from tocsin.signatures.clamav.offset import Anchor, Offset

_TARGETS = {
    0: "any object",
    1: "Windows executables (PE)",
    2: "OLE2 documents",
    3: "normalised HTML",
    4: "mail",
    5: "pictures",
    6: "ELF files",
    7: "normalised text",
    8: "nothing (unused number)",
    9: "Mach-O files",
    10: "PDF documents",
    11: "Flash files",
    12: "Java classes",
    13: "the engine's own objects",
    14: "other binary data",
}
_TEXT_RUN = 3
"""So many printable characters in a row are shown as text."""


def target_words(number: int) -> str:
    """What a target number stands for."""
    return _TARGETS.get(number, f"target {number}")


# --- numbers and places -------------------------------------------------------------------


def many(number: int, noun: str) -> str:
    """`1 byte`, `2 bytes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def range_words(low: int, high: int | None) -> str:
    """A range with both ends included; None has no upper end."""
    if high is None:
        return f"{low:,} or more"
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def offset_words(offset: Offset) -> str:
    """Where a match may start."""
    anchor, distance, index, shift = offset
    if anchor is Anchor.ANY:
        return "anywhere in the object"
    if anchor is Anchor.MACRO:
        return f"anywhere, as a member of macro group {index}"
    if anchor is Anchor.VERSION_INFO:
        return "in the version information"
    if anchor is Anchor.WITHIN_SECTION:
        return f"in section {index}" + (f" or up to {many(shift, 'byte')} behind" if shift else "")
    if anchor is Anchor.START:
        if not distance and not shift:
            return "at the very beginning"
        return f"at byte {range_words(distance, distance + shift)}"
    place = {
        Anchor.END: "the end",
        Anchor.ENTRY_POINT: "the entry point",
        Anchor.SECTION: f"the start of section {index}",
        Anchor.LAST_SECTION: "the start of the last section",
    }[anchor]
    words = f"at {place}"
    if distance:
        words = f"{many(abs(distance), 'byte')} {'before' if distance < 0 else 'after'} {place}"
    return words + (f", or up to {many(shift, 'byte')} later" if shift else "")


# --- bytes --------------------------------------------------------------------------------


def bytes_words(data: bytes) -> str:
    r"""Bytes with their text shown: `4d 5a "This program" 0d 0a`.

    Text in which a NUL follows every character is written as `wide "text"`. A few printable
    bytes between others are more likely machine code, and stay hexadecimal.
    """
    if data and all(map(_is_text, data)):
        return quoted(data.decode("ascii"))
    return " ".join(_segments(data))


def _segments(data: bytes) -> Iterator[str]:
    at = 0
    plain = bytearray()
    while at < len(data):
        narrow = _run(data, at, 1)
        wide = _run(data, at, 2)
        if max(narrow, wide) < _TEXT_RUN:
            plain.append(data[at])
            at += 1
            continue
        if plain:
            yield plain.hex(" ")
            plain.clear()
        step, count = (2, wide) if wide >= narrow else (1, narrow)
        text = data[at : at + step * count : step].decode("ascii")
        yield ("wide " if step == 2 else "") + quoted(text)
        at += step * count
    if plain:
        yield plain.hex(" ")


def _run(data: bytes, start: int, step: int) -> int:
    """How many printable characters stand there, with a NUL behind each when `step` is 2."""
    at = start
    while at + step <= len(data) and _is_text(data[at]) and (step == 1 or data[at + 1] == 0):
        at += step
    return (at - start) // step


def _is_text(byte: int) -> bool:
    return 0x20 <= byte < 0x7F


def quoted(text: str) -> str:
    """Text in quotation marks, as it is; single ones when there are double ones in it."""
    mark = "'" if '"' in text else '"'
    return f"{mark}{text}{mark}"


# --- patterns -----------------------------------------------------------------------------


def form_lines(form: Form) -> list[str]:
    """A pattern, one step a line."""
    lines: list[str] = []
    for number, part in enumerate(form.parts):
        if number:
            lines.append(f"then {gap_words(form.gaps[number - 1])}")
        lines += _steps(part)
    return lines


def gap_words(gap: Gap) -> str:
    """A gap between two parts."""
    if gap.high is None:
        return f"{gap.low:,} or more bytes" if gap.low else "any number of bytes"
    if gap.low == gap.high:
        return many(gap.low, "arbitrary byte")
    return f"{range_words(gap.low, gap.high)} arbitrary bytes"


def _steps(elements: tuple[Element, ...]) -> Iterator[str]:
    last = len(elements) - 1
    place = 0
    for free, group in groupby(elements, key=_is_free):
        row = list(group)
        if free:
            yield many(len(row), "arbitrary byte")
        else:
            for shift, element in enumerate(row):
                yield _step(element, at_edge=place + shift in (0, last))
        place += len(row)


def _is_free(element: Element) -> bool:
    return isinstance(element, Masked) and element.mask == 0


def _step(element: Element, *, at_edge: bool) -> str:
    if isinstance(element, bytes):
        return f"{bytes_words(element)}  ({many(len(element), 'byte')})"
    return _element_words(element, at_edge=at_edge)


def _element_words(element: Element, *, at_edge: bool = False) -> str:
    if isinstance(element, bytes):
        return bytes_words(element)
    if isinstance(element, Masked):
        return _masked_words(element)
    if isinstance(element, Boundary):
        return _boundary_words(element, at_edge=at_edge)
    if isinstance(element, Nearby):
        return _nearby_words(element)
    return _alternatives_words(element)


def _nearby_words(element: Nearby) -> str:
    side = "before" if element.before else "behind"
    between = range_words(element.low, element.high)
    return f"{_element_words(element.element)} {side} it, {between} arbitrary bytes between"


def _masked_words(element: Masked) -> str:
    if element.mask == 0xF0:
        return f"a byte {element.value:02x} to {element.value | 0x0F:02x}"
    if element.mask == 0x0F:
        return f"a byte whose lower half is {element.value:x}"
    return "1 arbitrary byte"


def _boundary_words(element: Boundary, *, at_edge: bool) -> str:
    edge = {"B": "a word boundary", "L": "a line boundary", "W": "a non-alphanumeric edge"}
    inner = {
        "B": "a character that bounds words",
        "L": "a line end",
        "W": "a non-alphanumeric character",
    }
    words = (edge if at_edge else inner)[element.kind]
    return f"no {words.partition(' ')[2]}" if element.negated else words


def _alternatives_words(element: Alternatives) -> str:
    options = [" then ".join(_steps_inside(option)) for option in element.options]
    if element.negated:
        count = many(element.length or 0, "byte")
        return f"{count} other than " + " or ".join(options)
    return "one of: " + " | ".join(options)


def _steps_inside(option: tuple[Element, ...]) -> Iterator[str]:
    for free, group in groupby(option, key=_is_free):
        row = list(group)
        if free:
            yield many(len(row), "arbitrary byte")
        else:
            for element in row:
                words = _element_words(element)
                yield f"({words})" if isinstance(element, Alternatives) else words


# --- expressions --------------------------------------------------------------------------


def expression_sentence(expression: Expression) -> str:
    """An expression in one line: `#0 and (#1 or #2)`."""
    if isinstance(expression, Leaf):
        return _leaf_words(expression)
    joiner = " and " if expression.operator == "&" else " or "
    operands = []
    for operand in _operands(expression):
        text = expression_sentence(operand)
        nested = isinstance(operand, Branch) and operand.bound is None
        operands.append(f"({text})" if nested else text)
    joined = joiner.join(operands)
    if expression.bound is None:
        return joined
    return f"[{_bound_words(expression)} {joined}]"


def expression_tree(expression: Expression) -> list[str]:
    """An expression as an indented tree, one line a node."""
    return list(_tree(expression, ""))


def _tree(expression: Expression, indent: str) -> Iterator[str]:
    if isinstance(expression, Leaf):
        yield indent + _leaf_words(expression)
        return
    if expression.bound is not None:
        heading = _bound_words(expression)
    else:
        heading = "all of" if expression.operator == "&" else "at least one of"
    yield f"{indent}{heading}"
    for operand in _operands(expression):
        yield from _tree(operand, indent + "  ")


def _operands(expression: Branch) -> Iterator[Expression]:
    """The operands of a chain of one operator; a bound inside it ends the chain."""
    for side in (expression.left, expression.right):
        if isinstance(side, Branch) and side.operator == expression.operator and not side.bound:
            yield from _operands(side)
        else:
            yield side


def _leaf_words(leaf: Leaf) -> str:
    name = f"#{leaf.sub}"
    if leaf.bound is None:
        return name
    return f"{name} {_times(leaf.bound)}"


def _times(count: Count) -> str:
    number = count.matches
    if (count.operator, number) in (("=", 0), ("<", 1)):
        return "never"
    if count.operator == "=":
        return f"exactly {many(number, 'time')}"
    if count.operator == "<":
        return f"fewer than {many(number, 'time')}"
    return f"more than {many(number, 'time')}" if number else "at least once"


def _bound_words(expression: Branch) -> str:
    """What a bounded group asks; all of an AND must match before its matches are summed."""
    count = expression.bound
    assert count is not None
    together = f"{_times(count)} in all"
    if count.distinct:
        together += f" and at least {count.distinct:,} different ones"
    group = "all of" if expression.operator == "&" else "any of"
    return f"{together}, counted over {group}"
