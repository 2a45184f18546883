"""Files, archives and images are looked into by confined workers, and what they say is bounded."""

from __future__ import annotations

import gzip
import os
import plistlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.program_samples import (
    KASPERSKY_STRINGS,
    android_manifest,
    dex,
    docker_archive,
    elf,
    identity,
    oci_layout,
    pe,
    signed,
    tarred,
    tlv,
    with_signing_block,
    zipped,
)
from engine.engine_samples import isolation
from tocsin.audit import confined, wire
from tocsin.audit.interface import Reader
from tocsin.audit.look import LIMITS, Look
from tocsin.audit.matching import Matcher, confidence
from tocsin.audit.model import Component, Skipped, Trace
from tocsin.database.cache import open_database
from tocsin.database.index import Index
from tocsin.engine import confinement, worker_process
from tocsin.engine.messages import MemberAnswer
from tocsin.engine.options import Options
from tocsin.errors import ScanError
from tocsin.jurisdiction.folder import packaged, read_folder
from tocsin.jurisdiction.vocabulary import MarkerKind

BOOK = Matcher(read_folder(packaged()).suppliers.values())
DAY = date(2024, 9, 29)
STATUS = b"Package: kesl\nVersion: 11\n\nPackage: dash\nVersion: 0.5\n"


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in isolation(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    folder = tmp_path / "signatures"
    folder.mkdir()
    (folder / "a.ndb").write_text("Test.Needle:0:*:746f6373696e2d6e6565646c652d6f6e65\n")
    return open_database(folder)


def packages(data: bytes, place: str) -> Iterator[Component | Skipped]:
    for block in data.decode().split("\n\n"):
        name, version = (line.partition(": ")[2] for line in block.strip().split("\n"))
        yield Component(place, "deb", name, version)


def recognise(name: str, head: bytes) -> Reader | None:
    """A stand-in for `audit.recognise`, which is another room's."""
    del head
    return packages if name.endswith("var/lib/dpkg/status") else None


class Looked:
    """What came of looking into files."""

    def __init__(self, found: Iterable[Component | Skipped], folder: Path) -> None:
        self.components: dict[str, Component] = {}
        self.skipped: dict[str, str] = {}
        for each in found:
            place = each.place.removeprefix(f"{folder}/")
            if isinstance(each, Skipped):
                self.skipped[place] = each.reason
            else:
                self.components[f"{place}#{each.name}"] = each

    def sure(self) -> dict[str, float]:
        """How sure it is of each place that it is the supplier's."""
        found = {place: BOOK.matches(each, DAY) for place, each in self.components.items()}
        return {place: confidence(each["kaspersky"]) for place, each in found.items() if each}


def look(
    index: Index, folder: Path, files: dict[str, bytes], options: Options | None = None
) -> Looked:
    place = folder / "files"
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    looking = Look(index, BOOK.interests(), recognise, options, jobs=2)
    found = list(looking.run(str(place / name) for name in files))
    assert looking.files == len(files)
    return Looked(found, place)


def test_each_sample_is_found_where_it_is(index: Index, tmp_path: Path) -> None:
    app = {
        "AndroidManifest.xml": android_manifest("org.example.bank"),
        "classes.dex": dex(("org.example.Main", "com.kavsdk.Scanner")),
    }
    own = {"AndroidManifest.xml": android_manifest("com.kaspersky.security")}
    looked = look(
        index,
        tmp_path,
        {
            "signed.exe": pe(KASPERSKY_STRINGS),
            "clean.exe": pe({"CompanyName": "Somebody"}),
            "bank.apk": zipped(app),
            "own.apk": with_signing_block(zipped(own), identity("AO Kaspersky Lab")),
            "lib.so": elf(comment=b"\0Kaspersky Lab\0"),
            "deep.tar.gz": gzip.compress(
                tarred({"a/b.zip": zipped({"c/d.exe": pe(KASPERSKY_STRINGS)})})
            ),
            "words.txt": b"Kaspersky Lab, AO Kaspersky Lab, kaspersky.com\n" * 99,
            "empty": b"",
        },
    )
    assert looked.skipped == {}
    assert looked.sure() == {
        "signed.exe#An endpoint product": 0.95,
        "bank.apk!classes.dex#com.kavsdk": pytest.approx(0.675),
        "own.apk#com.kaspersky.security": 1.0,
        "lib.so#lib.so": 0.3,
        "deep.tar.gz!deep.tar!a/b.zip!c/d.exe#An endpoint product": 0.95,
    }


@pytest.mark.parametrize("image", [docker_archive, oci_layout])
def test_files_of_an_image_are_found_in_their_layers(
    index: Index, tmp_path: Path, image: object
) -> None:
    first = {"./var/lib/dpkg/status": STATUS, "opt/k/kav.exe": pe(KASPERSKY_STRINGS)}
    second = {"var/lib/dpkg/status": STATUS + b"\nPackage: vim\nVersion: 9\n"}
    data = image(first, second)  # type: ignore[operator]
    looked = look(index, tmp_path, {"image.tar": data})
    assert looked.skipped == {}
    plain = {
        place.replace(place.split("!")[1].split(" (")[1], "…"): each
        for place, each in looked.components.items()
    }
    names = sorted(place.rpartition("(…")[2] or place for place in plain)
    layers = sorted(place.split("!")[1].split(" (")[0] for place in looked.components)
    assert len(names) == 4
    assert layers == ["layer 1", "layer 1", "layer 1", "layer 2"]  # the second tells vim alone
    sure = looked.sure()
    assert sorted(place.rpartition("!")[2] for place in sure) == [
        "opt/k/kav.exe#An endpoint product",
        "var/lib/dpkg/status#kesl",
    ]


def test_names_of_any_bytes_lead_back_to_their_files(index: Index, tmp_path: Path) -> None:
    members = {"line\nbreak!x/var/lib/dpkg/status": STATUS, "é/\x1b[31m.exe": pe(KASPERSKY_STRINGS)}
    looked = look(index, tmp_path, {"caf\udce9 !\n.tar": tarred(members)})
    assert looked.skipped == {}
    assert set(looked.components) == {
        "caf\udce9 !\n.tar!line\nbreak!x/var/lib/dpkg/status#kesl",
        "caf\udce9 !\n.tar!line\nbreak!x/var/lib/dpkg/status#dash",
        "caf\udce9 !\n.tar!é/\x1b[31m.exe#An endpoint product",
    }


def test_what_could_not_be_looked_at_is_said(index: Index, tmp_path: Path) -> None:
    cut = zipped({"a.exe": pe(KASPERSKY_STRINGS), "b.exe": pe()})
    limits = LIMITS._replace(max_file_size=100_000)
    looked = look(
        index,
        tmp_path,
        {
            "cut.zip": cut[: len(cut) // 3],
            "large.bin": bytes(200_000),
            "broken.so": b"\x7fELF\2\1\1" + bytes(50),
            "large.zip": zipped({"x": os.urandom(90_000), "y": bytes(200_000)}),
        },
        Options(limits=limits),
    )
    assert set(looked.skipped) >= {"large.bin", "broken.so", "large.zip!y"}
    assert any(place.startswith("cut.zip") for place in looked.skipped)
    assert "limit" in looked.skipped["large.bin"]
    (tmp_path / "files" / "gone").symlink_to("/nowhere")
    looking = Look(index, BOOK.interests(), recognise)
    (missing,) = looking.run([str(tmp_path / "files" / "gone")])
    assert isinstance(missing, Skipped)
    assert "cannot be opened" in missing.reason


def test_a_worker_that_dies_costs_its_file_alone(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = confined.Looker.look

    def dying(self: confined.Looker, scanner: object, name: str, data: bytes) -> object:
        yield from whole(self, scanner, name, data)  # type: ignore[arg-type]
        if data.startswith(b"die"):
            os._exit(3)

    monkeypatch.setattr(confined.Looker, "look", dying)
    looked = look(index, tmp_path, {"a": b"die now", "b.exe": pe(KASPERSKY_STRINGS)})
    assert list(looked.components) == ["b.exe#An endpoint product"]
    assert "without an answer" in looked.skipped["a"]


def test_a_worker_that_says_nonsense_costs_its_file_alone(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = confined.Looker.__call__

    def lying(self: confined.Looker, scanner: object, name: str, data: bytes) -> Iterator[bytes]:
        if data.startswith(b"lie"):
            yield msgspec.msgpack.encode([["c", "", "k" * 65, "", "", "", [], None, None, ""]])
        yield from whole(self, scanner, name, data)  # type: ignore[arg-type]

    monkeypatch.setattr(confined.Looker, "__call__", lying)
    looked = look(index, tmp_path, {"a": b"lie now", "b.exe": pe(KASPERSKY_STRINGS)})
    assert list(looked.components) == ["b.exe#An endpoint product"]
    assert "made no sense" in looked.skipped["a"]


def test_a_worker_that_answers_another_question_costs_its_file_alone(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def member(data: bytes, number: int) -> MemberAnswer:
        del data
        return MemberAnswer([b"x"], "ZIP", "", 0, 0, 0, False, "", b"", None, number)

    monkeypatch.setattr(worker_process, "PieceAnswer", member)
    looked = look(index, tmp_path, {"b.exe": pe(KASPERSKY_STRINGS)})
    assert looked.components == {}
    assert "another question" in looked.skipped["b.exe"]


def test_a_reader_that_fails_costs_its_member_alone(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(data: bytes, place: str) -> Iterator[Component | Skipped]:
        raise ZeroDivisionError(f"{place} {len(data)}")
        yield

    monkeypatch.setitem(globals(), "packages", failing)
    members = {"var/lib/dpkg/status": STATUS, "k.exe": pe(KASPERSKY_STRINGS)}
    looked = look(index, tmp_path, {"a.tar": tarred(members)})
    assert list(looked.components) == ["a.tar!k.exe#An endpoint product"]
    assert "defect" in looked.skipped["a.tar!var/lib/dpkg/status"]


def test_parsing_is_confined_as_a_scan_is(index: Index, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pe())
    looking = Look(index, BOOK.interests(), recognise)
    assert list(looking.run([str(tmp_path / "x")]))
    assert {"rlimits", "seccomp"} <= set(looking.confined_by)


def test_a_worker_that_can_open_no_path_reads_the_same(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries that a list of properties or a signature needs are asked for."""
    whole = confinement.Policy
    monkeypatch.setattr(confinement, "Policy", lambda **fields: whole(**fields, sealed=True))
    listed = plistlib.dumps({"CFBundleIdentifier": "com.kaspersky.a"})
    looked = look(
        index,
        tmp_path,
        {
            "a.ipa": zipped({"Payload/A.app/Info.plist": listed}),
            "a.cat": signed(identity("AO Kaspersky Lab"), tlv(0x30, tlv(4, b"digests"))),
        },
    )
    assert looked.skipped == {}
    assert looked.sure() == {"a.ipa#a.ipa": 0.95, "a.cat#a.cat": 1.0}


def test_databases_of_scanners_are_no_findings(index: Index, tmp_path: Path) -> None:
    """They hold every supplier's name; they are no programs, and lists in them are no packages."""
    book = Path(str(packaged())) / "suppliers" / "kaspersky.toml"
    names = b"Win.Trojan.Kaspersky Lab:0:*:6b61\nhttp://dnl.kaspersky-labs.com/x\n" * 50
    program = elf(text=b"\0".join([b"", *names.split(b"\n")]))
    looked = look(
        index,
        tmp_path,
        {
            "kaspersky.toml": book.read_bytes(),
            "main.ndb": names,
            "daily.cud": b"ClamAV-VDB:1:2".ljust(512) + gzip.compress(tarred({"daily.ndb": names})),
            "libscanner.so": program,
        },
    )
    sure = looked.sure()
    assert list(sure) == ["libscanner.so#libscanner.so"]
    assert max(sure.values()) < 0.5


# --- what passes between --------------------------------------------------------------------

WORDS = st.text(max_size=30)
COMPONENTS = st.builds(
    Component,
    WORDS.map("/p".__add__),
    WORDS,
    WORDS,
    WORDS,
    WORDS,
    st.lists(st.builds(Trace, st.sampled_from(list(MarkerKind)), WORDS, WORDS), max_size=4).map(
        tuple
    ),
    st.none() | st.booleans(),
    st.none() | st.dates(),
    WORDS,
)
FOUND = st.lists(COMPONENTS | st.builds(Skipped, WORDS.map("/p".__add__), WORDS), max_size=9)


@settings(max_examples=40)
@given(FOUND)
def test_what_is_said_is_what_is_heard(found: list[Component | Skipped]) -> None:
    heard = [each for piece in wire.pack(found, "/p") for each in wire.read(piece, "/p")]
    assert heard == found


def test_much_comes_in_many_pieces() -> None:
    found = [Component(f"/p!{number}", "deb", "n" * 1900) for number in range(1000)]
    pieces = list(wire.pack(found, "/p"))
    assert len(pieces) > 4
    assert max(map(len, pieces)) < 1 << 20
    assert [each for piece in pieces for each in wire.read(piece, "/p")] == found


@given(st.binary(max_size=200))
def test_any_bytes_are_found_things_or_refused(data: bytes) -> None:
    with suppress(ScanError):
        assert isinstance(wire.read(data, "/p"), list)
