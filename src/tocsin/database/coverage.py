"""What the engine does not evaluate yet, by name: the one rule for builds, reports and scans."""

from __future__ import annotations

from tocsin.signatures.clamav.extended import Extended
from tocsin.signatures.clamav.lists import EngineSetting
from tocsin.signatures.clamav.logical import Logical
from tocsin.signatures.clamav.offset import Anchor
from tocsin.signatures.records import Kind, Record

UNEVALUATED_TARGETS = {8: "target 8", 13: "target 13"}
"""Targets whose objects this engine does not produce yet."""


def unevaluated_reason(record: Record, value: object) -> str:
    """What a signature needs that the engine does not evaluate yet, or an empty string.

    Args:
        record: the signature's record.
        value: what its text says; None (meant for another engine) is no such reason.
    """
    if isinstance(value, Logical):
        return value.unevaluated or UNEVALUATED_TARGETS.get(value.conditions.target, "")
    if isinstance(value, Extended):
        if value.offset.anchor is Anchor.MACRO:
            return ""
        return UNEVALUATED_TARGETS.get(value.target, "")
    if isinstance(value, EngineSetting):
        return "engine settings"
    if record.kind is Kind.UNEVALUATED:
        return record.detail
    return ""
