"""Signing keys and their files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from transparency_samples import CHEAP, LOG_KEY, WITNESSES

from tocsin.transparency.errors import KeyFileError, MalformedKey
from tocsin.transparency.keys import SigningKey, read_verifier
from tocsin.transparency.note import KeyType, VerifierKey


@pytest.mark.parametrize("key", [LOG_KEY, *WITNESSES], ids=lambda key: key.verifier.name)
def test_a_key_comes_back_from_its_file(tmp_path: Path, key: SigningKey) -> None:
    key.save(tmp_path / "key", b"words", log2_n=CHEAP)
    assert SigningKey.load(tmp_path / "key", b"words") == key
    assert read_verifier(tmp_path / "key") == key.verifier


def test_the_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LOG_KEY.save(tmp_path / "key", b"words", log2_n=CHEAP)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_the_secret_is_not_in_the_file_nor_in_what_is_printed(tmp_path: Path) -> None:
    LOG_KEY.save(tmp_path / "key", b"words", log2_n=CHEAP)
    assert b"L" * 8 not in (tmp_path / "key").read_bytes()
    assert "LLLL" not in repr(LOG_KEY)
    assert "TExM" not in repr(LOG_KEY)


def test_another_passphrase_does_not_open_it(tmp_path: Path) -> None:
    LOG_KEY.save(tmp_path / "key", b"words", log2_n=CHEAP)
    for wrong in (b"", b"word", b"words\n"):
        with pytest.raises(KeyFileError, match="passphrase"):
            SigningKey.load(tmp_path / "key", wrong)


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    LOG_KEY.save(tmp_path / "key", b"words", log2_n=CHEAP)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("key", "link"):
        with pytest.raises(KeyFileError, match="never written over"):
            WITNESSES[0].save(tmp_path / name, b"words", log2_n=CHEAP)
    assert SigningKey.load(tmp_path / "key", b"words") == LOG_KEY
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_without_a_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="passphrase"):
        LOG_KEY.save(tmp_path / "key", b"")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vkey", WITNESSES[0].verifier.vkey),
        ("vkey", "nonsense"),
        ("scrypt_log2_n", 40),
        ("scrypt_log2_n", 0),
        ("scrypt_log2_n", CHEAP + 1),
        ("nonce", ""),
        ("salt", "AAAA"),
        ("sealed", ""),
        ("format", "tocsin-signing-key-9"),
        ("more", 1),
    ],
)
def test_an_altered_file_is_refused(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "key"
    LOG_KEY.save(path, b"words", log2_n=CHEAP)
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, field: value}))
    with pytest.raises(KeyFileError):
        SigningKey.load(path, b"words")


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 9000, b"\xff", b"{" + b" " * 20000])
def test_what_is_no_key_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(KeyFileError):
        SigningKey.load(tmp_path / "key", b"words")
    with pytest.raises(KeyFileError):
        read_verifier(tmp_path / "key")


def test_a_public_key_is_read_from_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "log.pub").write_text(LOG_KEY.verifier.vkey + "\n")
    assert read_verifier(tmp_path / "log.pub") == LOG_KEY.verifier


def test_new_keys_differ_and_names_are_checked() -> None:
    assert SigningKey.generate("a") != SigningKey.generate("a")
    for name in ("", "a b", "a+b", "a\n"):
        with pytest.raises(MalformedKey):
            SigningKey.generate(name)
    with pytest.raises(MalformedKey, match="32 bytes"):
        SigningKey.from_seed("a", KeyType.ED25519, b"short")


def test_a_key_of_rfc_8032() -> None:
    """Section 7.1, test 1: the public key and the signature of nothing."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = SigningKey.from_seed("a", KeyType.ED25519, seed)
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.verifier == VerifierKey("a", KeyType.ED25519, bytes.fromhex(public))
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a")
