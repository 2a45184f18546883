"""Moving over from ClamAV: real settings files, every option, and hostile ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tocsin.app.migrate import plan_migration, write_settings
from tocsin.app.migrate_signatures import Origin, review_signatures
from tocsin.cli.main import main
from tocsin.errors import SettingsError, UsageError
from tocsin.protect.migrate.clamav_file import LONGEST_LINE, read_clamav
from tocsin.protect.migrate.options import Fate
from tocsin.protect.migrate.programs import CLAMD, CLAMONACC, FRESHCLAM, MILTER, PROGRAMS

TOCSIN = [sys.executable, "-m", "tocsin.cli.main"]
CLAMCONF = shutil.which("clamconf")
CLAMD_PROGRAM = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_clamconf = pytest.mark.skipif(CLAMCONF is None, reason="clamconf is not installed")


@pytest.fixture
def tree(tmp_path):
    """An empty tree, and a way to write files into it."""

    class Tree:
        root = tmp_path / "root"

        def put(self, path, text):
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text if isinstance(text, bytes) else text.encode())
            return place

        def plan(self, clamd, *, take_over=False, **others):
            self.put("/etc/clamav/clamd.conf", clamd)
            for name, text in others.items():
                self.put(f"/etc/clamav/{name.replace('_', '-')}.conf", text)
            return plan_migration(None, take_over_socket=take_over, root=self.root)

    Tree.root.mkdir()
    return Tree()


def row_of(migration, option):
    return next(row for row in migration.plan.rows if row.stated.option == option)


# --- the tables ---------------------------------------------------------------------------


@needs_clamconf
@pytest.mark.parametrize("program", [CLAMD, FRESHCLAM, MILTER], ids=lambda p: p.title)
def test_every_option_that_clamav_has_is_in_the_table_and_no_other(program):
    done = subprocess.run(
        [CLAMCONF, "-g", program.title], capture_output=True, text=True, check=True
    )
    listed = set(re.findall(r"^#?([A-Z][A-Za-z0-9]+)(?: |$)", done.stdout, re.M)) - {"Example"}
    assert len(listed) > 30
    invented = set(program.by_name) - listed - {"DetectBrokenExecutables"}  # taken, not listed
    assert (listed - set(program.by_name), invented) == (set(), set())


@pytest.mark.skipif(shutil.which("clamonacc") is None, reason="clamonacc is not installed")
def test_every_option_of_clamonacc_is_in_the_table():
    done = subprocess.run(["clamonacc", "--help"], capture_output=True, text=True, check=False)
    listed = set(re.findall(r"^ {4}(--[a-z-]+)", done.stdout, re.M))
    assert listed == set(CLAMONACC.by_name)


def test_what_becomes_something_has_somebody_who_says_what():
    for program in PROGRAMS:
        becoming = {o.now or o.name for o in program.options if o.fate is Fate.BECOMES}
        assert becoming == set(program.handlers)
        assert len(program.by_name) == len(program.options)
        assert all(option.text for option in program.options)


# --- ClamAV's own reader as the judge -----------------------------------------------------

READINGS = [
    ("MaxThreads 5\nMaxThreads 7\n", "MaxThreads", "5"),
    ("ScanPE YES\n", "ScanPE", "yes"),
    ("ScanPE\tno\n", "ScanPE", None),
    ("MaxFileSize 1g\n", "MaxFileSize", str(1 << 30)),
    ('LocalSocket "/a b/c" d\n', "LocalSocket", "/a b/c"),
    ("  LocalSocket /a # c  \t\n", "LocalSocket", "/a # c"),
    ("LocalSocketMode 0660\n", "LocalSocketMode", "0660"),
]
REFUSED = ["MaxThreads 5x\n", "MaxThreads\n", "ScanPE maybe\n", "Example\n", "MaxFileSize -1\n",
           "MaxScanTime 120s\n", "DisableCache\n", "MaxThreads 5\r\n"]  # fmt: skip


@pytest.mark.parametrize(("text", "option", "value"), READINGS)
def test_values_are_read_as_clamconf_reads_them(text, option, value, tmp_path):
    read = read_clamav(text.encode(), "clamd.conf", CLAMD.by_name)
    assert read.problems == ()
    (held,) = [each for each in read.stated if not each.repeated]
    said = {True: "yes", False: None}.get(held.value, str(held.value))
    if held.option == "MaxThreads":
        said = held.text
    assert (held.option, said) == (option, value)
    if CLAMCONF:
        (tmp_path / "clamd.conf").write_text(text)
        shown = subprocess.run([CLAMCONF, "-c", tmp_path], capture_output=True, text=True).stdout
        wanted = f'{option} = "{value}"' if value else f"{option} disabled"
        assert wanted in shown.splitlines()


@pytest.mark.parametrize("text", REFUSED)
def test_what_clamconf_refuses_is_a_problem(text, tmp_path):
    read = read_clamav(text.encode(), "clamd.conf", CLAMD.by_name)
    assert read.problems
    if CLAMCONF:
        (tmp_path / "clamd.conf").write_bytes(text.encode())
        done = subprocess.run([CLAMCONF, "-c", tmp_path], capture_output=True, text=True)
        assert "ERROR" in done.stdout + done.stderr


# --- real files ---------------------------------------------------------------------------

REAL = Path("/etc/clamav/clamd.conf")


@pytest.mark.skipif(not REAL.exists(), reason="ClamAV's daemon is not installed")
@pytest.mark.parametrize("take_over", [False, True])
def test_the_settings_that_debian_writes(take_over, tmp_path):
    before = {p: p.read_bytes() for p in REAL.parent.glob("*.conf")}
    migration = plan_migration(None, take_over_socket=take_over)
    assert migration.plan.problems == ()
    assert not [r for r in migration.plan.rows if "no option of" in r.remark]
    daemon = migration.loaded.settings.daemon
    stated = re.search(r"^LocalSocket (\S+)", REAL.read_text(), re.M)[1]
    taken = stated.replace("/var/run/", "/run/")
    assert daemon.socket == (taken if take_over else "/run/tocsin/clamd.sock")
    assert daemon.on_incomplete == "ok"
    assert migration.loaded.settings.database.sources == ("/var/lib/clamav",)
    written = write_settings(migration, tmp_path / "t.toml")
    assert written.backup is None
    assert before == {p: p.read_bytes() for p in REAL.parent.glob("*.conf")}


@needs_clamconf
def test_a_file_with_every_option_switched_on(tree):
    texts = {}
    for program in (CLAMD, FRESHCLAM, MILTER):
        done = subprocess.run([CLAMCONF, "-g", program.title], capture_output=True, text=True)
        stated = re.findall(r"^#([A-Z][A-Za-z0-9]+) +(\S.*)$", done.stdout, re.M)
        lines = [
            f"{option} {value if program.by_name[option].takes.name != 'NUMBER' else 30}"
            for option, value in stated
        ]
        texts[program.title.removesuffix(".conf").replace("-", "_")] = "\n".join(lines) + "\n"
    migration = tree.plan(texts.pop("clamd"), **texts)
    assert migration.plan.problems == ()
    assert migration.loaded is not None
    assert len(migration.plan.rows) > 200


# --- what becomes what --------------------------------------------------------------------


def settings_of(tree, text, **others):
    return tree.plan(text, **others).loaded.settings


def test_the_longer_of_two_times_is_named(tree):
    rows = tree.plan("ReadTimeout 180\nCommandReadTimeout 30\n").plan.rows
    said = {row.stated.option: row for row in rows}
    assert said["CommandReadTimeout"].becomes == said["ReadTimeout"].becomes
    assert said["CommandReadTimeout"].remark == "ReadTimeout is the longer of the two"
    assert said["ReadTimeout"].remark == ""


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("CacheSize 100\n", 100),
        ("DisableCache yes\n", 0),
        ("DisableCache no\n", 65_536),
        ("DisableCache yes\nCacheSize 100\n", 0),
        ("CacheSize 100\nDisableCache yes\n", 0),
    ],
)
def test_what_is_remembered(tree, text, size):
    assert settings_of(tree, text).daemon.cache_size == size


def test_limits_and_places(tree):
    settings = settings_of(
        tree,
        "LocalSocketGroup mail\nLocalSocketMode 660\nStreamMaxLength 25M\nMaxScanTime 90500\n"
        "MaxFileSize 0\nMaxRecursion 12\nIdleTimeout 60\nReadTimeout 300\nCommandReadTimeout 5\n"
        "SelfCheck 0\nDetectPUA yes\nAlertEncryptedDoc yes\nAlertEncrypted no\nOLE2BlockMacros 1\n"
        "CrossFilesystems no\nFollowFileSymlinks yes\nFailIfCvdOlderThan 2\nMaxQueue 100\n"
        "AlertExceedsMax yes\nLogSyslog yes\nLogFile /var/log/c.log\nLogFileMaxSize 5M\n"
        "ExcludePath ^/proc/\nExcludePath ^/sys/\nExcludePath ^/proc/\n"
        "DatabaseDirectory /srv/clamav/\n",
    )
    assert (settings.daemon.socket_group, settings.daemon.socket_mode) == ("mail", "0660")
    assert settings.daemon.stream_max_length == 25 << 20
    assert (settings.scan.timeout, settings.scan.max_file_size) == (90.5, 0)
    assert settings.scan.max_depth == 12
    assert (settings.daemon.idle_timeout, settings.daemon.command_timeout) == (60, 300)
    assert settings.database.check_every == 0
    assert settings.scan.detect_pua
    assert settings.scan.alert_encrypted
    assert settings.scan.alert_macros
    assert not settings.daemon.cross_file_systems
    assert settings.daemon.follow_links
    assert (settings.database.warn_after_days, settings.database.alarm_after_days) == (2, 2)
    assert settings.daemon.max_queue == 2000  # a smaller one would only refuse
    assert settings.daemon.on_incomplete == "found"
    assert [(f.kind, f.max_file_size) for f in settings.forward] == [
        ("syslog", 0), ("ecs", 5 << 20),
    ]  # fmt: skip
    assert settings.scan.exclude == ("/proc/*", "/sys/*")
    assert settings.database.sources == ("/srv/clamav",)


@pytest.mark.parametrize(
    ("text", "tcp", "anywhere"),
    [
        ("TCPSocket 3310\n", "127.0.0.1:3310", False),
        ("TCPSocket 3310\nTCPAddr localhost\n", "localhost:3310", False),
        ("TCPAddr ::1\nTCPSocket 99\n", "[::1]:99", False),
        ("TCPSocket 3310\nTCPAddr 0.0.0.0\nTCPAddr 10.0.0.1\n", "0.0.0.0:3310", True),
        ("TCPAddr 0.0.0.0\n", "", False),
        ("TCPSocket 70000\n", "", False),
        ("TCPSocket 3310\nTCPAddr a b\n", "", False),
    ],
)
def test_a_network_is_let_in_only_where_clamd_was_told_so(tree, text, tcp, anywhere):
    daemon = settings_of(tree, text).daemon
    assert daemon.tcp == tcp
    assert daemon.tcp_anywhere is (anywhere and bool(tcp))


def test_workers_are_as_many_as_threads_only_where_processors_are_more(tree, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    assert settings_of(tree, "MaxThreads 3\n").scan.jobs == 3
    assert settings_of(tree, "MaxThreads 12\n").scan.jobs == 0


def test_a_value_beyond_what_the_setting_takes_is_said(tree):
    migration = tree.plan("IdleTimeout 4000000\nMaxRecursion 0\n")
    assert migration.loaded.settings.daemon.idle_timeout == 86400
    assert migration.loaded.settings.scan.max_depth == 1
    assert "beyond" in row_of(migration, "IdleTimeout").remark


def test_official_files_alone(tree):
    for name in ("daily.cld", "main.cvd", "bytecode.cvd", "mine.ndb"):
        tree.put(f"/db/{name}", "")
    settings = settings_of(tree, "DatabaseDirectory /db\nOfficialDatabaseOnly yes\n")
    assert settings.database.sources == ("/db/bytecode.cvd", "/db/daily.cld", "/db/main.cvd")
    assert not settings.database.with_default


def test_on_access_scanning_becomes_the_guard(tree):
    tree.put("/etc/watch", "/srv\n\nrelative\n")
    tree.put(
        "/lib/systemd/system/clamav-clamonacc.service",
        "[Service]\nExecStart=/usr/sbin/clamonacc -F --fdpass \\\n  -W /etc/watch --move=/root/q\n",
    )
    text = (
        "OnAccessIncludePath /home\nOnAccessMountPath /data\nOnAccessExcludePath /home/x/\n"
        "OnAccessExcludeUname clamav\nOnAccessExcludeUID 0\nOnAccessExcludeUID 33\n"
        "OnAccessExcludeRootUID yes\nOnAccessMaxFileSize 5M\nOnAccessDenyOnError yes\n"
    )
    migration = tree.plan(text)
    guard = migration.loaded.settings.guard
    assert not guard.enabled
    assert guard.folders == ("/home", "/srv")
    assert guard.mounts == ("/data",)
    assert guard.exclude_paths == ("/home/x",)
    assert guard.exclude_users == ("clamav", "33", "root")
    assert (guard.max_file_size, guard.mode) == (5 << 20, "notify")
    assert (guard.on_incomplete, guard.fallback) == ("deny", "deny")
    assert guard.on_infected == "quarantine"
    assert "1 lines of it" in row_of(migration, "--watch-list").remark
    assert row_of(migration, "OnAccessExcludeUID").fate is Fate.NO_COUNTERPART
    wants = tree.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "clamav-clamonacc.service").symlink_to("/lib/systemd/system/x")
    guard = settings_of(tree, text + "OnAccessPrevention yes\n").guard
    assert guard.enabled
    assert guard.mode == "auto"


def test_without_folders_there_is_no_guard(tree):
    migration = tree.plan("OnAccessPrevention yes\nOnAccessMaxFileSize 5M\n")
    assert "[guard]" not in migration.text
    assert row_of(migration, "OnAccessPrevention").fate is Fate.NOT_NEEDED


def test_lines_that_do_not_say_what_clamav_does_are_said(tree):
    migration = tree.plan(
        "StructuredDataDetection yes\nPhishingScanURLs no\nScanPDF no\nBytecode no\n"
        "ExcludePath ^/a[0-9]+/\nNewIn15 yes\nScanOnAccess yes\nMaxThreads 2\nMaxThreads 4\n"
        "LogVerbose no\n"
    )
    fates = [row.fate for row in migration.plan.rows[:-1]]
    none, same, not_needed = Fate.NO_COUNTERPART, Fate.SAME, Fate.NOT_NEEDED
    assert fates[:7] == [none, same, none, same, none, none, not_needed]
    assert fates[8:] == [not_needed, same]
    assert "ExcludePath ^/a[0-9]+/" in migration.text
    assert all(row.attention for row in migration.plan.rows if row.fate is none)


def test_a_value_cannot_break_out_of_a_comment(tree):
    migration = tree.plan("ExcludePath (\u2028[daemon]\u0085x\u001b[31m\n")
    assert migration.loaded.settings.daemon.socket == "/run/tocsin/clamd.sock"
    assert "\x1b" not in migration.text


def test_what_default_files_set_is_shown(tree):
    tree.put("/etc/default/clamav-daemon", "# x\nCLAMD_OPTS='-c /x'\nexport TMPDIR=/srv\n")
    variables = tree.plan("MaxThreads 1\n").variables
    assert [(v.option, v.line) for v in variables] == [("CLAMD_OPTS", 2), ("TMPDIR", 3)]


# --- clients ------------------------------------------------------------------------------


def test_each_clients_line_is_named(tree):
    servers = 'clamav {\n servers = "/run/clamav/clamd.ctl";\n}\n'
    tree.put("/etc/rspamd/local.d/antivirus.conf", servers)
    tree.put("/etc/amavis/conf.d/15-av_scanners", '# "/var/run/clamav/clamd.ctl"\n'
             ' "CONTSCAN {}", "/var/run/clamav/clamd.ctl"],\n')  # fmt: skip
    tree.put("/etc/exim4/exim4.conf.template", "av_scanner = clamd:/run/clamav/clamd.ctl\n")
    tree.put("/etc/clamsmtpd.conf", "Listen: 1\n")
    tree.put("/etc/samba/smb.conf", "[global]\nother = /run/clamav/clamd.ctl.old\n")
    milter = "ClamdSocket unix:/var/run/clamav/clamd.ctl\nMaxFileSize 500M\n"
    migration = tree.plan("LocalSocket /var/run/clamav/clamd.ctl\n", clamav_milter=milter)
    found = {(c.client, c.file, c.line): c.change for c in migration.clients}
    new = "/run/tocsin/clamd.sock"
    assert found == {
        ("rspamd", "/etc/rspamd/local.d/antivirus.conf", 2): f'servers = "{new}";',
        ("Amavis", "/etc/amavis/conf.d/15-av_scanners", 2): f'"CONTSCAN {{}}", "{new}"],',
        ("Exim", "/etc/exim4/exim4.conf.template", 1): f"av_scanner = clamd:{new}",
        ("clamsmtp", "/etc/clamsmtpd.conf", 0): f"ClamAddress: {new}",
        ("clamav-milter", "/etc/clamav/clamav-milter.conf", 1): f"ClamdSocket unix:{new}",
    }
    assert "stream_max_length" in row_of(migration, "MaxFileSize").remark
    taken = tree.plan("LocalSocket /var/run/clamav/clamd.ctl\n", take_over=True)
    assert taken.clients == ()
    assert row_of(taken, "ClamdSocket").fate is Fate.SAME


# --- signatures ---------------------------------------------------------------------------


def test_signatures_of_ones_own_are_counted_and_nothing_is_changed(tree):
    good = "Mine.Test:0:*:6d616c69636520697320686572652e2e2e\n"
    files = {
        "main.cvd": "", "freshclam.dat": "", "local.ndb": good + "broken line\n" * 7,
        "junk.ndb": good, "local.ign2": "Other.Name\n", "mine.cbc": "ClamBC", "notes.txt": "x",
        "good.fp": "44d88612fea8a8f36de82e1278abb02f:68:a\n",
    }  # fmt: skip
    for name, text in files.items():
        tree.put(f"/db/{name}", text)
    migration = tree.plan(
        "DatabaseDirectory /db\n", freshclam="DatabaseCustomURL http://h/junk.ndb\n"
    )
    found = {
        Path(file.path).name: file
        for file in review_signatures(migration.plan, migration.folders, tree.root)
    }
    assert set(found) == set(files) - {"freshclam.dat"}
    assert found["main.cvd"].origin is Origin.OFFICIAL
    assert found["junk.ndb"].origin is Origin.FRESHCLAM
    assert found["notes.txt"].origin is Origin.UNKNOWN
    local = found["local.ndb"]
    assert (local.origin, local.number, len(local.problems), local.more) == (Origin.LOCAL, 1, 5, 2)
    assert found["mine.cbc"].unevaluated == 1
    assert {n for n, f in found.items() if f.purpose == "exceptions"} == {"local.ign2", "good.fp"}
    assert {name: (tree.root / "db" / name).read_text() for name in files} == files


# --- hostile files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Example\nLocalSocket /x\n", "clamd.conf:1: Example: the sample"),
        (b"MaxThreads many\n", "clamd.conf:1: MaxThreads: expected a number, not 'many'"),
        (b"\nMaxThreads\n", "clamd.conf:2: MaxThreads: has no value"),
        (b"ScanPE maybe\n", "expected yes or no"),
        (b"MaxFileSize 5X\n", "expected a size"),
        (b"LocalSocket /x\r\nMaxThreads 5\r\n", "2 lines end as on Windows"),
        (b"a" * (1 << 20), f"a line of {1 << 20:,} bytes"),
        (b"x\n" * (1 << 20), "larger than"),
        (b"\x7fELF\x00\x01", "holds binary data"),
        (b"LocalSocket \xff\n", "clamd.conf:1: not UTF-8"),
        (b'LocalSocket "/x\n', "quotation mark"),
        (b"{json}\n", "is not the name of an option"),
        (b"?\n" * 100, "and 80 lines more are wrong"),
        (b"LocalSocket " + b"x" * LONGEST_LINE, "a line of"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_nothing_is_written(content, said, tree, tmp_path):
    tree.put("/etc/clamav/clamd.conf", content)
    target = tmp_path / "t.toml"
    arguments = ["migrate", "clamav", "--root", str(tree.root), "--to", str(target), "--apply"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1, done.output
    assert said in done.output
    assert max(map(len, done.output.splitlines())) < 300
    assert not target.exists()
    with pytest.raises(SettingsError):
        write_settings(plan_migration(None, take_over_socket=False, root=tree.root), target)


def test_no_clamav_and_no_file(tmp_path):
    with pytest.raises(UsageError, match="--from"):
        plan_migration(None, take_over_socket=False, root=tmp_path)
    (tmp_path / "etc/clamav").mkdir(parents=True)
    os.mkfifo(tmp_path / "etc/clamav/clamd.conf")
    with pytest.raises(UsageError):
        plan_migration(None, take_over_socket=False, root=tmp_path)


# --- writing ------------------------------------------------------------------------------


def test_the_earlier_file_is_kept_with_its_rights(tree, tmp_path):
    target = tmp_path / "t.toml"
    target.write_text("# mine\n")
    target.chmod(0o600)
    migration = tree.plan("MaxThreads 1\n")
    first = write_settings(migration, target, now=lambda: 0.0)
    second = write_settings(migration, target, now=lambda: 0.0)
    assert first.backup.read_text() == "# mine\n"
    assert second.backup.read_text() == target.read_text() == migration.text
    assert first.backup != second.backup
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_shown_then_written(tree, tmp_path):
    tree.put("/etc/clamav/clamd.conf", "LocalSocket /run/c.sock\nBytecode yes\nLogTime yes\n")
    tree.put("/etc/clamav/freshclam.conf", "HTTPProxyPassword hunter2\n")
    target = tmp_path / "etc" / "t.toml"
    call = [*TOCSIN, "migrate", "clamav", "--root", tree.root, "--to", target]
    wide = {**os.environ, "COLUMNS": "160"}
    shown = subprocess.run(
        [*call, "--all"], capture_output=True, text=True, check=True, env=wide
    ).stdout
    assert re.search(r'^1 +LocalSocket +/run/c.sock +\[daemon\] socket = "/run/tocsin', shown, re.M)
    assert "Nothing was written" in shown
    assert "hunter2" not in shown
    assert not target.exists()
    done = subprocess.run([*call, "--json", "--apply"], capture_output=True, text=True, check=True)
    values = json.loads(done.stdout)
    assert values["written"]
    assert values["target"] == str(target)
    fates = {o["option"]: o["fate"] for o in values["options"]}
    assert fates["Bytecode"] == "no counterpart"
    assert "hunter2" not in done.stdout
    checked = subprocess.run([*TOCSIN, "config", "check", target], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    applied = subprocess.run(
        [*call, "--apply", "--take-over-socket"], capture_output=True, text=True, check=True
    )
    assert "clamav-daemon.socket" in applied.stdout
    assert "the one before is" in applied.stdout
