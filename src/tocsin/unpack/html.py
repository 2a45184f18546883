"""HTML: its normal forms, its scripts, and the files that stand in it.

A page holds files in `data:` addresses, and scripts put files together that no mail filter
sees pass ("HTML smuggling"). Both come out as members; the normal forms are views of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tocsin.formats.identify import WINDOW, identify
from tocsin.formats.markup import markup_inside
from tocsin.unpack.html_normal import Forms
from tocsin.unpack.html_parts import embedded
from tocsin.unpack.interface import MIB, Budget, Item, Member, Reason, Skipped, View
from tocsin.unpack.javascript import normalise_scripts
from tocsin.unpack.parts import Parts

MOST_BYTES = 40 * MIB
"""A larger page has no normal forms; clamscan's bound (`--max-htmlnormalize`)."""

MOST_BYTES_OF_TEXT = 8 * MIB
"""A larger page has no form without tags (`--max-htmlnotags`)."""

_UPPER_HALF = bytes((byte << 4) & 0xFF for byte in range(256))
_NOT_ZERO = re.compile(rb"[^\0]")

MOST_SCRIPTS = 1000
"""Scripts of one page that are handed out."""

SMALLEST_SCRIPT = 64
"""Bytes of a script that are worth a look of their own."""

_CLOSING_TAG = re.compile(rb"</script[^>]*>?\s*\Z", re.IGNORECASE)
_LONGEST_CLOSING_TAG = 4096


class HtmlUnpacker:
    """Gives a page's normal forms as views, its scripts and files as members."""

    types = frozenset({"HTML", "HTML_UTF16", "GIF"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        if data.startswith(b"GIF8"):
            if not markup_inside(data):
                return
        elif identify(data[:WINDOW]) == "HTML_UTF16":
            data = narrowed(data)
        yield from markup_items(data, budget)


def markup_items(data: bytes, budget: Budget, *, unclosed: bool = True) -> Iterator[Item]:
    """Everything that comes out of a page in 8-bit characters.

    Args:
        data: the page.
        budget: what may be used up.
        unclosed: whether a script without its closing tag counts. Where the page stands in a
            text it does not: that may be a script itself, whose own `<script>` would have it
            looked at once more for each of them, and the text is looked at as a script anyway.
    """
    if len(data) <= MOST_BYTES:
        forms = Forms(data, budget.check_time)
        yield View("without comments", forms.page, "HTML")
        if len(data) <= MOST_BYTES_OF_TEXT:
            yield View("without tags", forms.text, "HTML")
        if forms.scripts:
            script = normalise_scripts(forms.scripts, budget.check_time)
            yield View("scripts", script, "HTML")
            yield View("scripts as text", script, "TEXT_ASCII")
        yield from _scripts(forms.scripts, budget, unclosed)
    yield from embedded(data.translate(None, b"\0") if b"\0" in data else data, budget)


def _scripts(
    scripts: Iterable[bytes], budget: Budget, unclosed: bool
) -> Iterator[Member | Skipped]:
    """A page's scripts as texts, each by itself."""
    parts = Parts(budget)
    for number, script in enumerate(scripts, 1):
        text = _without_closing_tag(script)
        if len(text) < SMALLEST_SCRIPT or not (unclosed or len(text) < len(script)):
            continue
        if parts.position >= MOST_SCRIPTS:
            detail = f"more than {MOST_SCRIPTS} scripts in one page"
            yield Skipped("", Reason.LIMIT, detail)
            return
        yield from parts.member(f"script {number}", text, type_name="TEXT_ASCII")


def _without_closing_tag(script: bytes) -> bytes:
    found = _CLOSING_TAG.search(script, max(0, len(script) - _LONGEST_CLOSING_TAG))
    return script if found is None else script[: found.start()]


def narrowed(data: bytes) -> bytes:
    """A page in 16-bit characters as clamscan writes it in 8-bit ones.

    The low byte stands at even places; the high one is added to its upper half.
    """
    even = len(data) & ~1
    low, high = data[0:even:2], data[1:even:2]
    out = bytearray(low)
    for found in _NOT_ZERO.finditer(high.translate(_UPPER_HALF)):
        place = found.start()
        out[place] = (out[place] + found[0][0]) & 0xFF
    return bytes(out)


UNPACKER = HtmlUnpacker()
