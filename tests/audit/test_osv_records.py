"""OSV records: which versions they are about, from where people have them, held to bounds."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import subprocess
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.audit.model import AdvisoryFinding, Component, Skipped
from tocsin.audit.osv import database
from tocsin.audit.osv.affected import Answer, is_affected
from tocsin.audit.osv.ecosystems import is_of_release
from tocsin.audit.osv.matching import Index, match
from tocsin.audit.osv.record import Affected, Event, Record, decode
from tocsin.audit.osv.versions import distributions, languages, maven, semantic
from tocsin.audit.source import Unreadable


def sign(one: object, other: object) -> int:
    return (one > other) - (one < other)


UPWARDS = {
    semantic.key: "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 "
    "1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.9.0 1.10.0 v2",
    distributions.dpkg: "0~~ 0~ 0 1.0~rc1-1 1.0-1 1.0-1+b1 1.0-1.1 1.0a-1 1.0.1-1 1.10-1 1:0.1-1",
    distributions.rpm: "1.0~rc1-1 1.0-1 1.0^git1-1 1.0.a-1 1.0.1-1 1.0.10-1 1:0-1",
    distributions.apk: "1.0_alpha 1.0_rc1 1.0 1.0-r1 1.0-r10 1.0_git1 1.0_p1 1.0a 1.0.1 1.2 1.10",
    maven.key: "1-alpha 1-beta-2 1-milestone 1-rc1 1-SNAPSHOT 1 1-sp 1-foo 1-1 1.1 1.2 1.10",
    languages.pep440: "1.dev1 1a1 1b1 1rc1 1 1.post1 1.1 1!0",
    languages.nuget: "1.0-alpha 1.0-alpha.1 1.0-beta 1.0 1.0.0.1 1.0.1 1.10",
    languages.packagist: "1.0-dev 1.0-alpha 1.0-alpha2 1.0-beta1 1.0-RC1 1.0 1.0-p1 1.0.1 1.10",
    languages.rubygems: "1.a 1.b1 1.0.rc1 1.0 1.0.1.pre 1.0.1 1.9 1.10",
    languages.numbers: "0 0.1 0.1.1 0.2 0.10 1",
}


@pytest.mark.parametrize("key", UPWARDS, ids=lambda key: f"{key.__module__}.{key.__name__}")
def test_versions_go_upwards(key) -> None:
    row = UPWARDS[key].split()
    for (at, one), (where, other) in itertools.product(enumerate(row), repeat=2):
        assert sign(key(one), key(other)) == sign(at, where), (one, other)


WORDS = st.lists(
    st.sampled_from(["0", "1", "10", "05", "a", "b", "rc", ".", "~", "+", "."]), max_size=6
).map("".join)


@given(row=st.lists(WORDS.map(lambda word: f"1{word}"), min_size=2, max_size=4))
def test_debians_order_is_transitive_and_total(row: list[str]) -> None:
    keys = sorted(map(distributions.dpkg, row))
    assert keys == sorted(keys)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg here")
def test_debians_order_is_dpkgs() -> None:
    row = [
        "1",
        "1.0",
        "1.0-0",
        "1.0-1",
        "1.0~rc1",
        "1.0~",
        "1.0+b",
        "1.0a",
        "1.00",
        "1.01",
        "0:1",
        "1:0",
        "1.0.0",
        "1.0-1~",
    ]
    for one, other in itertools.combinations(row, 2):
        word = {-1: "lt", 0: "eq", 1: "gt"}[
            sign(distributions.dpkg(one), distributions.dpkg(other))
        ]
        done = subprocess.run(["dpkg", "--compare-versions", one, word, other], check=False)
        assert done.returncode == 0, (one, word, other)


@pytest.mark.parametrize(
    ("key", "theirs", "row"),
    [
        (distributions.rpm, "RpmVersion", "1-1 1.0-1 1~a-1 1^a-1 1a-1 1.a-1 1.05-1 1.5-1 1_1-1"),
        (distributions.apk, "AlpineLinuxVersion", "1 1.0 1.01 1.1 1.0a 1.0_rc1 1.0_p2 1-r1 1.0-r2"),
        (maven.key, "MavenVersion", "1 1.0 1-1 1-a1 1-foo 1.foo 1-cr1 1.x 4.1.2.Final 1.0.0-jre"),
        (languages.rubygems, "RubygemsVersion", "1 1.0 1.a 1.0.a 1.0-1 1.0.0.beta2 1.0.b1 1.10"),
        (languages.nuget, "NugetVersion", "1.0 1.0.0 1.0.0.1 1.0-Alpha 1.0-alpha.2 1.0+x"),
        (semantic.key, "SemverVersion", "1.0.0 1.0.0-a.1 1.0.0-a.b 1.0.0-1 1.0.0+x 2.0.0"),
    ],
)  # fmt: skip
def test_orders_are_those_of_univers(key, theirs: str, row: str) -> None:
    oracle = getattr(pytest.importorskip("univers.versions"), theirs)
    for one, other in itertools.combinations(row.split(), 2):
        assert sign(key(one), key(other)) == sign(oracle(one), oracle(other)), (one, other)


@given(word=st.text(max_size=30))
def test_what_is_no_version_raises_nothing_but_that(word: str) -> None:
    for key in UPWARDS:
        try:
            key(word)
        except ValueError:
            continue


def stated(kind: str, *events: dict[str, str], versions: tuple[str, ...] = ()) -> Affected:
    rows = [{"type": kind, "events": list(events)}] if events else []
    record = {"id": "X", "published": "2024-01-01T00:00:00Z", "affected": [
        {"ranges": rows, "versions": list(versions)},
    ]}  # fmt: skip
    (only,) = decode(json.dumps(record).encode()).affected or ()
    return only


BEGIN = {"introduced": "0"}
COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("affected", "version", "answer"),
    [
        (stated("ECOSYSTEM", BEGIN, {"fixed": "1.5"}), "1.4", Answer.YES),
        (stated("ECOSYSTEM", BEGIN, {"fixed": "1.5"}), "1.5", Answer.NO),
        (stated("ECOSYSTEM", BEGIN, {"fixed": "1.5"}), "1.5rc1", Answer.YES),
        (stated("ECOSYSTEM", {"introduced": "1.2"}, {"fixed": "1.5"}), "1.1", Answer.NO),
        (stated("ECOSYSTEM", BEGIN, {"last_affected": "1.5"}), "1.5", Answer.YES),
        (stated("ECOSYSTEM", BEGIN, {"last_affected": "1.5"}), "1.5.1", Answer.NO),
        (stated("ECOSYSTEM", BEGIN, {"limit": "2"}), "1.9", Answer.YES),
        (stated("ECOSYSTEM", BEGIN, {"limit": "2"}), "2", Answer.NO),
        (stated("ECOSYSTEM", BEGIN, {"limit": "*"}), "9", Answer.YES),
        (stated("ECOSYSTEM", {"fixed": "2"}, {"introduced": "3"}, BEGIN), "2.5", Answer.NO),
        (stated("ECOSYSTEM", {"fixed": "2"}, {"introduced": "3"}, BEGIN), "3.5", Answer.YES),
        (stated("ECOSYSTEM", {"introduced": "1"}, {"fixed": "2"}), "odd version", Answer.UNKNOWN),
        (stated("ECOSYSTEM", {"introduced": "1"}, {"fixed": "2"}), "", Answer.UNKNOWN),
        (stated("SEMVER", BEGIN), "", Answer.YES),
        (stated("SEMVER", BEGIN), "odd version", Answer.YES),
        (stated("", versions=("1.0",)), "1.0", Answer.YES),
        (stated("", versions=("1.0",)), "1.0.0", Answer.YES),
        (stated("GIT", {"introduced": COMMIT}), COMMIT, Answer.YES),
        (stated("GIT", BEGIN, {"fixed": COMMIT}), COMMIT, Answer.NO),
        (stated("GIT", BEGIN, {"fixed": COMMIT}), "b" * 40, Answer.UNKNOWN),
        (stated("GIT", BEGIN, {"fixed": COMMIT}, versions=("v1",)), "v1", Answer.YES),
        (stated("GIT", BEGIN, {"fixed": COMMIT}), "1.0", Answer.NO),
        (Affected(), "1", Answer.YES),
    ],
)
def test_whether_a_version_is_affected(affected: Affected, version: str, answer: Answer) -> None:
    assert is_affected(affected, "PyPI", version) is answer


def test_an_order_that_is_not_known_is_said() -> None:
    row = stated("ECOSYSTEM", {"introduced": "1"}, {"fixed": "2"})
    assert is_affected(row, "No Such Ecosystem", "1.5") is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("record", "system", "same"),
    [
        ("12", "12", True), ("12", "12.5", True), ("11", "12", False), ("v3.18", "3.18.4", True),
        ("22.04:LTS", "22.04", True), ("Pro:22.04:LTS", "22.04", True), ("9", "9.4", True),
        ("enterprise_linux:9::baseos", "9", True), ("enterprise_linux:8::baseos", "9", False),
        ("Linux Enterprise Server 15 SP5", "Linux Enterprise Server 15 SP5", True),
    ],
)  # fmt: skip
def test_releases_of_distributions(record: str, system: str, same: bool) -> None:
    assert is_of_release(record, system) is same


def advisory(number: str, ecosystem: str, name: str, *events: dict[str, str], **more) -> bytes:
    row = {"package": {"ecosystem": ecosystem, "name": name}}
    row["ranges"] = [{"type": "ECOSYSTEM", "events": list(events or [BEGIN])}]
    return json.dumps(
        {"id": number, "modified": "2024-02-03T00:00:00Z", "affected": [row], **more}
    ).encode()


RECORDS = {
    "osv/malicious/npm/@bad/thing/MAL-2024-1.json": advisory(
        "MAL-2024-1", "npm", "@bad/thing", summary="Malicious code"),
    "osv/malicious/pypi/some-thing/MAL-0000-x-1.json": advisory(
        "", "PyPI", "Some.Thing", BEGIN, {"fixed": "2.0"}, details="\n\nIt steals.\nMore"),
    "osv/malicious/pypi/other/MAL-2024-3.json": advisory("MAL-2024-3", "PyPI", "other"),
    "osv/withdrawn/pypi/some-thing/MAL-2.json": advisory(
        "MAL-2", "PyPI", "some-thing", withdrawn="2024-01-01T00:00:00Z"),
    "DEBIAN-1.json": advisory("DEBIAN-1", "Debian:12", "openssl", BEGIN, {"fixed": "3.0.11-1"},
        aliases=["CVE-1"], references=[{"type": "ADVISORY", "url": "https://a.example/1"}]),
    "DEBIAN-2.json": advisory("DEBIAN-2", "Debian:13", "openssl"),
    "broken.json": b'{"id": 7',
}  # fmt: skip
COMPONENTS = [
    Component("p", "npm", "@bad/thing", "1.0", "pkg:npm/%40bad/thing@1.0"),
    Component("p", "pypi", "some_thing", "1.0"),
    Component("p", "pypi", "some_thing", "2.0"),
    Component("p", "deb", "libssl3", "3.0.9-1", "pkg:deb/libssl3@3.0.9-1?upstream=openssl"),
    Component("p", "library", "no package", "1"),
]
EXPECTED = [
    ("@bad/thing", "MAL-2024-1", True),
    ("some_thing", "MAL-0000-x-1", True),
    ("libssl3", "DEBIAN-1", False),
]


@pytest.fixture(params=["folder", "archive"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "folder":
        for name, data in RECORDS.items():
            path = tmp_path / "db" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / "db"
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in RECORDS.items():
            archive.writestr(name, data)
    return tmp_path / "all.zip"


def test_components_are_held_against_a_database(place: Path) -> None:
    told = list(match(COMPONENTS, place, "Debian:12"))
    found = [each for each in told if isinstance(each, AdvisoryFinding)]
    assert [
        (each.component.name, each.advisory.id, each.advisory.is_malicious) for each in found
    ] == EXPECTED
    assert [each.place.rpartition("/")[2].rpartition("!")[2] for each in told
            if isinstance(each, Skipped)] == ["broken.json"]  # fmt: skip
    last = found[-1].advisory
    assert (last.aliases, last.fixed, last.link) == (
        ("CVE-1",), ("3.0.11-1",), "https://a.example/1",
    )  # fmt: skip
    assert found[1].advisory.summary == "It steals."
    assert found[1].advisory.published == date(2024, 2, 3)


def test_a_release_that_is_not_told_is_asked_for(place: Path) -> None:
    told = list(match(COMPONENTS, place))
    reasons = [each.reason for each in told if isinstance(each, Skipped)]
    assert any("1 deb packages" in each and "Debian:12" in each for each in reasons)
    assert "DEBIAN-1" not in {e.advisory.id for e in told if isinstance(e, AdvisoryFinding)}


def test_folders_of_packages_that_nobody_asked_for_are_not_opened(tmp_path: Path) -> None:
    for name in ("asked", "other"):
        path = tmp_path / "osv/malicious/pypi" / name / "MAL-1.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"broken")
    index = Index([Component("p", "pypi", "asked", "1")])
    read = list(database.read(tmp_path, index.may_want))
    assert [each.place for each in read] == [str(tmp_path / "osv/malicious/pypi/asked/MAL-1.json")]


def test_a_version_that_is_not_told_is_said() -> None:
    index = Index()
    index.add(decode(advisory("X-1", "PyPI", "a", BEGIN, {"fixed": "2"})))
    (only,) = index.find(Component("p", "pypi", "a"))
    assert isinstance(only, Skipped)
    assert "X-1" in only.reason


def test_archives_are_held_to_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b" " * (database.MOST_BYTES + 10))
        archive.writestr("good.json", RECORDS["DEBIAN-1.json"])
    first, second = database.archive(io.BytesIO(held.getvalue()), "z")
    assert isinstance(first, Skipped)
    assert "more than 32 MB" in first.reason
    assert isinstance(second, Record)
    monkeypatch.setattr(database, "MOST_UNPACKED", 1 << 20)
    (only,) = database.archive(io.BytesIO(held.getvalue()), "z")
    assert "the rest is not read" in only.reason
    for broken in (b"", b"PK\3\4nothing", held.getvalue()[:-40], b"x" * 1000):
        (only,) = database.archive(io.BytesIO(broken), "z")
        assert isinstance(only, Skipped)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_record_or_unreadable(data: bytes) -> None:
    try:
        assert decode(data).id
    except Unreadable:
        return


def test_deep_records_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        decode(b'{"id":"x","x":' + b"[" * 200_000)
    assert Event().introduced is None


@pytest.mark.parametrize(
    ("ecosystem", "listed", "version", "answer"),
    [
        ("PyPI", "1.0.0", "1.0", Answer.YES),
        ("PyPI", "1.0.0rc1", "1.0.0-RC.1", Answer.YES),
        ("NuGet", "1.0.0", "1.0.0.0", Answer.YES),
        ("RubyGems", "1.0", "1.0.0", Answer.YES),
        ("Go", "1.2.3", "v1.2.3", Answer.YES),
        ("npm", "1.0.0", "1.0.1", Answer.NO),
        ("PyPI", "no version", "1.0", Answer.NO),
        ("PyPI", "1.0", "no version", Answer.NO),
    ],
)
def test_a_listed_version_is_the_same_in_other_words(
    ecosystem: str, listed: str, version: str, answer: Answer
) -> None:
    assert is_affected(Affected(versions=[listed]), ecosystem, version) is answer


def test_a_folder_of_exports_is_read(tmp_path: Path) -> None:
    (tmp_path / "npm").mkdir()
    with zipfile.ZipFile(tmp_path / "npm" / "all.zip", "w") as opened:
        opened.writestr("MAL-1.json", '{"id":"MAL-1","modified":"2024-01-01T00:00:00Z"}')
    assert [getattr(each, "id", each) for each in database.read(tmp_path)] == ["MAL-1"]


def test_a_member_that_no_method_unpacks_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("MAL-1.json", '{"id":"MAL-1"}' * 100)
    data = bytearray(path.read_bytes())
    for at in range(60, 75):
        data[at] ^= 0xFF
    path.write_bytes(data)
    (found,) = database.read(path)
    assert isinstance(found, Skipped)


def test_a_version_that_is_not_told_may_be_a_malicious_one() -> None:
    data = (
        b'{"id":"MAL-1","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1.0"]}]}'
    )
    index = Index()
    index.add(decode(data))
    found = list(index.find(Component("here", "npm", "a")))
    assert [type(each) for each in found] == [Skipped]
    assert list(index.undecided) == ["here"]
    assert not list(index.find(Component("there", "npm", "a", "2.0")))
    assert list(index.undecided) == ["here"]
