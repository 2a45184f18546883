"""A plan for people: Markdown, from top to bottom in the order in which it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from tocsin.jurisdiction.vocabulary import BASES
from tocsin.jurisdiction.withdrawal.model import TIMINGS, Closing, Ground, Plan, Step
from tocsin.jurisdiction.withdrawal.terms import WHY

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&])")
_FIRST = re.compile(r"^(\d*)([-+=.)])")
"""What would make a list or a heading of the line that it begins."""


def plan_markdown(plan: Plan) -> str:
    """A plan as GitHub-flavoured Markdown.

    Whatever comes from files of rules is escaped: it is text, and makes no table, link or tag.
    """
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"# {_text(plan.title)}"
    yield ""
    yield f"**{_text(plan.notice)}**"
    yield ""
    yield _text(plan.summary)
    yield ""
    yield f"- Announced: {_utc(plan.announced)} ({_text(plan.announced_by)})"
    if plan.cutoff is not None:
        yield f"- Deliveries to installed products end: **{_utc(plan.cutoff)}**"
    yield f"- Rulebook: edition {plan.edition}, SHA-256 `{plan.rulebook_sha256}`"
    yield from _section("Beware", [f"- {_text(each)}" for each in plan.cautions])
    yield from _section("Authorities warn or advise", _grounds(plan.warnings))
    yield from _section("What becomes forbidden", _closings(plan.closings))
    if plan.steps:
        yield from _section("Steps", _overview(plan.steps))
        for number, step in enumerate(plan.steps, 1):
            yield from _step(number, step)
    yield from _section("What goes on", _continuing(plan))
    yield from _section("Rules", _grounds(_all_grounds(plan)))
    if plan.steps:
        yield from _section("Terms that were planned with", _terms(plan))
    yield from _section("Assumed", [f"- {_text(each)}" for each in plan.assumptions])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    held = list(lines)
    if held:
        yield from ("", f"## {title}", "", *held)


def _closings(closings: Sequence[Closing]) -> Iterator[str]:
    if not closings:
        return
    yield from _table("from (UTC)", "in the place", "operation", "products", "outcome", "by")
    groups: dict[tuple[object, ...], list[Closing]] = {}
    for each in closings:
        key = (each.at, each.operation, each.outcome, each.rules, each.until, each.stated)
        groups.setdefault(key, []).append(each)
    for those in groups.values():
        one = those[0]
        until = f", until {_utc(one.until)}" if one.until else ""
        read = f" (the book's own reading: {_utc(one.stated)})" if one.stated else ""
        yield _row(
            (_utc(one.at) if one.at else "ever") + until,
            one.local + read,
            one.operation.value,
            ", ".join(each.product.value for each in those),
            one.outcome.value,
            ", ".join(one.rules),
        )


def _overview(steps: Sequence[Step]) -> Iterator[str]:
    yield from _table("", "when (UTC)", "", "step", "who")
    for number, step in enumerate(steps, 1):
        late = " **(late)**" if step.late else ""
        cells = (str(number), _utc(step.at), step.timing.value, step.title)
        yield _row(*cells, step.who, after=late, at=3)
    yield ""
    yield "; ".join(f"*{timing.value}*: {meaning}" for timing, meaning in TIMINGS.items()) + "."


def _step(number: int, step: Step) -> Iterator[str]:
    yield ""
    yield f"### {number}. {_text(step.title)}"
    yield ""
    yield f"- When: {step.timing.value} **{_utc(step.at)}** ({_text(step.local)})"
    yield f"- Who: {_text(step.who)}"
    why = "; ".join(f"`{each.rule}`, {each.basis.value}" for each in step.grounds)
    yield f"- Why: {_text(step.why)}" + (f" ({why})" if why else " (owed, not law)")
    yield f"- Proof: {_text(step.proof)}"
    yield ""
    yield _text(step.what)


def _continuing(plan: Plan) -> Iterator[str]:
    for each in plan.continues:
        what = "Everything" if each.product is None else each.product.value
        rules = f" (`{'`, `'.join(each.rules)}`)" if each.rules else ""
        operations = ", ".join(one.value for one in each.operations)
        yield f"- {_text(what)}: {_text(operations)}: {_text(each.why)}{rules}"


def _grounds(grounds: Iterable[Ground]) -> Iterator[str]:
    for each in grounds:
        yield f"- `{each.rule}`: {_text(each.summary)}"
        yield f"  {_text(each.authority)}; {_text(each.citation)}" + (
            f"; <{each.link}>" if each.link else ""
        )
        yield f"  Since {_utc(each.effective)}. Basis: {each.basis.value}, {BASES[each.basis]}."
        if each.note:
            yield f"  {_text(each.note)}"


def _all_grounds(plan: Plan) -> Iterator[Ground]:
    seen: dict[str, Ground] = {}
    for step in plan.steps:
        for each in step.grounds:
            seen.setdefault(each.rule, each)
    yield from seen.values()


def _terms(plan: Plan) -> Iterator[str]:
    yield from _table("term", "value", "why this is the default")
    for name, value in msgspec.structs.asdict(plan.terms).items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        yield _row(name.replace("_", " "), shown, WHY[name])


def _table(*headings: str) -> tuple[str, str]:
    return _row(*headings), _row(*("---" for _ in headings))


def _row(*cells: str, after: str = "", at: int = -1) -> str:
    shown = [cell if cell == "---" else _text(cell) for cell in cells]
    if after:
        shown[at] += after
    return "| " + " | ".join(shown) + " |"


def _text(text: str) -> str:
    """Text as one line that Markdown takes as it is."""
    line = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _FIRST.sub(r"\1\\\2", line)


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
