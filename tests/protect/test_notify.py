"""What is found is told: by a command without a shell, and by mails that hold what they should."""

from __future__ import annotations

import email
import email.policy
import json
import os
import pwd
import signal
import socket
import stat
import sys
import threading
import time

import pytest
from aiosmtpd.controller import Controller

from protect.journal_events import event
from tocsin.protect import notify_command, notify_mail
from tocsin.protect.notify import Notifier
from tocsin.protect.notify_command import arguments, environment
from tocsin.settings import FindingSettings

HOSTILE = event(
    path="/srv/a b;$(touch x)\n%v\udcff'\".exe",
    signatures=("-rf\nBcc: evil@example.org", "Second"),
    verdict="infected",
    action="quarantined",
    sha256="ab" * 32,
)


def until(condition):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen")


def script(folder, text):
    place = folder / "command"
    place.write_text(f"#!{sys.executable}\n{text}")
    place.chmod(stat.S_IRWXU)
    return str(place)


class Running:
    """A notifier and what it reported."""

    def __init__(self, account="root", **settings):
        self.said = []
        self.notifier = Notifier(FindingSettings(**settings), self.said.append, account)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.notifier.close(20)

    def messages(self):
        return [one.message for one in self.said]


# --- the command --------------------------------------------------------------------------


def test_arguments_are_filled_in_one_go():
    command = ("/bin/x", "%f", "--name=%v", "100%%", "%s", "%v")
    assert arguments(command, HOSTILE) == [
        b"/bin/x",
        b"/srv/a b;$(touch x)\n%v\xff'\".exe",
        b"--name=_rf\\x0aBcc: evil@example.org",
        b"100%",
        b"%s",
        b"_rf\\x0aBcc: evil@example.org",
    ]


def test_a_name_becomes_no_option():
    assert arguments(("/bin/x", "%v"), event(signatures=("--exec=id",)))[1] == b"_-exec=id"


def test_the_environment_is_small_and_says_what_was_found(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "/evil.so")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    held = environment(HOSTILE)
    assert held[b"TOCSIN_PATH"] == held[b"CLAM_VIRUSEVENT_FILENAME"] == os.fsencode(HOSTILE.path)
    assert held[b"TOCSIN_SIGNATURE"] == held[b"CLAM_VIRUSEVENT_VIRUSNAME"]
    assert held[b"TOCSIN_SIGNATURE"] == b"-rf\\x0aBcc: evil@example.org"
    assert held[b"TOCSIN_VERDICT"] == b"infected"
    assert held[b"TOCSIN_ACTION"] == b"quarantined"
    assert held[b"TOCSIN_SHA256"] == b"ab" * 32
    assert not {b"LD_PRELOAD", b"NOTIFY_SOCKET"} & set(held)


def test_the_command_gets_what_it_should_in_a_session_of_its_own(tmp_path):
    out = tmp_path / "out"
    text = (
        "import os, sys, json\n"
        f"with open({str(out)!r} + '.new', 'w') as f:\n"
        "    json.dump([sys.argv[1:], os.environ['TOCSIN_PATH'], os.getsid(0) == os.getpid(),"
        " sys.stdin.read(), len(os.listdir('/proc/self/fd'))], f)\n"
        f"os.rename({str(out)!r} + '.new', {str(out)!r})\n"
    )
    leaked = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        with Running(command=(script(tmp_path, text), "%f", "%v")) as running:
            running.notifier.found(HOSTILE)
            until(out.exists)
    finally:
        os.close(leaked)
    argv, path, own_session, stdin, descriptors = json.loads(out.read_text())
    assert argv == [HOSTILE.path, "_rf\\x0aBcc: evil@example.org"]
    assert path == HOSTILE.path
    assert own_session
    assert stdin == ""
    assert descriptors <= 5  # the three, the file it writes, and the folder it lists
    assert running.said == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys; sys.exit('no \\x1b[2J space')", "exit status 1: no \\x1b[2J space"),
        ("import os; os.kill(os.getpid(), 15)", "ended by signal 15"),
        ("import sys; sys.stderr.write('x' * 10**6); sys.exit(3)", "exit status 3: " + "x" * 2048),
    ],
)
def test_what_goes_wrong_is_reported_with_the_finding(tmp_path, text, message):
    with Running(command=(script(tmp_path, text),)) as running:
        running.notifier.found(HOSTILE)
        until(lambda: running.said)
    assert running.messages() == [f"{tmp_path}/command: {message}"]
    assert running.said[0].path == HOSTILE.path
    assert running.said[0].origin == "notify"


def test_a_command_that_cannot_be_run_is_reported(tmp_path):
    with Running(command=(str(tmp_path / "no"),)) as running:
        running.notifier.found(HOSTILE)
        until(lambda: running.said)
    assert "No such file" in running.messages()[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_runs_no_command_as_root(tmp_path):
    folder = tmp_path
    while folder != folder.parent and folder.owner() == "root":
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    place = tmp_path / "command"
    place.write_text(
        f'#!/bin/sh\n(id -u; id -G; grep CapEff /proc/self/status; echo "$HOME") > {out}/said.new\n'
        f"mv {out}/said.new {out}/said\n"
    )
    place.chmod(0o755)
    with Running(account="nobody", command=(str(place),)) as running:
        running.notifier.found(HOSTILE)
        until(lambda: (out / "said").exists())
        entry = pwd.getpwnam("nobody")
        said = (out / "said").read_text().splitlines()
        assert said[:2] == [str(entry.pw_uid), str(entry.pw_gid)]
        assert int(said[2].split()[1], 16) == 0
        assert said[3] == entry.pw_dir
        assert running.messages() == []
    (out / "said").unlink()
    with Running(account="no-such-account", command=(str(place),)) as running:
        running.notifier.found(HOSTILE)
        (message,) = running.messages()
        assert "not run for 1 finding: it is not run as root" in message
        assert "[daemon] user" in message
    assert not (out / "said").exists()


def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path):
    pids = tmp_path / "pids"
    text = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)\n"
    )
    place = script(tmp_path, text)
    with Running(command=(place,), command_timeout=1.0) as running:
        running.notifier.found(HOSTILE)
        until(lambda: running.said)
    assert running.messages() == [f"{place}: did not end within 1 s and was ended"]
    numbers = [int(line) for line in pids.read_text().split()]
    assert len(numbers) == 2
    until(lambda: not any(alive(number) for number in numbers))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_few_run_at_once_and_a_flood_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(notify_command, "MOST_WAITING", 3)
    monkeypatch.setattr(notify_command, "AT_ONCE", 2)
    started, gate = tmp_path / "started", tmp_path / "gate"
    text = (
        "import os, time\n"
        f"os.close(os.open({str(started)!r}, os.O_CREAT | os.O_WRONLY))\n"
        f"open({str(started)!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    )
    try:
        with Running(command=(script(tmp_path, text),)) as running:
            begun = threading.Event()
            running.notifier.found(event(0))
            running.notifier.found(event(1))
            until(lambda: started.exists() and len(started.read_text()) == 2)
            for n in range(2, 12):
                running.notifier.found(event(n))
            begun.set()
            assert len(started.read_text()) == 2
            gate.touch()
            until(lambda: len(started.read_text()) == 5)
    finally:
        gate.touch()
    dropped = [m for m in running.messages() if "was not run for" in m]
    total = sum(int(m.split("for ")[1].split()[0]) for m in dropped)
    assert total == 7
    assert len(dropped) == 2  # at once for the first, at the end for the others


def test_at_the_end_what_hangs_is_ended_and_what_waits_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(notify_command, "AT_ONCE", 1)
    started = tmp_path / "started"
    text = f"import time; open({str(started)!r}, 'a').write('x'); time.sleep(600)"
    running = Running(command=(script(tmp_path, text),))
    running.notifier.found(event(1))
    until(started.exists)
    running.notifier.found(event(2))
    running.notifier.found(event(3))
    running.notifier.close(0.1)
    messages = running.messages()
    assert any("when the daemon ended" in m for m in messages)
    assert "the command was not run for 2 findings: the end came first" in messages


# --- mail ---------------------------------------------------------------------------------


class Mailbox:
    """What a real SMTP server received."""

    def __init__(self):
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.answer.startswith("250"):
            self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return self.answer

    def parsed(self, number):
        return email.message_from_bytes(self.mails[number][2], policy=email.policy.default)


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def server(mailbox):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield controller
    if controller.server is not None:
        controller.stop()


def port_of(controller):
    return controller.server.sockets[0].getsockname()[1]


def test_a_mail_holds_what_was_found_and_its_header_nothing_of_it(server, mailbox):
    smtp = f"127.0.0.1:{port_of(server)}"
    mail_to = ("a@example.org", "b@example.org")
    with Running(mail_to=mail_to, mail_from="av@example.org", smtp=smtp) as running:
        running.notifier.found(HOSTILE)
    assert running.said == []
    ((sender, recipients, raw),) = mailbox.mails
    assert (sender, recipients) == ("av@example.org", list(mail_to))
    mail = mailbox.parsed(0)
    assert mail["Subject"].startswith("tocsin: 1 finding on ")
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    header = raw.split(b"\r\n\r\n")[0]
    assert b"evil" not in header
    assert b"srv" not in header
    text = mail.get_content().replace("\r\n", "\n")
    assert "-rf\\x0aBcc: evil@example.org, Second" in text
    assert "  file: /srv/a b;$(touch x)\\x0a%v\\xff'\".exe\n" in text
    assert "  done: quarantined\n" in text
    assert max(map(len, raw.splitlines())) <= 998


def test_what_is_found_in_between_comes_in_the_next_mail(server, mailbox, monkeypatch):
    monkeypatch.setattr(notify_mail, "_GATHERING", 0.0)
    monkeypatch.setattr(notify_mail, "LISTED", 5)
    smtp = f"127.0.0.1:{port_of(server)}"
    with Running(mail_to=("a@example.org",), smtp=smtp, mail_every=3600.0) as running:
        running.notifier.found(event(0))
        until(lambda: mailbox.mails)
        for n in range(1, 9):
            running.notifier.found(event(n))
    assert len(mailbox.mails) == 2
    assert mailbox.parsed(1)["Subject"].startswith("tocsin: 8 findings on ")
    text = mailbox.parsed(1).get_content().replace("\r\n", "\n")
    assert "/srv/8\n" in text
    assert "/srv/3\n" not in text
    assert "and 3 more" in text


def test_a_server_that_is_down_or_refuses_is_tried_again(server, mailbox, monkeypatch):
    monkeypatch.setattr(notify_mail, "_GATHERING", 0.0)
    monkeypatch.setattr(notify_mail, "_FIRST_PAUSE", 0.05)
    mailbox.answer = "451 later"
    smtp = f"127.0.0.1:{port_of(server)}"
    with Running(mail_to=("a@example.org",), smtp=smtp, mail_every=0.0) as running:
        running.notifier.found(event(0))
        until(lambda: running.said)
        mailbox.answer = "250 OK"
        until(lambda: mailbox.mails)
    assert len(running.said) == 1
    assert "451" in running.messages()[0]
    assert "/srv/0\n" in mailbox.parsed(0).get_content().replace("\r\n", "\n")


def test_mail_that_was_never_sent_is_reported_at_the_end(server, mailbox, monkeypatch):
    monkeypatch.setattr(notify_mail, "_GATHERING", 0.0)
    port = port_of(server)
    server.stop()
    server.server = None
    running = Running(mail_to=("a@example.org",), smtp=f"127.0.0.1:{port}")
    running.notifier.found(event(0))
    until(lambda: running.said)
    running.notifier.found(event(1))
    running.notifier.close(10)
    assert "refused" in running.messages()[0]
    assert running.messages()[-1] == "no mail was sent about 2 findings: the end came first"


def test_sigchld_of_others_does_not_disturb(tmp_path):
    previous = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        with Running(command=(script(tmp_path, "pass"),)) as running:
            for n in range(8):
                running.notifier.found(event(n))
        assert running.said == []
    finally:
        signal.signal(signal.SIGCHLD, previous)
