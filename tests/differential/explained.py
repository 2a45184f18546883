"""Where tocsin and clamscan differ on purpose: the only place that says so, as data.

Each deviation names the section of docs/compatibility.md that gives reason and evidence. A
disagreement that none of them explains fails the test; a test of its own checks that every
section named here exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Disagreement(NamedTuple):
    """One name for one file, or one database, on which the two sides do not agree.

    Attributes:
        signature: the database lines that matter.
        data: the scanned bytes.
        ours: whether tocsin reports the name; with `malformed` whether it loads the line.
        malformed: whether the disagreement is about loading.
    """

    signature: str
    data: bytes
    ours: bool
    malformed: bool = False


class Deviation(NamedTuple):
    """A difference that is wanted.

    Attributes:
        section: heading anchor in docs/compatibility.md.
        applies: whether it explains a disagreement.
    """

    section: str
    applies: Callable[[Disagreement], bool]


_PATTERNS = re.compile(r"[0-9a-fA-F?()|!BLW\[\]{}*,-]{6,}")
_SPLIT = re.compile(r"\*|\{[^{}]*\}")
_FIRST_RANGE = re.compile(r"^[0-9a-fA-F?]{2}\[[^\]]*\]")
_TOKEN = re.compile(r"(!?\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))|([0-9a-fA-F?]{2})")
_MARKER = re.compile(r"!?\([BLW]\)")
_UNROLLED = re.compile(r"\{([1-9]\d?|1[01]\d|12[0-7])\}")
_PREFILTERED = re.compile(r"(?:Target|^D\.\w+\.\d+):[01]\b|^[^:;]+=")


def _unrolled(text: str) -> str:
    """Write `{n}` as wildcards as long as no other gap in braces stands before it."""
    while match := _UNROLLED.match(text, max(text.find("{"), 0)):
        text = text[: match.start()] + "??" * int(match[1]) + text[match.end() :]
    return text


def _parts(line: str) -> list[list[str]]:
    """The tokens of every part of every pattern in a line, as far as one can tell."""
    found = []
    for text in _PATTERNS.findall(line):
        for part in _SPLIT.split(_unrolled(text)):
            bare = _FIRST_RANGE.sub("", part)
            found.append([match[0] for match in _TOKEN.finditer(bare)])
    return found


def _is_static(token: str) -> bool:
    return "?" not in token and "(" not in token


def _anchor(tokens: list[str]) -> int:
    """Where clamscan starts to compare: the first run of three literal bytes or the longest."""
    best = best_size = 0
    for start in range(len(tokens)):
        size = 0
        while start + size < len(tokens) and _is_static(tokens[start + size]) and size < 3:
            size += 1
        if size > best_size or (size == best_size and size < 3):
            best, best_size = start, size
    return best


def _varies(token: str) -> bool:
    """Whether alternatives may be of several lengths, or one may begin another."""
    options = token.strip("!()").split("|")
    return len({len(option) for option in options}) > 1 or "(" in token[2:]


def _prefixes_before_anchor(case: Disagreement) -> bool:
    return any(_varies(token) for part in _parts(case.signature) for token in part[: _anchor(part)])


def _marker_before_anchor(case: Disagreement) -> bool:
    return any(
        _MARKER.fullmatch(token)
        for part in _parts(case.signature)
        for token in part[: _anchor(part)]
    )


def _unfiltered(case: Disagreement) -> bool:
    """Whether a byte or wildcard and then a group precede a part's two literal bytes."""
    for part in _parts(case.signature):
        for place, token in enumerate(part[:-1]):
            if _is_static(token) and _is_static(part[place + 1]):
                break
            if place and "(" in token:
                return True
    return False


def _tail(tokens: list[str]) -> bytes:
    """The literal bytes at the end of a part."""
    size = 0
    while size < len(tokens) and _is_static(tokens[-1 - size]):
        size += 1
    return bytes.fromhex("".join(tokens[len(tokens) - size :]))


def _beyond_end(case: Disagreement) -> bool:
    """Whether the data ends inside what stands behind a group or marker of varying length."""
    for part in _parts(case.signature):
        varying = [t for t in part[1:-1] if _MARKER.fullmatch(t) or ("(" in t and _varies(t))]
        tail = _tail(part)
        if varying and any(case.data.endswith(tail[:size]) for size in range(1, len(tail))):
            return True
    return False


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "alternatives-at-the-start-of-a-part",
        lambda case: not case.malformed and _prefixes_before_anchor(case),
    ),
    Deviation(
        "markers-before-the-anchor",
        lambda case: (
            not case.malformed
            and (case.ours or ";" in case.signature)
            and _marker_before_anchor(case)
        ),
    ),
    Deviation(
        "matches-beyond-the-end-of-the-data",
        lambda case: not case.malformed and not case.ours and _beyond_end(case),
    ),
    Deviation(
        "the-last-string-of-a-version-table",
        lambda case: not case.malformed and case.ours and ":1:VI:" in case.signature,
    ),
    Deviation(
        "patterns-that-the-prefilter-refuses",
        lambda case: case.malformed and case.ours and _unfiltered(case),
    ),
)


def explained(case: Disagreement) -> str | None:
    """The section that explains a disagreement, or None."""
    for deviation in DEVIATIONS:
        if deviation.applies(case):
            return deviation.section
    return None


MANY_ENDS = 9
"""Ends of a part that clamscan remembers: the first and the latest eight."""


def _seen_often(case: Disagreement) -> bool:
    """Whether a gap's left part stands more often than clamscan remembers."""
    gap = re.search(r"([0-9a-f]{4})\{\d+-\d+\}", case.signature)
    return gap is not None and case.data.count(bytes.fromhex(gap[1])) > MANY_ENDS


def _compares_alone(case: Disagreement) -> bool:
    """Whether there is a byte comparison and no pattern with a gap for the same target."""
    if not re.search(r";\d*\([^;#]*#[a-z0-9]+#", case.signature):
        return False
    targets = re.findall(r"Target:(\d+)[^\n]*;[0-9a-f]+\*[0-9a-f]", case.signature)
    wanted = re.search(r"Target:(\d+)", case.signature)
    return wanted is not None and wanted[1] not in targets


def _page_itself(case: Disagreement) -> bool:
    """Whether tocsin matched the bytes of a page, of which clamscan sees the normal forms."""
    return case.ours and not case.malformed and b"<html" in case.data.lower()


MEASURED_ONLY: tuple[Deviation, ...] = (
    Deviation("the-nine-ends-of-a-part", lambda case: case.ours and _seen_often(case)),
    Deviation(
        "byte-comparisons-without-a-gap-pattern",
        lambda case: case.ours and not case.malformed and _compares_alone(case),
    ),
    Deviation("normalised-text-and-html", _page_itself),
    Deviation(
        "regular-expressions-that-match-nothing",
        lambda case: case.ours and bool(re.search(r"/\(\?=[^/]*/g", case.signature)),
    ),
    Deviation(
        "lines-that-clamscan-refuses",
        lambda case: (
            case.malformed
            and case.ours
            and (
                len(case.signature) > 8000
                or "\n\n" in case.signature
                or case.signature.startswith("\n")
                or case.signature.endswith(" ")
                or bool(re.search(r";\d+:\d+/.*/::", case.signature))
            )
        ),
    ),
)
"""Deviations that only the measured cases meet; the generator makes nothing of the kind."""


def explained_measured(case: Disagreement) -> str | None:
    """The section that explains a disagreement with a measured verdict, or None."""
    for deviation in (*DEVIATIONS, *MEASURED_ONLY):
        if deviation.applies(case):
            return deviation.section
    return None


MESSAGES_INSIDE = "messages-in-messages-and-mailboxes"
PARTS_OF_A_MAIL = "parts-of-a-mail"


def explained_mail(signature: str, *, within: bool, plain: bool, ours: bool) -> str | None:
    """The section that explains a disagreement about a mail, or None.

    Args:
        signature: name of the signature.
        within: whether its pattern stands in a message in a message, or in a mailbox.
        plain: whether its pattern stands in a plain text.
        ours: whether tocsin reports it.
    """
    if ours and within and signature.startswith(("D.inside.", "D.start.", "D.t3.", "D.t7.")):
        return MESSAGES_INSIDE
    if not ours and plain and signature.startswith("D.t3."):
        return PARTS_OF_A_MAIL
    return None


class ContainerDifference(NamedTuple):
    """A difference over Debian's test files that is wanted.

    Attributes:
        section: heading anchor in docs/compatibility.md.
        file: expression for the file's name.
        name: expression for the signature's name.
    """

    section: str
    file: str
    name: str

    def explains(self, file: str, name: str) -> bool:
        """Whether it is about this file and this name."""
        return bool(re.fullmatch(self.file, file) and re.fullmatch(self.name, name))


CONTAINER_DIFFERENCES: tuple[ContainerDifference, ...] = (
    ContainerDifference(
        "layers-that-signatures-count",
        r"clam-fsg\.exe|clam\.(ole\.doc|ppt|exe\.html)",
        r"L\.in\..*",
    ),
    ContainerDifference("layers-that-signatures-count", r"clam_ISc.*", r"L\..*"),
    ContainerDifference(
        "what-a-container-says-of-its-members",
        r"clam-(mew|petite|upack|wwpack)\.exe",
        r"C\.(place1|small)\..*",
    ),
    ContainerDifference("what-a-container-says-of-its-members", r"clam\.chm", r"C\.place[12]\..*"),
    ContainerDifference(
        "what-a-container-says-of-its-members", r"clam\.exe\.mbox\.uu", r"C\..*\.(MAIL|ANY|\*)"
    ),
    ContainerDifference("what-a-container-says-of-its-members", r"clam_IS.*", r"C\..*"),
    ContainerDifference(
        "programs-as-they-unpack-themselves", r"clam\.ea06\.exe", r"Win\.Worm\.Autoit-6803981-0"
    ),
)
