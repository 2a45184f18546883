"""ClamAV's databases, from servers that serve what its CDN serves."""

from __future__ import annotations

import io
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.signatures.clamav import cvd
from tocsin.updates.sources.catalogue import KNOWN
from tocsin.updates.sources.clamav import Options
from tocsin.updates.sources.clamav_headers import find_database
from tocsin.updates.sources.cld import write_cld
from tocsin.updates.sources.errors import (
    CoolDown,
    SourceMissing,
    SourceOlder,
    SourceRefused,
    SourceUnreachable,
    SourceUntested,
)
from tocsin.updates.sources.fetch import Wishes, fetch_source
from tocsin.updates.sources.notices import Event
from tocsin.updates.sources.state import read_entries, read_pauses
from updates.sources.sources_kit import (
    TRUST,
    Files,
    digest_lines,
    make_cdiff,
    make_cvd,
    make_script,
    members_of,
    pss,
    resolver,
    serve,
    txt_answer,
)

LINES = {1: digest_lines(1, 2, 3), 2: digest_lines(1, 3, 4), 3: digest_lines(1, 3, 4, 5)}


@pytest.fixture(scope="module")
def cvds():
    return {version: make_cvd("daily", version, lines) for version, lines in LINES.items()}


@pytest.fixture(scope="module")
def cdiffs():
    return {
        version: make_cdiff(
            version, make_script("daily", version, LINES[version - 1], LINES[version])
        )
        for version in (2, 3)
    }


@pytest.fixture
def site():
    with serve(Files()) as files:
        yield files


@pytest.fixture
def events():
    return []


def bring(site, folder, events, *, record=None, test=None, databases=("daily",), **options):
    settings = {"attempts": 1, "wait": 0.0, "trust": TRUST, **options}
    wishes = Wishes(databases=databases, dns_record="", clamav=Options((site.url,), **settings))
    if record is None:
        return fetch_source(KNOWN["clamav"], folder, wishes, test=test, say=events.append)
    with resolver(lambda question: [txt_answer(question, record)]) as address:
        wishes = wishes._replace(dns_record="current.cvd.example", resolvers=[address])
        return fetch_source(KNOWN["clamav"], folder, wishes, test=test, say=events.append)


def record_of(daily):
    return f"1.4.6:62:{daily}:{int(time.time())}:1:90:49192:335"


def said(events):
    return [notice.event for notice in events]


def members(path):
    kept = io.BytesIO()
    with path.open("rb") as file:
        archive = cvd.verify(
            file, path.name, header_key=TRUST.header, info_key=TRUST.info, kept=kept
        )
    data = kept.getvalue()
    return {m.name: data[m.start : m.start + m.size] for m in archive.members}


def build_cld(files, name):
    """A local database of these members, as bytes."""
    output = io.BytesIO()
    with tempfile.TemporaryDirectory() as place:
        for member, data in files.items():
            (Path(place) / member).write_bytes(data)
        write_cld(Path(place), name, output)
    return output.getvalue()


def test_a_first_database_comes_whole_with_where_it_came_from(site, tmp_path, events, cvds):
    site.content["daily.cvd"] = cvds[2]
    (row,) = bring(site, tmp_path, events, record=record_of(2))
    assert (row.version, row.signatures, row.changed) == ("2", 3, True)
    assert (tmp_path / "daily.cvd").read_bytes() == cvds[2]
    entry = read_entries(tmp_path)["daily"]
    assert entry.verified == ("header", "info")
    assert (entry.author, entry.licence) == ("tester", "GPL, version 2")
    assert said(events) == [Event.AVAILABLE, Event.UPDATED]


def test_nothing_is_asked_of_the_server_when_the_record_names_what_is_here(
    site, tmp_path, events, cvds
):
    (tmp_path / "daily.cvd").write_bytes(cvds[2])
    (row,) = bring(site, tmp_path, events, record=record_of(2))
    assert not row.changed
    assert site.seen == []
    assert said(events) == [Event.UP_TO_DATE]


def test_without_a_record_512_bytes_are_asked_for_if_newer(site, tmp_path, events, cvds):
    (tmp_path / "daily.cvd").write_bytes(cvds[2])
    site.content["daily.cvd"] = cvds[2]
    site.modified = datetime(2026, 11, 28, 6, tzinfo=UTC).timestamp()
    (row,) = bring(site, tmp_path, events)
    assert not row.changed
    ((path, headers),) = site.seen
    assert (path, headers["Range"]) == ("daily.cvd", "bytes=0-511")
    assert headers["If-Modified-Since"] == "Sat, 28 Nov 2026 06:00:00 GMT"


def test_differences_lead_to_the_members_of_the_new_version(site, tmp_path, events, cvds, cdiffs):
    (tmp_path / "daily.cvd").write_bytes(cvds[1])
    site.content |= {"daily-2.cdiff": cdiffs[2], "daily-3.cdiff": cdiffs[3]}
    (row,) = bring(site, tmp_path, events, record=record_of(3))
    assert (row.file.name, row.version) == ("daily.cld", "3")
    assert members(row.file)["daily.hsb"] == members_of("daily", 3, LINES[3])["daily.hsb"]
    assert not (tmp_path / "daily.cvd").exists()
    assert "daily.cvd" not in site.paths()
    assert read_entries(tmp_path)["daily"].verified == ("info", "cdiff")


def test_a_local_database_takes_the_next_difference_too(site, tmp_path, events, cvds, cdiffs):
    (tmp_path / "daily.cvd").write_bytes(cvds[1])
    site.content |= {"daily-2.cdiff": cdiffs[2]}
    bring(site, tmp_path, events, record=record_of(2), compress=True)
    site.content |= {"daily-3.cdiff": cdiffs[3]}
    (row,) = bring(site, tmp_path, events, record=record_of(3))
    assert (row.file.name, row.version) == ("daily.cld", "3")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda diff: b"",
        lambda diff: diff[:-20],
        lambda diff: diff[:40] + bytes([diff[40] ^ 1]) + diff[41:],
        lambda diff: make_cdiff(3, make_script("daily", 3, LINES[2], LINES[3])),
        lambda diff: make_cdiff(2, b"OPEN daily.hsb\nDEL 9 x\nCLOSE\n"),
        lambda diff: make_cdiff(2, b"OPEN daily.hsb\nADD x:*:y:73\nCLOSE\n"),
        lambda diff: make_cdiff(2, b"UNLINK COPYING\n"),
    ],
    ids=["empty", "cut", "altered", "of another version", "unfit", "unlisted", "without licence"],
)
def test_a_difference_that_leads_nowhere_gives_way_to_the_whole(
    spoil, site, tmp_path, events, cvds, cdiffs
):
    (tmp_path / "daily.cvd").write_bytes(cvds[1])
    site.content |= {"daily-2.cdiff": spoil(cdiffs[2]), "daily.cvd": cvds[2]}
    (row,) = bring(site, tmp_path, events, record=record_of(2))
    assert row.file.read_bytes() == cvds[2]


def test_a_difference_that_is_not_there_yet_is_waited_for(site, tmp_path, events, cvds, cdiffs):
    (tmp_path / "daily.cvd").write_bytes(cvds[1])
    (row,) = bring(site, tmp_path, events, record=record_of(2))
    assert not row.changed
    assert Event.PATCH_MISSING in said(events)
    site.content["daily-2.cdiff"] = cdiffs[2]
    (row,) = bring(site, tmp_path, events, record=record_of(3))
    assert row.version == "2"
    assert Event.PARTIAL in said(events)


def test_a_database_that_lags_behind_the_record_is_brought_up_by_differences(
    site, tmp_path, events, cvds, cdiffs
):
    site.content |= {"daily.cvd": cvds[1], "daily-2.cdiff": cdiffs[2]}
    (row,) = bring(site, tmp_path, events, record=record_of(2))
    assert (row.file.name, row.version) == ("daily.cld", "2")


def test_an_old_database_with_the_version_of_a_new_one_is_told_by_its_signed_list(
    site, tmp_path, events, cvds
):
    site.content["daily.cvd"] = cvds[1].replace(b"+0000:1:3:90", b"+0000:9:3:90", 1)
    with pytest.raises(SourceRefused, match=r"says version 9 of .* \.info inside 1 of"):
        bring(site, tmp_path, events, record=record_of(9))
    assert not (tmp_path / "daily.cvd").exists()


@pytest.mark.parametrize("place", [39, 600])
def test_an_altered_database_is_refused_and_the_old_one_stays(site, tmp_path, events, cvds, place):
    (tmp_path / "daily.cvd").write_bytes(cvds[1])
    data = bytearray(cvds[2])
    data[place] ^= 1
    site.content["daily.cvd"] = bytes(data)
    with pytest.raises(SourceRefused):
        bring(site, tmp_path, events, record=record_of(2), scripted=False)
    assert (tmp_path / "daily.cvd").read_bytes() == cvds[1]
    assert not read_entries(tmp_path)


def test_a_server_with_an_older_copy_takes_nothing_back(site, tmp_path, events, cvds):
    (tmp_path / "daily.cvd").write_bytes(cvds[2])
    site.content["daily.cvd"] = cvds[1]
    with pytest.raises(SourceOlder, match="version 1 and 2 is here"):
        bring(site, tmp_path, events, record=record_of(3), scripted=False)
    assert (tmp_path / "daily.cvd").read_bytes() == cvds[2]


def test_a_database_that_does_not_load_is_not_put_in_place(site, tmp_path, events, cvds):
    def fails(path):
        assert path.name == "daily.cvd"
        raise SourceUntested("no")

    (tmp_path / "daily.cvd").write_bytes(cvds[1])
    site.content["daily.cvd"] = cvds[2]
    with pytest.raises(SourceUntested):
        bring(site, tmp_path, events, record=record_of(2), scripted=False, test=fails)
    assert (tmp_path / "daily.cvd").read_bytes() == cvds[1]
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".")) == ["daily.cvd"]


@pytest.mark.parametrize(
    ("status", "headers", "least", "most"),
    [
        (429, {"Retry-After": "7200"}, 7190, 7200),
        (429, {}, 4 * 3600 - 10, 4 * 3600),
        (429, {"Retry-After": "1"}, 50, 60),
        (429, {"Retry-After": "99999999"}, 7 * 86400 - 10, 7 * 86400),
        (403, {}, 86390, 86400),
        (403, {"Retry-After": "60"}, 86390, 86400),
    ],
)
def test_a_server_that_wants_a_pause_is_not_asked_before(
    site, tmp_path, events, status, headers, least, most
):
    site.status["daily.cvd"] = (status, headers)
    with pytest.raises(CoolDown) as caught:
        bring(site, tmp_path, events, attempts=3)
    assert (caught.value.status, caught.value.fresh) == (status, True)
    assert len(site.seen) == 1
    left = (caught.value.until - datetime.now(UTC)).total_seconds()
    assert least <= left <= most
    with pytest.raises(CoolDown) as again:  # another run, as another process would
        bring(site, tmp_path, events)
    assert not again.value.fresh
    assert len(site.seen) == 1
    (pause,) = read_pauses(tmp_path).values()
    assert pause.until - datetime.now(UTC) <= timedelta(seconds=most)


def test_servers_are_tried_in_order_and_each_as_often_as_wished(site, tmp_path, events, cvds):
    with serve(Files()) as other:
        other.content["daily.cvd"] = cvds[1]
        options = Options((site.url, other.url), attempts=2, wait=0.0, trust=TRUST)
        wishes = Wishes(databases=("daily",), clamav=options)
        (row,) = fetch_source(KNOWN["clamav"], tmp_path, wishes, say=events.append)
    assert row.changed
    assert site.paths() == ["daily.cvd", "daily.cvd"]
    assert said(events)[:2] == [Event.RETRY, Event.GIVEN_UP]


def test_nobody_there(tmp_path, events):
    options = Options(("http://127.0.0.1:9",), attempts=1, wait=0.0, trust=TRUST)
    with pytest.raises(SourceUnreachable):
        fetch_source(KNOWN["clamav"], tmp_path, Wishes(clamav=options), say=events.append)


def test_a_private_mirror_may_have_a_local_database(site, tmp_path, events, cvds, cdiffs):

    site.content["daily.cld"] = build_cld(members_of("daily", 3, LINES[3]), "daily")
    site.content["daily.cvd"] = cvds[2]
    (row,) = bring(site, tmp_path, events, private=True)
    assert (row.file.name, row.version) == ("daily.cld", "3")


def test_a_database_that_no_server_has(site, tmp_path, events):
    with pytest.raises(SourceMissing):
        bring(site, tmp_path, events)


def test_the_newer_of_two_files_counts(tmp_path, cvds):

    (tmp_path / "daily.cvd").write_bytes(cvds[2])
    (tmp_path / "daily.cld").write_bytes(build_cld(members_of("daily", 3, LINES[3]), "daily"))
    assert find_database(tmp_path, "daily").path.name == "daily.cld"
    (tmp_path / "daily.cld").write_bytes(b"damaged")
    assert find_database(tmp_path, "daily").path.name == "daily.cvd"


def test_signatures_of_the_kit_are_ones_that_the_reader_takes():
    assert cvd.pss_valid(b"x", pss(b"x"), TRUST.info)
    assert not cvd.pss_valid(b"y", pss(b"x"), TRUST.info)
