"""The index holds what was given to it: names, digests, exceptions and what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signature_samples import MD5, SHA256

from tocsin.database.cache import open_database
from tocsin.database.portable import build_portable
from tocsin.database.write import build_database
from tocsin.errors import SignatureError
from tocsin.signatures.clamav.digests import (
    PLAIN_FILE,
    PLAIN_SECTION,
    parse_file_digest,
    parse_section_digest,
)
from tocsin.signatures.records import Kind, Record, Source


@pytest.fixture
def index_of(tmp_path):
    def build(files, **options):
        folder = tmp_path / "rules"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        return open_database(folder, cache_dir=tmp_path / "cache", **options)

    return build


def names(index):
    return sorted(signature[0] for signature in index.signatures())


def test_digests_with_names_sources_and_sizes(index_of):
    index = index_of({"a.hsb": f"{SHA256}:68:One\n{SHA256}:*:Any:73\n", "b.hdu": f"{MD5}:9:Two\n"})
    tables = index.digest_tables("file")
    found = [index.name(o) for o in tables["sha256"].find(bytes.fromhex(SHA256), 68)]
    assert sorted(name.name for name in found) == ["Any", "One"]
    (offset,) = tables["sha256"].find(bytes.fromhex(SHA256), 69)
    assert index.name(offset).name == "Any"
    (offset,) = tables["md5"].find(bytes.fromhex(MD5), 9)
    name = index.name(offset)
    assert (name.name, name.pua, index.sources[name.source].name) == ("Two", True, "b.hdu")
    assert index.digest_tables("allow") == {}


FIELDS = st.sampled_from(
    [MD5, SHA256, SHA256.upper(), "a" * 40, "ab", "*", "68", "0", "1234567890", "-1", "+7", "Name",
     "a b", "#", "", "73", "51", "999", "\r", "\x0b", "\x85"]
)  # fmt: skip


@given(st.lists(st.lists(FIELDS, min_size=1, max_size=5).map(":".join), max_size=6))
def test_a_line_read_in_one_step_says_what_its_parser_says(lines):
    for text in lines:
        for form, parse in ((PLAIN_FILE, parse_file_digest), (PLAIN_SECTION, parse_section_digest)):
            found = form.fullmatch(text)
            if found is None:
                continue
            digest, size, name = found.groups()
            if form is PLAIN_SECTION:
                digest, size = size, digest
            value = parse(text)
            assert (value.digest.hex(), value.name) == (digest.lower(), name)
            assert value.size == (None if size == "*" else int(size))
    each = [found.groups() for found in map(PLAIN_FILE.fullmatch, lines) if found]
    assert PLAIN_FILE.findall("\n".join(lines)) == each


def test_the_same_digests_from_lines_and_from_a_portable_database(index_of, tmp_path):
    lines = [f"{n:064x}:{n % 90 + 1}:Name.{n}" for n in range(300)]
    lines[7] += ":1:300"  # not in the plain form
    lines[9] = f"{9:064x}:*:Any.\\9:73"
    files = {"a.hsb": "".join(line + "\n" for line in lines), "b.msb": f"68:{MD5}:Part\n"}
    index = index_of({**files, "c.ign2": "Name.11\n"})
    build_database([tmp_path / "rules"], tmp_path / "one.tdb")
    other = open_database(tmp_path / "one.tdb", cache_dir=tmp_path / "cache")
    assert index.counts == other.counts
    for each in (index, other):
        table = each.digest_tables("file")["sha256"]
        assert len(table) == 299
        for number in (7, 8, 9, 299):
            (found,) = table.find(number.to_bytes(32, "big"), number % 90 + 1)
            wanted = "Any.\\9" if number == 9 else f"Name.{number}"
            assert each.name(found).name == wanted
        assert not list(table.find((11).to_bytes(32, "big"), 12))
        assert len(each.digest_tables("section")["md5"]) == 1


def test_a_text_with_an_end_of_line_in_it_hides_no_line_that_is_none(tmp_path):
    """It reads as two of them, so that as many are found as there are."""
    two = f"{SHA256}:68:One\n{SHA256[::-1]}:69:Two"
    source = Source("a.hsb", "0" * 64)
    texts = (two, "this is no digest")
    place = tmp_path / "one.tdb"
    place.write_bytes(
        build_portable(Record(Kind.FILE_DIGEST, each, source, False, 0, "") for each in texts)
    )
    with pytest.raises(SignatureError):
        open_database(place, cache_dir=tmp_path / "cache", lenient=False)


def test_exceptions(index_of):
    import hashlib

    line = "Line:0:*:616263"
    index = index_of(
        {
            "a.ndb": f"Kept:0:*:616263\nName:0:*:616263\n{line}\nOther:0:*:616263\n",
            "b.ign2": f"Name\nLine:{hashlib.md5(line.encode()).hexdigest()}\nOther:{MD5}\n",
        }
    )
    assert names(index) == ["Kept", "Other"]


def test_what_is_left_out_is_counted(index_of):
    index = index_of(
        {
            "a.ndb": "Eight:8:*:616263\nOk:0:*:616263\nLater:0:*:616263:999\n",
            "b.ldb": "Icon;Engine:51-255,Target:1,IconGroup1:X;0;616263\n",
            "c.cbc": "ClamBC",
        }
    )
    assert names(index) == ["Ok"]
    assert index.unevaluated == {"target 8": 1, "icon groups": 1, "bytecode": 1}


def test_lenient_problems_are_kept(index_of):
    files = {"a.ndb": "Ok:0:*:616263\nbad\n", "b.yar": "rule A { condition: $x }"}
    index = index_of(files, lenient=True)
    assert len(index.problems) == 2
    with pytest.raises(SignatureError):
        index_of(files)


def test_yara_and_metadata(index_of):
    index = index_of(
        {
            "a.yar": "rule A { condition: true }",
            "rules.toml": '["B"]\nlevel = "test"\n',
            "b.ndb": "B:0:*:61626364",
        }
    )
    assert index.has_yara
    assert [rule.identifier for rule in index.yara_rules()] == ["A"]
    assert index.stated["B"][0] == "test"


def test_every_index_verifies(index_of):
    index = index_of({"a.ndb": "Ok:0:*:61626364\n"})
    index.file.verify()


def test_signatures_without_an_atom_are_always_looked_at(index_of):
    index = index_of({"a.ldb": "A;Engine:51-255,Target:1;0=0;61626364\nB;Target:1;0;61626364\n"})
    (number,) = index.always[1]
    assert index.signature(number)[0] == "A"
