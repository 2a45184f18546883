"""Keys in files: what opens them, what does not, and who else can read them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tocsin.updates.publish.errors import PublishError, PublishingKeyError
from tocsin.updates.publish.keys import (
    Algorithm,
    KeyFolder,
    make_key,
    open_signer,
    read_public_key,
)
from updates.publish.publisher_kit import CHEAP, secrets


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_that_was_made_signs(tmp_path, algorithm) -> None:
    made = make_key(tmp_path, "a", b"a passphrase", algorithm=algorithm, log2_n=CHEAP)
    public = read_public_key(tmp_path / "a.pub")
    assert public.keyid == made.keyid
    signature = open_signer(public, secrets).sign(b"data")
    public.key.verify_signature(signature, b"data")


def test_the_private_half_is_its_users_alone_and_encrypted(tmp_path) -> None:
    made = make_key(tmp_path / "keys", "a", b"a passphrase", log2_n=CHEAP)
    assert made.private_path.stat().st_mode & 0o777 == 0o600
    assert made.private_path.parent.stat().st_mode & 0o077 == 0
    with pytest.raises(TypeError):
        load_pem_private_key(made.private_path.read_bytes(), None)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_opens_it_at_its_full_cost(tmp_path) -> None:
    made = make_key(tmp_path, "a", b"a passphrase")
    shown = subprocess.run(
        ["openssl", "pkey", "-in", made.private_path, "-passin", "stdin", "-pubout", "-text"],
        input=b"a passphrase\n",
        capture_output=True,
        check=True,
    )
    pressed = shown.stdout.decode().replace(":", "").replace(" ", "").replace("\n", "")
    assert made.key.keyval["public"] in pressed


def test_another_passphrase_is_said(tmp_path) -> None:
    made = make_key(tmp_path, "a", b"a passphrase", log2_n=CHEAP)
    with pytest.raises(PublishingKeyError, match="passphrase is another"):
        open_signer(made, lambda _name: b"another")


def test_another_keys_private_half_is_said(tmp_path) -> None:
    made = make_key(tmp_path, "a", b"a passphrase", log2_n=CHEAP)
    other = make_key(tmp_path, "b", b"a passphrase", log2_n=CHEAP)
    shutil.copy(other.private_path, made.private_path)
    with pytest.raises(PublishingKeyError, match="does not belong"):
        open_signer(made, secrets)


def test_a_key_is_never_written_over(tmp_path) -> None:
    make_key(tmp_path, "a", b"a passphrase", log2_n=CHEAP)
    before = (tmp_path / "a.key").read_bytes()
    with pytest.raises(PublishError):
        make_key(tmp_path, "a", b"a passphrase", log2_n=CHEAP)
    assert (tmp_path / "a.key").read_bytes() == before


@pytest.mark.parametrize("name", ["../a", "", "a/b", ".a", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name) -> None:
    with pytest.raises(PublishingKeyError, match="name"):
        make_key(tmp_path, name, b"a passphrase", log2_n=CHEAP)


def test_an_empty_passphrase_is_refused(tmp_path) -> None:
    with pytest.raises(PublishingKeyError, match="passphrase"):
        make_key(tmp_path, "a", b"", log2_n=CHEAP)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 100_000, b"x" * 70_000])
def test_what_is_no_public_key_is_refused(tmp_path, data) -> None:
    (tmp_path / "a.pub").write_bytes(data)
    with pytest.raises(PublishError):
        read_public_key(tmp_path / "a.pub")


def test_each_passphrase_is_asked_for_once(tmp_path) -> None:
    made = make_key(tmp_path, "a", b"a passphrase", log2_n=CHEAP)
    asked = []

    def ask(name: str) -> bytes:
        asked.append(name)
        return b"a passphrase"

    folder = KeyFolder(tmp_path, ask)
    folder.signers([made.keyid])
    folder.signers([made.keyid])
    assert asked == ["a"]
