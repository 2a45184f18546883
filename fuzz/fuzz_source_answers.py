"""What strangers answer about sources: a resolver, a TXT record, a detached signature, a zip.

The first byte says which reader gets the rest. Nothing but this package's errors may come out.
"""

from __future__ import annotations

import base64
import io
import zipfile
from datetime import UTC, datetime

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.updates.sources.clamav_plan import read_record
from tocsin.updates.sources.clamav_root import official_roots
from tocsin.updates.sources.clamsign import verify_sign
from tocsin.updates.sources.dns_message import read_answer, write_question
from tocsin.updates.sources.zip_members import read_members

_NOW = datetime(2026, 11, 28, tzinfo=UTC)
_QUESTION = write_question("current.cvd.example", 7)
_ROOTS = official_roots()
_ANSWER = (
    b"\0\7\x81\x80\0\1\0\1\0\0\0\0" + _QUESTION[12:]
    + b"\xc0\x0c\0\x10\0\1\0\0\1\0\0\6\5hello"
)  # fmt: skip


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packages/core/yara-rules-core.yar", "rule A { condition: true }")
    return buffer.getvalue()


_CMS = bytes.fromhex(
    "3041" "06092a864886f70d010702" "a034" "3032" "020101"
    "310f" "300d" "0609608648016503040201" "0500"
    "300b" "06092a864886f70d010701" "310f" "300d" "0609608648016503040201" "0500"
)  # fmt: skip
SEEDS = [
    b"\0" + _ANSWER,
    b"\1" + b"1.4.6:62:27150:1795845600:1:90:49192:335",
    b"\2" + _CMS,
    b"\3" + _zip(),
]


def check(data: bytes) -> None:
    """Hand the rest to the reader that the first byte names."""
    which, rest = data[:1], data[1:]
    try:
        if which == b"\0":
            assert read_answer(rest, _QUESTION)
        elif which == b"\1":
            read_record(rest.decode("latin-1"), _NOW)
        elif which == b"\2":
            sign = b"#clamsign-1.0\n230::pkcs7-pem:" + base64.b64encode(rest) + b"\n"
            verify_sign(io.BytesIO(b"data"), sign, "x", _ROOTS, now=_NOW)
            raise AssertionError("a signature out of nowhere")
        else:
            read_members(io.BytesIO(rest), "x", bool)
    except TocsinError as error:
        fuzz_support.require_words(error)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
