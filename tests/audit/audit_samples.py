"""Findings and reports made by hand: no file is read for them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache

from tocsin.audit.findings import Judge, relevant_rules
from tocsin.audit.matching import Matcher
from tocsin.audit.model import (
    Advisory,
    AdvisoryFinding,
    Audit,
    Component,
    Skipped,
    SupplierFinding,
    Trace,
)
from tocsin.audit.report.interface import Report, in_order
from tocsin.jurisdiction.folder import packaged, read_folder
from tocsin.jurisdiction.question import Question, ask
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Addressee, MarkerKind, Operation, Product

CUT_OFF = datetime(2024, 9, 29, 4, tzinfo=UTC)
MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@cache
def book() -> Rulebook:
    return read_folder(packaged())


def facts(
    *places: str, at: datetime = CUT_OFF, addressees: tuple[str, ...] | None = (), **stated
) -> Question:
    return ask(
        Operation.USE,
        Product.OTHER,
        "",
        at,
        places=places,
        addressees=None if addressees is None else tuple(map(Addressee, addressees)),
        **stated,
    )


def signed_program(place: str = "/opt/av/scanner.exe", **stated) -> Component:
    traces = (Trace(MarkerKind.SIGNER, "AO Kaspersky Lab", "Authenticode signer"),)
    return Component(place, "windows", "scanner.exe", "21.3", traces=traces, **stated)


def npm_package(place: str = "package-lock.json") -> Component:
    name = "@kaspersky/ui"
    return Component(place, "npm", name, "2.3.1", "pkg:npm/%40kaspersky/ui@2.3.1")


def judge(component: Component, asked: Question, **options) -> list[SupplierFinding]:
    matches = Matcher(book().suppliers.values()).matches(component, asked.at.date())
    return list(Judge(book(), asked, **options).judge(component, matches))


MALICIOUS = AdvisoryFinding(
    Component("package-lock.json", "npm", "left-padd", "1.0.1", "pkg:npm/left-padd@1.0.1"),
    Advisory(
        "MAL-2024-7",
        ("GHSA-aaaa-bbbb-cccc",),
        True,
        "Steals environment variables",
        date(2024, 3, 1),
        (),
        "https://osv.dev/vulnerability/MAL-2024-7",
    ),
)
VULNERABLE = AdvisoryFinding(
    Component("requirements.txt", "pypi", "jinja2", "3.1.2", "pkg:pypi/jinja2@3.1.2"),
    Advisory("GHSA-h5c8-rqwp-cp95", (), False, "Attribute injection", None, ("3.1.3",), ""),
)


def report(
    *components: Component,
    asked: Question | None = None,
    advisories: tuple[AdvisoryFinding, ...] = (),
    skipped: tuple[Skipped, ...] = (),
) -> Report:
    """A report on components, as `app.audit` makes one of what it finds."""
    asked = asked or facts("US")
    found = [each for component in components for each in judge(component, asked)]
    audit = Audit(len(components) + len(advisories), tuple(found), advisories, skipped)
    return Report(
        audit=in_order(audit),
        facts=asked,
        is_embedded_stated=False,
        meant="",
        rules=relevant_rules(book(), asked, ["kaspersky"]),
        edition=book().edition.number,
        rulebook="edition 1",
        rulebook_sha256=book().sha256,
        looked_in=("made for a test",),
        unseen=(),
        undecided=(),
        advisories_from=("made for a test",) if advisories else (),
        min_confidence=0.5,
        weaker=0,
        made=MADE,
    )


HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "a\x00b\x1b[31m\u202egnp.exe\u2066",
    "name\udcff\ud800",
    "[link](https://example.invalid) {0} \\",
    "]]>--><!--",
    "=cmd|'/c calc'!A1",
)


def hostile(text: str) -> Report:
    """A report in which everything that files say is one text."""
    traces = (
        Trace(MarkerKind.SIGNER, "AO Kaspersky Lab", text),
        Trace(MarkerKind.COMPANY, f"Kaspersky Lab {text}", text),
    )
    component = Component(f"{text}!{text}", text, text, text, text, traces, reference=text)
    advisory = Advisory(
        text, (text,), True, text, date(2024, 1, 1), (text,), f"https://example.invalid/{text}"
    )
    script = advisory._replace(id=f"{text}2", link=f"javascript:{text}", is_malicious=False)
    return report(
        component,
        advisories=(AdvisoryFinding(component, advisory), AdvisoryFinding(component, script)),
        skipped=(Skipped(text, text),),
    )
