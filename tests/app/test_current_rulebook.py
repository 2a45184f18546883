"""Which rulebook is in use: the newest edition, with the user's own files, never a broken one."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tocsin.app.law import PACKAGED, current_rulebook
from tocsin.app.law_editions import MOST_ABOUT_ONE, MOST_MARKS, packaged_number, try_edition
from tocsin.errors import LawError
from tocsin.jurisdiction.folder import BrokenRulebook, packaged, read_folder
from tocsin.jurisdiction.model import Edition
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.updates.receive.state_records import Installed, Received
from tocsin.updates.receive.state_rulebook import RulebookState

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TOCSIN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    return tmp_path


def book(number: int) -> Rulebook:
    """The packaged rules as another edition."""
    held = read_folder(packaged())
    edition = msgspec.structs.replace(held.edition, number=number)
    return Rulebook(held.instruments.values(), held.suppliers.values(), edition)


def install(place: Path, number: int, data: bytes, *, says: int | None = None) -> Path:
    """Put an edition in use, as an update does."""
    state = RulebookState(place / "state" / "updates" / "rulebook")
    state.begin()
    half = state.folder / "half"
    half.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    how = Received(says or number, sha256, len(data), NOW, NOW, "here", "full", 1)
    state.store_version(half, b"entry", b"proof", how)
    state.keep_installed(Installed(number, (), 0, number))
    return state.database(number)


def own(place: Path, name: str, text: str) -> Path:
    path = place / "config" / "law" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


SUPPLIER = 'id = "mine"\nname = "Mine Ltd"\n'


def test_without_anything_else_it_is_the_packaged_one() -> None:
    found = current_rulebook()
    assert found.origin.base == PACKAGED
    assert found.origin.number == found.book.edition.number == packaged_number()
    assert found.origin.line() == f"edition {packaged_number()}, as it comes with this tocsin"
    assert not found.origin.trouble
    assert not os.path.exists(os.environ["TOCSIN_STATE_DIR"])  # nothing is made by asking


def test_the_higher_number_is_used_and_the_packaged_one_where_they_are_the_same(
    place: Path,
) -> None:
    same = packaged_number()
    install(place, same, book(same).to_bytes())
    assert current_rulebook().origin.base == PACKAGED
    file = install(place, same + 4, book(same + 4).to_bytes())
    found = current_rulebook()
    assert (found.origin.number, found.book.edition.number) == (same + 4, same + 4)
    assert (found.origin.place, found.origin.received) == (file, NOW)
    assert found.origin.line() == f"edition {same + 4}, verified on 2026-11-29"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "not there any more"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "changed since it came"),
        (lambda path: path.write_bytes(b"{}"), "changed since it came"),
        (lambda path: (path.parent / "received.json").unlink(), "missing"),
        (lambda path: (path.parent / "received.json").write_bytes(b"\xff"), "damaged"),
        (lambda path: (path.parents[2] / "installed.json").write_text("[]"), "damaged"),
    ],
)
def test_one_that_is_damaged_is_said_and_the_packaged_one_is_used(
    place: Path, harm: object, said: str
) -> None:
    harm(install(place, 9, book(9).to_bytes()))  # type: ignore[operator]
    found = current_rulebook()
    assert found.origin.base == PACKAGED
    assert said in found.origin.trouble
    assert found.origin.trouble.endswith("; the packaged rulebook is")


def test_one_that_is_none_or_another_is_not_used_whatever_was_noted(place: Path) -> None:
    for data in (b"{}", book(8).to_bytes()):
        install(place, 9, data)
        found = current_rulebook()
        assert (found.origin.base, bool(found.origin.trouble)) == (PACKAGED, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another user")
def test_one_that_this_user_may_not_read_is_said(place: Path) -> None:
    install(place, 9, book(9).to_bytes())
    for above in (place, *place.parents[:-2]):
        above.chmod(0o755)
    (place / "state" / "updates").chmod(0o700)
    os.seteuid(54_321)
    try:
        found = current_rulebook()
    finally:
        os.seteuid(0)
    assert found.origin.base == PACKAGED
    assert "is not for this user to read" in found.origin.trouble


def test_the_users_own_files_are_joined_to_whichever_it_is(place: Path) -> None:
    path = own(place, "suppliers/mine.toml", SUPPLIER)
    found = current_rulebook()
    assert found.origin.own == (path,)
    assert found.book.supplier("Mine Ltd").id == "mine"
    assert found.origin.line().endswith(", and a file of your own")
    install(place, 9, book(9).to_bytes())
    assert {"mine", "kaspersky"} <= current_rulebook().book.suppliers.keys()
    own(place, "suppliers/other.toml", SUPPLIER.replace("mine", "other"))
    assert current_rulebook().origin.line() == (
        "edition 9, verified on 2026-11-29, and 2 files of your own"
    )


def test_mistakes_in_the_users_own_files_are_not_passed_over(place: Path) -> None:
    own(place, "suppliers/mine.toml", 'id = "mine"\nnam = "Mine Ltd"\n')
    with pytest.raises(BrokenRulebook, match=r"mine\.toml:2: .*nam"):
        current_rulebook()
    own(place, "suppliers/mine.toml", SUPPLIER)
    own(place, "suppliers/kaspersky.toml", SUPPLIER.replace("mine", "kaspersky"))
    with pytest.raises(LawError, match="has a 'kaspersky'"):
        current_rulebook()


def test_the_settings_say_where_updates_are(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(place, 9, book(9).to_bytes())
    monkeypatch.delenv("TOCSIN_STATE_DIR")
    (place / "config").mkdir()
    settings = place / "config" / "tocsin.toml"
    settings.write_text(f'[daemon]\nstate = "{place / "state"}"\n')
    assert current_rulebook().origin.number == 9


# --- what an edition must stand before it is used -----------------------------------------


def test_the_packaged_edition_passes_its_own_trial() -> None:
    held = read_folder(packaged())
    facts = try_edition(held.to_bytes())
    assert facts.counts["rules"] == len(held.rules) == len(facts.rules)
    assert (facts.version, facts.checked) == (held.edition.number, held.edition.checked)


def test_more_rules_about_one_supplier_than_can_be_held_against_each_other() -> None:
    held = read_folder(packaged())
    one = held.instruments["de-bsi-2022"]
    many = [
        msgspec.structs.replace(one, id=f"x-{number}")
        for number in range(MOST_ABOUT_ONE // len(one.rule) + 1)
    ]
    edition = Edition(number=9, checked=held.edition.checked)
    with pytest.raises(LawError, match="at most 500 are used"):
        try_edition(Rulebook(many, held.suppliers.values(), edition).to_bytes())


def test_more_marks_than_a_device_takes() -> None:
    held = read_folder(packaged())
    one = held.suppliers["kaspersky"]
    many = msgspec.structs.replace(one, marker=(), affiliate=one.affiliate[:1] * (MOST_MARKS + 1))
    book = Rulebook(held.instruments.values(), [many], Edition(number=9, checked=NOW.date()))
    with pytest.raises(LawError, match="at most 10,000 fit"):
        try_edition(book.to_bytes())
