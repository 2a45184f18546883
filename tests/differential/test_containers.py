"""tocsin against clamscan where containers matter: their kinds, members, nesting, passwords.

Debian's test files are one program in 44 wrappings; rules about every kind of container and
about everything that a container says of a member are held against them, together with
containers of our own that are nested up to four deep.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from differential.explained import CONTAINER_DIFFERENCES
from differential.hosts import CONTAINERS, HEAD, wrap
from differential.oracle import (
    ask_clamscan,
    ask_tocsin,
    require_clamscan,
    write_database,
    write_files,
)
from unpack.unpack_samples import Entry, make_zip, zip_encrypt

TESTFILES = Path("/usr/share/clamav-testfiles")
LAST_RANDOM_BYTE = 10
KINDS = (  # noqa: SIM905
    "ZIP RAR ARJ MSCAB 7Z POSIX_TAR OLD_TAR GZ BZ XZ CPIO_NEWC CPIO_ODC CPIO_OLD CPIO_CRC MAIL "
    "MSOLE2 PDF RTF SIS TNEF MSCHM MSSZDD BINHEX UUENCODED HTML MSEXE ISHIELD_MSI NULSFT AUTOIT "
    "TEXT_ASCII BINARY_DATA SCRENC SWF ANY TEXT_UTF8 MHTML"
).split()
NEEDLE = b"needle!"
BODY = NEEDLE.hex()


def logical(code: str) -> Iterator[str]:
    """Rules for a piece of code in every kind of container, and in every pair of kinds."""
    for kind in KINDS:
        head = f"Engine:81-255,Container:CL_TYPE_{kind}"
        yield f"L.any.in.{kind};{head},Target:0;0;{code}"
        yield f"L.exe.in.{kind};{head},Target:1;0;{code}"
    for outer, inner in itertools.product(KINDS, repeat=2):
        types = f"Intermediates:CL_TYPE_{outer}>CL_TYPE_{inner}"
        yield f"L.in.{outer}.{inner};Engine:81-255,{types},Target:0;0;{code}"


def about_members() -> Iterator[str]:
    """Rules about a member's name, sizes, place and encryption, for every kind."""
    for kind in [*KINDS, "*"]:
        container = kind if kind == "*" else f"CL_TYPE_{kind}"
        yield f"C.any.{kind}:{container}:*:*:*:*:*:*:*:*"
        yield f"C.name.{kind}:{container}:*:clam:*:*:*:*:*:*"
        yield f"C.other-name.{kind}:{container}:*:mussel:*:*:*:*:*:*"
        yield f"C.size.{kind}:{container}:*:*:*:544:*:*:*:*"
        yield f"C.clear.{kind}:{container}:*:*:*:*:0:*:*:*"
        yield f"C.encrypted.{kind}:{container}:*:*:*:*:1:*:*:*"
        yield f"C.small.{kind}:{container}:0-1000:*:*:*:*:*:*:*"
        for place in (1, 2):
            yield f"C.place{place}.{kind}:{container}:*:*:*:*:*:{place}:*:*"
        for low, high in ((1, 200), (200, 300), (300, 350), (350, 400), (400, 545)):
            yield f"C.packed{low}.{kind}:{container}:*:*:{low}-{high}:*:*:*:*:*"


def unexplained(
    database: Path, files: Path, cache: Path
) -> tuple[list[str], dict[str, frozenset[str]]]:
    theirs, ours = ask_clamscan(database, files), ask_tocsin(database, files, cache)
    assert theirs is not None
    assert ours is not None
    found = []
    for file in sorted(theirs):
        for name in sorted(theirs[file] ^ ours[file]):
            if any(known.explains(file, name) for known in CONTAINER_DIFFERENCES):
                continue
            who = "tocsin" if name in ours[file] else "clamscan"
            found.append(f"{file}: only {who}: {name}")
    return found, theirs


def test_kinds_and_members_of_the_test_files(tmp_path: Path) -> None:
    require_clamscan()
    if not TESTFILES.is_dir():
        pytest.skip("Debian's package clamav-testfiles is not installed")
    code = (TESTFILES / "clam.exe").read_bytes()[0x45 : 0x45 + 18].hex()
    rules = {
        "a.ldb": "\n".join(logical(code)) + "\n",
        "a.cdb": "\n".join(about_members()) + "\n",
    }
    database = write_database(tmp_path / "database", rules)
    found, theirs = unexplained(database, TESTFILES, tmp_path / "cache")
    assert sum(map(len, theirs.values())) > 500
    assert not found, "\n".join(found[:40])


def test_nests_of_four(tmp_path: Path) -> None:
    require_clamscan()
    wanted = ("ZIP", "POSIX_TAR", "GZ", "ANY")
    rules = [
        f"I.{'.'.join(types)};Engine:81-255,"
        f"Intermediates:{'>'.join('CL_TYPE_' + name for name in types)},Target:0;0;{BODY}"
        for count in (1, 2, 3, 4)
        for types in itertools.product(wanted, repeat=count)
    ]
    by_type = {container.type_name: container for container in CONTAINERS}
    files = {}
    for count in (1, 2, 3, 4):
        for types in itertools.product(wanted[:3], repeat=count):
            data = HEAD + bytes(40) + NEEDLE + bytes(40)
            for name in reversed(types):
                data = wrap(by_type[name], data)
            files["-".join(types)] = data
    database = write_database(tmp_path / "database", {"a.ldb": "\n".join(rules) + "\n"})
    target = write_files(tmp_path / "files", files)
    found, theirs = unexplained(database, target, tmp_path / "cache")
    assert len(theirs) == 120
    assert not found, "\n".join(found[:40])


def locked_zip(members: dict[str, bytes]) -> bytes:
    """A zip encrypted in the old way with the password `right`.

    clamscan wants two bytes of the checksum before the data, where many writers, like the one
    here, put one: so the data is lengthened until the other is right by chance.
    """
    entries = []
    for name, data in members.items():
        while zlib.crc32(data) >> 16 & 0xFF != LAST_RANDOM_BYTE:
            data += b"\x01"
        packed = zip_encrypt(data, b"right", zlib.crc32(data) >> 24)
        entries.append(Entry(name=name.encode(), data=data, flags=1, method=0, packed=packed))
    return make_zip(entries)


@pytest.mark.parametrize("given", [b"right", b"wrong"])
def test_passwords_of_a_database(given: bytes, tmp_path: Path) -> None:
    require_clamscan()
    data = HEAD + NEEDLE + bytes(40)
    files = {"a.zip": locked_zip({"a": data}), "b.zip": locked_zip({"b": bytes(60), "a": data})}
    rules = {
        "a.ndb": f"N:0:*:{BODY}\n",
        "a.pwdb": f"P;Engine:81-255,Target:0;0;{given.decode()}\n",
        "a.cdb": "C.locked:CL_TYPE_ZIP:*:*:*:*:1:*:*:*\nC.b:CL_TYPE_ZIP:*:b:*:*:*:*:*:*\n",
    }
    database = write_database(tmp_path / "database", rules)
    target = write_files(tmp_path / "files", files)
    found, theirs = unexplained(database, target, tmp_path / "cache")
    assert ("N" in theirs["a.zip"]) is (given == b"right")
    assert not found, "\n".join(found)
