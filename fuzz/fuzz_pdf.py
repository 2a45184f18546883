"""The unpackers of PDF and XDP: the contract holds for any bytes."""

from __future__ import annotations

import fuzz_support
from pdf_samples import PAYLOAD, document, flate, object_stream, stream, written_by_pikepdf, xdp
from unpack_contract import check_contract

SEEDS = [
    document(
        {
            10: stream(b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", b"/Filter/LZW"),
            11: object_stream({12: b"<</S/JavaScript/JS(x)>>", 13: b"<</JS 14 0 R>>", 14: b"(s)"}),
            15: b"<</F(a)/EF<</F 16 0 R>>/AA<</O<</S/Launch/F(x)>>>>>>",
            16: flate(b"\2abc\4def", b"/DecodeParms<</Predictor 15/Columns 3>>"),
            17: stream(b'87cURD]i,"Ebo80~>', b"/Filter[/A85/RL]"),
        }
    ),
    written_by_pikepdf(),
    written_by_pikepdf(revision=6),
    written_by_pikepdf(revision=4),
    written_by_pikepdf(revision=3, aes=False, metadata=False),
    xdp(PAYLOAD),
]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    check_contract("PDF", data)
    check_contract("XDP", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
