"""tocsin against clamscan where texts and pages are matched in their normal forms.

Signatures for targets 0, 3 and 7 are cut from what `sigtool` makes of made-up texts and pages,
some of them with one thing wrong, and held against these as they are and in containers.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tocsin
from differential.hosts import CONTAINERS, wrap
from differential.oracle import ask_clamscan, require_clamscan, write_files

FILES = 60
CUTS = 6
SLICES = 3
WORDS = (
    *("Hello", "World", "password", "CreateObject", "document.write", "ABC def", "  two  blanks "),
    *("\r\n", "\n", "\t", "é", "€", "\x07", "&amp;", "&lt;b&gt;", "&#65;", "=", '"quoted text"'),
    *("'single'", "1234", "a<b", "x > y", "%41%42", "http://Host.example/Path?A=b"),
)
MARKUP = (
    *(
        "<p class='A b c'>",
        "<BR/>",
        '<a href="HTTP://X.example/?a=1&amp;b=2">',
        "</a>",
        "<!-- no -->",
    ),
    *(
        "<IMG SRC=pic.png>",
        '<div Style="color: red; A=b">',
        "</div>",
        "<input checked disabled = 'x'>",
    ),
    *(
        "<script>var Name = 'a' + \"b\"; function F(x) { return x.y(Name) }</script>",
        "<style>p { a: b }</style>",
    ),
    *("<script>eval(unescape('%76%61%72%20%71%3d%31%3b'))</script>", "<td nowrap>", "<b>", "</b>"),
)
_BEYOND = re.compile(r"!/(?:folded|script \d+|command at|bytes \d+|base64 at)")
"""Objects that clamscan does not look for: docs/compatibility.md, "Scripts inside texts"."""

ENOUGH = 8
"""Bytes that a signature takes; fewer would stand in too many files."""


def _text(rng: random.Random) -> bytes:
    words = (rng.choice(WORDS) for _ in range(rng.randint(20, 120)))
    return ("begin text " + " ".join(words)).replace("<", "").encode()


def _page(rng: random.Random) -> bytes:
    parts = (rng.choice(WORDS + MARKUP * 2) for _ in range(rng.randint(10, 80)))
    page = "<html><body>" + "".join(parts) + "</body></html>\n"
    return page.encode("utf-16-le") if rng.random() < 0.1 else page.encode()


def _late(rng: random.Random) -> bytes:
    return b"words of a text\n" * 80 + _page(rng).replace(b"\0", b"")


def _forms(data: bytes, folder: Path) -> dict[int, list[bytes]]:
    """The normal forms by target, as `sigtool` writes them."""
    folder.mkdir()
    (folder / "given").write_bytes(data)
    for option in ("--html-normalise=given", "--ascii-normalise=given"):
        subprocess.run(["sigtool", option], cwd=folder, capture_output=True, check=False)
    page = ("nocomment.html", "notags.html", "javascript")
    named = {3: page, 7: ("normalised_text", "javascript"), 0: (*page, "normalised_text", "given")}
    return {
        target: [(folder / name).read_bytes() for name in names if (folder / name).exists()]
        for target, names in named.items()
    }


def _cut(rng: random.Random, form: bytes) -> tuple[str, str] | None:
    """An offset and a pattern that match a form, or almost."""
    if len(form) < ENOUGH:
        return None
    start = rng.randrange(len(form) - ENOUGH + 1)
    piece = form[start : start + rng.randint(ENOUGH, 30)]
    if rng.random() < 0.2:
        piece = piece[:-1] + bytes((piece[-1] ^ 0x20,))
    if rng.random() < 0.1:
        piece = piece.upper()
    pattern = piece.hex()
    if rng.random() < 0.3:
        pattern += (
            "*" + form[start + len(piece) :][:3].hex() if start + len(piece) + 3 < len(form) else ""
        )
    offsets = ("*", "*", "*", str(start), str(start + 1), f"EOF-{len(form) - start}")
    return rng.choice(offsets), pattern


def _logical(
    name: str, target: int, cuts: list[tuple[str, str]], size: int, rng: random.Random
) -> str:
    expression = rng.choice(("&", "|")).join(str(number) for number in range(len(cuts)))
    condition = f"FileSize:{size}-{size + rng.randint(0, 50)}," if rng.random() < 0.2 else ""
    subs = ";".join(f"{offset}:{pattern}" for offset, pattern in cuts)
    return f"{name};Engine:51-255,{condition}Target:{target};{expression};{subs}\n"


def _wrapped(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice((0, 0, 1, 2))):
        data = wrap(rng.choice(CONTAINERS), data, "inner.html")
    return data


@pytest.mark.parametrize("part", range(SLICES))
def test_normalised_text_and_pages_have_the_same_verdicts(tmp_path: Path, part: int) -> None:
    require_clamscan()
    if shutil.which("sigtool") is None:
        pytest.skip("sigtool is not installed")
    rng = random.Random(1000 + part)
    # A pattern from the end is in every real database; it makes clamscan normalise as a whole.
    bodies, logical, files = "D.eof:7:EOF-9:00112233445566\n", "", {}
    for number in range(FILES):
        data = rng.choice((_text, _page, _page, _late))(rng)
        for target, forms in _forms(data, tmp_path / f"forms{number}").items():
            for place, form in enumerate(forms):
                cuts = [cut for _ in range(CUTS) if (cut := _cut(rng, form)) is not None]
                for count, (offset, pattern) in enumerate(cuts):
                    bodies += f"D.{number}.{target}.{place}.{count}:{target}:{offset}:{pattern}\n"
                if cuts:
                    name = f"D.{number}.{target}.{place}.L"
                    logical += _logical(name, target, cuts[:3], len(form), rng)
        files[f"{number:03}"] = _wrapped(rng, data)
    database = tmp_path / "database"
    database.mkdir()
    (database / "a.ndb").write_text(bodies)
    (database / "a.ldb").write_text(logical)
    target_folder = write_files(tmp_path / "files", files)
    theirs = ask_clamscan(database, target_folder)
    ours, plainly = _found(database, target_folder, tmp_path / "cache")
    assert theirs is not None
    assert sum(map(len, theirs.values())) > FILES * 3
    missed = {file: sorted(theirs[file] - ours[file]) for file in theirs}
    assert not any(missed.values()), {file: names for file, names in missed.items() if names}
    more = {
        (file, name)
        for file, names in plainly.items()
        for name in names - theirs[file]
        if not _is_generic(name)
    }
    assert not more


def _found(
    database: Path, folder: Path, cache: Path
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What tocsin finds, and what of it in objects that clamscan looks at too."""
    opened = tocsin.open_database([database], cache_dir=cache)
    scanner = tocsin.Scanner(opened, tocsin.Options(all_matches=True))
    everywhere, plainly = {}, {}
    for path in folder.iterdir():
        found = scanner.scan_file(path).detections
        everywhere[path.name] = {each.name for each in found}
        plainly[path.name] = {each.name for each in found if not _BEYOND.search(each.object)}
    return everywhere, plainly


def _is_generic(name: str) -> bool:
    """Whether a signature is for target 0, which tocsin holds against a page's own bytes too."""
    return name.split(".")[2] == "0"
