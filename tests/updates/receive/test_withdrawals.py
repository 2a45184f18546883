"""Reading a log from where the last look ended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receive_samples import NOW
from securesystemslib.signer import CryptoSigner

from tocsin.transparency.errors import LogDamaged
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log import Log
from tocsin.updates.layout import database_name
from tocsin.updates.receive.seen import Place
from tocsin.updates.receive.withdrawals import Word, begin_of_bundle, learn
from tocsin.updates.statement import Statement, WithdrawalPredicate, sign_statement

KEY = CryptoSigner.generate_ed25519()
ROOTS = [Word({KEY.public_key.keyid: KEY.public_key}, 1)]
WITHDRAWN = (3, 255, 256, 300, 511, 520)
STAGES = (1, 4, 5, 255, 256, 257, 301, 511, 512)
SIZE = 600


def entry(number: int) -> bytes:
    if number not in WITHDRAWN:
        return b"something else %d" % number * (number % 7)
    said = WithdrawalPredicate(number, "bad", NOW)
    return sign_statement(
        Statement(database_name(number), f"{number:064x}", said), [KEY]
    ).to_bytes()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Log]:
    """One log as it was when it had so many entries."""
    key, folder = SigningKey.generate("log.example"), tmp_path_factory.mktemp("log")
    growing, made, start = Log.init(folder / "log", key), {}, 0
    for size in (*STAGES, SIZE):
        growing.integrate([entry(number) for number in range(start, size)], key)
        growing.publish([])
        shutil.copytree(growing.folder, folder / str(size))
        made[size] = Log(folder / str(size), key.verifier)
        start = size
    return made


@pytest.fixture(scope="module")
def log(stages: dict[int, Log]) -> Log:
    return stages[SIZE]


def part(folder: Path):
    def get(path: str, offset: int, most: int) -> bytes | None:
        place = folder / path
        if not place.is_file():
            return None
        data = place.read_bytes()[offset:]
        assert len(data) <= most
        return data

    return get


@settings(max_examples=25, deadline=None)
@given(looks=st.sets(st.sampled_from(STAGES)).map(sorted))
def test_in_however_many_looks_the_same_is_learned(
    stages: dict[int, Log], looks: list[int]
) -> None:
    seen, place = [], Place()
    for size in (*looks, SIZE):
        log = stages[size]
        learned = learn(log.reader(log.newest().head), part(log.folder), place, ROOTS)
        seen += [one.index for one in learned.withdrawals]
        place = learned.place
        assert place.size == size
    assert tuple(seen) == WITHDRAWN


def test_it_begins_at_the_bundle_of_what_matters(log: Log) -> None:
    reader = log.reader(log.newest().head)
    learned = learn(reader, part(log.folder), begin_of_bundle(400), ROOTS)
    assert [one.index for one in learned.withdrawals] == [256, 300, 511, 520]
    assert [one.version for one in learned.withdrawals] == [256, 300, 511, 520]


def test_a_stranger_withdraws_nothing(log: Log) -> None:
    other = CryptoSigner.generate_ed25519().public_key
    reader = log.reader(log.newest().head)
    assert not learn(reader, part(log.folder), Place(), [Word({other.keyid: other}, 1)]).withdrawals


@pytest.mark.parametrize("how", ["shifted", "short", "empty", "altered"])
def test_what_the_tree_does_not_have_is_not_read(log: Log, how: str) -> None:
    inner = part(log.folder)

    def get(path: str, offset: int, most: int) -> bytes | None:
        data = inner(path, offset, most) or b""
        if how == "shifted":
            return data[1:]
        if how == "short":
            return data[: len(data) // 2]
        if how == "empty":
            return b""
        return data[:100] + bytes([data[100] ^ 1]) + data[101:]

    with pytest.raises(LogDamaged, match=r"cut short|not what"):
        learn(log.reader(log.newest().head), get, Place(), ROOTS)
