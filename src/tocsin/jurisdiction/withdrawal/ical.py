"""A plan as a calendar that others read: iCalendar (RFC 5545)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from tocsin.jurisdiction.withdrawal.model import Plan, Step, Timing
from tocsin.version import VERSION

LINE_OCTETS = 75
"""The most octets of a line, its end not counted (RFC 5545, section 3.1)."""

_ALARMS = {Timing.BY: ("-P7D", "-P1D"), Timing.AT: ("-P1D", "-PT1H"), Timing.FROM: ("-P1D",)}


def plan_ical(plan: Plan, stamp: datetime) -> bytes:
    """A plan as one VCALENDAR with an event a step.

    A step's UID depends on the supplier, the place and the step only, so that a calendar that
    imports a later plan moves its events.

    Args:
        plan: whose steps become events, at their instants in UTC.
        stamp: when this was made (DTSTAMP, section 3.8.7.2).

    Returns:
        UTF-8 with CRLF line ends; without an event for a plan without steps, which section 3.6
        does not allow: then one event at the announcement says that no withdrawal is needed.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//tocsin//law withdraw {VERSION}//EN",
        "CALSCALE:GREGORIAN",
        f"X-WR-CALNAME:{escape(plan.title)}",
    ]
    for step in plan.steps:
        lines += _event(plan, step, stamp)
    if not plan.steps:
        lines += _nothing(plan, stamp)
    lines.append("END:VCALENDAR")
    return b"".join(map(fold, lines))


def _event(plan: Plan, step: Step, stamp: datetime) -> Iterator[str]:
    grounds = [f"{each.rule} ({each.basis.value}): {each.citation}" for each in step.grounds]
    told = [
        step.what,
        f"Who: {step.who}",
        f"Why: {step.why}",
        f"Proof: {step.proof}",
        f"Local time: {step.local}",
        *grounds,
        *(["Late: it should have been earlier."] if step.late else []),
        plan.notice,
    ]
    title = f"{step.timing.value.upper()}: {step.title}"
    yield "BEGIN:VEVENT"
    yield f"UID:{_uid(plan, step.id)}"
    yield f"DTSTAMP:{_utc(stamp)}"
    yield f"DTSTART:{_utc(step.at)}"
    yield f"SUMMARY:{escape(title)}"
    yield f"DESCRIPTION:{escape(chr(10).join(told))}"
    yield f"CATEGORIES:{escape(step.timing.value)},{escape(plan.place)},{escape(plan.supplier)}"
    yield "TRANSP:TRANSPARENT"
    for trigger in _ALARMS[step.timing]:
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"TRIGGER:{trigger}"
        yield f"DESCRIPTION:{escape(title)}"
        yield "END:VALARM"
    yield "END:VEVENT"


def _nothing(plan: Plan, stamp: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_uid(plan, 'none')}"
    yield f"DTSTAMP:{_utc(stamp)}"
    yield f"DTSTART:{_utc(plan.announced)}"
    yield f"SUMMARY:{escape(f'No withdrawal from {plan.place_name} is needed')}"
    yield f"DESCRIPTION:{escape(chr(10).join((plan.summary, plan.notice)))}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def escape(text: str) -> str:
    """Text as a value of type TEXT (section 3.3.11); control characters, which none has, go."""
    escaped = (
        text.replace("\r\n", "\n")
        .replace("\\", "\\\\")
        .replace(";", "\\;")
        .replace(",", "\\,")
        .replace("\n", "\\n")
    )
    return "".join(each for each in escaped if (each >= " " and each != "\x7f") or each == "\t")


def fold(line: str) -> bytes:
    """A content line with its end, in parts of at most 75 octets (section 3.1).

    A character is never divided, so that also readers that decode before they unfold can.
    """
    parts: list[bytes] = []
    held = bytearray()
    for character in line:
        octets = character.encode("utf-8", "replace")
        if len(held) + len(octets) > LINE_OCTETS:
            parts.append(bytes(held))
            held = bytearray(b" ")
        held += octets
    return b"\r\n".join([*parts, bytes(held)]) + b"\r\n"


def _uid(plan: Plan, step: str) -> str:
    name = "\x00".join((plan.supplier, plan.place, step))
    return f"{hashlib.sha256(name.encode()).hexdigest()[:32]}@withdrawal.tocsin"


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
