"""Log entries: one form of bytes, signed as DSSE says, bounded; and the metadata's fields."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.signer import CryptoSigner

from tocsin.updates.errors import LayoutError, StatementError
from tocsin.updates.layout import (
    Custodians,
    DatabaseTarget,
    DeltaTarget,
    Publisher,
    Withdrawn,
    entry_path,
    parse_custom,
    parse_publisher,
    parse_withdrawn,
    proof_path,
    stored_target,
    wheel_target,
    write_field,
    write_withdrawn,
)
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    DatabasePredicate,
    Envelope,
    EnvelopeSignature,
    Previous,
    RebuildPredicate,
    ReleasePredicate,
    RootPredicate,
    SourceEntry,
    Statement,
    WheelEntry,
    WithdrawalPredicate,
    canonical_json,
    parse_envelope,
    parse_statement,
    sign_statement,
    verified_by,
)

NOW = datetime(2026, 11, 28, 6, tzinfo=UTC)
HASH = "0123456789abcdef" * 4
SIGNERS = [CryptoSigner.generate_ed25519() for _ in range(3)]
KEYS = {signer.public_key.keyid: signer.public_key for signer in SIGNERS}
DATABASE = Statement(
    "databases/12.tdb",
    HASH,
    DatabasePredicate(
        12, NOW, Previous(11, HASH), 5, (SourceEntry("a.ndb", HASH, 3),), 3000, 500, {"body": 1}
    ),
)

hashes = st.from_regex("[0-9a-f]{64}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
names = texts.filter(bool)
counts = st.integers(0, 2**53 - 1)
versions = st.integers(1, 2**31 - 1)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
sources = st.builds(SourceEntry, names, hashes, counts, texts, texts, texts, texts)
predicates = st.one_of(
    st.builds(
        DatabasePredicate,
        versions,
        moments,
        st.none() | st.builds(Previous, versions, hashes),
        counts,
        st.lists(sources, max_size=4).map(tuple),
        counts,
        counts,
        st.dictionaries(names, counts, max_size=4),
    ),
    st.builds(RootPredicate, versions, texts),
    st.builds(WithdrawalPredicate, versions, texts, moments),
    st.builds(
        ReleasePredicate,
        names,
        st.lists(st.builds(WheelEntry, names, hashes, counts), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(RebuildPredicate, versions, texts, moments, texts, hashes),
)
statements = st.builds(Statement, names, hashes, predicates)


@given(statements, st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_what_was_signed_is_read_back_byte_for_byte(statement: Statement, signers: int) -> None:
    data = sign_statement(statement, SIGNERS[:signers]).to_bytes()
    envelope = parse_envelope(data)
    assert envelope.statement == statement
    assert envelope.to_bytes() == data
    assert len(verified_by(envelope, KEYS)) == signers


@given(statements)
@settings(max_examples=20, deadline=None)
def test_another_implementation_of_dsse_verifies_it(statement: Statement) -> None:
    data = sign_statement(statement, SIGNERS[:2]).to_bytes()
    other = OtherEnvelope.from_dict(json.loads(data))
    assert len(other.verify(list(KEYS.values()), 2)) == 2


def test_what_another_implementation_signs_verifies_here() -> None:
    other = OtherEnvelope(DATABASE.to_bytes(), "application/vnd.in-toto+json", {})
    other.sign(SIGNERS[0])
    envelope = parse_envelope(canonical_json(other.to_dict()))
    assert verified_by(envelope, KEYS) == {SIGNERS[0].public_key.keyid}


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_an_entry_or_refused(data: bytes) -> None:
    for parse in (parse_envelope, parse_statement):
        with pytest.raises(StatementError):
            parse(data)


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_one_changed_byte_is_refused_or_unsigned(place: int, change: int) -> None:
    data = bytearray(sign_statement(DATABASE, SIGNERS[:1]).to_bytes())
    data[place % len(data)] ^= change
    try:
        envelope = parse_envelope(bytes(data))
    except StatementError:
        return
    assert not verified_by(envelope, KEYS)


# --- one form only ------------------------------------------------------------------------


def test_an_entry_in_another_form_is_refused() -> None:
    data = sign_statement(DATABASE, SIGNERS[:1]).to_bytes()
    for other in (
        json.dumps(json.loads(data)).encode(),
        data + b"\n",
        b" " + data,
        json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":")).encode(),
        data.replace(b'"payloadType"', b'"payloadT\\u0079pe"'),
        data[:-1] + b',"more":1}',
    ):
        assert other != data
        with pytest.raises(StatementError):
            parse_envelope(other)


def test_a_payload_in_another_form_is_refused() -> None:
    said = json.loads(DATABASE.to_bytes())
    for payload in (
        json.dumps(said).encode(),
        canonical_json(said | {"more": 1}),
        canonical_json(said | {"predicate": said["predicate"] | {"more": 1}}),
        canonical_json(said | {"subject": said["subject"] * 2}),
        canonical_json(said | {"predicateType": "urn:tocsin:database:2"}),
        canonical_json(said | {"_type": "https://in-toto.io/Statement/v0.1"}),
        DATABASE.to_bytes().replace(b'"version":12}', b'"version":12,"version":12}'),
        DATABASE.to_bytes().replace(b'"version":12}', b'"version":12.0}'),
    ):
        envelope = Envelope(DATABASE, payload, (EnvelopeSignature("a", b"123"),))
        with pytest.raises(StatementError):
            parse_envelope(envelope.to_bytes())


@pytest.mark.parametrize(
    "since",
    [
        "2026-11-28T06:00:00+00:00",
        "2026-11-28T07:00:00+01:00",
        "2026-11-28T06:00:00.000Z",
        "2026-11-28 06:00:00Z",
        "2026-11-28t06:00:00z",
    ],
)
def test_a_time_has_one_spelling(since: str) -> None:
    statement = Statement("databases/2.tdb", HASH, WithdrawalPredicate(2, "why", NOW))
    said = json.loads(statement.to_bytes())
    assert parse_statement(canonical_json(said)) == statement
    said["predicate"]["since"] = since
    with pytest.raises(StatementError, match="canonical"):
        parse_statement(canonical_json(said))


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00Z"]
)
def test_a_time_that_utc_does_not_have_is_refused(since: str) -> None:
    """Anybody may write one into a log or a file of rebuilders, unsigned."""
    said = json.loads(
        Statement("databases/2.tdb", HASH, WithdrawalPredicate(2, "why", NOW)).to_bytes()
    )
    said["predicate"]["since"] = since
    with pytest.raises(StatementError, match="malformed"):
        parse_statement(canonical_json(said))


def test_a_field_is_written_out_though_it_says_what_goes_without_saying() -> None:
    said = json.loads(DATABASE.to_bytes())
    del said["predicate"]["software"]
    with pytest.raises(StatementError, match="canonical"):
        parse_statement(canonical_json(said))


def test_a_time_of_elsewhere_is_written_in_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    here, far = (
        Statement("x", HASH, WithdrawalPredicate(2, "why", moment)).to_bytes()
        for moment in (NOW, there)
    )
    assert here == far


def test_base64_that_is_not_canonical_is_refused() -> None:
    said = json.loads(sign_statement(DATABASE, SIGNERS[:1]).to_bytes())
    signature = said["signatures"][0]["sig"]
    assert signature.endswith("==")
    last = chr(ord(signature[-3]) + 1)
    for other in (signature.rstrip("="), signature[:-3] + last + "==", signature + "\n"):
        said["signatures"][0]["sig"] = other
        with pytest.raises(StatementError):
            parse_envelope(canonical_json(said))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"x" * (MOST_ENTRY_BYTES + 1),
        b'{"payload":"","payloadType":"application/vnd.in-toto+json","signatures":[]}',
        b"\xff\xfe",
    ],
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StatementError):
        parse_envelope(data)


# --- who signed ---------------------------------------------------------------------------


def test_a_key_counts_once_and_strangers_not_at_all() -> None:
    envelope = sign_statement(DATABASE, SIGNERS[:2])
    known = {SIGNERS[0].public_key.keyid: SIGNERS[0].public_key}
    assert verified_by(envelope, known) == set(known)
    with pytest.raises(StatementError, match="twice"):
        sign_statement(DATABASE, [SIGNERS[0], SIGNERS[0]])
    twice = Envelope(envelope.statement, envelope.payload, envelope.signatures[:1] * 2)
    with pytest.raises(StatementError, match="one a key"):
        parse_envelope(twice.to_bytes())


def test_a_signature_over_another_statement_does_not_count() -> None:
    other = sign_statement(Statement("x", HASH, RootPredicate(1, "")), SIGNERS[:1])
    envelope = sign_statement(DATABASE, SIGNERS[:1])
    mixed = Envelope(envelope.statement, envelope.payload, other.signatures)
    assert not verified_by(mixed, KEYS)


def test_a_statement_beyond_a_logs_bound_is_refused_by_who_makes_it() -> None:
    many = tuple(
        SourceEntry(f"{n}.ndb", HASH, 1, "https://example.org/" + "x" * 500) for n in range(80)
    )
    predicate = DatabasePredicate(1, NOW, None, 1, many, 0, 0, {})
    with pytest.raises(StatementError, match="65,535"):
        sign_statement(Statement("databases/1.tdb", HASH, predicate), SIGNERS[:1])
    with pytest.raises(StatementError):
        Statement("x", "no digest", RootPredicate(1, "")).to_bytes()
    with pytest.raises(StatementError):
        Statement("x", HASH, RootPredicate(0, "")).to_bytes()
    assert base64.b64encode(DATABASE.to_bytes())


# --- the metadata's fields ----------------------------------------------------------------


rings = st.lists(st.integers(1, 99), unique=True, max_size=4).map(
    lambda percents: (*((p, n * 60) for n, p in enumerate(sorted(percents))), (100, 90_000))
)


@given(
    st.builds(
        DatabaseTarget,
        versions,
        hashes,
        counts,
        st.dictionaries(st.sampled_from(["fast", "stable"]), moments),
        rings,
    )
    | st.builds(DeltaTarget, hashes, hashes, versions, versions)
)
@settings(max_examples=60, deadline=None)
def test_custom_fields_come_back(target) -> None:
    written = write_field(target)
    assert json.loads(json.dumps(written)) == written
    assert parse_custom(written) == target


def test_fields_of_root_and_targets_come_back() -> None:
    publisher = Publisher("Guild", "mail", NOW, Custodians(("a", "b"), 2), "vkey")
    assert parse_publisher({"x-tocsin-publisher": write_field(publisher)}) == publisher
    withdrawn = (Withdrawn(3, "why", NOW),)
    assert parse_withdrawn({"x-tocsin": write_withdrawn(withdrawn)}) == withdrawn
    assert (parse_publisher({}), parse_withdrawn({})) == (None, ())


@pytest.mark.parametrize("custom", [None, [], 5, {}, {"kind": "later"}, {"kind": ["database"]}])
def test_a_kind_of_target_that_is_unknown_is_let_lie(custom) -> None:
    assert parse_custom(custom) is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": "1"},
        {"sha256": "A" * 64},
        {"length": -1},
        {"rings": [[5, 0]]},
        {"rings": [[50, 0], [5, 1], [100, 2]]},
        {"rings": [[5, 9], [100, 2]]},
        {"channels": {"fast": "2026-11-28T06:00:00"}},
        {"channels": {"Fast!": "2026-11-28T06:00:00Z"}},
    ],
)
def test_a_known_kind_that_is_malformed_is_refused(change) -> None:
    written = write_field(DatabaseTarget(1, HASH, 5, {"fast": NOW}, ((100, 0),)))
    with pytest.raises(LayoutError):
        parse_custom(written | change)


def test_names_that_lead_elsewhere_are_refused() -> None:
    assert stored_target("databases/1.tdb.zst", HASH) == f"targets/databases/{HASH}.1.tdb.zst"
    for make in (entry_path, proof_path):
        with pytest.raises(LayoutError):
            make("../" + HASH[3:])
    for name in ("../x", ".x", "a/b", "", "a\n"):
        with pytest.raises(LayoutError):
            wheel_target("1.0", name)
