"""`db build` from files: canonical bytes, whole or not at all, and what lenient leaves out."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest
from signature_samples import MD5, SHA256, WELL_FORMED

from tocsin.database.inspect import gather
from tocsin.database.portable import build_portable, read_portable
from tocsin.database.write import build_database, replace_file
from tocsin.errors import DatabaseError, SignatureError, UsageError
from tocsin.signatures.records import Kind

GOLDEN_SHA256 = "9a2edca7bcfc0a29885481003a7e8013e125c3494ce801c6575d049e0d90d7c1"
FILES = {
    "a.ndb": "# Author: somebody\n# License: CC0-1.0\n" + "\n".join(WELL_FORMED[Kind.BODY]) + "\n",
    "b.ldb": "\r\n".join(WELL_FORMED[Kind.LOGICAL]),
    "c.hsb": f"{SHA256}:68:Test.Sha256\n{SHA256}:68:Test.Sha256\n",
    "d.hdu": f"{MD5}:68:Test.Unwanted\n",
    "e.cdb": "\n".join(WELL_FORMED[Kind.CONTAINER]),
    "f.ign2": "Test.Plain\n",
    "g.yar": 'rule One { strings: $a = "é\\t\\x00" condition: $a }\n'
    "rule Two { condition: false }\n",
    "h.txt": f"{MD5}  some file.exe\n",
    "i.cbc": "ClamBC\n",
    "rules.toml": '["Test.Plain"]\nlevel = "test"\nwhy = "two\\nlines"\n',
}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "rules"
    place.mkdir()
    for name, text in FILES.items():
        (place / name).write_text(text, encoding="utf-8", newline="")
    return place


def paths(folder):
    return [folder / name for name in FILES]


def test_golden(folder, tmp_path):
    """The same bytes on every machine; a change here is a change of what users compare."""
    built = build_database(paths(folder), tmp_path / "o.tdb")
    assert built.sha256 == GOLDEN_SHA256
    assert built.sha256 == hashlib.sha256((tmp_path / "o.tdb").read_bytes()).hexdigest()
    assert built.size == (tmp_path / "o.tdb").stat().st_size


def test_order_and_repetition_of_sources_do_not_show(folder, tmp_path):
    results = set()
    for seed in range(6):
        order = paths(folder) + paths(folder)[:seed]
        random.Random(seed).shuffle(order)
        build_database(order, tmp_path / "o.tdb")
        results.add((tmp_path / "o.tdb").read_bytes())
    assert len(results) == 1


def test_a_folder_stands_for_its_files(folder, tmp_path):
    (folder / "h.txt").unlink()  # a plain list is read when it is named, not in a folder
    build_database([folder], tmp_path / "1.tdb")
    build_database([folder / n for n in FILES if n != "h.txt"], tmp_path / "2.tdb")
    assert (tmp_path / "1.tdb").read_bytes() == (tmp_path / "2.tdb").read_bytes()


def test_a_database_is_a_source(folder, tmp_path):
    build_database(paths(folder), tmp_path / "all.tdb")
    build_database(paths(folder)[:4], tmp_path / "1.tdb")
    build_database(paths(folder)[4:], tmp_path / "2.tdb")
    build_database([tmp_path / "2.tdb", tmp_path / "1.tdb"], tmp_path / "again.tdb")
    assert (tmp_path / "again.tdb").read_bytes() == (tmp_path / "all.tdb").read_bytes()


def test_the_same_is_counted_from_sources_and_from_what_was_built(folder, tmp_path):
    built = build_database(paths(folder), tmp_path / "o.tdb")
    counted = gather([tmp_path / "o.tdb"]).census
    for what in ("kinds", "targets", "sources", "unevaluated", "excepted", "unwanted"):
        assert getattr(counted, what) == getattr(built.content.census, what), what


def test_census(folder):
    census = gather(paths(folder)).census
    assert census.kinds == {
        "body": 5,
        "logical": 7,
        "file-digest": 3,
        "container": 2,
        "ignore": 1,
        "yara": 2,
        "unevaluated": 1,
        "metadata": 1,
    }
    assert census.targets == {0: 6, 1: 4, 2: 1, 5: 1}
    assert census.unevaluated == {"bytecode": 1, "icon groups": 1, "image hashes": 1}
    assert (census.excepted, census.unwanted, census.other_engine) == (1, 1, 0)
    stated = {source.name: source for source in census.sources}
    assert (stated["a.ndb"].author, stated["a.ndb"].licence) == ("somebody", "CC0-1.0")


def test_census_agrees_with_the_index(folder, tmp_path):
    from tocsin.database.cache import open_database

    index = open_database(paths(folder), cache_dir=tmp_path / "cache")
    assert index.unevaluated == dict(gather(paths(folder)).census.unevaluated)


def test_line_ends_and_comments_do_not_show_in_texts(folder):
    records = [r for r in gather(paths(folder)).records if r.kind is Kind.LOGICAL]
    assert {r.text for r in records} == set(WELL_FORMED[Kind.LOGICAL])


# --- malformed sources --------------------------------------------------------------------


def test_malformed_lines_are_refused_with_their_place(folder, tmp_path):
    (folder / "a.ndb").write_text("Good:0:*:616263\nbad\n")
    (tmp_path / "o.tdb").write_text("before")
    with pytest.raises(SignatureError, match=r"^a\.ndb:2: "):
        build_database([folder], tmp_path / "o.tdb")
    assert (tmp_path / "o.tdb").read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.tdb", "rules"]


def test_lenient_leaves_them_out_and_says_so(folder, tmp_path):
    (folder / "a.ndb").write_text("Good:0:*:616263\nbad\nGood.2:0:*:6162\n")
    built = build_database([folder], tmp_path / "o.tdb", lenient=True)
    assert [(p.source, p.line) for p in built.content.problems] == [("a.ndb", 2), ("a.ndb", 3)]
    bodies = [p.record.text for p in read_portable(tmp_path / "o.tdb") if p.record.kind == "body"]
    assert bodies == ["Good:0:*:616263"]


BAD_YARA = """import "pe"
rule Good { strings: $a = "}" $b = { 7d [2-4] 7b } $c = /}\\/{/ condition: any of them }
// rule Commented { condition: $missing }
private rule Bad : tag
{
    condition:
        $missing
}
rule Also_Good { condition: pe.is_pe }
"""


def test_yara_that_does_not_compile_is_refused(tmp_path):
    (tmp_path / "a.yar").write_text(BAD_YARA)
    with pytest.raises(SignatureError, match=r"a\.yar:7"):
        build_database([tmp_path / "a.yar"], tmp_path / "o.tdb")
    assert not (tmp_path / "o.tdb").exists()


def test_lenient_cuts_out_the_rules_that_do_not_compile(tmp_path):
    (tmp_path / "a.yar").write_text(BAD_YARA)
    built = build_database([tmp_path / "a.yar"], tmp_path / "o.tdb", lenient=True)
    assert built.content.census.kinds == {"yara": 2}
    assert [p.reason.partition(":")[0] for p in built.content.problems] == ["rule Bad"]
    (parsed,) = read_portable(tmp_path / "o.tdb")
    assert "Bad" not in parsed.record.text
    assert parsed.record.text.count("\n") == BAD_YARA.count("\n")
    build_database([tmp_path / "o.tdb"], tmp_path / "again.tdb")  # strict: nothing bad is left
    assert (tmp_path / "again.tdb").read_bytes() == (tmp_path / "o.tdb").read_bytes()


def test_lenient_follows_rules_that_need_a_bad_one(tmp_path):
    text = "rule A { condition: $x }\nrule B { condition: A }\nrule C { condition: true }\n"
    (tmp_path / "a.yar").write_text(text)
    built = build_database([tmp_path / "a.yar"], tmp_path / "o.tdb", lenient=True)
    assert built.content.census.kinds == {"yara": 1}


def test_a_file_that_is_no_yara_is_left_out_whole(tmp_path):
    (tmp_path / "a.yar").write_text("this is { no rule")
    (tmp_path / "b.yar").write_text("rule C { condition: true }")
    built = build_database(
        [tmp_path / "a.yar", tmp_path / "b.yar"], tmp_path / "o.tdb", lenient=True
    )
    assert built.content.census.kinds == {"yara": 1}
    assert {p.source for p in built.content.problems} == {"a.yar"}


def test_lenient_cuts_out_what_breaks_the_grammar(tmp_path):
    """YARA-X drops such rules without a word."""
    text = "rule A { condition: true }\nrule B {\ncondition: tru( }\nrule C { condition: true }\n"
    (tmp_path / "a.yar").write_text(text)
    built = build_database([tmp_path / "a.yar"], tmp_path / "o.tdb", lenient=True)
    assert built.content.census.kinds == {"yara": 2}
    assert [(p.source, p.line) for p in built.content.problems] == [("a.yar", 3)]
    build_database([tmp_path / "o.tdb"], tmp_path / "again.tdb")


# --- the file -----------------------------------------------------------------------------


def test_nothing_is_no_database(tmp_path):
    (tmp_path / "a.ndb").write_text("# only a comment\n")
    with pytest.raises(DatabaseError, match="no signature"):
        build_database([tmp_path / "a.ndb"], tmp_path / "o.tdb")
    assert not (tmp_path / "o.tdb").exists()


def test_a_folder_or_device_is_not_replaced(folder, tmp_path):
    for output in (tmp_path, folder):
        with pytest.raises(UsageError):
            build_database([folder], output)
    with pytest.raises(UsageError):
        build_database([folder], Path("/dev/null"))


def test_where_it_cannot_be_written(folder, tmp_path):
    with pytest.raises(DatabaseError, match="cannot be written"):
        build_database([folder], tmp_path / "no" / "such" / "o.tdb")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "o.tdb"
    path.write_text("before")

    def fail(*_):
        raise OSError(28, "No space left on device")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, step, fail)
            with pytest.raises(DatabaseError, match="No space"):
                replace_file(path, b"after")
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]
    replace_file(path, b"after")
    assert path.read_bytes() == b"after"


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        replace_file(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_digest_of_info_is_the_digest_of_build(folder, tmp_path):
    built = build_database([folder], tmp_path / "o.tdb")
    assert hashlib.sha256(build_portable(gather([folder]).records)).hexdigest() == built.sha256
