"""Plain lists of digests: one a line, as feeds and `sha256sum` write them.

Each becomes a file-digest record. A name given behind the digest is kept; without one the
detection is called after the list and the digest.
"""

from __future__ import annotations

import re

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.digests import ALGORITHMS, ANY_SIZE_LEVEL

_LINE = re.compile(r"(?P<digest>[0-9A-Fa-f]{32,64})(?:[\s,;]+\*?(?P<name>.*))?\Z")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def parse_list_line(line: str, list_name: str) -> str:
    """Rewrite one line as a file-digest signature, `DIGEST:*:NAME:73`.

    Args:
        line: a digest, and optionally a name behind white space, comma or semicolon.
        list_name: the list's file name without its ending, for detections without a name.

    Raises:
        SignatureError: not a digest.
    """
    form = _LINE.match(line)
    if form is None or len(form["digest"]) not in ALGORITHMS:
        raise SignatureError("not an MD5, SHA-1 or SHA-256 in hexadecimal")
    digest = form["digest"].lower()
    stated = _UNFIT.sub("_", (form["name"] or "").strip().strip('"')).strip("_")
    name = stated or f"{_UNFIT.sub('_', list_name)}.{digest[:12]}"
    return f"{digest}:*:{name}:{ANY_SIZE_LEVEL}"


def looks_like_digest_list(text: str) -> bool:
    """Whether the first line that is neither blank nor a comment is a digest."""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            form = _LINE.match(stripped)
            return form is not None and len(form["digest"]) in ALGORITHMS
    return False
