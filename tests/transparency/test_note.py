"""Signed notes, keys' names, checkpoints and cosignatures: what is read, and who signed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transparency_samples import (
    ED25519_WITNESS,
    LOG_KEY,
    ML_DSA_WITNESS,
    ORIGIN,
    THIRD_WITNESS,
    Tree,
    entries,
)

from tocsin.transparency.checkpoint import Checkpoint, open_checkpoint, require_continues
from tocsin.transparency.coding import decode_base64, decode_decimal, encode_base64
from tocsin.transparency.cosignature import cosign, cosignatures, parse_cosignature_lines
from tocsin.transparency.errors import (
    BadProof,
    BadSignature,
    MalformedKey,
    MalformedNote,
    SplitView,
)
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.merkle import EMPTY_ROOT, consistency_proof
from tocsin.transparency.note import (
    MAX_SIGNATURES,
    KeyType,
    NoteSignature,
    SignedNote,
    VerifierKey,
    verify,
)

# From the specification: C2SP signed-note, "Example".
PUBLIC = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    "\n"
).encode()
TREE = Tree(entries(9))
HEAD = Checkpoint(ORIGIN, 5, TREE.roots[5])
TEXT = HEAD.text()
TEXTS = st.lists(
    st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), max_size=20), max_size=6
).map(lambda lines: "".join(f"{line}\n" for line in [*lines, "."]))


def test_the_example_of_the_specification() -> None:
    note = SignedNote.parse(NOTE)
    (vouched,) = verify(note, [VerifierKey.parse(PUBLIC)])
    assert note.text == "This is an example message.\n"
    assert vouched.key.vkey == PUBLIC
    assert vouched.timestamp is None


@given(TEXTS, st.integers(1, 4))
@settings(max_examples=50)
def test_what_was_signed_is_read_again(text: str, count: int) -> None:
    keys = [SigningKey.from_seed(f"k{n}", KeyType.ED25519, bytes([n]) * 32) for n in range(count)]
    note = SignedNote(text, tuple(key.sign_note(text) for key in keys))
    again = SignedNote.parse(note.to_bytes())
    assert again == note
    assert [each.key for each in verify(again, [key.verifier for key in keys])] == [
        key.verifier for key in keys
    ]


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_byte_of_a_note_can_be_changed(place: int, change: int) -> None:
    altered = bytearray(NOTE)
    altered[place] ^= change
    with pytest.raises((MalformedNote, BadSignature)):
        verify(SignedNote.parse(bytes(altered)), [VerifierKey.parse(PUBLIC)])


GOOD_LINE = LOG_KEY.sign_note("a\n").line().encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no blank line"),
        (b"a\n", "no blank line"),
        (b"a\n\n", "signature line"),
        (b"a\n" + GOOD_LINE, "no blank line"),
        (b"a\n\n" + GOOD_LINE[:-1], "no blank line"),
        (b"a\n\n" + GOOD_LINE + b"b\n", "does not begin with a dash"),
        (b"a\n\n" + GOOD_LINE.replace("—".encode(), b"-"), "does not begin with a dash"),
        (b"a\n\n" + GOOD_LINE.replace(b" example", b"  example"), "no name"),
        (b"a\n\n" + GOOD_LINE.replace(b"example", b"exa+mple"), "no name"),
        (b"a\n\n" + GOOD_LINE.replace(b"example", "exa\u2003mple".encode()), "no name"),
        (b"a\n\n" + GOOD_LINE.replace(b"\n", b"=\n"), "base64"),
        (b"a\n\n" + "— n AAAAAA==\n".encode(), "too short"),
        (b"a\n\n" + "— n AAAAAAB=\n".encode(), "canonical"),
        (b"a\tb\n\n" + GOOD_LINE, "control character"),
        (b"a\r\n\n" + GOOD_LINE, "control character"),
        (b"\xff\n\n" + GOOD_LINE, "UTF-8"),
        (b"\xed\xa0\x80\n\n" + GOOD_LINE, "UTF-8"),
        (b"a\n\n" + GOOD_LINE * (MAX_SIGNATURES + 1), "more than 128 signatures"),
        (b"a" * (1 << 20) + b"\n\n" + GOOD_LINE, "longer than"),
    ],
)
def test_what_is_no_note(data: bytes, why: str) -> None:
    with pytest.raises(MalformedNote, match=why):
        SignedNote.parse(data)


def test_the_last_blank_line_divides() -> None:
    text = "a\n\n— not a signature\n\nb\n"
    note = SignedNote.parse(LOG_KEY.signed(text).to_bytes())
    assert note.text == text
    assert verify(note, [LOG_KEY.verifier])


def test_signatures_of_strangers_are_left_alone() -> None:
    stranger = SigningKey.from_seed(ORIGIN, KeyType.ED25519, b"x" * 32)
    junk = NoteSignature("somebody", b"\0\0\0\0", b"junk")
    note = SignedNote("a\n", (junk, stranger.sign_note("a\n"), LOG_KEY.sign_note("a\n")))
    assert [each.key for each in verify(note, [LOG_KEY.verifier])] == [LOG_KEY.verifier]
    with pytest.raises(BadSignature, match="no key that is known"):
        verify(note, [ED25519_WITNESS.verifier])


def test_a_wrong_signature_of_a_known_key_rejects_all() -> None:
    wrong = NoteSignature(ORIGIN, LOG_KEY.verifier.key_id, b"\0" * 64)
    witness = cosign(TEXT, ED25519_WITNESS, 1)
    note = SignedNote(TEXT, (wrong, witness))
    with pytest.raises(BadSignature, match="does not verify"):
        verify(note, [LOG_KEY.verifier, ED25519_WITNESS.verifier])
    assert verify(note, [ED25519_WITNESS.verifier])


# --- keys' names ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KeyType))
def test_a_key_is_read_as_it_is_written(kind: KeyType) -> None:
    key = SigningKey.from_seed("é.example/x", kind, b"s" * 32).verifier
    assert VerifierKey.parse(key.vkey) == key
    assert str(key) == key.vkey


@pytest.mark.parametrize(
    ("vkey", "why"),
    [
        ("", "written NAME"),
        ("name", "written NAME"),
        (PUBLIC.replace("530d903a", "530D903A"), "lowercase"),
        (PUBLIC.replace("530d903a", "530d903b"), "does not fit"),
        (PUBLIC.replace("foo", "fop"), "does not fit"),
        (PUBLIC[:-4] + "3U2l", "does not fit"),
        (PUBLIC + "AAAA", "36 bytes|35 bytes"),
        (PUBLIC + "=", "base64"),
        ("n+00000000+", "type"),
        ("n+00000000+Aukye", "base64"),
        ("n+00000000+AukyeQ==", "type is not one of 0x01, 0x04, 0x06"),
        ("a b" + PUBLIC[PUBLIC.index("+") :], "name"),
        ("\udc80" + PUBLIC[PUBLIC.index("+") :], "name"),
        ("n" * 256 + PUBLIC[PUBLIC.index("+") :], "255"),
    ],
)
def test_what_is_no_key(vkey: str, why: str) -> None:
    with pytest.raises(MalformedKey, match=why):
        VerifierKey.parse(vkey)


def test_two_known_keys_that_cannot_be_told_apart_are_refused() -> None:
    class Colliding(VerifierKey):
        @property
        def key_id(self) -> bytes:
            return LOG_KEY.verifier.key_id

    other = Colliding(ORIGIN, KeyType.ED25519, b"o" * 32)
    with pytest.raises(MalformedKey, match="one name and identifier"):
        verify(LOG_KEY.signed("a\n"), [LOG_KEY.verifier, other])


# --- checkpoints ----------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [(), ("one",), ("one", "two words")])
def test_a_checkpoint_is_read_as_it_is_written(extensions: tuple[str, ...]) -> None:
    head = replace(HEAD, extensions=extensions)
    assert Checkpoint.parse(head.text()) == head
    assert open_checkpoint(LOG_KEY.signed(head.text()).to_bytes(), LOG_KEY.verifier).head == head


ROOT = encode_base64(TREE.roots[5])


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n5\n{ROOT}",
        f"{ORIGIN}\n5\n",
        f"\n5\n{ROOT}\n",
        f"{ORIGIN}\n05\n{ROOT}\n",
        f"{ORIGIN}\n+5\n{ROOT}\n",
        f"{ORIGIN}\n٥\n{ROOT}\n",
        f"{ORIGIN}\n-1\n{ROOT}\n",
        f"{ORIGIN}\n9223372036854775808\n{ROOT}\n",
        f"{ORIGIN}\n5\n{ROOT[:-4]}\n",
        f"{ORIGIN}\n5\n {ROOT}\n",
        f"{ORIGIN}\n5\n{ROOT}\n\n",
        f"{ORIGIN}\n5\n{ROOT}\n\nlater\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(MalformedNote):
        Checkpoint.parse(text)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = Checkpoint("example.org/other", 5, TREE.roots[5])
    with pytest.raises(BadSignature, match="of the log"):
        open_checkpoint(LOG_KEY.signed(other.text()).to_bytes(), LOG_KEY.verifier)


def opened(size: int, root: bytes | None = None):
    head = Checkpoint(ORIGIN, size, root or TREE.roots[size])
    return open_checkpoint(LOG_KEY.signed(head.text()), LOG_KEY.verifier)


def test_a_log_that_grew_is_accepted() -> None:
    require_continues(opened(5), opened(9), consistency_proof(5, 9, TREE.hashes))
    require_continues(opened(0), opened(9))
    require_continues(opened(5), opened(5))


def test_a_log_that_shrank_or_shows_no_proof_is_not() -> None:
    with pytest.raises(BadProof, match="old state"):
        require_continues(opened(9), opened(5))
    with pytest.raises(BadProof):
        require_continues(opened(5), opened(9))
    with pytest.raises(BadProof, match="no proof"):
        require_continues(opened(5), opened(5), [b"\0" * 32])
    with pytest.raises(BadProof, match="empty log"):
        require_continues(opened(0, b"\1" * 32), opened(5))


def test_a_split_view_is_told_with_its_evidence() -> None:
    one, other = opened(5), opened(5, b"\1" * 32)
    with pytest.raises(SplitView) as raised:
        require_continues(one, other)
    for evidence, head in zip(raised.value.evidence, (one.head, other.head), strict=True):
        assert open_checkpoint(evidence, LOG_KEY.verifier).head == head


# --- cosignatures ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", [ED25519_WITNESS, ML_DSA_WITNESS], ids=["ed25519", "ml-dsa"])
def test_a_cosignature_vouches_for_its_text_and_time(key: SigningKey) -> None:
    line = cosign(TEXT, key, 1_700_000_000)
    note = LOG_KEY.signed(TEXT).with_signatures([line])
    (vouched,) = cosignatures(note, [key.verifier, THIRD_WITNESS.verifier])
    assert (vouched.key, vouched.timestamp) == (key.verifier, 1_700_000_000)

    later = replace(line, signature=(1_700_000_001).to_bytes(8, "big") + line.signature[8:])
    grown = replace(HEAD, size=6)
    for forged in (SignedNote(TEXT, (later,)), SignedNote(grown.text(), (line,))):
        with pytest.raises(BadSignature):
            cosignatures(forged, [key.verifier])


def test_the_name_is_signed_by_ml_dsa() -> None:
    """The Ed25519 form does not cover it: hence no key may be used under two names."""
    line = cosign(TEXT, ML_DSA_WITNESS, 1)
    renamed = replace(ML_DSA_WITNESS.verifier, name="w.example/other")
    stolen = NoteSignature(renamed.name, renamed.key_id, line.signature)
    with pytest.raises(BadSignature):
        cosignatures(SignedNote(TEXT, (stolen,)), [renamed])


def test_extension_lines_are_signed_by_ed25519_only() -> None:
    extended = replace(HEAD, extensions=("more",)).text()
    pq, ed = cosign(TEXT, ML_DSA_WITNESS, 1), cosign(TEXT, ED25519_WITNESS, 1)
    assert cosignatures(SignedNote(extended, (pq,)), [ML_DSA_WITNESS.verifier])
    with pytest.raises(BadSignature):
        cosignatures(SignedNote(extended, (ed,)), [ED25519_WITNESS.verifier])


def test_only_checkpoints_are_cosigned_and_only_by_cosigners() -> None:
    with pytest.raises(MalformedNote):
        cosign("no checkpoint\n", ED25519_WITNESS, 1)
    with pytest.raises(MalformedKey, match="log's key"):
        cosign(TEXT, LOG_KEY, 1)
    with pytest.raises(MalformedKey, match="cosigner's key"):
        ED25519_WITNESS.sign_note(TEXT)


def test_the_latest_of_several_cosignatures_counts() -> None:
    lines = [cosign(TEXT, ED25519_WITNESS, time) for time in (5, 9, 7)]
    (vouched,) = cosignatures(SignedNote(TEXT, tuple(lines)), [ED25519_WITNESS.verifier])
    assert vouched.timestamp == 9


@pytest.mark.parametrize("signature", [b"", b"\0" * 7, b"\xff" * 72, b"\0" * 72, b"\0" * 8])
def test_what_is_no_cosignature(signature: bytes) -> None:
    line = NoteSignature(ED25519_WITNESS.verifier.name, ED25519_WITNESS.verifier.key_id, signature)
    with pytest.raises(BadSignature):
        cosignatures(SignedNote(TEXT, (line,)), [ED25519_WITNESS.verifier])


def test_lines_of_a_witness_are_read() -> None:
    lines = (cosign(TEXT, ED25519_WITNESS, 1), cosign(TEXT, ML_DSA_WITNESS, 2))
    said = "".join(map(NoteSignature.line, lines)).encode()
    assert parse_cosignature_lines(said) == lines
    for bad in (b"", b"no\n", lines[0].line().encode()[:-1], b"\n\n", b"text\n\n" + said):
        with pytest.raises(MalformedNote):
            parse_cosignature_lines(bad)


# --- codings --------------------------------------------------------------------------------


@given(st.binary(max_size=80))
def test_base64_has_one_form(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data


@given(st.integers(0, (1 << 63) - 1))
def test_decimals_have_one_form(number: int) -> None:
    assert decode_decimal(str(number)) == number
    with pytest.raises(ValueError):
        decode_decimal(f"0{number}")


def test_an_empty_log_has_the_hash_of_nothing() -> None:
    assert TREE.roots[0] == EMPTY_ROOT
