"""Detached signatures: who may sign, and that OpenSSL's are read like `cryptography`'s."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.updates.sources import der
from tocsin.updates.sources.catalogue import KNOWN
from tocsin.updates.sources.clamav import Options
from tocsin.updates.sources.clamav_root import official_roots
from tocsin.updates.sources.clamsign import read_roots, verify_sign
from tocsin.updates.sources.errors import SourceRefused, SourceStorage
from tocsin.updates.sources.fetch import Wishes, fetch_source
from tocsin.updates.sources.state import read_entries
from updates.sources.sources_kit import (
    TRUST,
    Files,
    digest_lines,
    make_cdiff,
    make_cvd,
    make_script,
    serve,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OPENSSL = shutil.which("openssl")
DATA = b"the file\r\nas it is\n"


def certificate(name, key, issuer_name, issuer_key, *, ca=False, years=10, room=None, start=None):
    begin = start or NOW - timedelta(days=365)
    usage = x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer_name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca, room if ca else None), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


class Authority:
    """A root, an authority below it, and somebody who signs."""

    def __init__(self):
        self.root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = certificate("Root", self.root_key, "Root", self.root_key, ca=True)
        self.mid_key = ec.generate_private_key(ec.SECP256R1())
        self.mid = certificate("Middle", self.mid_key, "Root", self.root_key, ca=True)
        self.key = rsa.generate_private_key(65537, 2048)
        self.signer = certificate("Signer", self.key, "Middle", self.mid_key)


@pytest.fixture(scope="module")
def house():
    return Authority()


def envelope(data, signer, key, *between, detached=True):
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data)
    builder = builder.add_signer(signer, key, hashes.SHA256())
    for each in between:
        builder = builder.add_certificate(each)
    options = [pkcs7.PKCS7Options.Binary]
    if detached:
        options.append(pkcs7.PKCS7Options.DetachedSignature)
    return builder.sign(Encoding.DER, options)


def sign_file(*envelopes):
    lines = [b"230::pkcs7-pem:" + base64.b64encode(each) for each in envelopes]
    return b"\n".join([b"#clamsign-1.0", *lines, b""])


def test_a_chain_up_to_a_root_that_is_trusted(house):
    sign = sign_file(envelope(DATA, house.signer, house.key, house.mid))
    signer = verify_sign(io.BytesIO(DATA), sign, "x", [house.root], now=NOW)
    assert signer.name == "Signer"
    assert signer.root == house.root.fingerprint(hashes.SHA256()).hex()


def test_one_valid_line_is_enough(house):
    good = envelope(DATA, house.signer, house.key, house.mid)
    other = envelope(b"another", house.signer, house.key, house.mid)
    sign = sign_file(other, good) + b"# a remark\n\n1:2:other-kind:AAAA\n"
    assert verify_sign(io.BytesIO(DATA), sign, "x", [house.root], now=NOW).name == "Signer"


def refused(house, data, sign, words, roots=None, now=NOW):
    with pytest.raises(SourceRefused, match=words):
        verify_sign(io.BytesIO(data), sign, "x", roots or [house.root], now=now)


def test_what_does_not_vouch(house):
    good = sign_file(envelope(DATA, house.signer, house.key, house.mid))
    refused(house, DATA + b" ", good, "not the one that was signed")
    refused(house, DATA, good, "no trusted root", roots=official_roots())
    refused(house, DATA, good, "not valid now", now=NOW + timedelta(days=4000))
    refused(house, DATA, good, "not valid now", now=NOW - timedelta(days=4000))
    refused(house, DATA, good[14:], "does not begin")
    refused(house, DATA, b"#clamsign-2.0\n" + good[14:], "does not begin")
    refused(house, DATA, b"#clamsign-1.0\n", "no signature of a known form")
    refused(house, DATA, b"#clamsign-1.0\n230::pkcs7-pem:!!\n", "no signature of a known form")
    refused(house, DATA, b"x" * (1 << 20) + b"x", "none is that large")
    attached = sign_file(envelope(DATA, house.signer, house.key, house.mid, detached=False))
    refused(house, DATA, attached, "not detached")
    refused(house, DATA, sign_file(envelope(DATA, house.signer, house.key)), "no trusted root")


def test_who_must_not_vouch_for_others(house):
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    by_leaf = certificate("Leaf", leaf_key, "Signer", house.key)
    sign = sign_file(envelope(DATA, by_leaf, leaf_key, house.signer, house.mid))
    refused(house, DATA, sign, "no trusted root")
    narrow_key = ec.generate_private_key(ec.SECP256R1())
    narrow = certificate("Narrow", narrow_key, "Root", house.root_key, ca=True, room=0)
    below_key = ec.generate_private_key(ec.SECP256R1())
    below = certificate("Below", below_key, "Narrow", narrow_key, ca=True)
    leaf = certificate("Leaf", leaf_key, "Below", below_key)
    sign = sign_file(envelope(DATA, leaf, leaf_key, below, narrow))
    refused(house, DATA, sign, "no trusted root")
    impostor = certificate("Signer", leaf_key, "Middle", leaf_key)
    sign = sign_file(envelope(DATA, impostor, leaf_key, house.mid))
    refused(house, DATA, sign, "no trusted root")


def test_a_key_that_is_too_short(house):
    key = rsa.generate_private_key(65537, 1024)
    weak = certificate("Weak", key, "Middle", house.mid_key)
    refused(house, DATA, sign_file(envelope(DATA, weak, key, house.mid)), "not accepted")


def test_every_byte_of_an_envelope_counts_or_says_nothing(house):
    whole = envelope(DATA, house.signer, house.key, house.mid)
    stood = 0
    for place in range(0, len(whole), 17):
        altered = whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :]
        try:
            signer = verify_sign(io.BytesIO(DATA), sign_file(altered), "x", [house.root], now=NOW)
        except SourceRefused:
            continue
        stood += 1  # in what is not signed: versions, the list of algorithms
        assert signer.name == "Signer"
    assert stood <= 4


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_a_signature_that_openssl_made(house, tmp_path):
    for name, data in (
        ("signer.pem", house.signer.public_bytes(Encoding.PEM)),
        ("mid.pem", house.mid.public_bytes(Encoding.PEM)),
        ("key.pem", house.key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
        ("data", DATA),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
    command = [
        OPENSSL, "smime", "-sign", "-binary", "-outform", "DER", "-in", "data", "-out", "p7",
        "-signer", "signer.pem", "-inkey", "key.pem", "-certfile", "mid.pem", "-md", "sha256",
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    sign = sign_file((tmp_path / "p7").read_bytes())
    assert verify_sign(io.BytesIO(DATA), sign, "x", [house.root], now=NOW).name == "Signer"


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_any_bytes_are_der_or_are_not(data):
    try:
        element = der.read_der(data)
        children = element.children()
    except der.NotDer:
        return
    assert b"".join(child.whole for child in children) == element.content


@pytest.mark.parametrize(
    "hexadecimal", ["", "30", "3001", "3080", "308100", "30820001aa", "1f0100"]
)
def test_what_is_no_der(hexadecimal):
    with pytest.raises(der.NotDer):
        der.read_der(bytes.fromhex(hexadecimal))


def test_roots_of_a_folder(house, tmp_path):
    with pytest.raises(SourceStorage, match="no certificate"):
        read_roots(tmp_path)
    (tmp_path / "a.crt").write_bytes(house.root.public_bytes(Encoding.PEM))
    (tmp_path / "readme").write_text("x")
    assert read_roots(tmp_path) == [house.root]
    (tmp_path / "b.pem").write_text("nonsense")
    with pytest.raises(SourceStorage):
        read_roots(tmp_path)


# --- beside the databases -----------------------------------------------------------------

LINES = {1: digest_lines(1), 2: digest_lines(1, 2)}


def bring(site, folder, house, **trust):
    options = Options((site.url,), attempts=1, trust=TRUST._replace(roots=(house.root,), **trust))
    return fetch_source(KNOWN["clamav"], folder, Wishes(databases=("daily",), clamav=options))


@pytest.fixture
def site():
    with serve(Files()) as files:
        yield files


def test_a_database_with_its_detached_signature(site, tmp_path, house):
    data = make_cvd("daily", 1, LINES[1])
    sign = sign_file(envelope(data, house.signer, house.key, house.mid))
    site.content |= {"daily.cvd": data, "daily-1.cvd.sign": sign}
    bring(site, tmp_path, house, require_sign=True)
    assert (tmp_path / "daily-1.cvd.sign").read_bytes() == sign
    assert read_entries(tmp_path)["daily"].verified == ("header", "info", "sign")
    site.modified += 1000
    second = make_cvd("daily", 2, LINES[2])
    site.content |= {
        "daily.cvd": second,
        "daily-2.cdiff": make_cdiff(2, make_script("daily", 2, LINES[1], LINES[2])),
    }
    bring(site, tmp_path, house)
    assert sorted(p.name for p in tmp_path.glob("daily*")) == ["daily.cld"]


def test_a_detached_signature_that_does_not_fit_stops_it(site, tmp_path, house):
    data = make_cvd("daily", 1, LINES[1])
    other = sign_file(envelope(b"other", house.signer, house.key, house.mid))
    site.content |= {"daily.cvd": data, "daily-1.cvd.sign": other}
    with pytest.raises(SourceRefused, match="does not vouch"):
        bring(site, tmp_path, house)
    assert not list(tmp_path.glob("daily*"))


def test_one_that_is_missing_stops_it_where_it_is_demanded(site, tmp_path, house):
    site.content["daily.cvd"] = make_cvd("daily", 1, LINES[1])
    with pytest.raises(SourceRefused, match="has no daily-1"):
        bring(site, tmp_path, house, require_sign=True)
    bring(site, tmp_path, house)


def test_a_difference_with_a_detached_signature_alone(site, tmp_path, house):
    (tmp_path / "daily.cvd").write_bytes(make_cvd("daily", 1, LINES[1]))
    script = make_script("daily", 2, LINES[1], LINES[2])
    diff = make_cdiff(2, script, sign=lambda body: "nothing")
    site.content |= {"daily.cvd": make_cvd("daily", 2, LINES[2]), "daily-2.cdiff": diff}
    site.content["daily-2.cdiff.sign"] = sign_file(
        envelope(diff, house.signer, house.key, house.mid)
    )
    (row,) = bring(site, tmp_path, house)
    assert row.file.name == "daily.cld"
