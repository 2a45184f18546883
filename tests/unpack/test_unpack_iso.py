"""Images of discs: what any of their trees leads to comes out."""

from __future__ import annotations

import pytest
from installer_samples import PAYLOAD
from iso_samples import SECTOR, TEXT, two_trees
from unpack_contract import check_contract

from tocsin.formats.kinds import kinds
from tocsin.unpack import unpacker_of
from tocsin.unpack.interface import Budget, Member, Reason, Skipped


def opened(data: bytes, kind: str) -> list[Member]:
    unpacker = unpacker_of(kind)
    assert unpacker is not None
    return [v for v in unpacker.members(data, Budget(), ()) if isinstance(v, Member)]


def names(data: bytes) -> set[str]:
    found = [kind for kind in kinds(data, "BINARY_DATA") if kind.startswith("ISO9660")]
    return {member.name for kind in found for member in opened(data, kind)}


def test_a_file_that_only_the_primary_tree_leads_to() -> None:
    data = two_trees({"r.txt": TEXT, "a.exe": PAYLOAD}, {"r.txt": TEXT})
    assert names(data) == {"r.txt", "a.exe"}
    (member,) = opened(data, "ISO9660_PRIMARY")
    assert (member.name, member.data, member.complete) == ("a.exe", PAYLOAD, True)


def test_a_file_that_only_joliet_leads_to() -> None:
    assert names(two_trees({"r.txt": TEXT}, {"r.txt": TEXT, "a.exe": PAYLOAD})) == {
        "r.txt",
        "a.exe",
    }


def test_usual_images_give_each_file_once() -> None:
    files = {"r.txt": TEXT, "a.exe": PAYLOAD}
    assert not opened(two_trees(files, files), "ISO9660_PRIMARY")


def test_a_file_beyond_the_end_is_incomplete() -> None:
    data = two_trees({"a.exe": PAYLOAD}, {"r.txt": TEXT})
    unpacker = unpacker_of("ISO9660_PRIMARY")
    assert unpacker is not None
    (item,) = unpacker.members(data[: 22 * SECTOR + 10], Budget(), ())
    assert isinstance(item, Member)
    assert not item.complete


def test_directories_over_one_another_end_and_are_reported() -> None:
    data = bytearray(two_trees({"a.exe": PAYLOAD}, {"r.txt": TEXT}) + bytes(40 * SECTOR))
    rows = bytearray()
    for number in range(48):
        row = bytearray(data[20 * SECTOR : 20 * SECTOR + 34])
        row[2:6] = (20 + number).to_bytes(4, "little")
        row[10:14] = (1 << 20).to_bytes(4, "little")
        row[25] = 2
        rows += row
    data[20 * SECTOR : 20 * SECTOR + len(rows)] = rows
    unpacker = unpacker_of("ISO9660_PRIMARY")
    assert unpacker is not None
    items = list(unpacker.members(bytes(data), Budget(), ()))
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert [item.reason for item in skipped] == [Reason.LIMIT]


@pytest.mark.parametrize("at", range(16 * SECTOR, 21 * SECTOR, 97))
def test_damage_keeps_the_promises(at: int) -> None:
    data = bytearray(two_trees({"r.txt": TEXT, "a.exe": PAYLOAD}, {"r.txt": TEXT}))
    data[at] ^= 0x5A
    check_contract("ISO9660_PRIMARY", bytes(data))
