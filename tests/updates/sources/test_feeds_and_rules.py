"""Feeds of digests and archives of rules: read, put in place, kept when something is wrong."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.database.cache import open_database
from tocsin.database.portable import read_header, read_portable
from tocsin.errors import UsageError
from tocsin.signatures.records import Kind as RecordKind
from tocsin.updates.sources import yara_archive, zip_members
from tocsin.updates.sources.catalogue import KNOWN, Kind, SourceSpec, parse_source
from tocsin.updates.sources.digest_feeds import Feed
from tocsin.updates.sources.errors import (
    SourceBusy,
    SourceRefused,
    SourceShrunk,
    SourceTooLarge,
    SourceUntested,
)
from tocsin.updates.sources.fetch import Wishes, fetch_source
from tocsin.updates.sources.state import SourceFolder, read_entries
from updates.sources.sources_kit import Files, require_words, serve


def read_feed(data, name, **stated):
    """The feed and its records, each digest once."""
    feed = Feed(io.BytesIO(data), name, **stated)
    records = {}
    for record in feed.records():
        records.setdefault(record.text.partition(":")[0], record)
    feed.require_digests(len(records))
    return feed, list(records.values())


def read_archive(data, name, **stated):
    """The same from bytes."""
    return yara_archive.read_archive(io.BytesIO(data), name, **stated)


def sha(number):
    return hashlib.sha256(b"%d" % number).hexdigest()


def md5(number):
    return hashlib.md5(b"%d" % number).hexdigest()


BAZAAR = f"""\
################################################################
# MalwareBazaar recent malware samples (CSV)                   #
# Last updated: 2026-11-28 05:00:03 UTC                        #
# Terms Of Use: https://bazaar.example/faq/#tos                #
################################################################
#
# "first_seen_utc","sha256_hash","md5_hash","reporter","file_name","signature","vtpercent"
"2026-11-28 04:58:00", "{sha(1)}", "{md5(1)}", "somebody", "a, ""b"".exe", "AgentTesla", "n/a"
"2026-11-28 04:57:00", "{sha(2)}", "{md5(2)}", "somebody", "n/a", "n/a", "40"
# Number of entries: 2
"""
URLHAUS = f"""\
# URLhaus payloads
# firstseen,url,filetype,md5,sha256,signature
"2026-11-28","http://a.example/x","exe","{md5(3)}","{sha(3)}","Heodo"
"2026-11-28","http://a.example/y","exe","{md5(4)}","","None"
"""


def test_a_feed_in_the_form_of_malwarebazaar():
    feed, records = read_feed(
        BAZAAR.encode(), "malwarebazaar", author="abuse.ch", licence="CC0-1.0"
    )
    assert [record.text for record in records] == [
        f"{sha(1)}:*:malwarebazaar.AgentTesla:73",
        f"{sha(2)}:*:malwarebazaar.{sha(2)[:12]}:73",
    ]
    source = feed.source
    assert source.version.startswith("2026-11-28 05:00:03 UTC")
    assert (source.author, source.sha256) == (
        "abuse.ch",
        hashlib.sha256(BAZAAR.encode()).hexdigest(),
    )


def test_a_feed_in_the_form_of_urlhaus_gives_the_strongest_digest_there_is():
    _, records = read_feed(URLHAUS.encode(), "urlhaus")
    assert [record.text for record in records] == [
        f"{sha(3)}:*:urlhaus.Heodo:73",
        f"{md5(4)}:*:urlhaus.{md5(4)[:12]}:73",
    ]


def test_other_forms():
    plain = f"# License: MIT\n\n{sha(1)}\r\n{sha(2).upper()}  Bad Name\n// no\n{sha(1)}\n"
    feed, records = read_feed(plain.encode(), "list")
    assert [r.text.split(":")[2] for r in records] == [f"list.{sha(1)[:12]}", "Bad_Name"]
    assert feed.source.licence == "MIT"
    headed = f"sha256,malware\n{sha(1)},Evil Name!\n"
    _, (record,) = read_feed(headed.encode(), "x")
    assert record.text == f"{sha(1)}:*:x.Evil_Name:73"
    _, (record,) = read_feed(f'"2026-11-28","{sha(5)}","?"\n'.encode(), "bare")
    assert record.text.startswith(sha(5))


@pytest.mark.parametrize(
    "text",
    ["", "\n# nothing\n", "<html><body>Forbidden</body></html>\n", f"a\nb\n{sha(1)}\n", "\0" * 50],
)
def test_what_is_no_feed(text):
    with pytest.raises(SourceRefused, match="no feed"):
        read_feed(text.encode(), "x")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_a_feed_or_refused(data):
    try:
        _, records = read_feed(data, "x")
    except SourceRefused as error:
        require_words(error)
    else:
        assert records


@given(st.lists(st.tuples(st.integers(1, 50), st.text(max_size=20)), min_size=1, max_size=20))
def test_whatever_a_family_is_called_its_row_is_kept(rows):
    import csv

    buffer = io.StringIO()
    buffer.write('# "sha256_hash","signature"\n')
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    for number, family in rows:
        writer.writerow([sha(number), " ".join(family.split())])
    _, records = read_feed(buffer.getvalue().encode("utf-8", "replace"), "x")
    assert {r.text.split(":")[0] for r in records} == {sha(number) for number, _ in rows}


def test_a_digest_that_comes_again_is_one_signature_whatever_its_family(site, tmp_path):
    rows = "".join(f'"{sha(n % 3)}","Family{n % 5}"\n' for n in range(30))
    site.content["feed.csv"] = b'# "sha256_hash","signature"\n' + rows.encode()
    (row,) = fetch_source(digests_of(site), tmp_path)
    assert row.signatures == 3
    assert [p.value.name for p in read_portable(row.file)] == ["feed.Family0"] * 3


def test_a_line_without_end_is_a_row_without_a_digest():
    text = f"{sha(1)},a\n{sha(2)},{'x' * 300_000}\n{sha(3)},b\n"
    feed, records = read_feed(text.encode(), "x")
    assert ([r.text.partition(":")[0] for r in records], feed.skipped) == ([sha(1), sha(3)], 1)


# --- rules --------------------------------------------------------------------------------


def rule(name, text="needle"):
    return f'rule {name} {{ strings: $a = "{text}" condition: $a }}\n'


def forge(*names, extra=()):
    head = "/*\n * YARA-Forge\n * Creation Date: 2026-11-23\n * License: see each rule\n */\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        rules = head + "".join(map(rule, names))
        archive.writestr("packages/core/yara-rules-core.yar", rules)
        for name, data in extra:
            archive.writestr(name, data)
    return buffer.getvalue()


def test_an_archive_in_the_layout_of_yara_forge():
    data = forge("A", "B", extra=[("README.md", "x"), ("other/c.yar", rule("C"))])
    found = read_archive(data, "yara-forge-core", licence="various")
    assert (found.rules, found.left_out, found.version) == (2, 0, "2026-11-23")
    (record,) = found.records
    assert record.kind is RecordKind.YARA
    assert record.source.name == "yara-forge-core/packages/core/yara-rules-core.yar"


def test_rules_that_do_not_compile_are_counted():
    broken = "rule Broken { condition: nothing.known }\n"
    found = read_archive((rule("A") + broken).encode(), "x")
    assert (found.rules, found.left_out) == (1, 1)
    with pytest.raises(SourceRefused, match="none of its"):
        read_archive(broken.encode(), "x")


@pytest.mark.parametrize("data", [b"", b"no rules", b"PK\x03\x04 damaged", forge()])
def test_what_holds_no_rules(data):
    with pytest.raises(SourceRefused):
        read_archive(data, "x")


def test_an_archive_that_unpacks_without_end(monkeypatch):
    monkeypatch.setattr(zip_members, "LARGEST_MEMBER", 10_000)
    with pytest.raises(SourceTooLarge):
        read_archive(forge("A", extra=[("z.yar", "x" * 20_000)]), "x")
    monkeypatch.setattr(zip_members, "MOST_ENTRIES", 1)
    with pytest.raises(SourceTooLarge):
        read_archive(forge("A", extra=[("z.yar", rule("Z"))]), "x")


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_archive_is_read_or_refused(place, value):
    data = bytearray(forge("A"))
    data[place % len(data)] = value
    try:
        found = read_archive(bytes(data), "x")
    except SourceRefused as error:
        require_words(error)
    else:
        assert found.rules


# --- into the folder ----------------------------------------------------------------------


@pytest.fixture
def site():
    with serve(Files()) as files:
        yield files


def digests_of(site, path="feed.csv"):
    return SourceSpec("feed", Kind.DIGESTS, f"{site.url}/{path}", "abuse.ch", "CC0-1.0")


def feed_of(*numbers):
    rows = "".join(f'"{sha(n)}","Family"\n' for n in numbers)
    return ('# Last updated: 2026-11-28\n# "sha256_hash","signature"\n' + rows).encode()


def test_a_feed_becomes_a_database_that_the_engine_opens(site, tmp_path):
    site.content["feed.csv"] = feed_of(1, 2, 3)
    (row,) = fetch_source(digests_of(site), tmp_path)
    assert (row.signatures, row.changed, row.version) == (3, True, "2026-11-28")
    (source,) = read_header(row.file).sources
    assert (source.name, source.author, source.licence) == ("feed", "abuse.ch", "CC0-1.0")
    entry = read_entries(tmp_path)["feed"]
    assert entry.sha256 == source.sha256 == hashlib.sha256(site.content["feed.csv"]).hexdigest()
    assert entry.url == site.url + "/feed.csv"
    index = open_database([tmp_path], cache_dir=tmp_path / "cache")
    assert sum(index.counts.values()) == 3


def test_rules_become_a_database_too(site, tmp_path):
    site.content["r.zip"] = forge("A", "B")
    (row,) = fetch_source(SourceSpec("rules", Kind.YARA, f"{site.url}/r.zip"), tmp_path)
    assert row.signatures == 2
    assert [p.record.kind for p in read_portable(row.file)] == [RecordKind.YARA]


def test_a_feed_in_a_zip(site, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("full.csv", feed_of(1, 2))
    site.content["feed.csv"] = buffer.getvalue()
    (row,) = fetch_source(digests_of(site), tmp_path)
    assert row.signatures == 2


def test_what_has_not_changed_is_not_fetched(site, tmp_path):
    site.content["feed.csv"] = feed_of(1, 2, 3)
    fetch_source(digests_of(site), tmp_path)
    (row,) = fetch_source(digests_of(site), tmp_path)
    assert (row.changed, row.signatures) == (False, 3)
    assert "If-None-Match" in site.seen[-1][1]
    site.etags = False
    (row,) = fetch_source(digests_of(site), tmp_path)
    assert not row.changed


def test_half_of_it_gone_is_refused_unless_told(site, tmp_path):
    site.content["feed.csv"] = feed_of(*range(10))
    (row,) = fetch_source(digests_of(site), tmp_path)
    before = row.file.read_bytes()
    site.content["feed.csv"] = feed_of(1, 2, 3, 4)
    with pytest.raises(SourceShrunk, match=r"4 signatures where there were 10"):
        fetch_source(digests_of(site), tmp_path)
    assert row.file.read_bytes() == before
    assert read_entries(tmp_path)["feed"].signatures == 10
    (row,) = fetch_source(digests_of(site), tmp_path, Wishes(allow_shrink=True))
    assert row.signatures == 4
    site.content["feed.csv"] = feed_of(1, 2)
    (row,) = fetch_source(digests_of(site), tmp_path)
    assert row.signatures == 2


def test_whatever_fails_the_old_one_stays(site, tmp_path):
    site.content["feed.csv"] = feed_of(1, 2, 3)
    (row,) = fetch_source(digests_of(site), tmp_path)
    before = row.file.read_bytes()

    def fails(path):
        raise SourceUntested("no")

    site.content["feed.csv"] = feed_of(1, 2, 3, 4)
    with pytest.raises(SourceUntested):
        fetch_source(digests_of(site), tmp_path, test=fails)
    site.content["feed.csv"] = b"<html>"
    with pytest.raises(SourceRefused):
        fetch_source(digests_of(site), tmp_path)
    assert row.file.read_bytes() == before
    assert not [p for p in (tmp_path / ".sources.work").iterdir() if p.suffix == ".tdb"]


def test_what_a_run_that_was_ended_left_behind_is_removed(site, tmp_path):
    site.content["feed.csv"] = feed_of(1, 2, 3)
    fetch_source(digests_of(site), tmp_path)
    left = tmp_path / ".sources.work" / ".scratch-x"
    (left / "members").mkdir(parents=True)
    (left / "members" / "main.hsb").write_bytes(b"x")
    (row,) = fetch_source(digests_of(site), tmp_path)
    assert not row.changed
    assert list((tmp_path / ".sources.work").iterdir()) == []


def test_one_process_at_a_time(site, tmp_path):
    with SourceFolder(tmp_path), pytest.raises(SourceBusy):
        fetch_source(digests_of(site), tmp_path)


# --- what a user writes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("yara:https://h.example/a/My%20Rules.zip", "my-20rules", Kind.YARA),
        ("digests:http://h.example/export/", "export", Kind.DIGESTS),
        ("mine=digests:https://h.example/x.csv?key=1", "mine", Kind.DIGESTS),
        ("clamav:https://mirror.example/clamav", "clamav", Kind.CLAMAV),
        ("digests:https://h.example", "h.example", Kind.DIGESTS),
    ],
)
def test_sources_as_they_are_written(text, name, kind):
    spec = parse_source(text)
    assert (spec.name, spec.kind) == (name, kind)


def test_sources_that_have_a_name():
    assert {parse_source(name).kind for name in KNOWN} == set(Kind)


@pytest.mark.parametrize(
    "text", ["", "nothing", "yara:", "yara:file:///etc/passwd", "ftp:https://x", "yara:https://"]
)
def test_what_is_no_source(text):
    with pytest.raises(UsageError):
        parse_source(text)
