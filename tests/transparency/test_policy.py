"""Policies: what they say, who counts, and how a quorum is met."""

from __future__ import annotations

from itertools import combinations

import pytest
from transparency_samples import LOG_KEY, ORIGIN, WITNESSES, Tree, entries

from tocsin.transparency.checkpoint import Checkpoint
from tocsin.transparency.cosignature import cosign
from tocsin.transparency.errors import BadSignature, MalformedPolicy, PolicyNotMet
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.note import KeyType, NoteSignature, SignedNote
from tocsin.transparency.policy import Policy
from tocsin.transparency.verdict import CLOCK_SLACK, Standing, check

TREE = Tree(entries(4))
TEXT = Checkpoint(ORIGIN, 4, TREE.roots[4]).text()
NOW = 1_800_000_000
LOG = f"log {LOG_KEY.verifier}\n"
W = [f"witness W{n} {key.verifier}\n" for n, key in enumerate(WITNESSES)]
ALL = LOG + "".join(W)


def policy(text: str) -> Policy:
    return Policy.parse(text.encode("utf-8", "surrogateescape"))


def cosigned(**times: int) -> SignedNote:
    lines = [cosign(TEXT, WITNESSES[int(name[1:])], time) for name, time in times.items()]
    return LOG_KEY.signed(TEXT).with_signatures(lines)


TWO_OF_THREE = policy(ALL + "group g 2 W0 W1 W2\nquorum g\n")


@pytest.mark.parametrize("count", range(4))
def test_two_of_three(count: int) -> None:
    for names in combinations(["W0", "W1", "W2"], count):
        verdict = check(TWO_OF_THREE, cosigned(**dict.fromkeys(names, NOW)))
        assert verdict.met == (count >= 2)
        assert set(verdict.missing) == {"W0", "W1", "W2"} - set(names)
        assert bool(verdict.reason()) == (count < 2)
        (group,) = verdict.groups
        assert (group.has, group.needed, group.met) == (count, 2, count >= 2)


def test_what_is_missing_is_said() -> None:
    verdict = check(TWO_OF_THREE, cosigned(W0=NOW, W1=NOW - 500), now=NOW, max_age=100)
    with pytest.raises(PolicyNotMet, match=r"g has 1 of 2.*W1 cosigned too long ago.*W2 did not"):
        verdict.require()


@pytest.mark.parametrize(
    ("quorum", "by", "met"),
    [
        ("quorum none", "", True),
        ("quorum W1", "W1", True),
        ("quorum W1", "W0 W2", False),
        ("group g any W0 W1\nquorum g", "W1", True),
        ("group g any W0 W1\nquorum g", "W2", False),
        ("group g all W0 W1\nquorum g", "W0 W1", True),
        ("group g all W0 W1\nquorum g", "W0 W2", False),
        ("group a any W0 W1\ngroup b all a W2\nquorum b", "W0 W2", True),
        ("group a any W0 W1\ngroup b all a W2\nquorum b", "W0 W1", False),
        ("group a any W0 W1\ngroup b all a W2\nquorum a", "W1", True),
    ],
)
def test_quorums(quorum: str, by: str, met: bool) -> None:
    verdict = check(policy(f"{ALL}{quorum}\n"), cosigned(**dict.fromkeys(by.split(), NOW)))
    assert verdict.met == met
    assert verdict.log == LOG_KEY.verifier
    assert verdict.head.size == 4


@pytest.mark.parametrize(
    ("time", "standing"),
    [
        (NOW, Standing.COUNTS),
        (NOW - 100, Standing.COUNTS),
        (NOW - 101, Standing.TOO_OLD),
        (1, Standing.TOO_OLD),
        (NOW + CLOCK_SLACK, Standing.COUNTS),
        (NOW + CLOCK_SLACK + 1, Standing.IN_THE_FUTURE),
    ],
)
def test_the_age_of_a_cosignature(time: int, standing: Standing) -> None:
    verdict = check(TWO_OF_THREE, cosigned(W0=time), now=NOW, max_age=100)
    assert verdict.witnesses[0].standing is standing
    assert verdict.witnesses[0].timestamp == time


@pytest.mark.parametrize("now", [None, NOW])
def test_a_cosignature_without_a_time_counts_for_nothing(now: int | None) -> None:
    """Zero says that the witness does not claim to know of no larger tree (tlog-cosignature)."""
    verdict = check(TWO_OF_THREE, cosigned(W0=0, W1=NOW, W2=0), now=now)
    assert not verdict.met
    assert verdict.witnesses[0].standing is Standing.WITHOUT_TIME
    assert verdict.witnesses[0].timestamp is None
    with pytest.raises(PolicyNotMet, match="W0 cosigned without a time"):
        verdict.require()


@pytest.mark.parametrize(
    ("times", "standing", "time"),
    [
        ([NOW, NOW + 10_000], Standing.COUNTS, NOW),
        ([NOW + 10_000, NOW], Standing.COUNTS, NOW),
        ([NOW + 10_000, NOW - 5, NOW, 0], Standing.COUNTS, NOW),
        ([NOW + 20_000, NOW + 10_000], Standing.IN_THE_FUTURE, NOW + 20_000),
        ([0, NOW + 10_000], Standing.IN_THE_FUTURE, NOW + 10_000),
        ([NOW + 10_000, 0], Standing.IN_THE_FUTURE, NOW + 10_000),
        ([NOW - 5_000, NOW + 10_000], Standing.TOO_OLD, NOW - 5_000),
    ],
)
def test_a_word_of_a_clock_that_was_ahead_hides_no_other(times, standing, time) -> None:
    """A witness whose clock once jumped goes on to count, by what it signed when it was right."""
    lines = tuple(cosign(TEXT, WITNESSES[0], each) for each in times)
    note = SignedNote(TEXT, (LOG_KEY.sign_note(TEXT), *lines))
    seen = check(TWO_OF_THREE, note, now=NOW, max_age=100).witnesses[0]
    assert (seen.standing, seen.timestamp) == (standing, time)


def test_without_an_age_old_cosignatures_count() -> None:
    assert check(TWO_OF_THREE, cosigned(W0=1, W1=2), now=NOW).met
    with pytest.raises(ValueError, match="age"):
        check(TWO_OF_THREE, cosigned(), max_age=1)


def test_when_a_quorum_had_seen_it() -> None:
    """The latest time by which two of them had: the second latest of all."""
    assert check(TWO_OF_THREE, cosigned(W0=30, W1=10, W2=20)).quorum_time == 20
    assert check(TWO_OF_THREE, cosigned(W0=30)).quorum_time is None
    assert check(policy(f"{ALL}quorum none\n"), cosigned(W0=30)).quorum_time is None


def test_the_log_itself_must_have_signed() -> None:
    note = SignedNote(TEXT, cosigned(W0=NOW, W1=NOW).signatures[1:])
    with pytest.raises(BadSignature, match="no key that is known"):
        check(TWO_OF_THREE, note)
    other = policy("".join(W) + "group g 2 W0 W1 W2\nquorum g\n")
    with pytest.raises(BadSignature, match="none that the policy names"):
        check(other, cosigned(W0=NOW, W1=NOW))
    assert check(other, cosigned(W0=NOW, W1=NOW), log_keys=[LOG_KEY.verifier]).met


def test_a_log_that_is_not_named_is_not_believed_for_another() -> None:
    """A key of one origin cannot sign checkpoints of another origin."""
    other = SigningKey.from_seed("example.org/other", KeyType.ED25519, b"o" * 32)
    text = policy(f"log {other.verifier}\n{ALL}quorum none\n")
    with pytest.raises(BadSignature):
        check(text, other.signed(TEXT))


def test_one_wrong_cosignature_of_a_known_witness_rejects_the_checkpoint() -> None:
    key = WITNESSES[2].verifier
    wrong = NoteSignature(key.name, key.key_id, b"\0" * 72)
    with pytest.raises(BadSignature):
        check(TWO_OF_THREE, cosigned(W0=NOW, W1=NOW).with_signatures([wrong]))


def test_many_lines_of_one_witness_count_once() -> None:
    line = cosign(TEXT, WITNESSES[0], NOW)
    note = SignedNote(TEXT, (LOG_KEY.sign_note(TEXT), *[line] * 10))
    assert not check(TWO_OF_THREE, note).met


def test_space_comments_and_urls() -> None:
    read = policy(
        f"# whose word\n\n \t{LOG.strip()}\t https://log.example/ \n"
        f"{W[0].strip()} https://w0.example \n\t# end\nquorum  W0"
    )
    assert read.logs[0].url == "https://log.example/"
    assert read.witnesses["W0"].url == "https://w0.example"
    assert read.quorum == "W0"


def test_names_are_bytes() -> None:
    """K and the Kelvin sign are two names, and so is a name that is no UTF-8."""
    key = [witness.verifier for witness in WITNESSES]
    read = policy(f"witness K {key[0]}\nwitness \u212a {key[1]}\nwitness \udcff {key[2]}\nquorum K")
    assert list(read.witnesses) == ["K", "\u212a", "\udcff"]


SAME = SigningKey.from_seed("renamed", KeyType.ED25519_COSIGNATURE, b"E" * 32).verifier


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 0, "no quorum line"),
        (ALL, 0, "no quorum line"),
        ("quorum none\nquorum none\n", 2, "one only"),
        ("quorum\n", 1, "quorum NAME"),
        ("quorum a b\n", 1, "quorum NAME"),
        ("quorum W0\n" + ALL, 1, "not defined above"),
        ("frobnicate\n", 1, "must begin with"),
        ("log\n", 1, "log VKEY"),
        ("log a b c\n", 1, "log VKEY"),
        ("log nonsense\n", 1, "NAME"),
        (f"log {WITNESSES[0].verifier}\n", 1, "witness's"),
        (LOG + LOG, 2, "same public key"),
        (f"witness A {LOG_KEY.verifier}\n", 1, "log's"),
        ("witness A\n", 1, "witness NAME VKEY"),
        (W[0] + W[0], 2, "defined twice"),
        (f"{W[0]}witness B {SAME}\n", 2, "same public key"),
        (f"witness none {SAME}\n", 1, "meaning of its own"),
        (f"{W[0]}group W0 any W0\n", 2, "defined twice"),
        (f"{W[0]}group none any W0\n", 2, "meaning of its own"),
        (f"{W[0]}group g any none\n", 2, "member"),
        (f"{W[0]}group g any\n", 2, "group NAME"),
        (f"{W[0]}group g any g\n", 2, "not defined above"),
        (f"{W[0]}group g 0 W0\n", 2, "0 of 1"),
        (f"{W[0]}group g 2 W0\n", 2, "2 of 1"),
        (f"{W[0]}group g 01 W0\n", 2, "leading zero"),
        (f"{W[0]}group g some W0\n", 2, "decimal"),
        (f"{W[0]}group g any W0 W0\n", 2, "twice"),
        (f"{W[0]}group g any W0\ngroup h any W0\n", 3, "twice"),
        ("a\rb\n", 1, "control"),
        ("#\0\n", 1, "control"),
    ],
)
def test_what_is_no_policy(text: str, line: int, why: str) -> None:
    with pytest.raises(MalformedPolicy, match=why) as raised:
        policy(text)
    assert raised.value.line == line


def test_policies_are_bounded() -> None:
    with pytest.raises(MalformedPolicy, match="longer"):
        Policy.parse(b"#" * (5 << 20))
    groups = "".join(f"group g{n} any {'W0' if n == 0 else f'g{n - 1}'}\n" for n in range(2000))
    with pytest.raises(MalformedPolicy, match="more than"):
        policy(W[0] + groups + "quorum W0\n")


def test_deep_policies_are_evaluated() -> None:
    groups = "".join(f"group g{n} any {'W0' if n == 0 else f'g{n - 1}'}\n" for n in range(1000))
    deep = policy(W[0] + groups + "quorum g999\n")
    assert deep.met_by({"W0"})
    assert [each.name for each in deep.quorum_witnesses()] == ["W0"]
