"""ClamAV's functionality level: which signatures are meant for an engine like this one.

Source: ClamAV manual, "Functionality levels"; `sigtool --help` of 1.4.6 prints its own.
"""

from __future__ import annotations

from tocsin.signatures.clamav.numbers import leading_number

LEVEL = 216
"""The level this engine answers to: that of ClamAV 1.4.6."""


def within_level(low: int, high: int | None = None) -> bool:
    """Whether a signature for levels `low` to `high`, both included, is meant for us."""
    return low <= LEVEL and (high is None or high >= LEVEL)


def parse_levels(fields: list[str]) -> bool:
    """Read the trailing `[minfl[:maxfl]]` fields of a line.

    Returns:
        Whether the signature is meant for this engine.
    """
    levels = [leading_number(field) for field in fields]
    low = levels[0] if levels else 0
    high = levels[1] if len(levels) > 1 else None
    return within_level(low, high)
