"""Mail and the encodings in it: the contract of `tests/unpack/unpack_contract.py` holds."""

from __future__ import annotations

import fuzz_support
from mail_samples import HEAD, TEXT_PART, file_part, multipart, uuencoded
from unpack_contract import check_contract

PROGRAM = b"MZ" + bytes(range(40))
SEEDS = [
    HEAD + multipart([TEXT_PART, file_part(PROGRAM)]),
    HEAD + multipart([multipart([TEXT_PART], b"in"), b"Content-Type: message/rfc822\n\n" + HEAD]),
    HEAD + b"Content-Transfer-Encoding: quoted-printable\n\nThe =50assword: abc=\n=3D\n",
    b"From a 1:00\n" + HEAD + b"\nhello\n\nFrom b 2:00\n" + HEAD + b"\n" + uuencoded(PROGRAM),
    HEAD + b"Content-Disposition: x; filename*0*=utf-8''%41; filename*1=\"=?utf-8?b?YQ==?=\"\n\nx",
]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    outcome = check_contract("MAIL", data)
    assert outcome.error is None or "--max" in str(outcome.error)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
