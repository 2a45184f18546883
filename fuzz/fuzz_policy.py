"""Policies: any bytes are one, or this package's error says why not.

More witnesses never make a quorum worse, and none at all meet none but `quorum none`.
"""

from __future__ import annotations

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.note import KeyType
from tocsin.transparency.policy import NONE, Policy

_LOG = SigningKey.from_seed("example.org/log", KeyType.ED25519, bytes(32)).verifier
_WITNESSES = [
    SigningKey.from_seed(f"w{number}", KeyType.ED25519_COSIGNATURE, bytes([number]) * 32).verifier
    for number in range(1, 6)
]
_LINES = "".join(f"witness W{n} {key} https://w{n}\n" for n, key in enumerate(_WITNESSES))
_GROUP = "group g 2 W0 W1 W2 W3 W4\nquorum g\n"
SEEDS = [
    f"log {_LOG}\nquorum none\n".encode(),
    f"log {_LOG} https://log\n\n# two of five\n{_LINES}{_GROUP}".encode(),
    f"{_LINES}group a any W0 W1\n group\tb all W2 W3 \ngroup c all a b\nquorum c".encode(),
    f"{_LINES}quorum W3\n".encode(),
]


def check(data: bytes) -> None:
    """Read a policy and ask it about growing sets of witnesses."""
    try:
        policy = Policy.parse(data)
    except TocsinError as error:
        fuzz_support.require_words(error)
        return
    names = list(policy.witnesses)
    met = [policy.met_by(names[:count]) for count in range(len(names) + 1)]
    assert met == sorted(met)
    assert met[0] == (policy.quorum == NONE)
    counting = {each.name for each in policy.quorum_witnesses()}
    assert policy.met_by(counting) == met[-1]


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
