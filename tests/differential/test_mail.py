"""tocsin against clamscan over mails: what is taken out of them, and as what it is matched."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from differential.explained import explained_mail
from differential.mails import Planter, make_mail, make_mailbox, odd_mails
from differential.oracle import (
    ask_clamscan,
    ask_tocsin,
    require_clamscan,
    write_database,
    write_files,
)

TARGETS = (0, 3, 4, 7)
MAILS = 40
SEEDS = (20261125, 20261126)
SHOWN = 40


def _database(folder: Path, tokens: list[bytes]) -> Path:
    """Signatures for each token: anywhere by target, at an object's start, inside a mail."""
    body: list[str] = []
    logical: list[str] = []
    for number, token in enumerate(tokens):
        text = token.hex()
        body += [f"D.t{target}.{number}:{target}:*:{text}" for target in TARGETS]
        body.append(f"D.start.{number}:0:0:{text}")
        condition = "Engine:90-255,Container:CL_TYPE_MAIL,Target:0"
        logical.append(f"D.inside.{number};{condition};0;{text}")
    files = {"a.ndb": "\n".join(body) + "\n", "a.ldb": "\n".join(logical) + "\n"}
    return write_database(folder / "database", files)


def _answers(
    folder: Path, plant: Planter, mails: dict[str, bytes]
) -> Iterator[tuple[str, str, int, bool]]:
    """File, signature, number of its token and who reports it (True: we) of each difference."""
    database = _database(folder, plant.tokens)
    target = write_files(folder / "files", mails)
    theirs = ask_clamscan(database, target)
    ours = ask_tocsin(database, target, folder / "cache")
    assert theirs is not None
    assert ours is not None
    assert sum(map(len, theirs.values())) > len(mails)
    for name in mails:
        for signature in sorted(theirs[name] ^ ours[name]):
            number = int(signature.rpartition(".")[2])
            yield name, signature, number, signature in ours[name]


@pytest.mark.parametrize("seed", SEEDS)
def test_mails_have_the_same_verdicts(tmp_path: Path, seed: int) -> None:
    require_clamscan()
    plant = Planter(random.Random(seed))
    mails: dict[str, bytes] = {}
    for number in range(MAILS):
        mail = make_mailbox(plant) if number % 8 == 7 else make_mail(plant)
        mails[f"{number:03}.eml"] = mail.replace(b"\n", b"\r\n") if number % 3 == 2 else mail
    found = [
        f"{'only tocsin' if by_us else 'only clamscan'}: {signature} in {tmp_path}/files/{name}"
        for name, signature, number, by_us in _answers(tmp_path, plant, mails)
        if explained_mail(
            signature, within=plant.within[number], plain=plant.plain[number], ours=by_us
        )
        is None
    ]
    assert not found, f"{len(found)}:\n" + "\n".join(found[:SHOWN])


def test_nothing_is_missed_in_odd_mails(tmp_path: Path) -> None:
    require_clamscan()
    plant = Planter(random.Random(SEEDS[0]))
    mails = odd_mails(plant)
    missed = [
        f"{signature} in {tmp_path}/files/{name}"
        for name, signature, _, by_us in _answers(tmp_path, plant, mails)
        if not by_us
    ]
    assert not missed, "\n".join(missed)


def test_what_a_mail_says_of_its_parts_is_not_missed(tmp_path: Path) -> None:
    """Container signatures, by name and size."""
    require_clamscan()
    plant = Planter(random.Random(SEEDS[1]))
    mails = {f"{number:03}.eml": make_mail(plant) for number in range(MAILS)}
    size = len(plant.binary())
    lines = [
        f"D.{number}:CL_TYPE_MAIL:*:{name}:{packed}:{real}:*:0:*:*"
        for number, (name, packed, real) in enumerate(
            [
                *(("a\\.bin", "*", "*"), ("photo\\.gif", "*", "*"), ("two.words\\.doc", "*", "*")),
                *(("\\.bin$", "*", "*"), ("*", size, "*"), ("*", "*", size)),
            ]
        )
    ]
    database = write_database(tmp_path / "database", {"a.cdb": "\n".join(lines) + "\n"})
    target = write_files(tmp_path / "files", mails)
    theirs = ask_clamscan(database, target)
    ours = ask_tocsin(database, target, tmp_path / "cache")
    assert theirs is not None
    assert ours is not None
    assert {f"D.{number}" for number in range(6)} == frozenset().union(*theirs.values())
    missed = {name: theirs[name] - ours[name] for name in mails}
    assert not any(missed.values()), missed
