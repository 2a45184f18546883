"""Words that all formats share, and text from files as a report may hold it."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from tocsin.audit.findings import affects_use, bearings, next_change, why_allowed
from tocsin.audit.model import Component, SupplierFinding
from tocsin.jurisdiction.rulebook import BoundRule
from tocsin.jurisdiction.vocabulary import Binds, Operation, Outcome

MOST_TEXT = 2_000
"""Characters of any one text from a file; more is cut, with a mark."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_BINDS = {
    Binds.SUPPLIER: "the supplier",
    Binds.CUSTOMER: "who buys or uses it",
    Binds.RESELLER: "who resells or integrates it",
    Binds.CONTRACTOR: "who delivers to a government",
    Binds.EVERYONE: "everyone",
    Binds.NOBODY: "nobody",
}


def plain(text: str) -> str:
    r"""Text that can be encoded: what is half a character is `\xNN` or `\uNNNN`; long text is cut.

    Names of files that are no UTF-8 hold such halves (PEP 383), and JSON may.
    """
    if len(text) <= MOST_TEXT and text.isascii():
        return text
    cut = text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "…"
    return _SURROGATES.sub(_half, cut)


def shown(text: str) -> str:
    """`plain` text in one line: control and direction characters are escapes as well."""
    said = plain(text)
    if said.isprintable():
        return said
    return "".join(one if one.isprintable() else _escape(one) for one in said)


def indented(value: object) -> str:
    """A value as JSON for people and programs; some lines, as the standard library writes it.

    That one goes value by value as soon as it indents, and takes a minute for 100 MB.
    """
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"


def _half(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _escape(one: str) -> str:
    code = ord(one)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def address(link: str) -> str:
    """A link as a URI that may be followed (RFC 3986); empty where it is none."""
    if not link.startswith(("https://", "http://")):
        return ""
    return _NO_ESCAPE.sub("%25", quote(shown(link), safe=":/?#@!$&'()*,+;=~%"))


def instant(time: datetime) -> str:
    """An instant in UTC, for programs: `2024-09-29T04:00:00Z`."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment(time: datetime) -> str:
    """An instant for people, in its own zone: `2024-09-29 00:00 UTC-04:00`."""
    said = time.strftime("%Y-%m-%d %H:%M" if not time.second else "%Y-%m-%d %H:%M:%S")
    offset = time.strftime("%z")
    hours = f"{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else ""
    return f"{said} UTC{hours}"


def since(rule: BoundRule) -> str:
    """From when, until when and by when a rule is to be heeded, for people."""
    stated = rule.rule
    said = f"from {moment(stated.effective)}"
    if stated.certain_from is not None:
        said += f" at the earliest, for certain from {moment(stated.certain_from)}"
    if stated.comply_by is not None:
        said += f", to be done by {moment(stated.comply_by)}"
    if stated.ends is not None:
        said += f", until {moment(stated.ends)}"
    return said


def bound(rule: BoundRule) -> str:
    """Whom a rule obliges, in words."""
    return ", ".join(_BINDS[each] for each in rule.rule.binds)


def addressed(rule: BoundRule) -> str:
    """Which customers and users a rule is about, in words."""
    return ", ".join(each.value for each in rule.rule.addressees) or "everybody"


def authority(rule: BoundRule) -> str:
    """Who says it, and where."""
    return f"{rule.instrument.authority}, {rule.instrument.instrument}"


def listed(operations: tuple[Operation, ...]) -> str:
    """Operations in words."""
    return ", ".join(each.value for each in operations)


def name_of(component: Component) -> str:
    """A component in one line."""
    said = f"{component.name} {component.version}".strip()
    return said or component.purl or component.place


def using(finding: SupplierFinding) -> str:
    """What the rules say of going on to use it, in one sentence."""
    if not affects_use(finding):
        return f"Use is not affected: {why_allowed(finding.use)}."
    if finding.use.outcome is Outcome.WARNED:
        return "Use is allowed, with a warning."
    if finding.use.outcome is Outcome.PROHIBITED:
        return "Use is prohibited."
    return "Whether use is allowed is undetermined: " + _missing(finding) + "."


def _missing(finding: SupplierFinding) -> str:
    question = finding.use.question
    if unknown := finding.use.facts.unknown:
        return "it is unknown " + ", ".join(unknown)
    if not (question.places or question.persons or question.systems):
        return "no place is named"
    return "it is unknown whether some rules apply"


def account(finding: SupplierFinding) -> str:
    """A finding in a few sentences: what follows by which rule, whom it binds, what changes."""
    said = [using(finding)]
    for one in bearings(finding):
        certain = "" if one.is_certain else f" ({one.reason})"
        said.append(
            f"{one.outcome.value}: {listed(one.operations)}, by {one.rule.id}{certain}: "
            f"{one.rule.rule.summary}; {authority(one.rule)} ({one.rule.instrument.citation}); "
            f"{since(one.rule)}; it binds {bound(one.rule)}."
        )
    if (change := next_change(finding)) is not None:
        said.append(
            f"Next change: {moment(change[0])}, {change[1].value} becomes {change[2].value}."
        )
    return " ".join(said)


def fingerprint(rule: str, component: Component) -> str:
    """What stays the same for the same finding in another run: 32 hex digits.

    Neither the version nor the folder that a place stands in is part of it.
    """
    place = component.place.rpartition("/")[2]
    text = "\0".join((rule, component.kind, component.name, place))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
