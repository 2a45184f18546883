"""Documents that are something else at first sight: viewers look for a PDF's header a little."""

from __future__ import annotations

_HEADER = b"%PDF-"
_REACH = 1024
"""Bytes within which viewers look. Source: ISO 32000-1, annex H, note 13."""


def find_document(data: bytes) -> tuple[str, ...]:
    """A PDF in a picture, a program or the like.

    Args:
        data: an object whose own type is another.

    Returns:
        "PDF" when a header stands near the start and what ends a document stands behind it.
    """
    at = data.find(_HEADER, 0, _REACH + len(_HEADER))
    if at < 0 or data.rfind(b"startxref", at) < 0:
        return ()
    return ("PDF",)
