"""The report as one HTML file for people: nothing is fetched, nothing in it runs.

Everything that comes from a file, a rule or a command line is escaped; the policy in its head
forbids scripts and requests even so (Content Security Policy, level 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

from tocsin.audit.findings import bearings, next_change, outcome_of
from tocsin.audit.model import AdvisoryFinding, Component, Match, SupplierFinding
from tocsin.audit.report.grouping import grouped
from tocsin.audit.report.interface import DISCLAIMER, Report
from tocsin.audit.report.page_timeline import MOST_ROWS, timeline_svg, tone
from tocsin.audit.report.words import (
    address,
    addressed,
    authority,
    bound,
    listed,
    moment,
    shown,
    since,
    using,
)
from tocsin.jurisdiction.question import Facts
from tocsin.jurisdiction.rulebook import BoundRule
from tocsin.jurisdiction.vocabulary import BASES
from tocsin.version import VERSION

MOST_LINES = 2_000
"""Lines of one table; a page with more is read by nobody."""

_TILES = ("prohibited", "undetermined", "warned", "allowed", "malicious", "vulnerable", "skipped")
_WIDTHS = {"Where": "where", "Component": "what", "Rule": "where"}
"""Columns that are not to become narrow."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def to_page(report: Report) -> str:
    """The report; one HTML document."""
    title = f"Supply-chain audit: {report.where}, {report.at.date()}"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_e(title)}</title>",
            f"<style>\n{_style()}</style>\n</head>\n<body>\n<main>",
            *_summary(report),
            *_suppliers(report),
            *_advisories(report),
            *_timeline(report),
            *_skipped(report),
            *_rules(report),
            *_foot(report),
            "</main>\n</body>\n</html>\n",
        ]
    )


def _summary(report: Report) -> list[str]:
    tally, facts = report.tally(), Facts(report.facts)
    tiles = [(report.audit.looked_at, "components looked at")]
    tiles += [(tally[word], word) for word in _TILES]
    who = "unknown" if report.facts.addressees is None else ", ".join(sorted(facts.addressees))
    rows = [
        ("Place", [report.where]),
        ("Instant", [report.instant]),
        ("Who", [", ".join(filter(None, (facts.person_words, who)))]),
        ("Assumptions", list(report.assumptions)),
        ("Not known", list(facts.unknown)),
        ("Looked in", list(report.looked_in)),
        ("Advisories", list(report.advisories_from) or ["none were given: see --osv"]),
    ]
    if not report.facts.places:
        rows.insert(1, ("", ["State where: without a place nothing can be said to be allowed."]))
    return [
        "<h1>Supply-chain audit</h1>",
        f'<p class="lead">{_e(report.headline())}</p>',
        '<ul class="tiles">',
        *(_tile(number, word) for number, word in tiles),
        '</ul>\n<dl class="facts">',
        *(f"<dt>{_e(name)}</dt><dd>{_lines(said)}</dd>" for name, said in rows if said),
        "</dl>",
    ]


def _suppliers(report: Report) -> list[str]:
    parts = ["<h2>From suppliers under a rule</h2>"]
    if not report.audit.suppliers:
        parts.append("<p>Nothing of a supplier that the rulebook knows was found.</p>")
    room = MOST_LINES
    for group in grouped(report.audit.suppliers):
        parts += _group(group, room)
        room = max(0, room - len(group))
    if report.weaker:
        parts.append(
            f'<p class="faint small">{report.weaker:,} more had only hints below a confidence of '
            f"{report.min_confidence:g}; a lower --min-confidence shows them.</p>"
        )
    return parts


def _group(group: list[SupplierFinding], room: int) -> list[str]:
    """Components of one supplier about which everything that is said is the same."""
    first = group[0]
    supplier, outcome = first.matches[0].supplier, outcome_of(first)
    number = f"{len(group):,} component" + ("" if len(group) == 1 else "s")
    embedded = first.use.question.embedded
    part = {True: ", as part of other products", None: ", perhaps part of other products"}
    parts = [
        f'<section class="card {outcome.value}"><div class="head">{_badge(outcome.value)}'
        f"<h3>{_e(supplier.name)}</h3>"
        f'<span class="faint">{number}{part.get(embedded, "")}</span></div>',
        f"<p>{_e(using(first))}</p>",
    ]
    if bearing := bearings(first):
        parts += _table(
            ("Outcome", "For", "Rule", "In force", "Binds"),
            [
                (
                    _badge(one.outcome.value),
                    _e(listed(one.operations)),
                    f'<a href="#{_anchor(one.rule)}">{_e(one.rule.id)}</a><br>'
                    + _e(one.rule.rule.summary)
                    + ("" if one.is_certain else f'<br><i class="faint">{_e(one.reason)}</i>'),
                    _e(since(one.rule)),
                    _e(bound(one.rule)),
                )
                for one in bearing
            ],
        )
    if (change := next_change(first)) is not None:
        parts.append(
            f'<p class="small">Next change: {_e(moment(change[0]))}, '
            f"{_e(change[1].value)} becomes {_e(change[2].value)}.</p>"
        )
    parts += _table(
        ("Component", "Where", "Found by", "Confidence"),
        [
            (
                _component(each.component),
                f'<span class="mono">{_e(each.component.place)}</span>',
                _lines(_mark(match) for match in each.matches[:4]),
                f"{each.confidence:.2f}",
            )
            for each in group[:room]
        ],
    )
    return [*parts, _more(len(group) - room), "</section>"]


def _component(component: Component) -> str:
    return (
        f"<b>{_e(component.name)}</b> {_e(component.version)}<br>"
        f'<span class="faint small">{_e(component.purl or component.kind)}</span>'
    )


def _mark(match: Match) -> str:
    said = f"{match.trace.where}: {match.trace.value}"
    return f"{said} ({match.caution})" if match.caution else said


def _advisories(report: Report) -> list[str]:
    found = report.audit.advisories
    if not found:
        return []
    return [
        "<h2>Malicious and vulnerable packages</h2>",
        *_table(
            ("", "Advisory", "Component", "Where", "Fixed in"),
            [_advisory(each) for each in found[:MOST_LINES]],
        ),
        _more(len(found) - MOST_LINES),
    ]


def _advisory(finding: AdvisoryFinding) -> tuple[str, ...]:
    advisory, component = finding.advisory, finding.component
    aliases = f'<br><span class="faint small">{_e(", ".join(advisory.aliases))}</span>'
    return (
        _badge("malicious" if advisory.is_malicious else "vulnerable"),
        _link(advisory.id, advisory.link)
        + (aliases if advisory.aliases else "")
        + f"<br>{_e(advisory.summary)}",
        _component(component),
        f'<span class="mono">{_e(component.place)}</span>',
        _e(", ".join(advisory.fixed)) or ("remove it" if advisory.is_malicious else "none known"),
    )


def _timeline(report: Report) -> list[str]:
    drawing = timeline_svg(report.rules, report.at)
    if not drawing:
        return []
    rest = len(report.rules) - MOST_ROWS
    more = f" {rest:,} more rules are not drawn." if rest > 0 else ""
    return [
        f"<h2>Rules over time, {_e(report.where)}</h2>",
        f"<figure>{drawing}<figcaption>"
        '<span class="key prohibited"></span>forbids<span class="key warned"></span>warns or '
        'advises<span class="key allowed"></span>exempts. Pale: not certain yet, or over; a gap '
        f"in a bar: to be done by then; the line: the instant asked about.{more}</figcaption>"
        "</figure>",
    ]


def _skipped(report: Report) -> list[str]:
    skipped = report.audit.skipped
    if not skipped:
        return ["<h2>Not looked at</h2><p>Nothing was skipped.</p>"]
    return [
        f"<h2>Not looked at, or not wholly ({len(skipped):,})</h2>",
        *_table(
            ("Where", "Why"),
            [
                (f'<span class="mono">{_e(each.place)}</span>', _e(each.reason))
                for each in skipped[:MOST_LINES]
            ],
        ),
        _more(len(skipped) - MOST_LINES),
    ]


def _rules(report: Report) -> list[str]:
    cited = {rule.id: rule for rule in report.rules}
    for finding in report.audit.suppliers:
        cited |= {one.rule.id: one.rule for one in bearings(finding)}
    acts: dict[str, list[BoundRule]] = {}
    for rule in sorted(cited):
        acts.setdefault(cited[rule].instrument.id, []).append(cited[rule])
    if not acts:
        return []
    return [
        "<h2>The rules, with their sources</h2>",
        *(part for rules in acts.values() for part in _act(rules)),
    ]


def _act(rules: list[BoundRule]) -> Iterable[str]:
    """One instrument with those of its rules that matter."""
    act = rules[0].instrument
    notes = [*act.notes, *(f"Sources conflict: {each}" for each in act.conflicts)]
    yield f'<section class="act"><h3>{_e(act.title)}</h3>'
    yield f'<p class="small">{_e(authority(rules[0]))}. {_link(act.citation, act.link)}.</p>'
    if notes:
        yield f'<ul class="plain small faint">{"".join(f"<li>{_e(n)}</li>" for n in notes)}</ul>'
    for rule in rules:
        yield from _rule(rule)
    yield "</section>"


def _rule(rule: BoundRule) -> Iterable[str]:
    stated = rule.rule
    yield (
        f'<div class="rule {tone(rule)}" id="{_anchor(rule)}"><div class="head">'
        f"<b>{_e(rule.id)}</b>{_badge(stated.kind.value, tone(rule))}</div>"
    )
    yield f"<p>{_e(stated.summary)}, {_e(since(rule))}.</p>"
    said = [
        f"Binds {bound(rule)}; about {addressed(rule)}; product classes "
        f"{', '.join(each.value for each in stated.products)}; embedded code "
        f"{stated.embedded.value}.",
        f"Checked: {BASES[stated.basis]}.",
        *stated.obligations,
        *([stated.note] if stated.note else []),
        *(f"Another reading: {moment(each.effective)}, {each.note}." for each in stated.readings),
    ]
    yield f'<ul class="plain small faint">{"".join(f"<li>{_e(each)}</li>" for each in said)}</ul>'
    yield "</div>"


def _foot(report: Report) -> list[str]:
    return [
        f"<footer><p>{_e(DISCLAIMER)}</p>",
        f"<p>tocsin {_e(VERSION)}, {_e(moment(report.made))}. Rulebook: {_e(report.rulebook)}, "
        f"SHA-256 <code>{_e(report.rulebook_sha256)}</code>.</p></footer>",
    ]


def _style() -> str:
    return files("tocsin.audit.report").joinpath("page.css").read_text("utf-8")


# --- pieces ----------------------------------------------------------------------------------


def _e(text: object) -> str:
    return escape(shown(str(text)))


def _badge(word: str, colour: str = "") -> str:
    return f'<span class="badge {colour or word}">{_e(word)}</span>'


def _tile(number: int, word: str) -> str:
    colour = word if number else "none"
    return f'<li class="{colour.partition(" ")[0]}"><b>{number:,}</b><span>{_e(word)}</span></li>'


def _link(text: str, target: str) -> str:
    """A link where the target is one that a browser may follow, else the text."""
    found = address(target)
    return f'<a href="{_e(found)}" rel="noreferrer noopener">{_e(text)}</a>' if found else _e(text)


def _anchor(rule: BoundRule) -> str:
    return "rule-" + "".join(one if one.isalnum() or one == "-" else "_" for one in shown(rule.id))


def _lines(said: Iterable[str]) -> str:
    held = list(said)
    if len(held) == 1:
        return _e(held[0])
    return f"<ul>{''.join(f'<li>{_e(each)}</li>' for each in held)}</ul>"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table of cells that are HTML already; nothing without rows."""
    held = list(rows)
    if not held:
        return []
    return [
        '<div class="scroll"><table><thead><tr>',
        *(f'<th class="{_WIDTHS.get(each, "")}">{_e(each)}</th>' for each in headings),
        "</tr></thead><tbody>",
        *("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in held),
        "</tbody></table></div>",
    ]


def _more(number: int) -> str:
    if number <= 0:
        return ""
    return f'<p class="faint small">And {number:,} more: the JSON report has all of them.</p>'
