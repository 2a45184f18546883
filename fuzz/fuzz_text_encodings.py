"""uuencode, yEnc, BinHex, AppleSingle, S/MIME and runs of base64: the contract holds."""

from __future__ import annotations

import fuzz_support
from mail_samples import apple_double, binhexed, script, streamed, uuencoded, yencoded
from unpack_contract import check_contract

from tocsin.formats.kinds import kinds

PROGRAM = b"MZ" + bytes(range(60)) + b"\x90" * 9
KINDS = ("UUENCODED", "YENC", "BINHEX", "APPLESINGLE", "PKCS7", "BASE64_RUNS")
SEEDS = [
    uuencoded(PROGRAM),
    yencoded(PROGRAM) + yencoded(PROGRAM, part=(1, 1, 99)),
    binhexed(PROGRAM, b"r"),
    apple_double(PROGRAM, b"r"),
    streamed([PROGRAM, b"more"]),
    script(),
]


def check(data: bytes) -> None:
    """Recognise and unpack as each of them."""
    list(kinds(data, "TEXT_ASCII"))
    for kind in KINDS:
        check_contract(kind, data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
