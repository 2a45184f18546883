"""`tocsin rebuild`: a publisher, people who check them, and devices that ask for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tocsin.cli.main import main
from tocsin.errors import TocsinError
from tocsin.transparency.keys import SigningKey
from tocsin.updates.attestation import MOST_LINES, attest, lines_of, with_line
from tocsin.updates.errors import StatementError
from tocsin.updates.layout import source_path
from tocsin.updates.publish.add import add_database
from tocsin.updates.rebuild.compare import compare
from tocsin.version import VERSION
from updates.publish.publisher_kit import CHEAP, START, World

D = [hashlib.sha256(bytes([n])).hexdigest() for n in range(60)]


class Checker:
    """Somebody with a folder of their own who calls the command."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder, self.world = folder, world
        (folder / "config").mkdir(parents=True)
        (folder / "config" / "tocsin.toml").write_text("[updates]\nrebuilders = 0\n")
        self.env = {
            "TOCSIN_CONFIG_DIR": str(folder / "config"),
            "TOCSIN_STATE_DIR": str(folder / "state"),
            "TOCSIN_CACHE_DIR": str(folder / "cache"),
            "TOCSIN_PASSPHRASE": "a passphrase",
            "COLUMNS": "200",
        }
        trust = world.folder / "trust"
        self.call(
            *("update", "trust", "--root", trust / "root.json", "--policy", trust / "policy"),
            *("--mirror", world.repository),
        )

    def result(self, *arguments: object) -> Result:
        return CliRunner().invoke(main, [str(one) for one in arguments], env=self.env)

    def call(self, *arguments: object, status: int = 0) -> str:
        result = self.result(*arguments)
        if isinstance(result.exception, TocsinError):
            assert status == 2, result.exception
            return str(result.exception)
        assert result.exit_code == status, result.output + repr(result.exception)
        return result.output

    def json(self, *arguments: object, status: int = 0) -> dict:
        return json.loads(self.call(*arguments, "--json", status=status))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Six databases, of which the first is offered no more, and what they were made of."""
    made = World(tmp_path_factory.mktemp("rebuild")).begin()
    for number in range(6):
        pinned = made.sources(f"s{number}", *D[number : 40 + number])
        made.later(hours=1)
        add_database(made.session(), pinned, None)
    return made


@pytest.fixture
def checker(world: World, tmp_path: Path) -> Checker:
    return Checker(tmp_path / "checker", world)


def sources_of(world: World, number: int, folder: Path) -> Path:
    """A folder with a copy of what version `number + 1` was made of."""
    folder.mkdir(exist_ok=True)
    data = (world.folder.parent / "sources" / f"s{number}.hsb").read_bytes()
    (folder / "test.hsb").write_bytes(data)
    return folder


def test_the_same_bytes_come_out_of_the_sources(checker: Checker, tmp_path: Path) -> None:
    copies = sources_of(checker.world, 5, tmp_path / "copies")
    said = checker.json("rebuild", 6, "--sources", copies)
    assert said["same"]
    assert said["published_sha256"] == said["rebuilt_sha256"]
    assert said["software"] == {"published": f"tocsin {VERSION}", "rebuilt": f"tocsin {VERSION}"}
    assert said["software_note"] == ""
    assert "the same bytes" in checker.call("rebuild", 6, "--sources", copies)


def test_a_version_that_is_offered_no_more_is_in_the_log(checker: Checker, tmp_path: Path) -> None:
    copies = sources_of(checker.world, 0, tmp_path / "copies")
    offered = [path.name for path in (checker.world.repository / "targets").rglob("*.zst")]
    assert not [name for name in offered if name.endswith(".1.tdb.zst")]
    assert checker.json("rebuild", 1, "--sources", copies)["same"]
    assert "none by the publisher about version 9" in checker.call("rebuild", 9, status=2)


def test_the_repository_may_have_the_sources(checker: Checker) -> None:
    data = (checker.world.folder.parent / "sources" / "s2.hsb").read_bytes()
    place = checker.world.repository / source_path(hashlib.sha256(data).hexdigest())
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    assert checker.json("rebuild", 3)["same"]
    place.write_bytes(data[:-1])
    said = checker.call("rebuild", 3, status=2)  # nobody answers at example.org here
    assert "https://example.org/test.hsb" in said
    assert "--sources" in said
    place.unlink()


def test_what_differs_is_shown(
    checker: Checker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tocsin.app.rebuild as shell

    honest = shell.build_from_sources

    def another(sources, output, **how):  # as a program of another version might
        (name, path), *_ = sources
        fewer = tmp_path / "fewer"
        fewer.write_bytes(path.read_bytes().split(b"\n", 1)[1])
        return honest([(name, fewer)], output, **how)

    monkeypatch.setattr(shell, "build_from_sources", another)
    monkeypatch.setattr(shell, "SOFTWARE", "tocsin 0.0")
    copies = sources_of(checker.world, 5, tmp_path / "copies")
    key = tmp_path / "key"
    SigningKey.generate("r.example").save(key, b"a passphrase", log2_n=CHEAP)
    out = tmp_path / "out"
    how = ("rebuild", 6, "--sources", copies, "--sign", key, "--output", out)
    said = checker.json(*how, status=1)
    assert not said["same"]
    assert (said["difference"]["only_published"], said["difference"]["only_rebuilt"]) == (1, 0)
    assert said["difference"]["examples"][0].startswith("-")
    assert "tocsin 0.0" in said["software_note"]
    assert not out.exists()  # what is not the same is not signed
    assert "NOT the same bytes" in checker.call(*how, status=1)


def test_two_rebuilders_and_a_device_that_asks_for_two(world: World, tmp_path: Path) -> None:
    people = [Checker(tmp_path / name, world) for name in ("alice", "bob")]
    device = Checker(tmp_path / "device", world)
    (device.folder / "config" / "tocsin.toml").write_text("[updates]\nrebuilders = 2\n")
    vkeys, files = [], []
    copies = sources_of(world, 5, tmp_path / "copies")
    for person in people:
        key, out = person.folder / "r.key", person.folder / "6.rebuilds"
        signing = SigningKey.generate(f"{person.folder.name}.example")
        signing.save(key, b"a passphrase", log2_n=CHEAP)
        vkeys.append(signing.verifier.vkey)
        person.call("rebuild", 6, "--sources", copies, "--sign", key, "--output", out)
        files.append(out)
        device.call("update", "trust", "--rebuilder", vkeys[-1])
    at = (START.replace(day=30)).isoformat()
    said = device.call("publish", "rebuilds", world.folder, files[0], status=2)
    assert "by nobody of those you know" in said
    device.call("publish", "rebuilds", world.folder, files[0], "--rebuilder", vkeys[0])
    said = device.call("update", "--at", at, status=2)
    assert "1 of your rebuilders got the same bytes, 2 needed: alice.example" in said
    taken = device.json("publish", "rebuilds", world.folder, files[1], "--rebuilder", vkeys[1])
    assert taken["taken_in"][0]["rebuilders"] == ["bob.example"]
    assert device.json("update", "--at", at)["version"] == 6
    assert "2 of your rebuilders" in json.dumps(device.json("update", "verify"))


def test_an_attestation_of_what_is_not_offered_is_not_taken_in(
    checker: Checker, tmp_path: Path
) -> None:
    key = SigningKey.generate("r.example")
    file = tmp_path / "x.rebuilds"
    file.write_bytes(attest(key, 6, "0" * 64, "0" * 64, "tocsin", START))
    how = ("publish", "rebuilds", checker.world.folder, file, "--rebuilder", key.verifier.vkey)
    assert "which is not offered" in checker.call(*how, status=2)
    file.write_bytes(b"nonsense\n")
    assert "no attestation" in checker.call(*how, status=2)


def test_a_key_says_the_same_once_and_there_is_a_bound() -> None:
    keys = [SigningKey.generate(f"r{n}.example") for n in range(MOST_LINES + 1)]
    lines = [attest(key, 1, "0" * 64, "0" * 64, "tocsin", START) for key in keys]
    data = with_line(with_line(b"", lines[0]), lines[0])
    assert lines_of(data) == [lines[0].rstrip()]
    for line in lines[1:MOST_LINES]:
        data = with_line(data, line)
    with pytest.raises(StatementError, match="already"):
        with_line(data, lines[-1])
    with pytest.raises(StatementError, match="no attestation"):
        with_line(b"", b"nonsense\n")


def test_databases_whose_sources_are_numbered_otherwise_are_compared_by_name(
    tmp_path: Path,
) -> None:
    from tocsin.database.portable import build_portable
    from tocsin.signatures.records import Kind, Record, Source

    def build(name: str, *names: tuple[str, str]) -> Path:
        path = tmp_path / name
        records = [
            Record(Kind.FILE_DIGEST, f"{D[n]}:1:T{n}", Source(source, digest * 64), False, 0, "")
            for n, (source, digest) in enumerate(names)
        ]
        path.write_bytes(build_portable(records))
        return path

    one = build("a", ("x.hsb", "1"), ("y.hsb", "2"))
    two = build("b", ("x.hsb", "3"), ("y.hsb", "2"))
    difference = compare(one, two)
    assert (difference.only_published, difference.only_rebuilt) == (0, 0)
    assert sorted(difference.sources) == [f"+x.hsb {'3' * 64}", f"-x.hsb {'1' * 64}"]
