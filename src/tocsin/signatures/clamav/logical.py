"""Logical signatures (`.ldb`, `.ldu`): an expression over up to 64 sub-signatures.

Source: ClamAV manual, "Logical signatures"; the order in which the kind of a sub-signature
is decided was measured with clamscan 1.4.6.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.body import Body, parse_body
from tocsin.signatures.clamav.byte_compare import ByteCompare, parse_byte_compare
from tocsin.signatures.clamav.expression import (
    MAX_SUBSIGNATURES,
    Expression,
    indices,
    parse_expression,
)
from tocsin.signatures.clamav.level import within_level
from tocsin.signatures.clamav.numbers import natural
from tocsin.signatures.clamav.offset import EXECUTABLE_TARGETS, Anchor, Offset, parse_offset
from tocsin.signatures.clamav.pcre import Pcre, parse_pcre
from tocsin.signatures.clamav.type_names import known_type

MAX_INTERMEDIATES = 16
MAX_TARGET = 14
_RANGES = {
    "Engine": "engine",
    "FileSize": "file_size",
    "EntryPoint": "entry_point",
    "NumberOfSections": "sections",
}


class Content(NamedTuple):
    """A body pattern with its offset."""

    offset: Offset
    body: Body


class Macro(NamedTuple):
    """A member of a macro group between `low` and `high` bytes after the previous match."""

    group: int
    low: int
    high: int


class FuzzyImage(NamedTuple):
    """An image hash; recognised, not evaluated."""

    digest: str


SubSignature = Content | Macro | Pcre | ByteCompare | FuzzyImage
Range = tuple[int, int]


class Conditions(NamedTuple):
    """The target description block.

    Attributes:
        target: number of the target type.
        engine: functionality levels it is meant for, or None.
        file_size: bytes, both ends included, or None.
        entry_point: file offset of the entry point, both ends included, or None.
        sections: number of sections, both ends included, or None.
        container: type name of the direct container, or empty.
        intermediates: type names from the outermost to the direct container.
        icon_groups: names of icon groups; recognised, not evaluated.
        handler: type name as which a match is scanned again, or empty.
    """

    target: int = 0
    engine: Range | None = None
    file_size: Range | None = None
    entry_point: Range | None = None
    sections: Range | None = None
    container: str = ""
    intermediates: tuple[str, ...] = ()
    icon_groups: tuple[str, ...] = ()
    handler: str = ""


class Logical(NamedTuple):
    """A parsed logical signature."""

    name: str
    conditions: Conditions
    expression: Expression
    subsignatures: tuple[SubSignature, ...]

    @property
    def unevaluated(self) -> str:
        """What it needs that the engine does not evaluate yet, by name, or an empty string."""
        if self.conditions.icon_groups:
            return "icon groups"
        if any(isinstance(sub, FuzzyImage) for sub in self.subsignatures):
            return "image hashes"
        return ""


_MACRO = re.compile(r"\$\{(\d+)-(\d+)\}(\d+)\$\Z")


_INNER_MODIFIERS = re.compile(r"::[iwfa]*(?=[*{])")
"""Modifiers in the middle of a pattern: one published signature has them before each gap."""
_FUZZY_IMAGE = re.compile(r"fuzzy_img#([0-9a-fA-F]{16})(?:#\d*)?\Z")
FIRST_LEVEL_WITH_CONDITIONS = 51


def parse_logical(line: str) -> Logical | None:
    """Read one line.

    Returns:
        The signature, or None when it is for another functionality level or for a target
        that this engine does not know.

    Raises:
        SignatureError: the line is malformed.
    """
    name, separator, rest = line.partition(";")
    fields = _fields(rest)
    if not separator or not name or len(fields) < 3:
        raise SignatureError("a logical signature is NAME;CONDITIONS;EXPRESSION;SUB0;…")
    conditions = parse_conditions(fields[0])
    if conditions is None:
        return None
    if conditions.engine and not within_level(*conditions.engine):
        return None
    texts = fields[2:]
    if len(texts) > MAX_SUBSIGNATURES:
        raise SignatureError(f"more than {MAX_SUBSIGNATURES} sub-signatures")
    expression = parse_expression(fields[1], len(texts))
    if max(indices(expression)) != len(texts) - 1:
        raise SignatureError(
            f"{len(texts)} sub-signatures, but the expression names none beyond "
            f"{max(indices(expression))}"
        )
    subsignatures: list[SubSignature] = []
    for index, text in enumerate(texts):
        try:
            subsignatures.append(parse_subsignature(text, conditions.target, index))
        except SignatureError as error:
            raise SignatureError(f"sub-signature {index}: {error.reason}") from None
    return Logical(name, conditions, expression, tuple(subsignatures))


def _fields(text: str) -> list[str]:
    """Split at `;`, save inside the regular expression of a sub-signature.

    A `/` that no backslash precedes opens and closes one; before the third field it means
    nothing.
    """
    if "/" not in text:
        return text.split(";")
    fields: list[str] = []
    start = 0
    inside = False
    for index, char in enumerate(text):
        if char == ";" and not inside:
            fields.append(text[start:index])
            start = index + 1
        elif char == "/" and len(fields) >= 2 and text[index - 1] != "\\":
            inside = not inside
    fields.append(text[start:])
    return fields


def parse_conditions(text: str, *, target_needed: bool = True) -> Conditions | None:
    """Read a target description block.

    Args:
        text: the block.
        target_needed: whether it must name a Target.

    Returns:
        The conditions, or None for a key, type or target of a later engine: clamscan passes
        over such a signature, and so do we.

    Raises:
        SignatureError: it is malformed.
    """
    values: dict[str, object] = {}
    groups: list[str] = []
    unknown = False
    for position, pair in enumerate(text.split(",")):
        key, colon, value = pair.partition(":")
        if not colon:
            raise SignatureError(f"condition {pair!r} is not KEY:VALUE")
        if key in _RANGES:
            if key == "Engine" and position:
                raise SignatureError("Engine must be the first condition")
            values[_RANGES[key]] = _range(key, value)
        elif key == "Target":
            values["target"] = natural(value, "Target")
        elif key == "Container":
            values["container"] = value.removeprefix("CL_TYPE_")
            unknown |= not known_type(value)
        elif key == "Intermediates":
            names = value.split(">")
            if len(names) > MAX_INTERMEDIATES:
                raise SignatureError(f"more than {MAX_INTERMEDIATES} intermediates")
            values["intermediates"] = tuple(name.removeprefix("CL_TYPE_") for name in names)
            unknown |= not all(known_type(name) for name in names)
        elif key == "HandlerType":
            values["handler"] = value.removeprefix("CL_TYPE_")
        elif key in ("IconGroup1", "IconGroup2"):
            groups.append(value)
        else:
            unknown = True
    if unknown or values.get("target", 0) > MAX_TARGET:  # type: ignore[operator]
        return None
    conditions = Conditions(icon_groups=tuple(groups), **values)  # type: ignore[arg-type]
    if target_needed:
        _check_conditions(conditions, values)
    return conditions


def _check_conditions(conditions: Conditions, given: dict[str, object]) -> None:
    if "target" not in given:
        raise SignatureError("the conditions name no Target")
    lowest = conditions.engine[0] if conditions.engine else 0
    if set(given) - {"engine", "target"} and lowest < FIRST_LEVEL_WITH_CONDITIONS:
        raise SignatureError(
            f"conditions besides Target need Engine:{FIRST_LEVEL_WITH_CONDITIONS}-… before them"
        )
    if (conditions.entry_point or conditions.sections) and conditions.target not in (
        EXECUTABLE_TARGETS
    ):
        raise SignatureError("EntryPoint and NumberOfSections need target 1, 6 or 9")
    if conditions.icon_groups and conditions.target != 1:
        raise SignatureError("icon groups need target 1")


def parse_subsignature(text: str, target: int, index: int) -> SubSignature:
    """Read one sub-signature; its kind follows from its form."""
    if text.startswith("$"):
        macro = _MACRO.match(text)
        if macro is None:
            raise SignatureError(f"a macro is ${{MIN-MAX}}GROUP$, not {text!r}")
        low, high, group = (natural(macro[group]) for group in (1, 2, 3))
        if group >= 32:
            raise SignatureError(f"macro {text!r}: a group is 0 to 31")
        return Macro(group, low, high)
    if "/" in text:
        return parse_pcre(text, target, index)
    if "(" in text and text.count("#") == 2:
        return parse_byte_compare(text)
    if text.startswith("fuzzy_img#"):
        image = _FUZZY_IMAGE.match(text)
        if image is None:
            raise SignatureError(f"an image hash is fuzzy_img#16 hex digits[#0], not {text!r}")
        return FuzzyImage(image[1])
    # What stands between the last colon but one and the last is passed over, as clamscan does.
    fields = _INNER_MODIFIERS.sub("", text).split(":")
    if len(fields) == 1:
        offset, hexadecimal, modifiers = "*", fields[0], ""
    elif len(fields) == 2:
        (offset, hexadecimal), modifiers = fields, ""
    elif len(fields) == 3:
        offset, hexadecimal, modifiers = "*", fields[0], fields[2]
    elif len(fields) == 4:
        offset, hexadecimal, modifiers = fields[0], fields[1], fields[3]
    else:
        raise SignatureError(f"a sub-signature is [OFFSET:]HEX[::MODIFIERS], not {text[:60]!r}")
    parsed = parse_offset(offset, target)
    if parsed.anchor is Anchor.MACRO:
        raise SignatureError("a macro group is defined in an .ndb file, not here")
    return Content(parsed, parse_body(hexadecimal, modifiers))


def _range(key: str, value: str) -> Range:
    low, dash, high = value.partition("-")
    if not dash:
        raise SignatureError(f"{key} {value!r} is not MIN-MAX")
    return natural(low or "0", key), natural(high or "0", key)
