"""Own readers of archives and packed files: asar, container images, frames, films, headers of 7z.

The first byte chooses the kind, so that one corpus serves all; 7-Zip's library is fuzzed by
`fuzz_sevenzip`.
"""

from __future__ import annotations

import fuzz_support

# isort: split
import archive_samples as samples
from archive_blobs import unfold
from unpack_contract import check_contract

from tocsin.formats.identify import identify
from tocsin.formats.kinds import kinds
from tocsin.unpack.sevenzip_header import cost_of_headers

KINDS = ("ASAR", "CONTAINER_IMAGE", "ZSTD", "LZ4", "BROTLI", "SWF", "ZIP", "7Z")
BODIES = (
    samples.asar(),
    samples.docker_image(),
    samples.SAMPLES["zstd"](),
    samples.SAMPLES["lz4"](),
    samples.framed_brotli(),
    samples.swf(),
    unfold("zip_aes_ppmd"),
    unfold("7z"),
)
SEEDS = [
    *(bytes([number]) + body for number, body in enumerate(BODIES)),
    b"\1" + samples.oci_image(),
    b"\5" + samples.swf("Z"),
    b"\6" + samples.crx(),
    b"\6" + unfold("zip_ppmd"),
]


def check(data: bytes) -> None:
    """Recognise and unpack; only the contract's errors come out."""
    if not data:
        return
    kind, body = KINDS[data[0] % len(KINDS)], data[1:]
    tuple(kinds(body, identify(body)))
    if kind == "7Z":
        assert isinstance(cost_of_headers(body, 0), str)
    else:
        check_contract(kind, body)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
