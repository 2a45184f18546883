"""`tocsin update --source`: what others publish, used by every scan, on a device of its own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ready_process
from tocsin.app import installed, update_sources
from tocsin.app.device import device_settings
from tocsin.app.doctor_updates import examine_updates
from tocsin.app.update_test import SelfTestFailed
from tocsin.cli import main
from tocsin.errors import SettingsError, UsageError
from tocsin.settings import DaemonSettings, Settings, UpdatesSettings
from tocsin.updates.sources import server_key
from tocsin.updates.sources.clamav import Options
from tocsin.updates.sources.errors import SourceBusy, SourceStorage
from tocsin.updates.sources.http import Http, Limits
from tocsin.updates.sources.in_use import InUse, SourcePlace
from tocsin.updates.sources.server_key import KEY_PLACE, ServerKey, asked_with, read_key
from tocsin.updates.sources.state import read_entries
from tocsin.updates.throttle import Throttle
from updates.sources.sources_kit import (
    TRUST,
    Files,
    digest_lines,
    make_cdiff,
    make_cvd,
    make_script,
    require_words,
    serve,
)

BAD, WORSE = b"a sample that a feed knows", b"a sample that it knows a day later"
KEY = "0123456789abcdef-secret"


class Machine:
    """Calls the command with places of its own, and with few signatures besides."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "config").mkdir(parents=True, exist_ok=True)
        (folder / "own.hdb").write_text("d41d8cd98f00b204e9800998ecf8427e:999:Own\n")
        self.settle()
        self.environment = {
            **{name: text for name, text in os.environ.items() if "TOCSIN" not in name},
            "TOCSIN_STATE_DIR": str(folder / "state"),
            "TOCSIN_CONFIG_DIR": str(folder / "config"),
            "TOCSIN_CACHE_DIR": str(folder / "cache"),
            "COLUMNS": "200",
        }
        (folder / "bad").write_bytes(BAD)
        (folder / "worse").write_bytes(WORSE)

    def settle(self, text=""):
        (self.folder / "config" / "tocsin.toml").write_text(
            f'[database]\nwith_default = false\nsources = ["{self.folder}/own.hdb"]\n'
            f"[updates]\n{text}\n"
        )

    def update(self, *arguments):
        return self.call("update", *arguments)

    def call(self, *arguments):
        out, said, status = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "argv", ["tocsin", *map(str, arguments)]),
            redirect_stdout(out),
            redirect_stderr(said),
        ):
            try:
                main.run()
            except SystemExit as ended:
                status = int(ended.code or 0)
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), said.getvalue())

    def json(self, *arguments, status=0):
        done = self.update(*arguments, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    def states(self, *arguments, status=0):
        return {s["name"]: s["outcome"] for s in self.json(*arguments, status=status)["sources"]}

    def status(self):
        return json.loads(self.told("status", "--json"))

    def told(self, *arguments):
        return self.call(*arguments).stdout

    def examined(self):
        with mock.patch.dict(os.environ, self.environment, clear=True):
            return list(examine_updates(device_settings(None)))

    def journal(self, monkeypatch):
        """What rounds in the background write into the journal, in a list."""
        events = []
        place = "tocsin.app.update_task"
        monkeypatch.setattr(f"{place}.keep_capabilities", lambda *_: None)
        monkeypatch.setattr(f"{place}.lower_priority", lambda *_, **__: [])

        def here(work, trials, _, say):  # in this process, where the journal is the list
            return work(trials, say)

        def trial(*given):  # what is put in its place elsewhere holds here too
            return update_sources.try_out_source(*given)

        monkeypatch.setattr(f"{place}.without_rights", here)
        monkeypatch.setattr(f"{place}.try_out_source", trial)
        monkeypatch.setattr(f"{place}.write_events", lambda _, new: events.extend(new) or "")
        return events

    def age(self, name, *, days):
        """Let it be as if the source had been confirmed so many days ago."""
        place = self.place(name)
        held = place.in_use()
        before = held.confirmed - timedelta(days=days, minutes=1)
        place.keep(msgspec.structs.replace(held, confirmed=before))

    def finds(self, name):
        words = ["scan", str(self.folder / name)]
        done = ready_process.run("tocsin.cli.main", words, env=self.environment)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 1

    def place(self, name):
        return SourcePlace(self.folder / "state" / "sources" / name)


def feed(*samples):
    rows = "".join(f'"{hashlib.sha256(s).hexdigest()}","Evil"\n' for s in samples)
    return f'# "sha256_hash","signature"\n{rows}'.encode()


def rules(condition):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("packages/core/a.yar", f"rule Made {{ condition: {condition} }}")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server():
    with serve(Files()) as files:
        yield files


@pytest.fixture
def site(server):
    for each in (server.content, server.status, server.cut, server.seen):
        each.clear()
    server.content["bad.csv"] = feed(BAD)
    return server


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def quick(monkeypatch):
    """Tries nothing out: what the trial does has tests of its own."""
    monkeypatch.setattr(update_sources, "try_out_source", lambda *_: None)


def test_the_life_of_a_source(machine, site):
    assert not machine.finds("bad")
    assert machine.states("--source", f"ours=digests:{site.url}/bad.csv") == {"ours": "updated"}
    assert machine.finds("bad")

    # Every update looks after it from then on; what is the same is not sent again.
    site.seen.clear()
    assert machine.states() == {"ours": "unchanged"}
    assert [headers.get("If-None-Match", "") != "" for _, headers in site.seen] == [True]
    site.content["bad.csv"] = feed(BAD, WORSE)
    assert machine.states() == {"ours": "updated"}
    assert machine.finds("worse")

    # It can be seen where it came from, and who vouches for it: nobody.
    (shown,) = machine.json("status")["sources"]
    (file,) = shown["files"]
    assert (shown["name"], shown["signatures"], file["signed"]) == ("ours", 2, [])
    assert file["url"] == f"{site.url}/bad.csv"
    assert file["sha256_of_download"] == hashlib.sha256(feed(BAD, WORSE)).hexdigest()
    listed = machine.update("sources")
    assert "nobody" in listed.stdout
    assert "malwarebazaar" in listed.stdout

    # It ends as it began.
    assert machine.json("sources", "--remove", "ours") == {"removed": "ours"}
    assert not machine.finds("bad")
    assert os.listdir(machine.folder / "state" / "sources") == []


def test_the_index_of_the_trial_is_the_one_that_scans_use(machine, site):
    machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    indexes = sorted(os.listdir(machine.folder / "cache"))
    assert machine.finds("bad")
    assert sorted(os.listdir(machine.folder / "cache")) == indexes


def test_what_finds_something_everywhere_is_not_used_and_not_tried_again(machine, site):
    site.content["a.zip"] = rules("uint32(0) == 0x11223344")
    spec = f"made=yara:{site.url}/a.zip"
    assert machine.states("--source", spec) == {"made": "updated"}
    before = machine.place("made").in_use()
    site.content["a.zip"] = rules("uint32(0) == 0x464c457f")  # every ELF program
    done = machine.update()
    assert done.returncode == 2
    assert "it finds Made in " in done.stderr
    after = machine.place("made").in_use()
    assert after.files == before.files
    assert machine.json("status", status=1)["attention"] == [f"made: {after.trouble}"]
    with mock.patch.object(update_sources, "try_out_source") as trial:
        assert machine.states(status=2) == {"made": "failed"}
        trial.assert_not_called()
        assert machine.states("--again") == {"made": "updated"}
        trial.assert_called_once()
    assert machine.json("status")["attention"] == []


def test_one_that_fails_keeps_no_other_from_coming(machine, site, quick):
    site.content["html"] = b"<html>login first</html>"
    words = [f"{n}=digests:{site.url}/{p}" for n, p in (("a", "none"), ("b", "html"))]
    words.append(f"ours=digests:{site.url}/bad.csv")
    states = machine.states(*(w for word in words for w in ("--source", word)), status=2)
    assert states == {"a": "failed", "b": "failed", "ours": "updated"}
    # What never came is not looked for again.
    assert machine.states() == {"ours": "unchanged"}
    del site.content["bad.csv"]
    done = machine.update()
    assert done.returncode == 2
    assert "ours: " in done.stderr
    assert machine.finds("bad")  # what was in use still is
    assert "status 404" in machine.json("status", status=1)["attention"][0]


def test_an_interrupted_trial_leaves_what_was_in_use(machine, site, monkeypatch, quick):
    machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    site.content["bad.csv"] = feed(WORSE)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(update_sources, "try_out_source", interrupted)
    assert machine.update().returncode == 2
    assert (machine.finds("bad"), machine.finds("worse")) == (True, False)
    monkeypatch.setattr(update_sources, "try_out_source", lambda *_: None)
    assert machine.states() == {"ours": "updated"}  # though the server has nothing newer
    assert (machine.finds("bad"), machine.finds("worse")) == (False, True)


def test_sources_that_the_settings_name_come_with_every_update(machine, site, quick):
    machine.settle(f'sources = ["ours=digests:{site.url}/bad.csv"]')
    assert machine.json("status", status=1)["attention"] == ["ours: not fetched yet: tocsin update"]
    assert machine.states() == {"ours": "updated"}
    done = machine.update("sources", "--remove", "ours")
    assert done.returncode == 2
    assert "take it out there first" in done.stderr
    machine.settle('sources = ["nosuch"]')
    done = machine.update()
    assert done.returncode == 2
    assert "'nosuch' is no source" in done.stderr


@pytest.mark.parametrize("text", ["digests:http://x/a", "A=b:http://x/", "a=yara:ftp://x/"])
def test_settings_that_name_no_source(machine, text):
    machine.settle(f'sources = ["{text}"]')
    done = machine.update()
    assert done.returncode == 2
    assert "tocsin.toml:5: [updates] sources" in done.stderr


def test_two_sources_do_not_take_one_name_unnoticed(machine, site, quick):
    site.content["other/bad.csv"] = feed(WORSE)
    machine.states("--source", f"digests:{site.url}/bad.csv")
    done = machine.update("--source", f"digests:{site.url}/other/bad.csv")
    assert done.returncode == 2
    assert "give this one another name" in done.stderr
    # Whoever states the name means it; a list that has moved is fetched whole.
    site.seen.clear()
    states = machine.states("--source", f"bad=digests:{site.url}/other/bad.csv")
    assert states == {"bad": "updated"}
    assert "If-None-Match" not in site.seen[0][1]
    assert machine.finds("worse")


def test_two_updates_at_a_time(machine, site, quick):
    with machine.place("ours").locked():
        done = machine.update("--source", f"ours=digests:{site.url}/bad.csv")
        assert done.returncode == 2
        assert "another process" in done.stderr
    with pytest.raises(SourceBusy), machine.place("a").locked(), machine.place("a").locked():
        pass


def test_a_signed_database_that_cannot_come_keeps_no_source_from_coming(machine, site, quick):
    machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    (machine.folder / "config" / "trust").mkdir()
    (machine.folder / "config" / "trust" / "root.json").write_text("no root")
    site.content["bad.csv"] = feed(WORSE)
    values = machine.json(status=2)
    assert values["outcome"] == "failed"
    assert [each["outcome"] for each in values["sources"]] == ["updated"]


def test_the_daemons_round_brings_sources_too_and_tells_of_a_failure_once(
    machine, site, quick, monkeypatch
):
    told = machine.journal(monkeypatch)
    machine.settle(f'sources = ["ours=digests:{site.url}/bad.csv"]')
    assert machine.update("background").returncode == 0
    del site.content["bad.csv"]
    assert [machine.update("background").returncode for _ in range(2)] == [2, 2]
    assert [(event.action, event.details["source"]) for event in told] == [
        ("updated", "ours"),
        ("failed", "ours"),
    ]
    assert machine.finds("bad")


def test_a_source_that_never_came_is_journalled_once_and_is_a_warning(
    machine, site, quick, monkeypatch
):
    told = machine.journal(monkeypatch)
    machine.settle(f'sources = ["ours=digests:{site.url}/gone.csv"]')
    (seen,) = machine.status()["update_sources"]
    assert (seen["confirmed"], seen["trouble"]) == (0.0, "not fetched yet: tocsin update")
    assert [machine.update("background").returncode for _ in range(3)] == [2, 2, 2]
    assert [event.action for event in told] == ["failed"]
    values = machine.status()
    (seen,) = values["update_sources"]
    assert "404" in seen["trouble"]
    assert seen["tried"] > 0
    (judged,) = [each for each in values["judgements"] if each["topic"] == "sources"]
    assert judged["level"] == "warning"
    assert "ours is not in use as it should be" in judged["text"]
    site.content["gone.csv"] = feed(BAD)
    assert machine.update("background").returncode == 0
    assert [event.action for event in told] == ["failed", "updated"]
    assert not (machine.place("ours").folder / "failed.json").exists()
    del site.content["gone.csv"]
    machine.update("background")
    assert [event.action for event in told] == ["failed", "updated", "failed"]


def test_where_no_source_can_be_looked_after_that_is_journalled_once(
    machine, site, quick, monkeypatch
):
    told = machine.journal(monkeypatch)
    missing = machine.folder / "key"
    machine.settle(f'sources = ["ours=digests:{site.url}/bad.csv"]\nauth_key_file = "{missing}"')
    assert [machine.update("background").returncode for _ in range(2)] == [2, 2]
    assert [event.action for event in told] == ["failed"]
    assert str(missing) in told[0].message
    missing.write_text(KEY)
    missing.chmod(0o600)
    assert machine.update("background").returncode == 0
    missing.unlink()
    assert machine.update("background").returncode == 2
    assert [event.action for event in told] == ["failed", "updated", "failed"]


def test_status_and_doctor_say_how_old_each_source_is(machine, site, quick):
    machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    (seen,) = machine.status()["update_sources"]
    assert (seen["name"], seen["signatures"], seen["trouble"]) == ("ours", 1, "")
    assert time.time() - 60 < seen["confirmed"] <= time.time()
    assert [check.detail for check in machine.examined() if check.name == "sources"] == [
        "ours less than a minute old"
    ]
    del site.content["bad.csv"]
    machine.update()
    values = machine.status()
    (judged,) = [each for each in values["judgements"] if each["topic"] == "sources"]
    assert judged["level"] == "note"
    assert "the last try failed: " in judged["text"]
    assert "ours: 1 signature, the newest less than a minute ago; asked " in machine.told("status")
    assert "(failed since)" in str(machine.examined())
    machine.age("ours", days=9)
    (judged,) = [each for each in machine.status()["judgements"] if each["topic"] == "sources"]
    assert judged["level"] == "warning"
    assert judged["text"] == "ours was last confirmed as the newest 9 days ago"
    (check,) = [check for check in machine.examined() if check.name == "sources"]
    assert check.state == "warning"
    next(machine.place("ours").folder.glob("used/*/*")).unlink()
    (judged,) = [each for each in machine.status()["judgements"] if each["topic"] == "sources"]
    assert "ours is not in use as it should be" in judged["text"]


# --- ClamAV's -----------------------------------------------------------------------------


@pytest.fixture
def keyed(monkeypatch):
    """Our keys in the place of ClamAV's."""
    from tocsin.signatures.clamav import cvd

    real = cvd.verify
    keys = {"header_key": TRUST.header, "info_key": TRUST.info}
    monkeypatch.setattr(cvd, "verify", lambda file, name, **how: real(file, name, **how | keys))
    monkeypatch.setattr(update_sources, "Trust", lambda **kw: TRUST._replace(**kw))
    once = {"attempts": 1, "wait": 0.0}
    monkeypatch.setattr(update_sources, "Options", lambda *a, **kw: Options(*a, **once, **kw))


def test_clamavs_databases_come_by_differences_and_one_that_is_missing_stops_no_other(
    machine, site, keyed
):
    first, second = digest_lines(1, 2, 3), digest_lines(1, 3, 4, 5)
    site.content["daily.cvd"] = make_cvd("daily", 1, first)
    site.content["bytecode.cvd"] = make_cvd("bytecode", 7, digest_lines(9))
    spec = f"clamav=clamav:{site.url}"
    values = machine.json("--source", spec, status=2)["sources"][0]
    assert (values["outcome"], values["files"]) == ("failed", ["bytecode.cvd", "daily.cvd"])
    assert "main.cvd" in values["text"]
    site.content["main.cvd"] = make_cvd("main", 3, digest_lines(20))
    assert machine.states() == {"clamav": "updated"}

    site.content["daily.cvd"] = make_cvd("daily", 2, second)
    site.content["daily-2.cdiff"] = make_cdiff(2, make_script("daily", 2, first, second))
    site.seen.clear()
    assert machine.states() == {"clamav": "updated"}
    assert "daily-2.cdiff" in site.paths()
    held = machine.place("clamav").in_use()
    assert [each.file for each in held.files] == ["bytecode.cvd", "daily.cld", "main.cvd"]
    assert held.files[1].source.verified == ("info", "cdiff")


def test_a_database_without_a_sign_is_refused_where_one_is_demanded(machine, site, keyed, quick):
    for name in ("main", "daily", "bytecode"):
        site.content[f"{name}.cvd"] = make_cvd(name, 1, digest_lines(1))
    spec = f"clamav=clamav:{site.url}"
    done = machine.update("--source", spec, "--require-sign")
    assert done.returncode == 2
    assert "the server has no" in done.stderr
    machine.settle("require_sign = true")
    assert machine.states("--source", spec, status=2) == {"clamav": "failed"}
    machine.settle()
    assert machine.states("--source", spec) == {"clamav": "updated"}


# --- servers that want a pause, or a key --------------------------------------------------


def test_a_server_that_wants_a_pause_gets_it_from_every_source(machine, site, quick):
    site.content["other.csv"] = feed(WORSE)
    machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    machine.states("--source", f"other=digests:{site.url}/other.csv")
    site.status["bad.csv"] = (429, {"Retry-After": "3600"})
    assert machine.states("--source", "ours", status=2) == {"ours": "failed"}
    site.seen.clear()
    assert machine.states() == {"other": "paused", "ours": "paused"}
    assert site.seen == []


def test_a_key_is_shown_to_its_server_and_to_nobody_else(machine, site, quick, monkeypatch):
    monkeypatch.setattr(server_key.ServerKey.__new__, "__defaults__", (("127.0.0.1",),))
    secret = machine.folder / "key"
    secret.write_text(f"{KEY}\n")
    asked = f"files/bad.csv?auth-key={KEY}"
    site.content[asked] = feed(BAD)
    spec = f"ours=digests:{site.url}/files/bad.csv?auth-key={KEY_PLACE}"
    done = machine.update("--source", spec)
    assert done.returncode == 2
    assert "--auth-key-file" in done.stderr
    done = machine.update("--source", spec, "--auth-key-file", secret)
    assert done.returncode == 0, done.stderr
    path, headers = site.seen[-1]
    assert (path, headers["Auth-Key"]) == (asked, KEY)
    site.status[asked] = (500, {})
    machine.environment["TOCSIN_AUTH_KEY"] = KEY
    said = [done.stdout + done.stderr, *(machine.update().stderr for _ in range(2))]
    said += [path.read_text() for path in (machine.folder / "state").rglob("*.json")]
    assert len(said) > 4
    assert not any(KEY in text for text in said)


def test_a_redirection_takes_no_key_elsewhere(tmp_path, site):
    class NoPauses:
        def until(self, host):
            return None

        def hold(self, host, until, status):
            pass

    here = site.url.replace("127.0.0.1", "localhost")
    site.status["there"] = (302, {"Location": f"{site.url}/bad.csv"})
    http = Http(tmp_path, NoPauses(), key=ServerKey(KEY, ("localhost",)))
    assert http.fetch(f"{here}/there", "a") is not None
    assert [KEY in headers.values() for _, headers in site.seen] == [True, False]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://bazaar.abuse.ch/export/", True),
        ("https://ABUSE.CH/", True),
        ("http://bazaar.abuse.ch/export/", False),
        ("https://abuse.ch.evil.example/", False),
        ("https://notabuse.ch/", False),
        ("https://evil.example/abuse.ch", False),
        ("https://abuse.ch@evil.example/", False),
    ],
)
def test_whose_the_key_is(url, told):
    key = ServerKey(KEY)
    assert bool(asked_with(key, url)[1]) == told
    if not told:
        with pytest.raises(UsageError):
            asked_with(key, f"{url}?k={KEY_PLACE}")
    assert KEY not in repr(key)


def test_where_a_key_is_read(tmp_path):
    place = tmp_path / "key"
    assert read_key(None, {}) is None
    assert read_key(None, {"TOCSIN_AUTH_KEY": KEY}).value == KEY
    for content in ("", "short", "two\nlines of it", "x" * 501):
        place.write_text(content)
        with pytest.raises(SettingsError, match="no key"):
            read_key(place, {})
    with pytest.raises(SettingsError, match="cannot be read"):
        read_key(tmp_path / "none", {})


def test_a_bound_on_bandwidth_is_kept_and_is_no_slowness_of_the_server(tmp_path, site):
    site.content["large"] = os.urandom(300_000)

    class NoPauses:
        def until(self, host):
            return None

    limits = Limits(stall=30.0, total=0.4)
    http = Http(tmp_path, NoPauses(), limits=limits, throttle=Throttle(400_000))
    started = time.monotonic()
    http.fetch(f"{site.url}/large", "a")
    assert 0.55 < time.monotonic() - started < 5


# --- what is on the disk ------------------------------------------------------------------


def held_bytes(**changes):
    entry = {
        "kind": "digests",
        "url": "https://a.example/",
        "file": "a.tdb",
        "sha256": "0" * 64,
        "size": 1,
        "signatures": 1,
        "fetched": "2026-11-28T00:00:00Z",
    }
    used = {"file": "a.tdb", "digest": "0" * 32, "size": 1, "source": entry, **changes}
    moment = "2026-11-28T00:00:00Z"
    record = {"spec": "a", "files": [used], "since": moment, "confirmed": moment, "tried": moment}
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    "changes", [{"digest": "../../../../etc"}, {"file": "../x"}, {"file": ".x"}, {"digest": ""}]
)
def test_a_record_that_leads_elsewhere_is_not_followed(tmp_path, changes):
    place = SourcePlace(tmp_path)
    (tmp_path / "in-use.json").write_bytes(held_bytes())
    assert isinstance(place.in_use(), InUse)
    (tmp_path / "in-use.json").write_bytes(held_bytes(**changes))
    with pytest.raises(SourceStorage):
        place.in_use()


@given(st.binary(max_size=200), st.integers(0, 500))
def test_any_bytes_are_a_record_or_refused(tmp_path_factory, noise, at):
    folder = tmp_path_factory.getbasetemp() / "record"
    folder.mkdir(exist_ok=True)
    whole = held_bytes()
    for data in (noise, whole[: at % len(whole)] + noise + whole[at % len(whole) + len(noise) :]):
        (folder / "in-use.json").write_bytes(data)
        try:
            held = SourcePlace(folder).in_use()
        except SourceStorage as error:
            require_words(error)
        else:
            assert held is not None
        (folder / "sources.json").write_bytes(data)
        try:
            read_entries(folder)
        except SourceStorage as error:
            require_words(error)


def test_a_file_that_is_gone_is_said_and_comes_again(machine, site, quick):
    machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    place = machine.place("ours")
    (used,) = place.in_use().files
    place.path(used).unlink()
    done = ready_process.run(
        "tocsin.cli.main", ["scan", str(machine.folder / "bad")], env=machine.environment
    )
    assert b"of source ours is gone" in done.stderr
    place.path(used).parent.rmdir()
    assert machine.states() == {"ours": "unchanged"}
    assert machine.finds("bad")


def test_the_two_sets_before_the_last_are_not_kept_for_ever(machine, site, quick):
    for number in range(4):
        site.content["bad.csv"] = feed(BAD, *(b"%d" % n for n in range(number)))
        machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    assert len(os.listdir(machine.place("ours").folder / "used")) == 2


def test_a_full_disk_leaves_what_is_in_use(machine, site, quick, monkeypatch):
    machine.states("--source", f"ours=digests:{site.url}/bad.csv")
    site.content["bad.csv"] = feed(BAD, WORSE)

    def full(*_):
        raise OSError(28, "No space left on device")

    with mock.patch("tocsin.updates.sources.in_use.shutil.copyfileobj", full):
        done = machine.update()
    assert done.returncode == 2
    assert "the disk is full" in done.stderr
    assert machine.finds("bad")
    assert machine.states() == {"ours": "updated"}


def test_what_a_user_may_not_look_into_is_said(tmp_path, monkeypatch):
    settings = Settings(daemon=DaemonSettings(state=str(tmp_path)))
    assert installed.installed_for_scan(settings) == installed.ForScan([], "")
    (tmp_path / "sources").mkdir()

    def closed(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(installed.os, "scandir", closed)
    found = installed.installed_for_scan(settings)
    assert f"{tmp_path}, which is not for this user to read" in found.trouble


def test_a_trial_says_what_failed(tmp_path, site, monkeypatch):
    settings = Settings(
        daemon=DaemonSettings(state=str(tmp_path)), updates=UpdatesSettings(bandwidth=1 << 30)
    )

    def fails(*_):
        raise SelfTestFailed("it finds X in /bin/ls")

    monkeypatch.setattr(update_sources, "try_out_source", fails)
    (spec,) = update_sources.meant_sources(settings, [f"ours=digests:{site.url}/bad.csv"])
    asked = update_sources.SourceAsked()
    (outcome,) = update_sources.update_sources(settings, [spec], asked)
    assert outcome.state == "failed"
    assert "nothing of it is used" in outcome.text
    assert installed.fetched_sources(settings) == []
