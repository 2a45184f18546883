"""The HTML report: one file that fetches nothing and runs nothing, whatever files say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from audit.audit_samples import (
    HOSTILE,
    MALICIOUS,
    VULNERABLE,
    book,
    facts,
    hostile,
    npm_package,
    report,
    signed_program,
)
from tocsin.audit.model import Skipped
from tocsin.audit.report import page
from tocsin.audit.report.page import to_page
from tocsin.audit.report.page_timeline import timeline_svg

_VOID = {"meta", "br", "line", "rect"}


class _Reader(HTMLParser):
    """Elements, attributes and text of a page; elements must be closed in their order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def values(self, name):
        return [value for _, found, value in self.attributes if found == name]


def _read(made) -> _Reader:
    text = to_page(made)
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def _words(reader: _Reader) -> str:
    return " ".join(" ".join(reader.text).split())


def test_it_says_what_was_found_by_which_rule_and_what_was_not_looked_at():
    made = report(
        signed_program(),
        npm_package(),
        asked=facts("US"),
        advisories=(MALICIOUS, VULNERABLE),
        skipped=(Skipped("image.tar!big.iso", "too big"),),
    )
    words = _words(_read(made))
    for said in (
        "Of 4 components: 1 malicious package, 2 components under a prohibition and 1 known",
        "us-bis-icts-2021-002/updates",
        "89 FR 52434",
        "the supplier",
        "Use is not affected",
        "image.tar!big.iso",
        "too big",
        "the person is resident in the United States",
        "MAL-2024-7",
        "No legal advice",
        book().sha256,
    ):
        assert said in words, said


def test_nothing_is_fetched_and_nothing_runs():
    reader = _read(report(signed_program(), asked=facts("US"), advisories=(MALICIOUS,)))
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert reader.values("src") == []
    assert "url(" not in to_page(report())
    assert "@import" not in to_page(report())
    policy = [value for value in reader.values("content") if "default-src" in value]
    assert policy
    assert "default-src 'none'" in policy[0]


def test_links_inside_lead_somewhere():
    reader = _read(report(signed_program(), npm_package(), asked=facts("US")))
    inner = [value[1:] for value in reader.values("href") if value.startswith("#")]
    assert inner
    assert set(inner) <= set(reader.values("id"))
    assert len(reader.values("id")) == len(set(reader.values("id")))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    plain = _read(hostile("word"))
    reader = _read(hostile(text))
    assert reader.tags == plain.tags
    assert [each[:2] for each in reader.attributes] == [each[:2] for each in plain.attributes]
    assert not [value for value in reader.values("href") if "javascript:" in value.lower()]
    shown = "".join(reader.text)
    assert not re.search("[\x00-\x08\x0e-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    to_page(hostile(text)).encode()


def test_a_table_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(page, "MOST_LINES", 3)
    programs = [signed_program(f"/opt/{number}.exe") for number in range(5)]
    words = _words(_read(report(*programs, asked=facts("US"))))
    assert "5 components under a prohibition" in words
    assert "And 2 more" in words
    assert "/opt/4.exe" not in words


def test_nothing_found_is_said_as_well():
    words = _words(_read(report(asked=facts("JP"))))
    assert "Of 0 components, none comes from a supplier under a rule." in words
    assert "Nothing was skipped" in words


def test_without_a_place_it_asks_for_one():
    words = _words(_read(report(signed_program(), asked=facts())))
    assert "without a place nothing can be said to be allowed" in words


# --- the drawing ---------------------------------------------------------------------------


def _rows(svg: str) -> dict[str, list[tuple[float, float]]]:
    """From the beginning of each row's title to its bars: where they begin and end."""
    found = {}
    for group in ET.fromstring(svg).iter("g"):
        title = group.findtext("title") or ""
        bars = [(float(bar.get("x")), float(bar.get("width"))) for bar in group.iter("rect")]
        found[title.partition(":")[0]] = [(x, x + width) for x, width in bars]
    return found


def _now(svg: str) -> float:
    line = next(one for one in ET.fromstring(svg).iter("line") if one.get("class") == "now")
    return float(line.get("x1"))


def test_bars_begin_where_rules_do():
    rules = report(asked=facts("US")).rules
    for at, begun in ((datetime(2024, 8, 1, tzinfo=UTC), False), (facts().at, True)):
        svg = timeline_svg(rules, at)
        rows = _rows(svg)
        assert set(rows) == {rule.id for rule in rules}
        assert rows["us-bis-icts-2021-002/new-agreements"][0][0] < _now(svg) + 0.1
        assert (rows["us-bis-icts-2021-002/updates"][0][0] < _now(svg) + 0.1) is begun


def test_a_rule_that_ends_has_a_bar_that_ends():
    asked = facts("AU", addressees=("government",), at=datetime(2025, 3, 1, tzinfo=UTC))
    rows = _rows(timeline_svg(report(asked=asked).rules, asked.at))
    removal, ban = rows["au-pspf-002-2025/removal"], rows["au-pspf-002-2025/no-use"]
    assert removal[-1][1] <= ban[0][0] + 1
    assert ban[-1][1] == max(end for bars in rows.values() for _, end in bars)


@pytest.mark.parametrize("year", [1, 1970, 2024, 9999])
def test_any_instant_can_be_drawn(year):
    at = datetime(year, 6, 1, tzinfo=UTC)
    svg = timeline_svg(report(asked=facts("US")).rules, at)
    numbers = map(float, re.findall(r'(?:x|x1|x2|y|width)="(-?[\d.]+)"', svg))
    assert all(0 <= number <= 5000 for number in numbers)


def test_without_rules_nothing_is_drawn():
    assert timeline_svg((), facts().at) == ""
