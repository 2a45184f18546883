"""PDF documents, made while the tests run: by a small writer of our own, and by pikepdf."""

from __future__ import annotations

import base64
import functools
import io
import warnings
import zlib
from collections.abc import Callable, Mapping

import pikepdf

PAYLOAD = b"MZ a harmless program that says tocsin-needle-one, " + bytes(range(256)) * 4
SCRIPT = b"app.alert('a script of the document')"
HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def stream(data: bytes, entries: bytes = b"", length: bytes | None = None) -> bytes:
    """An object that is a stream; its data stand as they are."""
    stated = b"%d" % len(data) if length is None else length
    return b"<<%s/Length %s>>\nstream\n%s\nendstream" % (entries, stated, data)


def flate(data: bytes, entries: bytes = b"") -> bytes:
    return stream(zlib.compress(data), b"/Filter/FlateDecode" + entries)


def object_stream(objects: Mapping[int, bytes]) -> bytes:
    heads, texts = b"", b""
    for number, text in objects.items():
        heads += b"%d %d " % (number, len(texts))
        texts += text + b"\n"
    return flate(heads + texts, b"/Type/ObjStm/N %d/First %d" % (len(objects), len(heads)))


def make_pdf(
    objects: Mapping[int, bytes], trailer: bytes = b"/Root 1 0 R", *, header: bytes = HEADER
) -> bytes:
    """A document with a table of its objects."""
    out = bytearray(header)
    places: dict[int, int] = {}
    for number, text in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = len(out)
    size = max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += b"%010d 00000 %c \n" % (places.get(number, 0), b"n" if number in places else b"f")
    out += b"trailer\n<</Size %d%s>>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, table)
    return bytes(out)


BASE: dict[int, bytes] = {
    1: b"<</Type/Catalog/Pages 2 0 R>>",
    2: b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
    3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
    4: flate(b"BT /F1 12 Tf (Hello World) Tj [(A lo)-12(ng) -250 (line)] TJ ET"),
}


def document(more: Mapping[int, bytes], **others: bytes) -> bytes:
    """The base with further objects."""
    return make_pdf({**BASE, **more}, **others)


@functools.cache
def written_by_pikepdf(
    *,
    revision: int = 0,
    aes: bool = True,
    user: str = "",
    metadata: bool = True,
    object_streams: bool = True,
) -> bytes:
    """A document with an attached file and a script, encrypted on request."""
    pdf = pikepdf.Pdf.new()
    pdf.add_blank_page()
    action = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String(SCRIPT.decode()))
    pdf.Root.OpenAction = pdf.make_indirect(action)
    with pdf.open_metadata() as about:
        about["dc:title"] = "a title"
    pdf.attachments["inner.exe"] = pikepdf.AttachedFileSpec(pdf, PAYLOAD, filename="inner.exe")
    encryption: pikepdf.Encryption | bool = False
    if revision:
        encryption = pikepdf.Encryption(
            owner="owner", user=user, R=revision, aes=aes, metadata=metadata
        )
    mode = pikepdf.ObjectStreamMode.disable
    if object_streams and revision not in (2, 3):
        mode = pikepdf.ObjectStreamMode.generate
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a revision that is deprecated
        pdf.save(buffer, encryption=encryption, object_stream_mode=mode)
    return buffer.getvalue()


def xdp(data: bytes) -> bytes:
    return (
        b'<?xml version="1.0"?>\n<?xfa generator="t"?>\n'
        b'<xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/">'
        b'<pdf xmlns="http://ns.adobe.com/xdp/pdf/"><document><chunk>\n'
        + base64.encodebytes(data)
        + b"</chunk></document></pdf></xdp:xdp>\n"
    )


SAMPLES: dict[str, Callable[[], bytes]] = {
    "pdf": written_by_pikepdf,
    "xdp": lambda: xdp(written_by_pikepdf()),
}
