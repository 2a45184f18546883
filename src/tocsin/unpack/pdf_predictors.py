"""Undoing the predictors of PDF streams with qpdf, and what else it does in blocks.

qpdf gets blocks of rows, each behind the last row of the block before, so that memory stays
bounded; it gives no more than it was given. A predictor's work is byte by byte, which Python
would need seconds for.

Source: ISO 32000-1, 7.4.4.4.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pikepdf import Dictionary, Name, Pdf, PdfError, Stream

from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import Interrupted

_TIFF = 2
_PNG = 10
_LONGEST_ROW = 4 * 1024 * 1024
_BLOCK = 1024 * 1024


class Prediction(NamedTuple):
    """What the parameters of a filter say of the predictor."""

    predictor: int
    colors: int = 1
    bits: int = 8
    columns: int = 1

    @property
    def row(self) -> int:
        """Bytes of a row, without the byte that names its predictor."""
        return (self.colors * self.bits * self.columns + 7) // 8


def predicted(chunks: Iterable[bytes], prediction: Prediction) -> Iterator[bytes]:
    """Undo a predictor.

    Args:
        chunks: rows that it was applied to.
        prediction: its parameters.

    Raises:
        Interrupted: the parameters make no sense; the data have been yielded as they came.
    """
    if prediction.predictor != _TIFF and prediction.predictor < _PNG:
        yield from chunks
        return
    if not (
        0 < prediction.row <= _LONGEST_ROW
        and 0 < prediction.colors <= 64
        and prediction.columns > 0
        and prediction.bits in (1, 2, 4, 8, 16)
    ):
        yield from chunks
        raise Interrupted(Reason.UNSUPPORTED, "a predictor with impossible parameters")
    yield from _rows(chunks, prediction)


def _rows(chunks: Iterable[bytes], prediction: Prediction) -> Iterator[bytes]:
    width = prediction.row + (prediction.predictor >= _PNG)
    block = max(1, _BLOCK // width) * width
    before = b""
    rest = bytearray()
    fault: Interrupted | None = None
    try:
        for chunk in chunks:
            rest += chunk
            while len(rest) >= block:
                out = _undone(bytes(rest[:block]), before, prediction)
                del rest[:block]
                before = out[-prediction.row :]
                yield out
            yield b""
    except Interrupted as error:
        fault = error
    if rest:
        missing = -len(rest) % width
        out = _undone(bytes(rest) + bytes(missing), before, prediction)
        yield out[: len(out) - missing] if missing < width - 1 else out[: -prediction.row]
    if fault is not None:
        raise fault


def _undone(rows: bytes, before: bytes, prediction: Prediction) -> bytes:
    """Undo the predictor of whole rows.

    Args:
        rows: the rows.
        before: the row above the first one, or nothing.
        prediction: the parameters.

    Raises:
        Interrupted: qpdf does not undo it.
    """
    if prediction.predictor >= _PNG and before:
        rows = b"\0" + before + rows
    parameters = Dictionary(
        Predictor=_TIFF if prediction.predictor == _TIFF else 15,
        Colors=prediction.colors,
        BitsPerComponent=prediction.bits,
        Columns=prediction.columns,
    )
    packer = zlib.compressobj(0)
    packed = packer.compress(rows) + packer.flush()
    out = by_qpdf(packed, Name.FlateDecode, parameters)
    if out is None:
        raise Interrupted(Reason.DAMAGED, "its predictor cannot be undone")
    return out[prediction.row :] if prediction.predictor >= _PNG and before else out


def by_qpdf(data: bytes, name: Name, parameters: Dictionary | None = None) -> bytes | None:
    """Let qpdf undo one filter; None when it does not.

    Args:
        data: what was filtered: a block whose size bounds what comes out.
        name: the filter.
        parameters: what it was filtered with.
    """
    entries = (
        {"Filter": name} if parameters is None else {"Filter": name, "DecodeParms": parameters}
    )
    try:
        with Pdf.new() as document:
            return Stream(document, data, **entries).read_bytes()
    except (PdfError, RuntimeError, ValueError):
        return None
