"""Keys in a PKCS#11 token, tried on SoftHSM."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tocsin.updates.layout import Publisher
from tocsin.updates.publish.ceremony import draft_first_root, finish
from tocsin.updates.publish.errors import PublishingKeyError
from tocsin.updates.publish.keys import open_signer, read_public_key
from tocsin.updates.publish.roots import RoleKeys
from tocsin.updates.publish.token_keys import import_token_key
from updates.publish.publisher_kit import Reader, World

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "123456"


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """A token with one P-256 key, number 2."""
    if not shutil.which("softhsm2-util") or not MODULE.exists():
        pytest.skip("softhsm2 is not installed (apt-get install softhsm2)")
    pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    before = dict(os.environ)
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    os.environ["PYKCS11LIB"] = str(MODULE)
    subprocess.run(
        f"softhsm2-util --init-token --free --label ceremony --pin {PIN} --so-pin 0000".split(),
        check=True,
        capture_output=True,
    )
    from pkcs11.util.ec import encode_named_curve_parameters

    held = pkcs11.lib(str(MODULE)).get_token(token_label="ceremony")
    with held.open(user_pin=PIN, rw=True) as session:
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC,
            {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")},
            local=True,
        )
        parameters.generate_keypair(store=True, id=b"\2", label="signing")
    yield "ceremony"
    os.environ.clear()
    os.environ.update(before)


def pin(_name: str) -> bytes:
    return PIN.encode()


def test_a_key_in_a_token_signs(token, tmp_path) -> None:
    public = import_token_key(tmp_path, "alice", pin, label=token)
    assert not public.private_path.exists()
    again = read_public_key(public.path)
    signature = open_signer(again, pin).sign(b"what is signed")
    again.key.verify_signature(signature, b"what is signed")


def test_a_root_is_signed_by_a_token_and_a_file(token, tmp_path) -> None:
    """A TUF client accepts it, so the token's signature is the standard's."""
    world = World(tmp_path)
    session = world.prepare()
    session.keys.secrets = lambda name: PIN.encode() if name == "alice" else b"a passphrase"
    alice = import_token_key(world.keys, "alice", pin, label=token)
    roles = world.roles()
    mixed = RoleKeys((alice.key, world.key("root-1").key), 2)
    draft_first_root(session, type(roles)(mixed, *list(vars(roles).values())[1:]), Publisher("A"))
    finish(session)
    root = (world.repository / "metadata" / "1.root.json").read_bytes()
    Reader(world.repository, tmp_path / "state", root).refreshed(world.now)


def test_a_token_that_is_not_there_is_said(token, tmp_path) -> None:
    with pytest.raises(PublishingKeyError, match="token"):
        import_token_key(tmp_path, "bob", pin, label="another")


def test_a_wrong_pin_is_said(token, tmp_path) -> None:
    public = import_token_key(tmp_path, "alice", pin, label=token)
    with pytest.raises(PublishingKeyError, match="PinIncorrect"):
        open_signer(public, lambda _name: b"999999").sign(b"x")
