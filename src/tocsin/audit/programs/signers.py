"""From signatures to traces of who signed, whatever the signed thing is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import trace
from tocsin.audit.programs.signatures import Signature
from tocsin.jurisdiction.vocabulary import MarkerKind

Covers = Callable[[Signature], bool | None]
"""Whether what is signed is the file it was found in; None: that cannot be found out."""

_APPLE = re.compile(
    r"(?:Developer ID (?:Application|Installer)|Apple Distribution|Apple Development|"
    r"Mac Developer|iPhone (?:Developer|Distribution)|3rd Party Mac Developer \w+): (.*)"
)
_TEAM = re.compile(r" \([A-Z0-9]{10}\)$")


def _unknown(_signature: Signature) -> bool | None:
    return None


def signer_traces(
    signatures: Iterable[Signature], what: str, covers: Covers = _unknown
) -> tuple[Trace, ...]:
    """Who signed. A signature that is not this file's is a claim, as a company's name is.

    Args:
        signatures: of one file.
        what: they are, in words: `Authenticode`.
        covers: whether a signature is about the file.
    """
    return tuple(each for signature in signatures for each in _traces_of(signature, what, covers))


def _traces_of(signature: Signature, what: str, covers: Covers) -> Iterator[Trace]:
    signer = signature.signer
    if signer is None:
        return
    nested = "nested " if signature.is_nested else ""
    holds = signature.holds is not False and covers(signature) is not False
    kind = MarkerKind.SIGNER if holds else MarkerKind.COMPANY
    where = f"{nested}{what} signer"
    if not holds:
        where = f"name in a {nested}{what} signature that is not this file's"
    if signature.chain:
        where += f", certified by {' < '.join(signature.chain)}"[:400]
    yield from trace(kind, plain_name(signer.common), where)
    if signer.organisation != signer.common:
        where = where.replace("signer", "signer's organisation", 1)
        yield from trace(kind, signer.organisation, where)


def plain_name(common: str) -> str:
    """A developer's name without what Apple writes around it."""
    found = _APPLE.match(common)
    return _TEAM.sub("", found[1]) if found else common


def day_signed(signatures: Iterable[Signature]) -> date | None:
    """The first day of all that are told."""
    days = [each.made.date() for each in signatures if each.made is not None]
    return min(days, default=None)
