"""Signatures and certificates: who signed, when, and whether that holds."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given
from hypothesis import strategies as st

from audit.program_samples import CTL, DATA, identity, oid, signed, tlv
from tocsin.audit.programs import der
from tocsin.audit.programs.installers import is_catalogue, read_catalogue
from tocsin.audit.programs.signatures import (
    MOST_SIGNATURES,
    read_certificate,
    read_signatures,
)
from tocsin.audit.programs.signers import plain_name
from tocsin.errors import FormatError
from tocsin.jurisdiction.vocabulary import MarkerKind

SUPPLIER = identity("AO Kaspersky Lab", "AO Kaspersky Lab")
LIST = tlv(0x30, tlv(0x30, oid("1.3.6.1.4.1.311.12.1.1")), tlv(4, b"a list of digests"))


@given(st.text(min_size=1, max_size=60).filter(lambda text: len(text.encode()) <= 64))
def test_names_are_read_as_the_library_writes_them(common: str) -> None:
    encoded = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)]).public_bytes()
    fake = tlv(
        0x30,
        tlv(0x30, tlv(2, b"\1"), tlv(0x30), encoded, tlv(0x30), encoded, tlv(0x30)),
    )
    assert read_certificate(fake).name.common == common


def test_a_certificate_is_read_as_the_library_reads_it() -> None:
    read = read_certificate(SUPPLIER.der)
    assert (read.name.common, read.name.organisation) == ("AO Kaspersky Lab",) * 2
    assert int.from_bytes(read.serial, "big") == SUPPLIER.certificate.serial_number
    assert read.issuer == SUPPLIER.certificate.issuer.public_bytes()


@pytest.mark.parametrize("detached", [True, False])
def test_a_signature_that_the_library_makes_holds(detached: bool) -> None:
    options = [pkcs7.PKCS7Options.Binary]
    options += [pkcs7.PKCS7Options.DetachedSignature] if detached else []
    made = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(b"words")
        .add_signer(SUPPLIER.certificate, SUPPLIER.key, hashes.SHA256())
        .sign(serialization.Encoding.DER, options)
    )
    (signature,) = read_signatures(made)
    assert signature.signer is not None
    assert signature.signer.common == "AO Kaspersky Lab"
    assert signature.holds is True
    assert signature.made is not None


def test_a_signature_over_changed_words_does_not_hold() -> None:
    made = signed(SUPPLIER, LIST)
    (whole,) = read_signatures(made)
    (changed,) = read_signatures(made.replace(b"a list of digests", b"a list of someone"))
    assert (whole.holds, changed.holds) == (True, False)


def test_another_key_s_signature_under_a_copied_certificate_does_not_hold() -> None:
    made = signed(SUPPLIER, LIST)
    at = made.rindex(tlv(0x30, oid("1.2.840.113549.1.1.1"), b"\5\0")) + 15 + 4
    (forged,) = read_signatures(made[:at] + bytes(256))
    assert forged.signer is not None
    assert forged.holds is False


def test_a_signature_of_a_kind_that_is_not_checked_is_neither_held_true_nor_false() -> None:
    other = tlv(0x30, oid("1.2.840.113549.1.1.10"), tlv(0x30))  # RSASSA-PSS
    (signature,) = read_signatures(signed(SUPPLIER, LIST, algorithm=other))
    assert signature.signer is not None
    assert signature.holds is None


def test_a_nested_signature_is_read_and_said_to_be_nested() -> None:
    inner = signed(identity("Second Maker"), LIST)
    attribute = tlv(0x30, oid("1.3.6.1.4.1.311.2.4.1"), tlv(0x31, inner))
    first, second = read_signatures(signed(SUPPLIER, LIST, unsigned=attribute))
    assert (first.is_nested, second.is_nested) == (False, True)
    assert second.signer is not None
    assert second.signer.common == "Second Maker"


def test_signatures_inside_signatures_end_at_a_bound() -> None:
    made = signed(SUPPLIER, LIST)
    for _ in range(MOST_SIGNATURES + 8):
        made = signed(
            SUPPLIER, LIST, unsigned=tlv(0x30, oid("1.3.6.1.4.1.311.2.4.1"), tlv(0x31, made))
        )
    assert len(read_signatures(made)) == MOST_SIGNATURES


def test_the_day_is_that_of_whoever_saw_it_before_what_the_signer_says() -> None:
    said, seen = (
        datetime(2011, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2019, 9, 8, 7, 6, 5, tzinfo=UTC),
    )
    time = tlv(0x18, seen.strftime("%Y%m%d%H%M%SZ").encode())
    info = tlv(0x30, tlv(2, b"\1"), oid("1.2.3"), tlv(0x30), tlv(2, b"\7"), time)
    token = signed(identity("A clock", stamps=True), tlv(4, info), "1.2.840.113549.1.9.16.1.4")
    stamp = tlv(0x30, oid("1.3.6.1.4.1.311.3.3.1"), tlv(0x31, token))
    (stamped,) = read_signatures(signed(SUPPLIER, LIST, made=said, unsigned=stamp))
    (alone,) = read_signatures(signed(SUPPLIER, LIST, made=said))
    assert (stamped.made, alone.made) == (seen, said)


def test_lengths_left_open_as_apple_leaves_them_are_read() -> None:
    (signature,) = read_signatures(signed(SUPPLIER, LIST, DATA, open_ended=True))
    assert signature.signer is not None
    assert signature.holds is True


def test_a_catalogue_is_told_from_other_signatures_and_tells_its_signer() -> None:
    catalogue = signed(SUPPLIER, LIST, CTL, made=datetime(2018, 1, 2, tzinfo=UTC))
    assert is_catalogue(catalogue)
    assert not is_catalogue(signed(SUPPLIER, tlv(4, b"mail"), DATA))
    facts = read_catalogue(catalogue)
    assert [(each.kind, each.value) for each in facts.traces] == [
        (MarkerKind.SIGNER, "AO Kaspersky Lab")
    ]
    assert str(facts.made) == "2018-01-02"


def test_what_apple_writes_around_a_developer_s_name_is_left_out() -> None:
    assert plain_name("Developer ID Application: Kaspersky Lab UK (2Y8XE5CQ94)") == (
        "Kaspersky Lab UK"
    )
    assert plain_name("Application: Other") == "Application: Other"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_signature_or_a_format_error(data: bytes) -> None:
    for reader in (read_signatures, read_certificate):
        with suppress(FormatError):
            assert reader(data)


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4))
def test_a_damaged_signature_is_read_as_far_as_it_goes(at: int, damage: bytes) -> None:
    made = signed(SUPPLIER, LIST)
    with suppress(FormatError):
        found = read_signatures(made[:at] + damage + made[at + len(damage) :])
        assert len(found) <= 1


@given(
    st.lists(st.integers(0, 1 << 40), min_size=1, max_size=8), st.integers(0, 2), st.integers(0, 39)
)
def test_object_identifiers_are_read_as_written(rest: list[int], first: int, second: int) -> None:
    text = ".".join(map(str, (first, second, *rest)))
    data = oid(text)
    if len(data) <= 66:
        assert der.oid(data, der.whole(data, der.OID)) == text
