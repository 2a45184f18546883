"""`tocsin-freshclam`: what scripts rely on, held against Debian's freshclam on the same server."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from tocsin.app.freshclam import NotNotified, is_newer, load_test, notify_clamd, run_hook
from tocsin.app.freshclam_settings import read_settings, select_named
from tocsin.cli import freshclam
from tocsin.errors import SettingsError
from tocsin.updates.sources.clamav import Trust
from tocsin.updates.sources.errors import SourceUntested
from updates.sources.sources_kit import (
    TRUST,
    Files,
    digest_lines,
    make_cvd,
    resolver,
    serve,
    txt_answer,
)

FRESHCLAM = shutil.which("freshclam")
OURS = [sys.executable, "-m", "tocsin.cli.freshclam"]
NEEDS_FRESHCLAM = pytest.mark.skipif(
    FRESHCLAM is None, reason="freshclam is not installed (apt-get install clamav-freshclam)"
)
CVD = make_cvd("daily", 2, digest_lines(1, 2, 3))
GOOD = b"44d88612fea8a8f36de82e1278abb02f:68:Eicar\n"


@pytest.fixture(scope="module")
def site():
    with serve(Files()) as files:
        files.modified = time.time() - 86_400
        yield files


@pytest.fixture
def fresh_site(site):
    site.content.clear()
    site.status.clear()
    site.seen.clear()
    return site


def write_conf(folder, site, text=""):
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    conf = folder / "freshclam.conf"
    conf.write_text(
        f"DatabaseDirectory {folder}\nDatabaseOwner {getpass.getuser()}\nMaxAttempts 1\n"
        f"DatabaseMirror {site.url}\nExcludeDatabase main\nBytecode no\nDNSDatabaseInfo no\n{text}"
    )
    conf.chmod(0o600)
    return conf


def run(program, conf, *arguments):
    command = [*program, f"--config-file={conf}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def states(output):
    """The lines that scripts look for."""
    form = r"^.*(?:up-to-date|updated|available for|database test).*$"
    return re.findall(form, output, re.M | re.I)


def whole(site):
    site.content["daily.cvd"] = CVD


def refuses(status, headers=None):
    def prepare(site):
        site.status["daily.cvd"] = (status, headers or {})

    return prepare


def custom(data):
    def prepare(site):
        site.content["a.hdb"] = data

    return prepare


CUSTOM = "DatabaseCustomURL @/a.hdb\n"
SCENES = {
    "a database that ClamAV did not sign": (whole, "", (), False),
    "nothing newer": (whole, "", (), True),
    "not there": (lambda site: None, "", ("--quiet",), False),
    "too often": (refuses(429, {"Retry-After": "3600"}), "", (), False),
    "refused": (refuses(403), "", (), False),
    "out of order": (refuses(503), "", (), False),
    "a file of one's own": (custom(GOOD), CUSTOM, ("--update-db=custom",), True),
    "a bad file of one's own": (custom(b"no\n"), CUSTOM, ("--update-db=custom",), True),
    "a database that nobody knows": (whole, "", ("--update-db=nosuch",), False),
    "an option that nobody knows": (whole, "", ("--nosuch",), False),
    "a setting that nobody knows": (whole, "NoSuch yes\n", (), False),
    "versions": (whole, "", ("--version",), True),
}


@NEEDS_FRESHCLAM
@pytest.mark.parametrize("scene", SCENES)
def test_freshclam_ends_with_the_same_status_and_says_the_same(scene, fresh_site, tmp_path):
    prepare, settings, arguments, here = SCENES[scene]
    prepare(fresh_site)
    answers = []
    for number, program in enumerate(([FRESHCLAM], OURS)):
        folder = tmp_path / str(number)
        conf = write_conf(folder, fresh_site, settings.replace("@", fresh_site.url))
        if here:
            (folder / "daily.cvd").write_bytes(CVD)
        done = run(program, conf, *arguments)
        brought = sorted(p.name for p in folder.iterdir() if p.suffix in (".cvd", ".hdb"))
        lines = [re.sub(r"'.*'", "''", line) for line in states(done.stdout)]
        version = done.stdout if "--version" in arguments else ""
        answers.append((done.returncode, brought, lines, version))
    assert answers[1] == answers[0]


@NEEDS_FRESHCLAM
def test_both_keep_away_from_a_server_that_wants_a_pause(fresh_site, tmp_path):
    refuses(429, {"Retry-After": "3600"})(fresh_site)
    for number, program in enumerate(([FRESHCLAM], OURS)):
        conf = write_conf(tmp_path / str(number), fresh_site)
        fresh_site.seen.clear()
        assert [run(program, conf).returncode for _ in range(2)] == [11, 0]
        assert len(fresh_site.seen) == 1


# --- a round in this process, with keys of our own ----------------------------------------


@pytest.fixture
def keyed(monkeypatch):
    """Our keys in the place of ClamAV's; forked processes have them too."""
    from tocsin.signatures.clamav import cvd

    real = cvd.verify
    keys = {"header_key": TRUST.header, "info_key": TRUST.info}
    monkeypatch.setattr(cvd, "verify", lambda data, name, **_: real(data, name, **keys))


def in_process(conf, *arguments):
    with pytest.raises(SystemExit) as ended:
        freshclam.command([f"--config-file={conf}", *arguments], standalone_mode=False)
    return ended.value.code


def test_an_update_is_tried_put_in_place_and_told(keyed, fresh_site, tmp_path, capfd, monkeypatch):
    clamd = tmp_path / "clamd.conf"
    clamd.write_text(f"LocalSocket {tmp_path}/clamd.ctl\n")
    heard = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/clamd.ctl")
        listener.listen()

        def answer():
            channel, _ = listener.accept()
            with channel:
                heard.append(channel.recv(100))
                channel.sendall(b"RELOADING\n")

        thread = threading.Thread(target=answer)
        thread.start()
        whole(fresh_site)
        hook = f"OnUpdateExecute echo done > {tmp_path}/done\nNotifyClamd {clamd}\n"
        conf = write_conf(tmp_path / "db", fresh_site, hook)
        assert in_process(conf) == 0
        thread.join(10)
    shown = capfd.readouterr().out
    assert "daily database available for download (remote version: 2)" in shown
    assert "Database test passed." in shown
    assert "daily.cvd updated (version: 2, sigs: 3, f-level: 90, builder: tester)" in shown
    assert "Clamd successfully notified about the update." in shown
    assert heard == [b"nRELOAD\n"]
    assert (tmp_path / "done").read_text() == "done\n"
    assert in_process(conf) == 0
    shown = capfd.readouterr().out
    assert "daily.cvd database is up-to-date (version: 2, sigs: 3, f-level: 90" in shown


def test_the_txt_record_saves_the_request(keyed, fresh_site, tmp_path, capfd, monkeypatch):
    from tocsin.updates.sources import dns

    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "daily.cvd").write_bytes(CVD)
    conf = write_conf(tmp_path / "db", fresh_site)
    conf.write_text(conf.read_text().replace("DNSDatabaseInfo no", "DNSDatabaseInfo r.example"))
    record = f"9.9.9:62:2:{int(time.time())}:1:90:1:335"
    with resolver(lambda question: [txt_answer(question, record)]) as address:
        monkeypatch.setattr(dns, "system_resolvers", lambda: [address])
        hook = f"--on-outdated-execute=echo %v > {tmp_path}/newer"
        assert in_process(conf, hook) == 0
    assert fresh_site.seen == []
    assert "OUTDATED" in capfd.readouterr().err
    assert (tmp_path / "newer").read_text() == "9.9.9\n"


def test_json_and_a_forced_status(keyed, fresh_site, tmp_path, capfd):
    whole(fresh_site)
    conf = write_conf(tmp_path / "db", fresh_site)
    assert in_process(conf, "--json", "--on-update-execute=EXIT_7") == 7
    values = json.loads(capfd.readouterr().out)
    assert (values["status"], values["updated"]) == (0, ["daily"])
    fresh_site.content.clear()
    assert in_process(conf, "--json", "--on-error-execute=EXIT_3") == 3


def test_one_database_that_fails_does_not_keep_the_others_from_it(
    keyed, fresh_site, tmp_path, capfd
):
    whole(fresh_site)
    conf = write_conf(tmp_path / "db", fresh_site)
    conf.write_text(conf.read_text().replace("ExcludeDatabase main\n", ""))
    assert in_process(conf) == 11
    assert (tmp_path / "db" / "daily.cvd").exists()


def test_the_log_has_times_and_an_end(fresh_site, tmp_path):
    log = tmp_path / "log"
    text = f"UpdateLogFile {log}\nLogTime yes\nLogFileMaxSize 1K\n"
    conf = write_conf(tmp_path / "db", fresh_site, text)
    for _ in range(4):
        assert in_process(conf, "--quiet") == 11
    lines = log.read_text().splitlines()
    assert re.match(r"\w{3} \w{3} .\d \d\d:\d\d:\d\d \d{4} -> ClamAV update process", lines[0])
    assert log.stat().st_size <= 1024
    conf.write_text(conf.read_text() + "LogRotate yes\n")
    assert in_process(conf, "--quiet") == 11
    assert log.with_name("log.1").exists()


def test_a_daemon_looks_when_it_is_woken_and_ends_when_it_is_told(fresh_site, tmp_path):
    whole(fresh_site)
    folder = tmp_path / "db"
    conf = write_conf(folder, fresh_site)
    (folder / "daily.cvd").write_bytes(CVD)
    command = [*OURS, f"--config-file={conf}", "-d", "-F", "-p", str(tmp_path / "pid"), "-c", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            seen = [process.stdout.readline()]
            while not seen[-1].startswith("-----"):
                seen.append(process.stdout.readline())
            assert (tmp_path / "pid").read_text().strip() == str(process.pid)
            process.send_signal(signal.SIGUSR1)
            while not seen[-1].startswith("Received signal: wake up"):
                seen.append(process.stdout.readline())
            while "up-to-date" not in seen[-1]:
                seen.append(process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            assert "Update process terminated" in process.stdout.read()
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("count", ["0", "51"])
def test_how_often_a_daemon_may_look(fresh_site, tmp_path, count):
    conf = write_conf(tmp_path / "db", fresh_site)
    assert in_process(conf, "-d", "-F", "-c", count) == freshclam.CONFIGURATION


# --- settings -----------------------------------------------------------------------------


def settings_of(tmp_path, text):
    conf = tmp_path / "freshclam.conf"
    conf.write_text(text)
    return read_settings(conf, Trust())


def test_settings_that_debian_delivers(tmp_path):
    settings = settings_of(
        tmp_path,
        "# Automatically created\nDatabaseOwner clamav\nLogFacility LOG_LOCAL6\nLogRotate true\n"
        "Checks 24\nDatabaseMirror db.local.clamav.net\nDatabaseMirror database.clamav.net\n"
        "NotifyClamd /etc/clamav/clamd.conf\nBytecode true\nReceiveTimeout 0\nConnectTimeout 30\n",
    )
    assert settings.wishes.clamav.servers == ("https://database.clamav.net",)
    assert settings.wishes.dns_record == "current.cvd.clamav.net"
    assert settings.databases == ("main", "daily", "bytecode")
    assert (settings.checks, settings.owner, settings.test) == (24, "clamav", True)


def test_a_mirror_of_ones_own_rules_over_the_others(tmp_path):
    settings = settings_of(
        tmp_path, "PrivateMirror mirror.example\nDatabaseMirror database.clamav.net\n"
    )
    options = settings.wishes.clamav
    assert options.servers == ("http://mirror.example",)
    assert options.private
    assert not options.scripted
    assert settings.wishes.dns_record == ""


def test_proxies_and_certificates(tmp_path):
    text = "HTTPProxyServer p.example\nHTTPProxyPort 3128\nHTTPProxyUsername u\n"
    proxy = settings_of(tmp_path, text + "HTTPProxyPassword s\n").wishes.proxy
    assert proxy == ("http://p.example:3128", "u", "s")
    with pytest.raises(Exception, match="certificate"):
        settings_of(tmp_path, f"CVDCertsDirectory {tmp_path}\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Example\n", r"freshclam\.conf:1: Example"),
        ("Checks many\n", "Checks"),
        ("NoSuch 1\n", r"freshclam\.conf:1: Unknown option NoSuch"),
        ("PrivateMirror x.clamav.net\n", "may not include"),
        ("DatabaseCustomURL https://h.example/x.exe\n", "ending"),
        ("DatabaseCustomURL ftp://h.example/x.hdb\n", "neither with"),
        ("ExtraDatabase ../x\n", "no name"),
        ("LogFileMaxSize big\n", "size"),
    ],
)
def test_settings_that_are_refused(tmp_path, text, words):
    with pytest.raises(SettingsError, match=words):
        settings_of(tmp_path, text)


def test_databases_by_name(tmp_path):
    settings = settings_of(tmp_path, "DatabaseCustomURL file:///x.hdb\n")
    assert select_named(settings, ("daily",)).databases == ("daily",)
    only = select_named(settings, ("custom",))
    assert (only.databases, only.custom) == ((), ("file:///x.hdb",))
    with pytest.raises(SettingsError):
        select_named(settings, ("nosuch",))


# --- what follows from an update ----------------------------------------------------------


def test_a_file_that_ends_the_process_that_loads_it_is_refused(tmp_path, monkeypatch):
    from tocsin.database import index_build

    place = tmp_path / "a.hdb"
    place.write_bytes(GOOD)
    load_test(place)
    place.write_bytes(b"no\n")
    with pytest.raises(SourceUntested, match="does not load"):
        load_test(place)
    monkeypatch.setattr(
        index_build, "build_index", lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
    )
    with pytest.raises(SourceUntested, match="ended"):
        load_test(place)


def test_a_version_from_a_resolver_reaches_no_shell(tmp_path):
    with pytest.raises(SettingsError):
        run_hook("echo %v", software="1.0;touch x")
    assert is_newer("1.10.0", "1.9.9")
    assert not is_newer("1.4.6-rc", "1.4.6")


def test_nobody_to_tell(tmp_path):
    conf = tmp_path / "clamd.conf"
    with pytest.raises(NotNotified, match="Can't find"):
        notify_clamd(conf)
    conf.write_text("LogTime yes\n")
    with pytest.raises(NotNotified, match="No communication"):
        notify_clamd(conf)
    conf.write_text(f"LocalSocket {tmp_path}/none\n")
    with pytest.raises(NotNotified, match="Can't connect"):
        notify_clamd(conf)


# --- files of one's own -------------------------------------------------------------------


def test_a_file_of_this_machine_is_copied_when_it_changes(tmp_path, fresh_site):
    own = tmp_path / "own.hdb"
    own.write_bytes(GOOD)
    conf = write_conf(tmp_path / "db", fresh_site, f"DatabaseCustomURL file://{own}\n")
    assert in_process(conf, "--update-db=custom", "--json") == 0
    place = tmp_path / "db" / "own.hdb"
    assert place.read_bytes() == GOOD
    first = place.stat().st_ino
    assert in_process(conf, "--update-db=custom", "--json") == 0
    assert place.stat().st_ino == first
    own.write_bytes(b"".join(b"%032x:%d:N%d\n" % (n, n + 1, n) for n in range(200)))
    assert in_process(conf, "--update-db=custom", "--json") == 0
    large = place.read_bytes()
    own.write_bytes(GOOD)
    assert in_process(conf, "--update-db=custom", "--json") == freshclam.FAILED_UPDATE
    assert place.read_bytes() == large
    assert in_process(conf, "--update-db=custom", "--json", "--allow-shrink") == 0
    own.unlink()
    assert in_process(conf, "--update-db=custom", "--json") == freshclam.FAILED_GET
    assert place.read_bytes() == GOOD
