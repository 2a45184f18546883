"""What the clamd protocol says of a report, word for word as clamd does.

Source: what clamd 1.4.6 was seen to answer (tests/protect/test_clamd_replies.py asks it).
"""

from __future__ import annotations

from typing import Literal

from tocsin.engine.clamav_names import Names
from tocsin.engine.report import Report, Verdict

OnIncomplete = Literal["ok", "error", "found"]

LIMITS_EXCEEDED = "Heuristics.Limits.Exceeded"

_FIRST = Names(every=False)
_ALL = Names(every=True)


def found_names(report: Report, *, all_matches: bool) -> list[str]:
    """Names of what was found, in clamd's order, each once."""
    names = (_ALL if all_matches else _FIRST).of(report)
    return list(dict.fromkeys(name for _, name in names))


def status_lines(
    name: bytes, report: Report, on_incomplete: OnIncomplete, *, all_matches: bool = False
) -> list[bytes]:
    """The answer on one object, without endings: one line, or one for each name found.

    Args:
        name: what the answer calls the object: its path, `stream` or `fd[7]`.
        report: what was found.
        on_incomplete: what is said of what was not wholly looked at.
        all_matches: name everything that was found.
    """
    verdict = report.verdict
    if verdict in (Verdict.INFECTED, Verdict.SUSPICIOUS):
        names = found_names(report, all_matches=all_matches)
        return [b"%s: %s FOUND" % (name, _plain(found)) for found in names]
    if verdict is Verdict.CLEAN:
        return [b"%s: OK" % name]
    if verdict is Verdict.ERROR:
        reason = report.errors[0] if report.errors else "it could not be read"
        return [b"%s: %s ERROR" % (name, _reason(reason))]
    if on_incomplete == "ok":
        return [b"%s: OK" % name]
    if on_incomplete == "found":
        return [b"%s: %s FOUND" % (name, LIMITS_EXCEEDED.encode())]
    gap = next((skip for skip in report.skipped if skip.reason != "allowed"), None)
    detail = f"{gap.reason}: {gap.detail}" if gap is not None else "not wholly scanned"
    return [b"%s: Not wholly scanned (%s). ERROR" % (name, _reason(detail))]


def _reason(text: str) -> bytes:
    """A reason, without what clients take for the end of an object's name."""
    return _plain(text.replace(": ", ", "))


def _plain(text: str) -> bytes:
    """Text without what would end a line or an answer."""
    data = text.encode("utf-8", "surrogateescape")[:1000]
    return bytes(byte if byte >= 0x20 and byte != 0x7F else 0x3F for byte in data)
