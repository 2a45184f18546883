"""Finding by name and comparing two databases."""

from __future__ import annotations

import pytest

from tocsin.database.difference import compare
from tocsin.database.inspect import entries, find, name_pattern
from tocsin.database.write import build_database
from tocsin.errors import DatabaseError

FILES = {
    "a.ndb": "Win.Trojan.Agent-1:0:*:616263\nWin.Trojan.Agent-2:0:*:616264\nbad line\n",
    "b.yar": "rule One { condition: true }\nrule Two { condition: false }\n",
    "c.hdb": "".join(f"{n:032x}:{n + 1}:Many\n" for n in range(3)),
    "d.ndu": "Pua.Thing:0:*:616265\n",
}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "rules"
    place.mkdir()
    for name, text in FILES.items():
        (place / name).write_text(text)
    return place


@pytest.fixture
def built(folder, tmp_path):
    return build_database([folder], tmp_path / "o.tdb", lenient=True).path


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("A.B", "A.B", True),
        ("A.B", "AxB", False),
        ("A.B", "A.Bx", False),
        ("A*", "A", True),
        ("*B*", "ABC", True),
        ("A?C", "ABC", True),
        ("A?C", "AC", False),
        ("[AB]", "A", False),
        ("[AB]", "[AB]", True),
        ("a.b", "A.B", False),
        ("***", "x\ny", True),
    ],
)
def test_patterns(pattern, name, fits):
    assert bool(name_pattern(pattern).fullmatch(name)) == fits


def test_many_stars_do_not_take_long():
    import time

    began = time.perf_counter()
    assert not name_pattern("*a" * 8 + "*b").fullmatch("a" * 60)
    assert time.perf_counter() - began < 5


def found(paths, pattern):
    return [(e.name, e.record.source.name, e.record.line) for e in find(paths, pattern)]


def test_in_sources(folder):
    assert found([folder], "Win.*-2") == [("Win.Trojan.Agent-2", "a.ndb", 2)]
    assert found([folder], "Two") == [("Two", "b.yar", 2)]
    assert len(found([folder], "Many")) == 3
    assert found([folder], "nothing") == []


def test_as_clamscan_prints_it(folder):
    assert len(found([folder], "Win.Trojan.Agent-1.UNOFFICIAL")) == 1


def test_in_a_portable_database(built):
    (entry,) = find([built], "Two")
    assert entry.record.text == "rule Two { condition: false }"
    (entry,) = find([built], "Pua.*")
    assert entry.record.pua
    assert entry.record.source.name == "d.ndu"


def test_every_name(folder, built):
    # The malformed line has no place in the database, but can be found in its source.
    names = sorted(entry.name for entry in entries([built]))
    assert names == sorted(e.name for e in entries([folder]) if e.name != "bad line")


def test_missing(tmp_path):
    with pytest.raises(DatabaseError):
        list(find([tmp_path / "nothing"], "x"))


def test_equal(folder, built, tmp_path):
    (folder / "a.ndb").write_text(FILES["a.ndb"].replace("bad line\n", ""))
    difference = compare([folder], [built])
    assert difference.equal
    assert difference.counts() == {
        "body": {"added": 0, "removed": 0, "changed": 0, "same": 3},
        "file-digest": {"added": 0, "removed": 0, "changed": 0, "same": 1},
        "yara": {"added": 0, "removed": 0, "changed": 0, "same": 2},
    }


def test_differences(folder, built):
    (folder / "a.ndb").write_text("Win.Trojan.Agent-1:0:*:616262\nNew:0:*:616263\n")
    (folder / "b.yar").write_text("rule Two { condition: true }\n")
    (folder / "c.hdb").write_text(FILES["c.hdb"] + f"{77:032x}:9:Many\n")
    (folder / "d.ndu").rename(folder / "d.ndb")  # no longer on request only
    difference = compare([built], [folder])
    assert not difference.equal
    assert [(c.kind, c.name) for c in difference.added] == [("body", "New")]
    assert [(c.kind, c.name) for c in difference.removed] == [
        ("body", "Win.Trojan.Agent-2"),
        ("yara", "One"),
    ]
    assert [(c.kind, c.name, len(c.before), len(c.after)) for c in difference.changed] == [
        ("body", "Pua.Thing", 1, 1),
        ("body", "Win.Trojan.Agent-1", 1, 1),
        ("file-digest", "Many", 0, 1),
        ("yara", "Two", 1, 1),
    ]
    back = compare([folder], [built])
    assert [c.name for c in back.added] == [c.name for c in difference.removed]
