"""What mail passes through, against the daemon: clamav-milter, and rspamd's clamav module.

Each is asked in every mode of `on_incomplete`, for what they make of an answer decides whether a
mail that could not be looked into is delivered.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from client_samples import clamd_conf, free_port, locked_zip, mail, program, zipped
from running_daemon import RunningDaemon, daemon_folder, eicar

CLAMDSCAN = shutil.which("clamdscan")
MILTER = shutil.which("clamav-milter")
RSPAMD = shutil.which("rspamd")
MODULE = Path("/usr/share/rspamd/plugins/antivirus.lua")
MODES = ("ok", "error", "found")
PATIENCE = 20

CLEAN = {
    "nothing attached": mail(),
    "bytes attached": mail(bytes(range(256)) * 9),
    "zip attached": mail(zipped(b"nothing to see here\n" * 50), "notes.zip"),
}
INFECTED = {
    "attached": mail(eicar(), "bill.com"),
    "in a zip": mail(zipped(eicar()), "bill.zip"),
    "in a zip in a zip": mail(zipped(zipped(eicar())), "bill.zip"),
}
LOCKED = mail(locked_zip(), "locked.zip")


class Daemon(RunningDaemon):
    """A daemon in one mode, at a socket and at a port that lets paths be scanned."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.port = free_port()
        super().__init__(
            folder,
            database={"sources": []},
            daemon={
                "on_incomplete": mode,
                "tcp": f"127.0.0.1:{self.port}",
                "tcp_scan_paths": True,
                "tcp_shutdown": True,
            },
        )


@pytest.fixture(scope="module")
def daemons() -> Iterator[dict[str, Daemon]]:
    with daemon_folder() as folder, contextlib.ExitStack() as ends:
        found = {}
        for mode in MODES:
            (folder / mode).mkdir()
            daemon = found[mode] = Daemon(folder / mode, mode)
            if mode == MODES[0]:
                daemon.start()
            else:  # the index that the first one built does for all
                shutil.copytree(folder / MODES[0] / "cache", folder / mode / "cache")
                daemon.start(wait=False)
            ends.callback(daemon.stop)
        for daemon in found.values():
            daemon.wait_until(lambda daemon=daemon: daemon.status().get("ready"), 60)
        yield found


# -- clamdscan ---------------------------------------------------------------------------------


@pytest.mark.skipif(CLAMDSCAN is None, reason="clamdscan is not installed")
@pytest.mark.parametrize(
    ("mode", "code", "says"),
    [("ok", 0, "OK"), ("error", 2, "ERROR"), ("found", 1, "Heuristics.Limits.Exceeded FOUND")],
)
def test_what_clamdscan_hears_of_what_was_not_looked_at(
    daemons: dict[str, Daemon], mode: str, code: int, says: str
) -> None:
    daemon = daemons[mode]
    files = {name: daemon.folder / f"{name}.eml" for name in ("locked", "clean", "infected")}
    for name, message in zip(
        files, (LOCKED, CLEAN["zip attached"], INFECTED["in a zip"]), strict=True
    ):
        files[name].write_bytes(bytes(message))
    for target in (daemon.socket, daemon.port):
        config = clamd_conf(daemon.folder / "clamd.conf", target)
        for way in ((), ("--stream",), ("--multiscan",)):

            def ask(file: Path, config: str = config, way: tuple[str, ...] = way) -> Any:
                return subprocess.run(
                    [str(CLAMDSCAN), "-c", config, "--no-summary", *way, str(file)],
                    capture_output=True,
                    timeout=PATIENCE,
                    check=False,
                    text=True,
                )

            done = ask(files["locked"])
            assert done.returncode == code
            assert done.stdout.startswith(f"{files['locked']}: ")
            assert done.stdout.rstrip().endswith(says)
            assert ask(files["clean"]).returncode == 0
            assert ask(files["infected"]).returncode == 1


# -- clamav-milter -----------------------------------------------------------------------------


def milter_config(path: Path, listen: str, scanner: str) -> str:
    path.write_text(
        f"MilterSocket unix:{listen}\nClamdSocket {scanner}\nForeground yes\n"
        f"OnInfected Reject\nRejectMsg found %v\nOnFail Defer\nAddHeader Replace\n"
        f"TemporaryDirectory {path.parent}\n"
    )
    return str(path)


def deliver(place: str, message: EmailMessage) -> tuple[str, str]:
    """Be the mail server that has the milter look at a mail.

    Returns:
        What it decides ("accept", "tempfail", or a reply such as "550 5.7.1 …"), and the value
        of the header that it adds.
    """
    milter = pytest.importorskip("miltertest")
    decisions = {milter.SMFIR_ACCEPT: "accept", milter.SMFIR_TEMPFAIL: "tempfail"}
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(PATIENCE)
        end.connect(place)
        talk = milter.MilterConnection(end)
        talk.optneg_mta()
        head, _, body = bytes(message).partition(b"\n\n")
        steps: list[tuple[str, dict[str, Any]]] = [
            (
                milter.SMFIC_CONNECT,
                {
                    "hostname": "mx.example.org",
                    "family": milter.SMFIA_INET,
                    "port": 2525,
                    "address": "192.0.2.1",
                },
            ),
            (milter.SMFIC_HELO, {"helo": "mx.example.org"}),
            (milter.SMFIC_MAIL, {"args": ["<ann@example.org>"]}),
            (milter.SMFIC_RCPT, {"args": ["<ben@example.org>"]}),
        ]
        assert head
        steps += [
            (milter.SMFIC_HEADER, {"name": name, "value": value}) for name, value in message.items()
        ]
        steps.append((milter.SMFIC_EOH, {}))
        steps.append((milter.SMFIC_BODY, {"buf": body.replace(b"\n", b"\r\n").decode()}))
        for command, said in steps:
            answer, _ = talk.send_ar(command, **said)
            if answer != milter.SMFIR_CONTINUE:
                return decisions.get(answer, answer), ""
        *changes, (answer, said) = talk.send_eom()
    headers = {change["name"]: change["value"] for _, change in changes}
    decision = decisions.get(answer, answer)
    if answer == milter.SMFIR_REPLYCODE:
        decision = f"{said['smtpcode']} {said['text']}"
    return decision, headers.get("X-Virus-Status", "")


def milter_at(daemon: Daemon, over: str) -> contextlib.AbstractContextManager[str]:
    """clamav-milter before a daemon; gives its socket."""
    pytest.importorskip("miltertest")
    if MILTER is None:
        pytest.skip("clamav-milter is not installed")
    scanner = {"unix": f"unix:{daemon.socket}", "tcp": f"tcp:127.0.0.1:{daemon.port}"}[over]
    listen = str(daemon.folder / f"milter-{over}.sock")
    config = milter_config(daemon.folder / f"milter-{over}.conf", listen, scanner)

    @contextlib.contextmanager
    def running() -> Iterator[str]:
        def ready() -> bool:
            with contextlib.suppress(OSError):
                return deliver(listen, CLEAN["nothing attached"])[0] == "accept"
            return False

        log = daemon.folder / f"milter-{over}.log"
        with program([str(MILTER), "-c", config], log, ready):
            yield listen

    return running()


@pytest.mark.parametrize("over", ["unix", "tcp"])
def test_milter(daemons: dict[str, Daemon], over: str) -> None:
    with milter_at(daemons["error"], over) as place:
        for name, message in CLEAN.items():
            assert deliver(place, message) == ("accept", "Clean"), name
        for name, message in INFECTED.items():
            decision, header = deliver(place, message)
            assert decision.startswith("550 5.7.1 found "), name
            assert "EICAR" in decision
            assert header.startswith("Infected (")


@pytest.mark.parametrize(
    ("mode", "decides"),
    [("ok", "accept"), ("error", "tempfail"), ("found", "550 5.7.1 found Heuristics.Limits.")],
)
def test_milter_and_what_was_not_looked_at(
    daemons: dict[str, Daemon], mode: str, decides: str
) -> None:
    with milter_at(daemons[mode], "unix") as place:
        decision, _ = deliver(place, LOCKED)
        assert decision.startswith(decides)


def test_milter_without_a_daemon_delivers_nothing(daemons: dict[str, Daemon]) -> None:
    """Mail waits while the daemon is away, and passes again when it is back."""
    daemon = daemons["found"]
    with milter_at(daemon, "unix") as place:
        assert deliver(place, CLEAN["nothing attached"])[0] == "accept"
        assert daemon.stop() == 0
        try:
            for message in (CLEAN["nothing attached"], INFECTED["attached"]):
                assert deliver(place, message)[0] == "tempfail"
        finally:
            daemon.start()
        daemon.wait_until(lambda: deliver(place, CLEAN["nothing attached"])[0] == "accept")
        assert deliver(place, INFECTED["attached"])[0].startswith("550 ")


# -- rspamd ------------------------------------------------------------------------------------


def rspamd_config(folder: Path, port: int, scanners: dict[str, tuple[str, str]]) -> str:
    """One worker and the antivirus module alone; nothing that asks a network or keeps a thing."""
    (folder / "suffixes").write_text("com\nnet\norg\n")
    rules = "".join(
        f'{name.lower()} {{ type = "clamav"; symbol = "{name}"; servers = "{servers}"; {more} }}\n'
        for name, (servers, more) in scanners.items()
    )
    path = folder / "rspamd.conf"
    path.write_text(
        f"""
options {{
  filters = "";
  tempdir = "{folder}";
  cache_file = "{folder}/symbols";
  hs_cache_dir = "{folder}";
  control_socket = "{folder}/control mode=0600";
  url_tld = "{folder}/suffixes";
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1; retransmits = 1; sockets = 1; }}
}}
logging {{ type = "console"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
modules {{ path = "{MODULE}"; }}
antivirus {{
{rules}}}
"""
    )
    return str(path)


class Rspamd:
    """A running rspamd."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    def answers(self) -> bool:
        """Whether it takes requests."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._ask("GET", "/ping", b"").strip() == b"pong"
        return False

    def symbols(self, message: EmailMessage) -> dict[str, str]:
        """What it finds in a mail: symbols, and what each was given for."""
        found = json.loads(self._ask("POST", "/checkv2", bytes(message)))["symbols"]
        return {name: " ".join(symbol.get("options", [])) for name, symbol in found.items()}

    def _ask(self, method: str, path: str, data: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, data)
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()


@pytest.fixture(scope="module")
def rspamd(daemons: dict[str, Daemon]) -> Iterator[Rspamd]:
    if RSPAMD is None or not MODULE.exists():
        pytest.skip("rspamd is not installed")
    scanners = {}
    for mode, daemon in daemons.items():
        scanners[f"{mode.upper()}_UNIX"] = (daemon.socket, "")
        scanners[f"{mode.upper()}_TCP"] = (f"127.0.0.1:{daemon.port}", "")
        scanners[f"{mode.upper()}_WHOLE"] = (daemon.socket, "scan_mime_parts = false;")
    folder = daemons["ok"].folder / "rspamd"
    folder.mkdir()
    running = Rspamd(free_port(), folder / "log")
    config = rspamd_config(folder, running.port, scanners)
    places = [f"--var={name}={folder}" for name in ("DBDIR", "RUNDIR", "LOGDIR", "CONFDIR")]
    words = [RSPAMD, "--no-fork", "--insecure", "--config", config, *places]
    with program(words, running.log, running.answers):
        yield running


def each(*modes: str, ending: str = "") -> set[str]:
    """The symbols of every way to a daemon in these modes."""
    return {f"{mode.upper()}_{way}{ending}" for mode in modes for way in ("UNIX", "TCP", "WHOLE")}


def test_rspamd(rspamd: Rspamd) -> None:
    for name, message in CLEAN.items():
        assert rspamd.symbols(message) == {}, name
    for name, message in INFECTED.items():
        found = rspamd.symbols(message)
        assert set(found) == each(*MODES), name
        assert all("EICAR" in why for why in found.values())


def test_rspamd_and_what_was_not_looked_at(rspamd: Rspamd) -> None:
    """`found` alone reaches rspamd: the module of 3.4 fails on `ERROR` and gives no symbol."""
    found = rspamd.symbols(LOCKED)
    assert each("found", ending="_FAIL") <= set(found)
    assert set(found) <= each("found", "error", ending="_FAIL")
    if not each("error", ending="_FAIL") <= set(found):
        assert "callback call failed" in rspamd.log.read_text(errors="replace")
