"""Marks against traces: what fits, what does not, and how sure that makes."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.audit.matching import MOST_TEXT, Matcher, confidence, folded, host_of
from tocsin.audit.model import Component, Match, Trace
from tocsin.jurisdiction.folder import packaged, read_folder
from tocsin.jurisdiction.model import Marker, Supplier
from tocsin.jurisdiction.vocabulary import MarkerKind as K

DAY = date(2024, 9, 29)
BOOK = Matcher(read_folder(packaged()).suppliers.values())


def component(*traces: tuple[K, str], **fields: object) -> Component:
    found = tuple(Trace(kind, value, "there") for kind, value in traces)
    return Component("p", "program", "n", traces=found)._replace(**fields)


def matched(matcher: Matcher, *traces: tuple[K, str], **fields: object) -> tuple[Match, ...]:
    return matcher.matches(component(*traces, **fields), DAY).get("kaspersky", ())


def one(kind: K, value: str, **fields: object) -> Matcher:
    marker = Marker(kind=kind, value=value, **fields)  # type: ignore[arg-type]
    return Matcher([Supplier(id="kaspersky", name="K", marker=(marker,))])


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        (K.SIGNER, "AO Kaspersky Lab", True),
        (K.SIGNER, "ao  KASPERSKY lab", True),
        (K.SIGNER, "Kaspersky Lab JSC", True),
        (K.SIGNER, "Not Kaspersky Lab", False),
        (K.SIGNER, "DigiCert Trusted G4 Code Signing", False),
        (K.COMPANY, "© 2019 AO Kaspersky Lab.", True),
        (K.COMPANY, "Microsoft Corporation", False),
        (K.ANDROID_PACKAGE, "com.kaspersky.security.cloud", True),
        (K.ANDROID_PACKAGE, "com.kaspersky", True),
        (K.ANDROID_PACKAGE, "com.kasperskyother.app", False),
        (K.ANDROID_PACKAGE, "org.com.kaspersky.x", False),
        (K.HOST, "kaspersky.com", True),
        (K.HOST, "https://user@www.Kaspersky.com:443/path", True),
        (K.HOST, "support@kaspersky.com", True),
        (K.HOST, "kaspersky.com.", True),
        (K.HOST, "notkaspersky.com", False),
        (K.HOST, "kaspersky.com.evil.example", False),
        (K.HOST, "https://example.org/kaspersky.com", False),
        (K.NPM_SCOPE, "@kaspersky", True),
        (K.NPM_SCOPE, "@kaspersky/ui", True),
        (K.NPM_SCOPE, "@kasperskyx", False),
        (K.CPE_VENDOR, "kaspersky", True),
        (K.CPE_VENDOR, "cpe:2.3:a:kaspersky:endpoint:11:*:*:*:*:*:*:*", True),
        (K.CPE_VENDOR, "cpe:/a:kaspersky_lab:antivirus", True),
        (K.CPE_VENDOR, "cpe:2.3:a:other:kaspersky:1", False),
        (K.SUPPLIER_NAME, "Organization: Kaspersky", True),
        (K.WINGET_PUBLISHER, "AO Kaspersky Lab", True),
        (K.PACKAGE, "deb:kesl-gui", True),
        (K.PACKAGE, "rpm:klnagent64", True),
        (K.PACKAGE, "deb:notkesl", False),
        (K.PACKAGE, "pypi:kesl", False),
        (K.TEXT, "made with Kaspersky Lab's engine", True),
    ],
)
def test_the_rulebook_s_marks_fit_what_they_should(kind: K, value: str, fits: bool) -> None:
    assert bool(matched(BOOK, (kind, value))) == fits


def test_a_trace_is_held_against_marks_of_its_own_kind_alone() -> None:
    assert not matched(BOOK, (K.SIGNER, "kaspersky.com"))
    assert not matched(BOOK, (K.COMPANY, "@kaspersky"))


def test_a_package_s_own_name_and_scope_are_traces() -> None:
    assert matched(BOOK, kind="deb", name="kesl")
    assert matched(BOOK, kind="npm", name="@kaspersky/components")
    assert matched(BOOK, kind="library", purl="pkg:npm/%40kaspersky/x@1.0")
    assert not matched(BOOK, kind="npm", name="kaspersky")


def test_stars_stand_at_both_ends() -> None:
    for value, fitting, other in (
        ("abc", "abc", "abcd"),
        ("abc*", "abcd", "xabc"),
        ("*abc", "xabc", "abcd"),
        ("*abc*", "xabcx", "axbc"),
    ):
        matcher = one(K.SIGNER, value)
        assert matched(matcher, (K.SIGNER, fitting))
        assert not matched(matcher, (K.SIGNER, other))


@pytest.mark.parametrize("value", ["*", "**", " * "])
def test_a_mark_that_stands_for_anything_marks_nothing(value: str) -> None:
    assert not matched(one(K.SIGNER, value), (K.SIGNER, "anybody"))


# --- how sure ------------------------------------------------------------------------------


def test_a_mark_says_less_after_its_time_and_says_why() -> None:
    matcher = one(K.COMPANY, "x", confidence=0.8, until=date(2020, 1, 1))
    for made, sure in ((date(2020, 1, 1), 0.8), (date(2020, 1, 2), 0.4), (None, 0.4)):
        (match,) = matched(matcher, (K.COMPANY, "x"), made=made)
        assert match.confidence == sure
        assert bool(match.caution) == (sure < 0.8)


def test_a_mark_of_built_in_code_says_less_and_says_why() -> None:
    matcher = one(K.ANDROID_PACKAGE, "a.b.*", confidence=0.9, embedded=True)
    (match,) = matched(matcher, (K.ANDROID_PACKAGE, "a.b.c"))
    assert match.confidence < 0.9
    assert "version" in match.caution


def test_what_was_made_before_a_mark_was_seen_is_less_sure() -> None:
    matcher = one(K.COMPANY, "x", since=date(2015, 1, 1))
    (match,) = matched(matcher, (K.COMPANY, "x"), made=date(1999, 1, 1))
    assert match.confidence < 1
    assert "before" in match.caution


def test_independent_marks_make_surer_than_the_surest_of_them() -> None:
    matches = matched(BOOK, (K.COMPANY, "AO Kaspersky Lab"), (K.ANDROID_PACKAGE, "com.kavsdk.x"))
    assert len(matches) == 2
    assert confidence(matches) > max(match.confidence for match in matches)
    assert confidence(matches) < 1


def test_the_same_claim_twice_is_no_surer() -> None:
    once = matched(BOOK, (K.COMPANY, "AO Kaspersky Lab"))
    twice = matched(BOOK, (K.COMPANY, "AO Kaspersky Lab"), (K.COMPANY, "(c) Kaspersky Lab"))
    assert confidence(once) == confidence(twice)


def test_texts_alone_stay_low_however_many_there_are() -> None:
    matches = matched(
        BOOK,
        *((K.TEXT, f"Kaspersky Lab {number}") for number in range(100)),
        (K.HOST, "kaspersky.com"),
        (K.HOST, "dnl-01.geo.kaspersky-labs.com"),
    )
    assert len(matches) == 3
    assert 0 < confidence(matches) <= MOST_TEXT < 0.5


def test_a_signature_alone_is_as_sure_as_the_book_says() -> None:
    assert confidence(matched(BOOK, (K.SIGNER, "AO Kaspersky Lab"))) == 1.0


def test_the_surest_mark_comes_first() -> None:
    matches = matched(BOOK, (K.TEXT, "Kaspersky Lab"), (K.SIGNER, "Kaspersky Lab"))
    assert [match.trace.kind for match in matches] == [K.SIGNER, K.TEXT]


KINDS = st.sampled_from(list(K))
TRACES = st.lists(st.tuples(KINDS, st.text(max_size=40) | st.sampled_from(["Kaspersky Lab"])))


@settings(max_examples=40)
@given(TRACES, TRACES)
def test_more_traces_never_make_less_sure(
    some: list[tuple[K, str]], more: list[tuple[K, str]]
) -> None:
    fewer, all_ = matched(BOOK, *some), matched(BOOK, *some, *more)
    assert 0 <= confidence(fewer) <= confidence(all_) <= 1


@given(st.text())
def test_folding_is_done_once(text: str) -> None:
    once = folded(text)
    assert folded(once) == once or "\u0345" in text  # a mark that casefold and NFKC swap for ever


@given(st.text(alphabet="ab.-", min_size=1, max_size=12))
def test_only_whole_labels_are_beneath_a_domain(left: str) -> None:
    fits = bool(matched(BOOK, (K.HOST, f"{left}kaspersky.com")))
    host = host_of(f"{left}kaspersky.com")
    assert fits == (host == "kaspersky.com" or host.endswith(".kaspersky.com"))


def test_one_among_thousands_of_components_is_found() -> None:
    found = 0
    for number in range(10_000):
        name = "kesl" if number == 7 else f"package{number % 5000}"
        each = Component("p", "deb", name, traces=(Trace(K.SUPPLIER_NAME, f"A {number}", ""),))
        found += bool(BOOK.matches(each, DAY))
    assert found == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (K.SUPPLIER_NAME, "Kas\u200bper\u00adsky Lab"),
        (K.SUPPLIER_NAME, "АО «Лаборатория Касперского»"),
        (K.WINGET_PUBLISHER, 'АО "Лаборатория Касперского"'),
        (K.COMPANY, "© 2023 АО «Лаборатория Касперского»"),
        (K.PACKAGE, "maven:com.kaspersky:sdk"),
        (K.PACKAGE, "library:com.kaspersky/sdk"),
        (K.PACKAGE, "docker:kaspersky/kesl"),
        (K.PACKAGE, "github:kasperskylab/klara"),
        (K.PACKAGE, "generic:kaspersky/kes"),
        (K.PACKAGE, "windows:Kaspersky Endpoint Security"),
        (K.PACKAGE, "application:Kaspersky Anti-Virus"),
    ],
)
def test_a_name_in_another_script_or_place_is_found(kind: K, value: str) -> None:
    assert confidence(matched(BOOK, (kind, value))) >= 0.5


@pytest.mark.parametrize(
    ("value", "where", "is_sure"),
    [
        ("Jane Kaspersky", "author", False),
        ("Kaspersky, Ann", "supplier, person", False),
        ("Jane Doe, AO Kaspersky Lab", "Author", True),
        ("Kaspersky", "Maintainer", True),
        ("Kaspersky Team", "supplier.name", True),
    ],
)
def test_a_surname_is_no_supplier(value: str, where: str, is_sure: bool) -> None:
    found = Component("p", "pypi", "n", traces=(Trace(K.SUPPLIER_NAME, value, where),))
    sure = confidence(BOOK.matches(found, DAY)["kaspersky"])
    assert (sure >= 0.5) is is_sure
