"""Installing and uninstalling: exactly what was made is taken back."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tocsin.app import install as app_install
from tocsin.app.doctor import _test_file
from tocsin.app.install import Target, install, uninstall
from tocsin.errors import InstallError
from tocsin.protect.configuration.load import load_file
from tocsin.protect.install import installer as installer_module
from tocsin.protect.install.installer import Outcome
from tocsin.protect.install.manifest import Manifest
from tocsin.protect.install.service_unit import CAPABILITIES, system_unit, user_unit
from tocsin.protect.quarantine.record import Finding
from tocsin.protect.quarantine.vault import Vault

TOCSIN = [sys.executable, "-m", "tocsin.cli.main"]
COMMAND = ("/opt/tocsin/bin/tocsin",)
UNIT = "etc/systemd/system/tocsin.service"
IS_ROOT = os.geteuid() == 0
MAKES_ACCOUNTS = IS_ROOT and shutil.which("useradd", path="/usr/sbin:/sbin") is not None

ROT13_TEST_FILE = codecs.encode(_test_file().decode(), "rot13").replace("$", "\\$")
"""The field's harmless test file, veiled, as it stands between double quotes of a shell."""

needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
needs_useradd = pytest.mark.skipif(not MAKES_ACCOUNTS, reason="needs root and useradd")


def picture(root: Path) -> dict[str, tuple]:
    """Everything in a tree: kind, mode, owner and content."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            content = os.readlink(path) if path.is_symlink() else ""
            if stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            found[str(path.relative_to(root))] = (
                status.st_mode, status.st_uid, status.st_gid, content,
            )  # fmt: skip
    return found


def without_backups(shown: dict[str, tuple]) -> dict[str, tuple]:
    """Without what useradd and userdel leave behind of their own."""
    return {
        n: v for n, v in shown.items() if not (n.startswith("etc/") and n.endswith(("-", ".lock")))
    }


def add_account_files(root: Path) -> None:
    (root / "etc").mkdir(exist_ok=True)
    for name, text in {
        "passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "group": "root:x:0:\nmail:x:8:\n",
        "shadow": "root:*:19000:0:99999:7:::\n",
        "gshadow": "root:*::\nmail:*::\n",
        "login.defs": "USERGROUPS_ENAB yes\nSYS_UID_MIN 100\nSYS_GID_MIN 100\n",
    }.items():
        (root / "etc" / name).write_text(text)


@pytest.fixture
def target(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return Target(root)


def outcomes(done):
    return {each.outcome for each in done}


# --- a tree without accounts ----------------------------------------------------------------


def test_a_tree_is_as_before_when_all_is_taken_back(target):
    (target.root / "etc").mkdir(mode=0o700)
    before = picture(target.root)
    first = install(target, executable=COMMAND)
    assert outcomes(first.done) == {Outcome.MADE}
    assert not first.started
    made = picture(target.root)
    assert "usr/lib/sysusers.d/tocsin.conf" in made
    assert made["etc/systemd/system/multi-user.target.wants/tocsin.service"][3] == f"/{UNIT}"
    assert stat.S_IMODE(made["etc/tocsin/tocsin.toml"][0]) == 0o640
    assert stat.S_IMODE(made["var/cache/tocsin"][0]) == 0o700
    load_file(target.root / "etc/tocsin/tocsin.toml", needed=True)
    second = install(target, executable=COMMAND)
    assert outcomes(second.done) == {Outcome.THERE}
    assert picture(target.root) == made
    undone = uninstall(target, purge=False, purge_quarantine=False).undone
    assert {each.fate.value for each in undone} == {"removed"}
    assert picture(target.root) == before
    with pytest.raises(InstallError, match="no record"):
        uninstall(target, purge=False, purge_quarantine=False)


def test_a_dry_run_changes_nothing(target):
    done = install(target, executable=COMMAND, dry_run=True).done
    assert outcomes(done) == {Outcome.MADE}
    assert picture(target.root) == {}
    install(target, executable=COMMAND)
    made = picture(target.root)
    undone = uninstall(target, purge=True, purge_quarantine=False, dry_run=True).undone
    assert {each.fate.value for each in undone} == {"removed"}
    assert len(undone) == len(Manifest(target.root / "var/lib/tocsin/install.json").made)
    assert picture(target.root) == made


def test_what_was_there_is_not_touched_and_not_taken_back(target):
    config = target.root / "etc/tocsin"
    config.mkdir(parents=True)
    (config / "tocsin.toml").write_text("# mine\n")
    (target.root / "var/lib/tocsin").mkdir(parents=True)
    (target.root / "var/lib/tocsin/history.db").write_text("x")
    unit = target.root / UNIT
    unit.parent.mkdir(parents=True)
    unit.write_text("# somebody else's\n")
    before = picture(target.root)
    result = install(target, executable=COMMAND)
    kept = [each for each in result.done if each.outcome is Outcome.KEPT]
    assert [each.step.path for each in kept] == [f"/{UNIT}"]
    assert any("changed by somebody" in note for note in result.notes)
    assert unit.read_text() == "# somebody else's\n"
    uninstall(target, purge=True, purge_quarantine=False)
    assert picture(target.root) == before


def test_a_newer_program_renews_its_unit_but_not_a_changed_one(target):
    install(target, executable=("/old/tocsin",))
    done = install(target, executable=COMMAND).done
    assert [d.step.path for d in done if d.outcome is Outcome.RENEWED] == [f"/{UNIT}"]
    unit = target.root / UNIT
    assert unit.read_text() == system_unit(COMMAND)
    unit.write_text(unit.read_text() + "# mine\n")
    done = install(target, executable=("/newer/tocsin",)).done
    assert [d.outcome for d in done if d.step[0] == f"/{UNIT}"] == [Outcome.KEPT]


def test_what_was_changed_is_kept_and_named_and_purged_on_demand(target):
    install(target, executable=COMMAND)
    settings = target.root / "etc/tocsin/tocsin.toml"
    settings.write_text("# mine\n")
    settings.chmod(0o640)
    (target.root / "var/lib/tocsin/journal").mkdir()
    (target.root / "var/lib/tocsin/journal/journal.db").write_text("x")
    (target.root / "var/cache/tocsin/a.index").write_text("x")
    result = uninstall(target, purge=False, purge_quarantine=False)
    kept = {each.made.name: each.detail for each in result.undone if each.fate.value == "kept"}
    assert kept["/etc/tocsin/tocsin.toml"] == "it was changed"
    assert "journal" in kept["/var/lib/tocsin"]
    assert not (target.root / "var/cache").exists()
    assert not (target.root / UNIT).exists()
    assert settings.read_text() == "# mine\n"
    assert any("--purge" in note for note in result.notes)
    again = uninstall(target, purge=True, purge_quarantine=False)
    assert "kept" not in {each.fate.value for each in again.undone}
    assert picture(target.root) == {}


def test_nothing_in_quarantine_is_lost_unasked(target, tmp_path):
    install(target, executable=COMMAND)
    folder = target.root / "var/lib/tocsin/quarantine"
    infected = tmp_path / "infected"
    infected.write_text("x")
    with Vault(folder) as vault:
        vault.take(infected, finding=Finding(reason="a test"))
    made = picture(target.root)
    with pytest.raises(InstallError, match=r"1 objects in quarantine.*restore"):
        uninstall(target, purge=True, purge_quarantine=False)
    assert picture(target.root) == made
    notes = uninstall(target, purge=False, purge_quarantine=False).notes
    assert any("1 objects stay in quarantine" in note for note in notes)
    with Vault(folder, create=False) as vault:
        assert len(list(vault.records())) == 1
    uninstall(target, purge=True, purge_quarantine=True)
    assert picture(target.root) == {}


def test_a_quarantine_that_cannot_be_read_is_not_lost_either(target):
    install(target, executable=COMMAND)
    folder = target.root / "var/lib/tocsin/quarantine"
    folder.mkdir(mode=0o700)
    (folder / "unknown").write_text("x")
    with pytest.raises(InstallError, match="cannot be counted"):
        uninstall(target, purge=True, purge_quarantine=False)


# --- interruptions --------------------------------------------------------------------------


class Interrupted(BaseException):
    """The power went."""


CALLS = ("mkdir", "rename", "replace", "symlink", "chmod", "unlink", "fsync")


def interrupt_at(monkeypatch, number):
    """Have the n-th call that changes something fail as if the machine had stopped."""
    state = {"left": number}

    def wrap(name):
        real = getattr(os, name)

        def call(*arguments, **named):
            if state["left"] == 0:
                raise Interrupted
            state["left"] -= 1
            return real(*arguments, **named)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, wrap(name))
    return state


@pytest.mark.parametrize("number", range(0, 120, 7))
def test_an_interrupted_installation_can_be_repeated_and_taken_back(target, number):
    with pytest.MonkeyPatch.context() as patched:
        state = interrupt_at(patched, number)
        try:
            install(target, executable=COMMAND)
        except Interrupted:
            pass
        else:
            assert state["left"] > 0
    if number % 2:
        if (target.root / "var/lib/tocsin/install.json").exists():
            uninstall(target, purge=False, purge_quarantine=False)
    else:
        install(target, executable=COMMAND)
        assert (target.root / UNIT).read_text() == system_unit(COMMAND)
        uninstall(target, purge=False, purge_quarantine=False)
    left = {name for name, (mode, *_) in picture(target.root).items() if not stat.S_ISDIR(mode)}
    assert {Path(name).name for name in left} <= {
        ".tocsin.toml.new", ".tocsin.service.new", ".tocsin.conf.new", ".install.json.new",
        "install.json",
    }  # fmt: skip


@pytest.mark.parametrize("number", range(0, 60, 6))
def test_an_interrupted_uninstallation_can_be_repeated(target, number):
    install(target, executable=COMMAND)
    with pytest.MonkeyPatch.context() as patched:
        interrupt_at(patched, number)
        with suppress(Interrupted):
            uninstall(target, purge=False, purge_quarantine=False)
    if (target.root / "var/lib/tocsin/install.json").exists():
        undone = uninstall(target, purge=False, purge_quarantine=False).undone
        assert "kept" not in {each.fate.value for each in undone}
    files = [n for n, (mode, *_) in picture(target.root).items() if not stat.S_ISDIR(mode)]
    assert files == []


def test_a_damaged_record_is_said_and_nothing_is_done(target):
    install(target, executable=COMMAND)
    record = target.root / "var/lib/tocsin/install.json"
    for text in ("{", "[]", '{"form": 9}', '{"form": 1, "made": [{"kind": 5}]}', "[" * 100_000):
        record.write_text(text)
        with pytest.raises(InstallError, match="no record of an installation"):
            uninstall(target, purge=True, purge_quarantine=True)


def test_a_link_out_of_the_tree_is_not_followed(target, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (target.root / "var").symlink_to(outside)
    with pytest.raises(InstallError, match="leads out of"):
        install(target, executable=COMMAND)
    assert list(outside.iterdir()) == []


# --- accounts -------------------------------------------------------------------------------


@needs_useradd
def test_accounts_are_made_and_removed(target):
    add_account_files(target.root)
    before = picture(target.root)
    install(target, executable=COMMAND)
    passwd = (target.root / "etc/passwd").read_text()
    (entry,) = [line for line in passwd.splitlines() if line.startswith("tocsin:")]
    fields = entry.split(":")
    assert int(fields[2]) < 1000
    assert fields[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    assert "\ntocsin-admin:" in (target.root / "etc/group").read_text()
    log = (target.root / "var/log/tocsin").stat()
    assert (log.st_uid, stat.S_IMODE(log.st_mode)) == (int(fields[2]), 0o750)
    assert outcomes(install(target, executable=COMMAND).done) == {Outcome.THERE}
    uninstall(target, purge=False, purge_quarantine=False)
    assert without_backups(picture(target.root)) == before


@needs_useradd
def test_accounts_to_which_something_belongs_are_kept(target):
    add_account_files(target.root)
    before = picture(target.root)
    install(target, executable=COMMAND)
    log = target.root / "var/log/tocsin"
    events = log / "events.json"
    events.write_text("x")
    os.chown(events, log.stat().st_uid, log.stat().st_gid)
    result = uninstall(target, purge=False, purge_quarantine=False)
    kept = {each.made.name for each in result.undone if each.fate.value == "kept"}
    assert {"/var/log/tocsin", "tocsin"} <= kept
    assert "tocsin-admin" not in kept
    assert "\ntocsin:" in (target.root / "etc/passwd").read_text()
    uninstall(target, purge=True, purge_quarantine=False)
    assert without_backups(picture(target.root)) == before


@needs_useradd
def test_a_group_that_was_there_stays_when_the_user_of_its_name_goes(target):
    add_account_files(target.root)
    with open(target.root / "etc/group", "a") as file:
        file.write("tocsin:x:777:\n")
    with open(target.root / "etc/gshadow", "a") as file:
        file.write("tocsin:!::\n")
    install(target, executable=COMMAND)
    uninstall(target, purge=False, purge_quarantine=False)
    assert "tocsin:x:777:" in (target.root / "etc/group").read_text()
    assert "tocsin" not in (target.root / "etc/passwd").read_text()


ALONE = """\
set -e
for folder in /etc /var/lib /var/cache /var/log; do
  mkdir -p /mnt/new; mount -t tmpfs -o mode=755 tmpfs /mnt/new
  [ $folder = /etc ] && cp -a /etc/. /mnt/new/
  mount --move /mnt/new $folder
done
mount -t tmpfs -o mode=755 tmpfs /run
cd /
"""
"""Begins a script that may change this machine: it sees a copy that ends with it."""


def run_alone(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script with `tocsin` as its arguments, on a copy of this machine."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    alone = [unshare, "--mount", "--propagation", "private"]
    trial = subprocess.run(
        [*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    if trial.returncode:
        pytest.skip("this kernel grants no mount namespace")
    try:
        app_install._require_trusted([sys.executable])
    except InstallError as error:
        pytest.skip(f"this checkout is not root's alone: {error}")
    return subprocess.run(
        [*alone, "/bin/sh", "-c", ALONE + script, "sh", *TOCSIN],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")},
        check=False,
    )


@needs_useradd
def test_for_real_on_this_machine():
    done = run_alone(
        """\
"$@" install --json
id tocsin; stat -c '%U %G %a' /var/log/tocsin /etc/tocsin/tocsin.toml
"$@" doctor --json | grep '"installation"'
"$@" uninstall --json
! id tocsin 2>&1
! ls -A /var/lib /var/cache /var/log | grep tocsin
[ ! -e /etc/tocsin ] && [ ! -e /etc/systemd/system/tocsin.service ] && echo clean
"""
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("clean")
    lines = done.stdout.splitlines()
    assert "tocsin tocsin 750" in lines
    assert "root tocsin-admin 640" in lines
    checks = [json.loads(line) for line in lines if line.startswith('{"group"')]
    states = {check["name"]: check["state"] for check in checks}
    assert states["record"] == states["accounts"] == states["settings"] == "ok"
    if shutil.which("systemctl"):
        assert states["systemd unit"] == "ok"


@needs_useradd
@pytest.mark.skipif(
    not (Path("/etc/clamav/clamd.conf").exists() and shutil.which("clamdscan")),
    reason="clamav-daemon and clamdscan are not installed",
)
def test_clamdscan_needs_no_change_when_the_socket_is_taken_over():
    """ClamAV's own client, with ClamAV's own settings, is served by the daemon."""
    done = run_alone(
        """\
"$@" migrate clamav --take-over-socket --apply > /run/said
"$@" install --no-start --json > /run/made
"$@" daemon & daemon=$!
clamdscan --ping 120:1
printf '%s' "$SAMPLE" | tr 'A-Za-z' 'N-ZA-Mn-za-m' > /run/sample
clamdscan --no-summary --fdpass /run/sample || echo status $?
clamdscan --no-summary --stream /etc/hosts
kill $daemon; wait $daemon
"$@" uninstall --purge --json > /run/gone
ls -A /etc/tocsin
""".replace("$SAMPLE", ROT13_TEST_FILE)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("/run/sample: ") and line.endswith(" FOUND") for line in lines)
    assert {"status 1", "/etc/hosts: OK", "tocsin.toml"} <= set(lines)


# --- who may -------------------------------------------------------------------------------


def test_without_root_it_is_said_what_can_be_done(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InstallError, match=r"sudo tocsin install.*--user"):
        install(Target())
    with pytest.raises(InstallError, match="needs root"):
        uninstall(Target(), purge=False, purge_quarantine=False)


@needs_root
def test_root_runs_no_program_that_others_can_change(tmp_path):
    tmp_path.chmod(0o755)
    program = tmp_path / "tocsin"
    program.write_text("")
    program.chmod(0o777)
    with pytest.raises(InstallError, match=r"tocsin can be written by everybody.*/opt"):
        app_install._require_trusted([str(program)])
    program.chmod(0o755)
    os.chown(program, 1234, 0)
    with pytest.raises(InstallError, match="does not belong to root"):
        app_install._require_trusted([str(program)])


def test_a_users_own_service(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1000)
    monkeypatch.setattr(app_install, "_SYSTEMD_RUNS", str(tmp_path / "none"))
    for variable in ("TOCSIN_CONFIG_DIR", "TOCSIN_STATE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    target = Target(own=True)
    done = install(target, executable=COMMAND).done
    assert outcomes(done) == {Outcome.MADE}
    settings = load_file(tmp_path / "config/tocsin/tocsin.toml", needed=True).settings
    assert settings.daemon.api_socket == f"{tmp_path}/run/tocsin/api.sock"
    unit = tmp_path / "config/systemd/user/tocsin.service"
    assert unit.read_text() == user_unit(COMMAND)
    uninstall(target, purge=False, purge_quarantine=False)
    assert picture(tmp_path) == {}
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(InstallError, match="XDG_RUNTIME_DIR"):
        install(target, executable=COMMAND)


# --- the unit ------------------------------------------------------------------------------

ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


@needs_analyze
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    unit = tmp_path / "tocsin.service"
    unit.write_text(system_unit((sys.executable, "-m", "a b%c$d")))
    done = subprocess.run([ANALYZE, "verify", unit], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "tocsin" in line]
    assert (done.returncode, said) == (0, [])


@needs_analyze
def test_the_unit_is_exposed_less_than_a_limit():
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    unit = folder / f"tocsin-exposure-{os.getpid()}.service"
    unit.write_text(system_unit(COMMAND))
    try:
        done = subprocess.run(
            [ANALYZE, "security", "--offline=true", "--threshold=65", unit],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        unit.unlink()
    assert done.returncode == 0, done.stdout[-300:]


def test_the_unit_stays_in_the_machines_mount_namespace():
    """A guard that marks mounts in a namespace of its own would guard nothing."""
    stated = {line.partition("=")[0] for line in system_unit(COMMAND).splitlines() if "=" in line}
    separate = {
        "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts",
        "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectProc",
        "ProtectControlGroups", "ProcSubset", "ReadWritePaths", "ReadOnlyPaths",
        "InaccessiblePaths", "ExecPaths", "NoExecPaths", "BindPaths", "BindReadOnlyPaths",
        "TemporaryFileSystem", "MountFlags", "RootDirectory", "RootImage", "PrivateIPC",
    }  # fmt: skip
    assert stated & separate == set()
    assert "CAP_SYS_ADMIN" in CAPABILITIES


CAPABLE = """\
import os, sys
from tocsin.protect.guard.fanotify import Group
from tocsin.database.cache import open_database
from tocsin.engine.scanner import Scanner
Group(permission=True).close()
with Scanner(open_database()) as scanner:
    scanner.scan_bytes(b"x", "x")
    print(",".join(scanner.confined_by))
from tocsin.protect.daemon.rights import drop_to
drop_to(65534, 65534, new_privileges=False)
print(os.geteuid())
"""


@needs_root
def test_the_capabilities_that_the_unit_keeps_are_enough():
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed")
    kept = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in CAPABILITIES)
    limited = [setpriv, f"--bounding-set=-all,{kept}", "--inh-caps=-all"]
    whole, less = (
        subprocess.run(
            [*before, sys.executable, "-c", CAPABLE], capture_output=True, text=True, check=False
        )
        for before in ([], limited)
    )
    if "PermissionError" in whole.stderr:
        pytest.skip("root has not all rights here")
    assert "namespaces" in whole.stdout
    assert less.returncode == 0, less.stderr
    assert less.stdout == whole.stdout


# --- the command ---------------------------------------------------------------------------


def test_the_commands_say_what_they_do(target):
    call = [*TOCSIN, "install", "--root", target.root]
    shown = subprocess.run([*call, "--dry-run"], capture_output=True, text=True, check=True).stdout
    assert "would be made  file /etc/tocsin/tocsin.toml" in shown
    assert picture(target.root) == {}
    made = json.loads(
        subprocess.run([*call, "--json"], capture_output=True, text=True, check=True).stdout
    )
    assert {step["outcome"] for step in made["steps"]} == {"made"}
    gone = subprocess.run(
        [*TOCSIN, "uninstall", "--root", target.root], capture_output=True, text=True, check=True
    )
    assert "removed        file /etc/tocsin/tocsin.toml" in gone.stdout
    assert picture(target.root) == {}
    again = subprocess.run(
        [*TOCSIN, "uninstall", "--root", target.root], capture_output=True, text=True, check=False
    )
    assert again.returncode == 2
    assert "no record of an installation" in again.stderr


def test_the_step_before_a_failing_one_is_recorded(target, monkeypatch):
    def fails(self, place, step):
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(installer_module.Installer, "_write", fails)
    with pytest.raises(InstallError, match="Permission denied"):
        install(target, executable=COMMAND)
    monkeypatch.undo()
    uninstall(target, purge=False, purge_quarantine=False)
    assert picture(target.root) == {}
