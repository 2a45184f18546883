"""ClamAV's functionality level: which signatures are meant for an engine like this one.

Source: ClamAV manual, "Functionality levels"; `sigtool --help` of 1.4.6 prints its own.
"""

from __future__ import annotations

from tocsin.signatures.clamav.numbers import leading_number, natural

LEVEL = 216
"""The level this engine answers to: that of ClamAV 1.4.6."""


def within_level(low: int, high: int | None = None) -> bool:
    """Whether a signature for levels `low` to `high`, both included, is meant for us."""
    return low <= LEVEL and (high is None or high >= LEVEL)


def parse_levels(fields: list[str], *, lax: bool = False) -> bool:
    """Read the trailing `[minfl[:maxfl]]` fields of a line.

    Args:
        fields: the fields, at most two.
        lax: take what is no number as 0, as clamscan does in digest signatures.

    Returns:
        Whether the signature is meant for this engine.

    Raises:
        SignatureError: a field is not a number, unless lax.
    """
    levels = [
        leading_number(field) if lax else natural(field or "0", "functionality level")
        for field in fields
    ]
    return within_level(levels[0] if levels else 0, levels[1] if len(levels) > 1 else None)
