"""`tocsin db`: exit status, JSON and what people read."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from tocsin.cli.db import command
from tocsin.cli.printable import printable, printable_text
from tocsin.cli.table import format_table
from tocsin.database.write import build_database
from tocsin.errors import TocsinError


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "rules"
    place.mkdir()
    (place / "a.ndb").write_text("Test.One:0:*:6162636465\nTest.Two:8:*:6162636466\n")
    (place / "b.yar").write_text("rule Three { condition: true }\n")
    return place


def call(*arguments, status=0):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if isinstance(result.exception, TocsinError):
        return 2, str(result.exception)  # cli.main.run prints it and ends with 2
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == status, result.output
    return result.exit_code, result.output


def test_build_info_verify(folder, tmp_path):
    output = tmp_path / "o.tdb"
    _, text = call("build", folder, "-o", output)
    assert "3 signatures from 2 sources" in text
    assert "target 8  1" in text
    _, text = call("build", folder, "-o", output, "--json")
    built = json.loads(text)
    assert built["signatures"] == 3
    assert built["unevaluated"] == {"target 8": 1}
    for source in (folder, output):
        _, text = call("info", source, "--json")
        info = json.loads(text)
        assert info["sha256"] == built["sha256"]
        assert info["kinds"] == {"body": 2, "yara": 1}
        assert info["targets"] == {"0": 1, "8": 1}
    _, text = call("info", output)
    assert built["sha256"] in text
    _, text = call("verify", output)
    assert "ok" in text
    output.write_bytes(output.read_bytes()[:-1])
    call("verify", output, status=2)
    _, text = call("verify", output, "--json", status=2)
    assert json.loads(text)[0]["ok"] is False
    status, text = call("info", output)
    assert (status, "truncated" in text) == (2, True)


def test_lenient(folder, tmp_path):
    (folder / "a.ndb").write_text("Test.One:0:*:6162636465\nbad\n")
    status, text = call("build", folder, "-o", tmp_path / "o.tdb")
    assert status == 2
    assert text.startswith("a.ndb:2: ")
    _, text = call("build", "--lenient", folder, "-o", tmp_path / "o.tdb")
    assert "1 signature left out as malformed" in text
    assert "a.ndb:2: " in text


def test_find(folder):
    _, text = call("find", "Test.*", "--db", folder)
    assert "Test.One:0:*:6162636465" in text
    _, text = call("find", "Three", "--db", folder, "--json")
    assert json.loads(text)[0]["text"] == "rule Three { condition: true }"
    call("find", "Nothing", "--db", folder, status=1)
    _, text = call("find", "Nothing", "--db", folder, "--json", status=1)
    assert text.startswith("[]")


def test_the_default_database(tmp_path):
    _, text = call("find", "Tocsin.*", "--json")
    assert len(json.loads(text)) > 5
    call("info")
    _, text = call("explain", "Tocsin.Win.Shellcode.ApiHash32")
    assert "The index looks for" in text


def test_explain(folder):
    _, text = call("explain", "Test.*", "--db", folder)
    assert '"abcde"  (5 bytes)' in text
    assert "not evaluated  target 8" in text
    _, text = call("explain", "Test.One", "--db", folder, "--json")
    assert json.loads(text)[0]["explanation"]["atoms"]
    call("explain", "Nothing", "--db", folder, status=1)


def test_diff(folder, tmp_path):
    build_database([folder], tmp_path / "o.tdb")
    call("diff", folder, tmp_path / "o.tdb")
    (folder / "a.ndb").write_text("Test.One:0:*:6162636467\n")
    _, text = call("diff", tmp_path / "o.tdb", folder, status=1)
    assert "- body            Test.Two" in text
    assert "~ body            Test.One" in text
    _, text = call("diff", tmp_path / "o.tdb", folder, "--text", status=1)
    assert "    + Test.One:0:*:6162636467" in text
    _, text = call("diff", tmp_path / "o.tdb", folder, "--json", status=1)
    assert json.loads(text)["counts"]["body"]["removed"] == 1
    _, text = call("diff", tmp_path / "o.tdb", folder, "--summary", status=1)
    assert "Test.One" not in text


@pytest.mark.parametrize("verb", ["build", "info", "find", "explain", "diff", "verify"])
def test_help_has_examples(verb):
    _, text = call(verb, "--help")
    assert f"tocsin db {verb}" in text


def test_nothing_steers_the_terminal(tmp_path):
    path = tmp_path / "a.ndb"
    path.write_text("Evil\x1b]0;x\x07\u202e:0:*:6162636465\n", encoding="utf-8")
    for verb in ("find", "explain"):
        _, text = call(verb, "Evil*", "--db", path)
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_printable():
    assert printable("a\x1b\n\t\u202e\x9b") == "a\\x1b\\x0a\\x09\\u202e\\x9b"
    assert printable(os.fsdecode(b"a\xff\xc3\xa9")) == "a\\xffé"
    assert printable("\ud800\U000e0001") == "\\ud800\\U000e0001"
    assert printable_text("a\n\tb\x1b\r") == "a\n\tb\\x1b\\x0d"


def test_tables():
    rows = [("a", 1, "x"), ("bbb", 1234, "y")]
    assert format_table(rows, ("Name", "Count", "T"), width=80) == (
        "Name  Count  T\na         1  x\nbbb   1,234  y"
    )
    assert format_table([]) == ""


def test_tables_wrap_and_lose_nothing():
    rows = [("name", "word " * 30), ("x" * 50, "short")]
    text = format_table(rows, width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert text.count("word") == 30
    assert text.count("x") == 50
