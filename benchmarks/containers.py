"""Mixed archives and documents such as a mail gateway meets, made of installed files.

The same files in the same order give the same containers, so that two runs on one machine can
be compared. Only kinds that every peer opens are made.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data import MB, Absent, Sample

TEXT_ROOTS = ("/usr/share/doc", "/usr/lib/python3", "/usr/share/perl")
PROGRAM_ROOTS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/bin")

_TEXT_ENDINGS = (".txt", ".py", ".html", ".pl", ".pm", ".md", ".xml", "copyright", "README")
_MOST_PARTS = 200
_TIMESTAMP = (2024, 2, 29, 0, 0, 0)


class Part(NamedTuple):
    """A file that goes into a container."""

    name: str
    data: bytes


def container_sample(folder: Path, budget: int, count: int) -> Sample:
    """Containers of ten kinds in turn.

    Args:
        folder: where to write them.
        budget: bytes to put into them in all.
        count: how many containers.

    Raises:
        Absent: there are too few installed files.
    """
    folder.mkdir()
    texts, programs = _files(TEXT_ROOTS, _is_text), _files(PROGRAM_ROOTS, _is_program)
    each = budget // count
    digest, size, unpacked = hashlib.sha256(), 0, 0
    for number in range(count):
        kind, ending, make = _KINDS[number % len(_KINDS)]
        source = programs if kind == "programs" else texts
        parts = _take(source, each)
        unpacked += sum(len(part.data) for part in parts)
        packed = make(parts)
        (folder / f"{number:03}.{ending}").write_bytes(packed)
        digest.update(packed)
        size += len(packed)
    about = (
        f"{count} archives and documents ({', '.join(ending for _, ending, _ in _KINDS)}) "
        f"holding {unpacked / MB:.0f} MB of installed files"
    )
    return Sample(folder, count, unpacked, digest.hexdigest()[:16], about)


def pdf_with_many_streams(path: Path, size: int) -> Path:
    """One PDF of some megabytes in thousands of compressed streams."""
    texts = _files(TEXT_ROOTS, _is_text)
    parts: list[bytes] = []
    total = 0
    while total < size:
        (part,) = _take(texts, 1)
        noise = hashlib.shake_256(part.name.encode() + str(total).encode()).digest(3000)
        parts.append(part.data[:6000] + noise)
        total += len(gzip.compress(parts[-1], 1))
    path.write_bytes(_pdf([Part("", data) for data in parts]))
    return path


def _files(roots: Sequence[str], wanted: Callable[[str], bool]) -> Iterator[Part]:
    """Installed files, again from the start when they are used up."""
    paths = sorted(
        os.path.join(folder, name)
        for root in roots
        for folder, _, names in os.walk(root)
        for name in names
        if wanted(os.path.join(folder, name))
    )
    if len(paths) < 50:
        raise Absent(f"too few files in {', '.join(roots)} to make containers of")
    turn = 0
    while True:
        for path in paths:
            try:
                content = Path(path).read_bytes()
            except OSError:
                continue
            if content:
                yield Part(f"{turn}/{os.path.basename(path)}", content)
        turn += 1


def _is_text(path: str) -> bool:
    return path.endswith(_TEXT_ENDINGS) and not os.path.islink(path)


def _is_program(path: str) -> bool:
    return not os.path.islink(path) and os.path.isfile(path) and os.path.getsize(path) < 2 * MB


def _take(source: Iterator[Part], size: int) -> list[Part]:
    parts: list[Part] = []
    total = 0
    while total < size and len(parts) < _MOST_PARTS:
        parts.append(next(source))
        total += len(parts[-1].data)
    return parts


def _zip(parts: Sequence[Part]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(parts):
            info = zipfile.ZipInfo(f"{number}/{part.name}", _TIMESTAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, part.data)
    return buffer.getvalue()


def _docx(parts: Sequence[Part]) -> bytes:
    """A document whose parts are as a word processor names them."""
    names = ["[Content_Types].xml", "_rels/.rels", "word/document.xml"]
    names += [f"word/embeddings/part{number}.xml" for number in range(len(parts))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in zip(names, parts, strict=False):
            info = zipfile.ZipInfo(name, _TIMESTAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, part.data)
    return buffer.getvalue()


def _tar(parts: Sequence[Part]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number, part in enumerate(parts):
            info = tarfile.TarInfo(f"{number}/{part.name}"[:90])
            info.size = len(part.data)
            archive.addfile(info, io.BytesIO(part.data))
    return buffer.getvalue()


def _tar_gz(parts: Sequence[Part]) -> bytes:
    return gzip.compress(_tar(parts), 6, mtime=0)


def _tar_bz2(parts: Sequence[Part]) -> bytes:
    return bz2.compress(_tar(parts))


def _tar_xz(parts: Sequence[Part]) -> bytes:
    return lzma.compress(_tar(parts), preset=1)


def _seven_zip(parts: Sequence[Part]) -> bytes:
    import pybit7z

    with pybit7z.lib7zip_context() as library:
        writer = pybit7z.BitArchiveWriter(library, pybit7z.FormatSevenZip)
        writer.set_compression_level(pybit7z.BitCompressionLevel.Fastest)
        for number, part in enumerate(parts):
            writer.add_file(part.data, f"{number}/{part.name}")
        return bytes(writer.compress_to())


def _pdf(parts: Sequence[Part]) -> bytes:
    """A plain PDF: a page, and each part as a compressed stream."""
    import zlib

    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    places = []
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
    ]
    for part in parts:
        packed = zlib.compress(part.data, 6)
        head = b"<</Length %d/Filter/FlateDecode>>\nstream\n" % len(packed)
        bodies.append(head + packed + b"\nendstream")
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, table)
    return bytes(out)


def _mail(parts: Sequence[Part]) -> bytes:
    """A message with a text, a zip and a PDF attached."""
    middle = len(parts) // 2
    attached = [
        ("report.zip", "application/zip", _zip(parts[:middle])),
        ("paper.pdf", "application/pdf", _pdf(parts[middle:])),
    ]
    lines = [
        b"From: a@example.org\r\nTo: b@example.org\r\nSubject: figures\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="=-next"\r\n\r\n--=-next\r\n'
        b"Content-Type: text/plain\r\n\r\nThe figures are attached.\r\n"
    ]
    for name, media_type, data in attached:
        lines.append(
            f"--=-next\r\nContent-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n"
            f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'.encode()
        )
        lines.append(base64.encodebytes(data).replace(b"\n", b"\r\n"))
    lines.append(b"--=-next--\r\n")
    return b"".join(lines)


_KINDS: tuple[tuple[str, str, Callable[[Sequence[Part]], bytes]], ...] = (
    ("text", "docx", _docx),
    ("programs", "zip", _zip),
    ("text", "pdf", _pdf),
    ("text", "eml", _mail),
    ("programs", "tar.gz", _tar_gz),
    ("text", "7z", _seven_zip),
    ("programs", "zip", _zip),
    ("text", "pdf", _pdf),
    ("text", "tar.bz2", _tar_bz2),
    ("programs", "tar.xz", _tar_xz),
)
