"""A signature in words: what it asks for, byte by byte, and what the index looks for first.

Enters: a record. Leaves: an `Explanation`, plain text in named parts, that `db explain` prints.
The text is parsed again with the reader of its language, so what is explained is what is
matched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tocsin.database.atoms import body_atoms, indexed_subsignatures
from tocsin.database.coverage import unevaluated_reason
from tocsin.database.inspect import Entry
from tocsin.database.words import (
    bytes_words,
    expression_sentence,
    expression_tree,
    form_lines,
    many,
    offset_words,
    quoted,
    range_words,
    target_words,
)
from tocsin.errors import SignatureError
from tocsin.patterns import compile_pattern
from tocsin.signatures.clamav.body import Body
from tocsin.signatures.clamav.byte_compare import ByteCompare
from tocsin.signatures.clamav.container import ContainerSignature
from tocsin.signatures.clamav.digests import Digest
from tocsin.signatures.clamav.expression import Leaf
from tocsin.signatures.clamav.extended import Extended
from tocsin.signatures.clamav.lists import ArchivePassword, EngineSetting, FileTypeMagic, Ignored
from tocsin.signatures.clamav.logical import (
    Conditions,
    Content,
    FuzzyImage,
    Logical,
    Macro,
    SubSignature,
)
from tocsin.signatures.clamav.pcre import Pcre
from tocsin.signatures.metadata import Metadata, parse_metadata
from tocsin.signatures.parse import PARSERS
from tocsin.signatures.records import Kind

Fact = tuple[str, str]


class Part(NamedTuple):
    """A sub-signature in words.

    Attributes:
        title: what it is and where it may match.
        lines: what it asks for, one step a line.
    """

    title: str
    lines: list[str]


class Explanation(NamedTuple):
    """A signature in words.

    Attributes:
        name: its name.
        summary: what it matches, in a sentence.
        facts: conditions and other properties, label and text.
        sentence: the logical expression in one line; empty when there is none.
        tree: the same as an indented tree.
        parts: the sub-signatures in their order.
        atoms: what the index looks for.
        unevaluated: what it needs that is not evaluated; empty when it is evaluated.
    """

    name: str
    summary: str
    facts: list[Fact]
    sentence: str = ""
    tree: Sequence[str] = ()
    parts: Sequence[Part] = ()
    atoms: Sequence[str] = ()
    unevaluated: str = ""


def explain_all(found: Iterable[Entry]) -> list[tuple[Entry, Explanation]]:
    """Explain signatures; what `rules.toml` says of one becomes facts of that one."""
    held = list(found)
    known: dict[str, dict[str, str]] = {}
    for name, record in held:
        if record.kind is Kind.METADATA:
            known.setdefault(name, {}).update(_metadata_fields(record.text))
    others = [entry for entry in held if entry.record.kind is not Kind.METADATA]
    explained = []
    for entry in others:
        explanation = explain(entry)
        stated = {**known.get(entry.name, {}), **dict(explanation.facts)}
        explained.append((entry, explanation._replace(facts=list(stated.items()))))
    named = {entry.name for entry in others}
    alone = [entry for entry in held if entry not in others and entry.name not in named]
    return explained + [(entry, explain(entry)) for entry in alone]


def _metadata_fields(text: str) -> dict[str, str]:
    try:
        return parse_metadata(text).fields
    except SignatureError:
        return {}


def explain(entry: Entry) -> Explanation:
    """Say in words what a signature asks for; of a malformed one say why it is malformed."""
    record = entry.record
    try:
        value = PARSERS[record.kind](record.text)
    except SignatureError as error:
        return Explanation(entry.name, f"malformed: {error.reason}", [])
    if value is None:
        summary = "nothing here: it is meant for another engine, or for another version of one"
        return Explanation(entry.name, summary, [])
    return _explain(entry, value)._replace(unevaluated=unevaluated_reason(record, value))


def _explain(entry: Entry, value: object) -> Explanation:
    name = entry.name
    if isinstance(value, Logical):
        return _logical(value)
    if isinstance(value, Extended):
        return _extended(value)
    if isinstance(value, Digest):
        return _digest(value, entry.record.kind)
    if isinstance(value, ContainerSignature):
        return _container(value)
    if isinstance(value, FileTypeMagic):
        return _file_type(value)
    if isinstance(value, Ignored):
        which = f" whose line has the MD5 {value.line_md5}" if value.line_md5 else ""
        return Explanation(name, f"an exception: the signature of this name{which} is not used", [])
    if isinstance(value, ArchivePassword):
        facts = [("password", bytes_words(value.password))]
        where = f"archives of type {value.container}" if value.container else "encrypted archives"
        return Explanation(name, f"a password to try on {where}", facts)
    if isinstance(value, EngineSetting):
        levels = range_words(value.low, value.high)
        facts = [("flags", f"{value.flags:#x}"), ("engine levels", levels)]
        return Explanation(name, f"a switch of ClamAV's engine for {value.category}", facts)
    if isinstance(value, Metadata):
        facts = sorted(value.fields.items())
        return Explanation(name, "what is known of the signature of this name", facts)
    if entry.record.kind is Kind.YARA:
        return _yara(entry)
    return Explanation(name, f"recognised ({entry.record.detail}) and kept", [])


# --- digests, containers, file types, YARA ------------------------------------------------

_HASHED = {
    Kind.FILE_DIGEST: "an object",
    Kind.SECTION_DIGEST: "a section of a Windows executable",
    Kind.IMPORT_DIGEST: "the import table of a Windows executable",
    Kind.ALLOW_DIGEST: "an object that is known to be good and reported by nothing,",
}


def _digest(value: Digest, kind: Kind) -> Explanation:
    size = "of any size" if value.size is None else f"of {many(value.size, 'byte')}"
    algorithm = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}[value.algorithm]
    summary = f"{_HASHED[kind]} {size} with this {algorithm}"
    return Explanation(value.name, summary, [(algorithm, value.digest.hex())])


def _container(value: ContainerSignature) -> Explanation:
    facts: list[Fact] = []
    for label, bounds in (
        ("container's bytes", value.container_size),
        ("member's packed bytes", value.packed_size),
        ("member's bytes", value.size),
        ("member's number", value.position),
    ):
        if bounds is not None:
            facts.append((label, range_words(*bounds)))
    if value.member_name is not None:
        facts.append(("member's name contains", f"/{value.member_name}/"))
    if value.encrypted is not None:
        facts.append(("encrypted", "yes" if value.encrypted else "no"))
    if value.crc is not None:
        facts.append(("CRC-32", f"{value.crc:08x}"))
    where = f"a container of type {value.container}" if value.container else "any container"
    return Explanation(value.name, f"a member of {where}", facts)


def _file_type(value: FileTypeMagic) -> Explanation:
    place = offset_words(value.offset)
    before = "" if value.required == "ANY" else f" of type {value.required}"
    summary = f"an object{before} becomes of type {value.result} when it holds these bytes {place}"
    return Explanation(value.name, summary, [], parts=[Part(place, _body_lines(value.magic))])


_META = compile_pattern(r"\bmeta\s*:(?P<body>.*?)(?:\b(?:strings|condition)\s*:)", re.DOTALL)
_META_ESCAPE = compile_pattern(r'\\(["\\])')
_META_LINE = compile_pattern(r'(\w+)\s*=\s*(?:"((?:\\.|[^"\\])*+)"|(\S+))', re.DOTALL)


def _yara(entry: Entry) -> Explanation:
    meta = _META.search(entry.record.text)
    facts = []
    if meta is not None:
        facts = [
            (line[1], line[3] if line[2] is None else _META_ESCAPE.sub(r"\1", line[2]))
            for line in _META_LINE.finditer(meta["body"])
        ]
    return Explanation(entry.name, "a YARA rule; its own text says best what it asks for", facts)


# --- body signatures ----------------------------------------------------------------------


def _extended(value: Extended) -> Explanation:
    summary = f"these bytes {offset_words(value.offset)}, in {target_words(value.target)}"
    content = Content(value.offset, value.body)
    _, indexed = indexed_subsignatures(Leaf(0), (content,))
    return Explanation(
        value.name,
        summary,
        [("objects", f"{target_words(value.target)} (target {value.target})")],
        parts=[_part(0, content)],
        atoms=_atom_lines((content,), indexed),
    )


def _body_lines(body: Body) -> list[str]:
    lines: list[str] = []
    for form in body.forms:
        steps = form_lines(form)
        if body.fullword and not form.wide:
            steps = steps[1:-1]  # the edges that the modifier puts there; `_modifiers` says it
        if len(body.forms) > 1:
            lines.append("or, one byte a character:" if lines else "with a NUL behind each byte:")
            steps = [f"  {step}" for step in steps]
        lines += steps
    return lines


def _modifiers(body: Body) -> list[str]:
    words = []
    if body.nocase:
        words.append("letters in either case")
    if body.fullword:
        words.append("no letter or digit directly before or behind")
    if body.forms[0].wide:
        words.append("wide characters" + (" or plain ones" if len(body.forms) > 1 else ""))
    return words


# --- logical signatures -------------------------------------------------------------------


def _logical(value: Logical) -> Explanation:
    conditions = value.conditions
    number = len(value.subsignatures)
    matches = many(number, "sub-signature")
    summary = f"{target_words(conditions.target)} in which an expression over {matches} holds"
    return Explanation(
        value.name,
        summary,
        _condition_facts(conditions),
        sentence=expression_sentence(value.expression),
        tree=expression_tree(value.expression),
        parts=[_part(index, sub) for index, sub in enumerate(value.subsignatures)],
        atoms=_logical_atoms(value),
    )


def _condition_facts(conditions: Conditions) -> list[Fact]:
    facts = [("objects", f"{target_words(conditions.target)} (target {conditions.target})")]
    for label, bounds in (
        ("engine levels", conditions.engine),
        ("bytes", conditions.file_size),
        ("entry point at byte", conditions.entry_point),
        ("sections", conditions.sections),
    ):
        if bounds is not None:
            facts.append((label, range_words(*bounds)))
    if conditions.container:
        facts.append(("directly inside", conditions.container))
    if conditions.intermediates:
        facts.append(("inside, outermost first", " > ".join(conditions.intermediates)))
    if conditions.icon_groups:
        facts.append(("icon of group", ", ".join(conditions.icon_groups)))
    if conditions.handler:
        facts.append(("then scanned again as", conditions.handler))
    return facts


def _part(index: int, sub: SubSignature) -> Part:
    if isinstance(sub, Content):
        title = ", ".join([offset_words(sub.offset), *_modifiers(sub.body)])
        return Part(f"#{index}: {title}", _body_lines(sub.body))
    if isinstance(sub, Macro):
        distance = f"{range_words(sub.low, sub.high)} bytes behind the start of #{index - 1}"
        return Part(f"#{index}: a macro", [f"a member of macro group {sub.group}, {distance}"])
    if isinstance(sub, Pcre):
        return _pcre_part(index, sub)
    if isinstance(sub, ByteCompare):
        return Part(f"#{index}: a byte comparison", _compare_lines(sub))
    assert isinstance(sub, FuzzyImage)
    return Part(f"#{index}: an image", [f"looks like the image with the hash {sub.digest}"])


_PCRE_FLAGS = {
    "g": "count every match",
    "r": "search onwards from the offset",
    "e": "stay between the offset and its shift",
    "i": "letters in either case",
    "s": "a dot is any byte, line ends too",
    "m": "^ and $ stand at every line",
    "x": "white space in it means nothing",
    "A": "only where the search begins",
    "E": "$ is the very end",
    "U": "repeats are short",
}


def _pcre_part(index: int, sub: Pcre) -> Part:
    lines = [f"/{sub.regex}/", f"tried when: {expression_sentence(sub.trigger)}"]
    lines += [f"{flag}: {_PCRE_FLAGS[flag]}" for flag in dict.fromkeys(sub.flags)]
    return Part(f"#{index}: a regular expression, {offset_words(sub.offset)}", lines)


_BASES = {
    "h": "hexadecimal digits",
    "d": "decimal digits",
    "a": "hexadecimal digits after 0x, else decimal ones",
    "i": "a binary number",
}


def _compare_lines(sub: ByteCompare) -> list[str]:
    if not sub.base:
        return ["never holds: the base or the byte order of the number is not stated"]
    direction = "before" if sub.offset < 0 else "behind"
    place = f"{many(abs(sub.offset), 'byte')} {direction} the start of #{sub.trigger}"
    order = ""
    if sub.base != "d":
        order = f", the {'least' if sub.little else 'most'} significant byte first"
    signs = {"=": "equal to", "<": "less than", ">": "greater than"}
    bounds = " and ".join(f"{signs[sign]} {number:,}" for sign, number in sub.comparisons)
    lines = [
        f"{many(sub.length, 'byte')} at {place}, read as {_BASES[sub.base]}{order}",
        f"the number is {bounds}",
    ]
    if sub.exact and sub.base != "i":
        lines.append("every byte must be part of the number")
    return lines


# --- atoms --------------------------------------------------------------------------------


def _logical_atoms(value: Logical) -> list[str]:
    _, indexed = indexed_subsignatures(value.expression, value.subsignatures)
    return _atom_lines(value.subsignatures, indexed)


def _atom_lines(subs: Sequence[SubSignature], indexed: Sequence[int]) -> list[str]:
    lines: list[str] = []
    for index in indexed:
        sub = subs[index]
        for atom in body_atoms(sub.body) if isinstance(sub, Content) else ():
            where = f" of #{index}" if len(subs) > 1 else ""
            case = ", in either case" if atom.nocase else ""
            lines.append(f"{_atom_words(atom.pattern)}{where}{case} (commonness {atom.level:,})")
    return lines or ["nothing: every object of its target is looked at"]


_PLAIN_ATOM = compile_pattern(rb"(?:\\x[0-9a-f]{2})+\Z")


def _atom_words(pattern: bytes) -> str:
    if _PLAIN_ATOM.match(pattern):
        return bytes_words(bytes.fromhex(pattern.replace(rb"\x", b"").decode("ascii")))
    return f"the expression {quoted(pattern.decode('latin-1'))}"


def explanation_values(explanation: Explanation) -> dict[str, Any]:
    """An explanation as plain values for JSON."""
    return {
        "summary": explanation.summary,
        "facts": dict(explanation.facts),
        "expression": explanation.sentence,
        "tree": list(explanation.tree),
        "parts": [part._asdict() for part in explanation.parts],
        "atoms": list(explanation.atoms),
        "unevaluated": explanation.unevaluated,
    }
