"""Every family of start-up places is found below a root, with the programs that it names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis.strategies import sampled_from, text

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine_samples import BODY_RULE, PAYLOAD, isolation, open_files, tocsin
from startup_roots import RELEASE, machine, plant, program

from tocsin.database.index import Index
from tocsin.engine.exceptions import NONE
from tocsin.engine.options import Options
from tocsin.engine.report import Report, Verdict
from tocsin.engine.workers import WorkerPool
from tocsin.protect.startup.commands import named_in_command, named_in_script
from tocsin.protect.startup.logins import ssh_commands
from tocsin.protect.startup.machine import apt_commands, git_commands, rule_commands
from tocsin.protect.startup.place import Kind, Place
from tocsin.protect.startup.timed import cron_commands
from tocsin.protect.startup.tree import Tree
from tocsin.protect.startup.units import exec_commands
from tocsin.protect.startup_places import StartupPlaces
from tocsin.protect.startup_scan import StartupScan

VALID = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text())
)
TOOL = "/opt/tool/run"

# path, its text with TOOL as what it names, its kind; an empty text names nothing.
FILES = [
    ("/etc/crontab", f"SHELL=/bin/sh\n5 * * * * root nice -n 5 {TOOL} --now\n", Kind.CRON),
    ("/etc/crontab", f"@reboot root {TOOL}\n", Kind.CRON),
    ("/etc/cron.d/job", f"*/5 * * * * root [ -x {TOOL} ] && {TOOL}\n", Kind.CRON),
    ("/etc/cron.daily/job", f"#!/bin/sh\nexec {TOOL}\n", Kind.CRON),
    ("/etc/anacrontab", f"1 5 cron.daily {TOOL} x\n", Kind.CRON),
    ("/var/spool/cron/crontabs/anna", f"0 1 * * * sh -c '{TOOL} a; true'\n", Kind.CRON),
    ("/var/spool/cron/atjobs/a0001", f"#!/bin/sh\n# atrun\n{TOOL}\n", Kind.AT),
    ("/etc/systemd/system/a.service", f"[Service]\nExecStart=-@{TOOL} run %i\n", Kind.UNIT),
    (
        "/etc/systemd/system/a.service",
        f"[Service]\nExecStart=/bin/sh -c \\\n  '{TOOL}'\n",
        Kind.UNIT,
    ),
    ("/lib/systemd/system/a.service.d/x.conf", f"[Service]\nExecStop={TOOL}\n", Kind.UNIT),
    ("/etc/systemd/system/a.timer", "", Kind.UNIT),
    ("/usr/lib/systemd/system-generators/g", "", Kind.UNIT),
    ("/home/anna/.config/systemd/user/a.service", f"ExecStartPre=+{TOOL}\n", Kind.UNIT),
    ("/usr/share/dbus-1/system-services/a.service", f"Exec={TOOL}\n", Kind.BUS),
    ("/etc/rc.local", f"#!/bin/sh\n{TOOL} &\n", Kind.INIT),
    ("/etc/init.d/tool", f"#!/bin/sh\nDAEMON={TOOL}\n", Kind.INIT),
    ("/etc/profile", f". {TOOL}\n", Kind.SHELL),
    ("/etc/profile.d/a.sh", f"{TOOL} --quiet\n", Kind.SHELL),
    ("/root/.bashrc", f'alias ls="{TOOL}"\n', Kind.SHELL),
    ("/home/anna/.zshrc", f"eval $({TOOL})\n", Kind.SHELL),
    ("/home/bob/.config/fish/conf.d/x.fish", f"{TOOL}\n", Kind.SHELL),
    ("/etc/environment", f"LD_PRELOAD={TOOL}\n", Kind.ENVIRONMENT),
    ("/home/anna/.config/environment.d/x.conf", f'LD_AUDIT="{TOOL}"\n', Kind.ENVIRONMENT),
    ("/etc/ld.so.preload", f"# why\n{TOOL}\n", Kind.LOADER),
    ("/etc/ld.so.conf.d/x.conf", "", Kind.LOADER),
    (
        "/etc/pam.d/sshd",
        f"session optional {TOOL}.so\nauth required pam_exec.so {TOOL}\n",
        Kind.PAM,
    ),
    ("/etc/ssh/sshd_config", f"ForceCommand {TOOL}\n", Kind.SSH),
    ("/etc/ssh/sshd_config.d/x.conf", f"Subsystem sftp {TOOL}\n", Kind.SSH),
    ("/root/.ssh/authorized_keys", f'command="{TOOL} x",no-pty ssh-ed25519 AAAA me\n', Kind.SSH),
    ("/home/bob/.ssh/rc", "", Kind.SSH),
    ("/home/anna/.ssh/config", f"Host a\n  ProxyCommand {TOOL} %h\n", Kind.SSH),
    ("/etc/modules", "", Kind.MODULE),
    ("/etc/modprobe.d/x.conf", f"install usb {TOOL}; modprobe x\n", Kind.MODULE),
    ("/etc/dkms/framework.conf", "", Kind.MODULE),
    (f"/lib/modules/{RELEASE}/updates/dkms/x.ko", "", Kind.MODULE),
    ("/home/anna/.mozilla/firefox/a.default/extensions/x@y.xpi", "", Kind.BROWSER),
    ("/home/anna/snap/firefox/common/.mozilla/firefox/p/extensions/x.xpi", "", Kind.BROWSER),
    (
        "/home/bob/.var/app/org.mozilla.firefox/.mozilla/firefox/p/extensions/x.xpi",
        "",
        Kind.BROWSER,
    ),
    ("/root/.config/google-chrome/Default/Extensions/abc/1.0/background.js", "", Kind.BROWSER),
    ("/home/anna/.config/chromium/Profile 1/Extensions/abc/1/a.js", "", Kind.BROWSER),
    ("/home/anna/.config/microsoft-edge/Default/Extensions/abc/1/a.js", "", Kind.BROWSER),
    (
        "/home/anna/.config/BraveSoftware/Brave-Browser/Default/Extensions/abc/1/a.js",
        "",
        Kind.BROWSER,
    ),
    (
        "/home/anna/.var/app/com.google.Chrome/config/google-chrome/Default/Extensions/a/1/a.js",
        "",
        Kind.BROWSER,
    ),
    ("/home/anna/snap/chromium/common/chromium/Default/Extensions/a/1/a.js", "", Kind.BROWSER),
    (
        "/home/anna/.config/chromium/NativeMessagingHosts/x.json",
        json.dumps({"name": "x", "path": TOOL}),
        Kind.BROWSER,
    ),
    ("/etc/xdg/autostart/x.desktop", f"[Desktop Entry]\nExec={TOOL} %U\n", Kind.AUTOSTART),
    ("/home/bob/.config/autostart/x.desktop", f"Exec=env A=1 {TOOL}\n", Kind.AUTOSTART),
    ("/etc/udev/rules.d/1.rules", f'ACTION=="add", RUN+="{TOOL} %k"\n', Kind.UDEV),
    ("/etc/update-motd.d/10-x", f"#!/bin/sh\n{TOOL}\n", Kind.MOTD),
    ("/etc/apt/apt.conf.d/x", f'DPkg::Post-Invoke {{"{TOOL} || true";}};\n', Kind.PACKAGES),
    ("/etc/NetworkManager/dispatcher.d/x", f"#!/bin/sh\n{TOOL}\n", Kind.NETWORK),
    ("/home/anna/.gitconfig", f"[core]\n\tfsmonitor = {TOOL}\n", Kind.GIT),
    ("/usr/lib/python3/dist-packages/x.pth", "", Kind.PYTHON),
    ("/home/anna/.local/lib/python3.11/site-packages/sitecustomize.py", "", Kind.PYTHON),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return machine(tmp_path / "root")


def places(root: Path, uid: int = 0) -> list[Place]:
    return list(StartupPlaces(Tree(str(root), RELEASE), uid).places())


@pytest.mark.parametrize(("path", "content", "kind"), FILES)
def test_every_family_is_found_with_what_it_names(
    root: Path, path: str, content: str, kind: Kind
) -> None:
    before = {place.path for place in places(root)}
    assert path not in before
    plant(root, path, content or "anything")
    program(root, TOOL)
    found = places(root)
    (own,) = {(p.kind, p.uid) for p in found if p.path == path and not p.named_by}
    home = {"anna": 1000, "bob": 1001}.get(path.split("/")[2] if "/" in path[1:] else "", 0)
    home = 1000 if path.endswith("/crontabs/anna") else home
    assert own == (kind, home)
    named = [p for p in found if p.path == TOOL]
    assert [p.named_by for p in named] == ([path] if content else [])
    assert all(p.uid == home for p in named)


def test_nothing_is_found_where_there_is_nothing(tmp_path: Path) -> None:
    assert places(machine(tmp_path / "root")) == []
    assert places(tmp_path / "nothing") == []


def test_modules_that_are_loaded_are_found_by_their_names(root: Path) -> None:
    plant(root, "/proc/modules", "snd_pcm 1 0 - Live 0x0\nghost 1 0 - Live 0x0\n")
    folder = f"/lib/modules/{RELEASE}"
    plant(root, f"{folder}/modules.dep", "kernel/sound/snd-pcm.ko.xz: kernel/x.ko\n")
    plant(root, f"{folder}/kernel/sound/snd-pcm.ko.xz", "module")
    found = {place.path: place for place in places(root)}
    assert found[f"{folder}/kernel/sound/snd-pcm.ko.xz"].note == "loaded"
    assert "no file" in found["kernel module ghost"].note


def test_links_stay_within_the_root(root: Path) -> None:
    plant(root, "/etc/real", "real")
    (root / "etc" / "cron.d").mkdir()
    os.symlink("/etc/real", root / "etc" / "cron.d" / "job")
    os.symlink("/etc/hostname", root / "etc" / "cron.d" / "outside")
    os.symlink("loop", root / "etc" / "cron.d" / "loop")
    os.symlink("../../../../../../../../../etc/real", root / "etc" / "cron.d" / "up")
    found = {place.path: place.text for place in places(root)}
    assert found["/etc/cron.d/job"] == found["/etc/cron.d/up"] == "real"
    assert "/etc/cron.d/outside" not in found
    assert "/etc/cron.d/loop" not in found


def test_programs_are_found_as_a_shell_would(root: Path) -> None:
    program(root, "/usr/local/bin/tool")
    program(root, "/usr/bin/tool")
    plant(root, "/srv/job.py", "print()\n")
    plant(root, "/home/anna/bin/mine", "x", 0o755)
    plant(root, "/etc/cron.d/a", "* * * * * root tool\n* * * * * root python3 -u /srv/job.py\n")
    plant(root, "/var/spool/cron/crontabs/anna", "* * * * * ~/bin/mine\n")
    named = {place.path for place in places(root) if place.named_by}
    assert {"/usr/local/bin/tool", "/usr/bin/python3", "/srv/job.py"} <= named
    assert "/home/anna/bin/mine" in named
    assert "/usr/bin/tool" not in named


def test_others_than_root_see_the_systems_and_their_own(root: Path) -> None:
    for home in ("root", "home/anna", "home/bob"):
        plant(root, f"/{home}/.bashrc", "x")
    plant(root, "/etc/profile", "x")
    paths = {place.path for place in places(root, 1000)}
    assert paths == {"/etc/profile", "/home/anna/.bashrc"}
    startup = StartupPlaces(Tree(str(root)), 1000)
    assert [user.name for user in startup.users] == ["anna"]
    assert startup.others == 3


def test_what_may_not_be_read_is_said(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becomes another user, which only root can")
    plant(root, "/var/spool/cron/crontabs/anna", "* * * * * true\n")
    (root / "var/spool/cron/crontabs").chmod(0o700)
    plant(root, "/etc/crontab", "x", 0o600)
    base = Path(tempfile.gettempdir())
    for folder in (root, *root.parents):
        if folder.is_relative_to(base) and folder != base:
            folder.chmod(0o755)
    script = (
        "import os, sys\n"
        "from tocsin.engine.exceptions import NONE\n"
        "from tocsin.protect.startup_scan import StartupScan\n"
        "os.setresuid(1000, 1000, 1000)\n"
        "scan = StartupScan(NONE, sys.argv[1]); list(scan.items()); print(scan.lines())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=False
    )
    assert "/etc/crontab" in done.stdout, done.stderr
    assert "/var/spool/cron/crontabs" in done.stdout
    assert "other accounts only root may see" in done.stdout


# --- commands -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/bin/a -x /b/c", ["/bin/a", "/b/c"]),
        ("A=1 B='x y' tool", ["tool"]),
        ("sudo -u me nice -n 10 tool", ["sudo", "me", "nice", "tool"]),
        ("sh -c 'one; /bin/two && three'", ["sh", "one", "/bin/two", "three"]),
        ("a | b; c & d", ["a", "b", "c", "d"]),
        ("python3 -u /srv/x.py /srv/y", ["python3", "/srv/x.py", "/srv/y"]),
        ("tool --exec=/bin/x", ["tool", "/bin/x"]),
        ("if test -e /x; then /y; fi", ["if", "test", "/x", "then", "/y", "fi"]),
        ("'unclosed /bin/a", ["'unclosed", "/bin/a"]),
        ("", []),
    ],
)
def test_words_that_may_be_programs(command: str, words: list[str]) -> None:
    assert [named.word for named in named_in_command(command)] == words


@pytest.mark.parametrize(
    "reader",
    [
        named_in_command,
        named_in_script,
        exec_commands,
        ssh_commands,
        apt_commands,
        git_commands,
        rule_commands,
        lambda said: cron_commands("/etc/crontab", said),
        lambda said: cron_commands("/etc/anacrontab", said),
    ],
)
@given(said=text(alphabet=sampled_from("ab/ \n\"'\\;|&()=-#*@${}<>`5cRUNExec"), max_size=200))
def test_readers_take_anything(reader, said: str) -> None:
    for found in reader(said):
        assert found is not None


@pytest.mark.parametrize("piece", ['command="', "curl |", "/a", "\n", "LD_PRELOAD=/x ", "$(curl "])
def test_long_files_are_read_in_bounded_work(root: Path, piece: str) -> None:
    """Patterns that took time by the square of a file's length would never be done with it."""
    plant(root, "/root/.ssh/authorized_keys", piece * (100_000 // len(piece)))
    plant(root, "/etc/profile", piece * (100_000 // len(piece)))
    plant(root, "/etc/crontab", piece * (100_000 // len(piece)))
    scan = StartupScan(NONE, str(root))
    for item in scan.items():
        if not isinstance(item, Report):
            os.close(item.descriptor)


# --- scanning them ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    place = tmp_path_factory.mktemp("startup")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in isolation(place).items():
            patch.setenv(name, value)
        yield open_files(place / "signatures", {"a_ndb": BODY_RULE})


def test_each_file_is_scanned_once_and_says_why(root: Path, index: Index) -> None:
    program(root, TOOL, PAYLOAD.decode())
    os.link(root / TOOL[1:], root / "opt" / "second")
    plant(root, "/etc/cron.d/a", f"* * * * * root {TOOL}\n")
    plant(root, "/etc/cron.d/b", "* * * * * root /opt/second\n")
    plant(root, "/etc/ld.so.preload", "/lib/nothing.so\n")
    scan = StartupScan(NONE, str(root), 0)
    with WorkerPool(index, Options(), 1) as pool:
        reports = [r for found in pool.run(scan.items()) for r in scan.finished(found)]
    by_path = {report.path.removeprefix(str(root)): report for report in reports}
    assert len(by_path) == len(reports)
    bad = by_path[TOOL]
    assert bad.verdict is Verdict.INFECTED
    assert "/opt/second" not in by_path
    said = [note.detail for note in bad.notes if note.trait == "start-up"]
    assert said == ["program, named by /etc/cron.d/a", "program, named by /etc/cron.d/b"]
    loader = by_path["/etc/ld.so.preload"]
    assert loader.verdict is Verdict.CLEAN
    assert [n.detail for n in loader.notes if n.trait == "remarkable"] == [
        "every program is made to load /lib/nothing.so"
    ]
    for report in reports:
        VALID.validate(report.to_dict())
    assert "1 of them remarkable" in scan.lines()[0][1]


def test_the_command_looks_at_this_machine(tmp_path: Path) -> None:
    rules = tmp_path / "a.ndb"
    rules.write_text("Test.Never:0:*:746f6373696e2d6e6f7468696e672d68617320746869732d31\n")
    done = tocsin(tmp_path, "scan", "--critical", "--json", "--db", rules)
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 2)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    for line in lines:
        VALID.validate(line)
        assert any(note["trait"] == "start-up" for note in line["notes"])
    assert b"start-up:" in done.stderr
