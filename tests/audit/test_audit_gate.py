"""What an audit fails on."""

from __future__ import annotations

import pytest

from audit.audit_samples import MALICIOUS, VULNERABLE, facts, npm_package, report, signed_program
from tocsin.audit.gate import DEFAULT, FAIL_ON, FailOn, fails

_CASES = {
    "clean": report().audit,
    "allowed": report(npm_package(), asked=facts("DE")).audit,
    "warned": report(signed_program(), asked=facts("DE")).audit,
    "undetermined": report(signed_program(), asked=facts()).audit,
    "prohibited": report(signed_program(), asked=facts("US")).audit,
    "malicious": report(advisories=(MALICIOUS,)).audit,
    "vulnerable": report(advisories=(VULNERABLE,)).audit,
}
_FAILING = {
    FailOn.PROHIBITED: {"prohibited", "undetermined"},
    FailOn.WARNED: {"prohibited", "undetermined", "warned"},
    FailOn.ANY: set(_CASES) - {"clean"},
    FailOn.MALICIOUS: {"malicious"},
    FailOn.VULNERABLE: {"malicious", "vulnerable"},
    FailOn.NEVER: set(),
}


@pytest.mark.parametrize("on", list(FailOn))
def test_it_fails_on_what_was_named_and_nothing_else(on):
    assert {name for name, audit in _CASES.items() if fails(audit, [on])} == _FAILING[on]


def test_several_add_up_and_never_takes_nothing_away():
    on = [FailOn.WARNED, FailOn.MALICIOUS, FailOn.NEVER]
    failing = {name for name, audit in _CASES.items() if fails(audit, on)}
    assert failing == {"prohibited", "undetermined", "warned", "malicious"}


def test_by_itself_it_fails_on_what_is_prohibited_or_malicious():
    failing = {name for name, audit in _CASES.items() if fails(audit, DEFAULT)}
    assert failing == {"prohibited", "undetermined", "malicious"}


def test_every_word_is_explained():
    assert set(FAIL_ON) == set(FailOn)
