"""What the daemon finds reaches the journal, whom the settings name, and nobody else."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from running_daemon import (
    MARKER,
    TOCSIN,
    RunningDaemon,
    daemon_folder,
    eicar,
    piece,
    running_daemon,
)

from tocsin.protect.journal.store import Journal


def found(daemon: RunningDaemon, data: bytes = MARKER) -> None:
    assert daemon.ask(b"zINSTREAM\0" + piece(data) + piece(b"")).endswith(b"FOUND\0")


def test_finding_is_journalled_forwarded_and_told() -> None:
    with daemon_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        place = folder / "syslog"
        syslog.bind(str(place))
        place.chmod(0o777)
        syslog.settimeout(20)
        out = folder / "out"
        out.mkdir()
        out.chmod(0o777)
        told = out / "told"
        script = folder / "tell"
        script.write_text(
            f'#!/bin/sh\necho "$1|$2|$TOCSIN_SIGNATURE|$TOCSIN_PATH|$(id -u)" >> {told}\n'
        )
        script.chmod(0o755)
        forwards = "".join(
            f'[[forward]]\nname = "{name}"\nkind = "{kind}"\ntarget = "{target}"\n'
            f'kinds = ["detection"]\n'
            for name, kind, target in (
                ("log", "syslog", place),
                ("siem", "ecs", out / "events.json"),
            )
        )
        daemon = RunningDaemon(
            folder,
            forwards,
            on_finding={"command": [str(script), "%v", "at %f"]},
            database={"with_default": True},
        )
        try:
            daemon.start()
            infected = folder / "a file; with $(odd) 'name'"
            infected.write_bytes(eicar())
            assert daemon.ask(b"zSCAN %s\0" % bytes(infected)).endswith(b"FOUND\0")
            message = syslog.recv(65536)
            assert b"EICAR" in message
            daemon.wait_until(told.exists)
            line = daemon.wait_until(lambda: told.read_text().rstrip("\n"))
            signature, path, again, same, uid = line.split("|")
            assert path == f"at {infected}"
            assert (again, same) == (signature, str(infected))
            assert int(uid) == (65534 if os.geteuid() == 0 else os.geteuid())
            events = out / "events.json"
            daemon.wait_until(lambda: events.exists() and events.read_text())
            stated = json.loads(events.read_text().splitlines()[0])
            assert stated["file"]["path"] == str(infected)
            lag = daemon.wait_until(lambda: daemon.status()["journal"]["forward"].get("siem"))
            assert lag["lag"] == 0
        finally:
            daemon.stop()


def test_journal_can_be_read_by_its_verb_while_the_daemon_writes() -> None:
    with running_daemon() as daemon:
        for number in range(50):  # each another finding: equal ones would be counted
            found(daemon, MARKER + b" %d" % number)
        command = [*TOCSIN, "--config", str(daemon.config), "events", "--json"]
        daemon.wait_until(lambda: len(daemon.events(kind="detection")) == 50)
        done = subprocess.run(
            [*command, "--kind", "detection"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 50
        verified = subprocess.run(
            [*TOCSIN, "--config", str(daemon.config), "events", "--verify"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert verified.returncode == 0, verified.stdout + verified.stderr
        journal = daemon.state / "journal" / "journal.db"
        assert not stat.S_IMODE(journal.stat().st_mode) & 0o007
        if os.geteuid() == 0:
            assert journal.stat().st_uid == 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_guard_refuses_and_the_keeper_takes_away() -> None:
    with daemon_folder() as folder:
        guarded = folder / "guarded"
        guarded.mkdir()
        bad, good = guarded / "b\udce4d \n name", guarded / "good"
        bad.write_bytes(eicar())
        bad.chmod(0o640)
        good.write_bytes(b"hello")
        daemon = RunningDaemon(
            folder,
            guard={
                "enabled": True,
                "folders": [str(guarded)],
                "on_infected": "quarantine",
                "fallback": "deny",
            },
            database={"with_default": True},
        )
        try:
            daemon.start()
            daemon.wait_until(lambda: daemon.status()["guard"].get("active"))
            assert good.read_bytes() == b"hello"
            with pytest.raises(PermissionError):
                bad.read_bytes()
            daemon.wait_until(lambda: not bad.exists())
            (taken,) = daemon.wait_until(lambda: daemon.events(action="quarantined"))
            assert taken["path"] == str(bad)
            code, body = daemon.request("POST", "/v1/act", {"verb": "quarantine-list"})
            (record,) = json.loads(body)["result"]
            assert (code, record["path"]) == (200, str(bad))
            arguments = {"id": record["id"], "to": str(folder / "back")}
            wish = {"verb": "quarantine-restore", "arguments": arguments}
            code, body = daemon.request("POST", "/v1/act", wish)
            assert (code, "sudo" in json.loads(body)["error"]) == (409, True)
            del arguments["to"]
            code, body = daemon.request("POST", "/v1/act", wish)
            assert code == 200, body
            assert Path(json.loads(body)["result"]["path"]) == bad
            status = bad.stat()  # it is guarded there, and would be refused again
            assert (status.st_size, stat.S_IMODE(status.st_mode)) == (len(eicar()), 0o640)
            daemon.wait_until(lambda: daemon.events(action="restored"))
        finally:
            daemon.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_metrics_and_capabilities() -> None:
    """Numbers for Prometheus; and no process holds rights that it does not need."""
    with running_daemon() as daemon:
        found(daemon)
        code, page = daemon.request("GET", "/metrics")
        assert code == 200
        assert b'tocsin_scanned_objects_total{verdict="infected"} 1.0' in page
        assert b"tocsin_database_signatures" in page
        assert b"tocsin_hosts_lost_total 0.0" in page
        held = {}
        for name, pid in daemon.status()["processes"].items():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            held[name] = (int(fields["CapEff"], 16), fields["Uid"].split()[0])
        assert held["front"] == (0, "65534")
        host = held["host"][0]
        assert not host & (1 << 1), "CAP_DAC_OVERRIDE"
        assert not host & (1 << 12), "CAP_NET_ADMIN"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_client_cannot_flood_the_journal_and_nothing_is_lost_uncounted() -> None:
    """One bad file found often, and many different ones, by an ordinary user; then the end."""
    code = (
        "import os, socket, struct, sys\n"
        "os.setgroups([]); os.setresgid(*[2] * 3); os.setresuid(*[2] * 3)\n"
        "def piece(data): return struct.pack('>I', len(data)) + data\n"
        "end = socket.socket(socket.AF_UNIX); end.connect(sys.argv[1])\n"
        "end.sendall(b'zIDSESSION\\0')\n"
        "marker = sys.argv[2].encode()\n"
        "for data in [marker] * 200 + [marker + b' %d' % n for n in range(120)]:\n"
        "    end.sendall(b'zINSTREAM\\0' + piece(data) + piece(b''))\n"
        "    assert end.recv(4096).endswith(b'FOUND\\0')\n"
    )
    with running_daemon() as daemon:
        command = [sys.executable, "-c", code, daemon.socket, MARKER.decode()]
        subprocess.run(command, check=True)
        found(daemon)  # root's own are told all the same
        daemon.wait_until(lambda: daemon.status()["journal"]["waiting"] == 0)
        told = daemon.events(kind="detection")
        assert sum(event["uid"] == 2 for event in told) == 50
        assert sum(event["uid"] == 0 for event in told) == 1
        assert daemon.status()["journal"]["counted"] == 199 + 71
        daemon.stop()
        journal = Journal(daemon.state / "journal" / "journal.db", read_only=True)
        counts = [event for event in journal.read() if event.details.get("repeated")]
        journal.close()
    assert sorted(event.details["repeated"] for event in counts) == [71, 199]
    again, more = sorted(counts, key=lambda event: -event.details["repeated"])
    assert again.message.endswith("in stream (and 199 times more within a minute)")
    assert more.message.startswith("71 more findings of user 2 within a minute")
    assert more.signatures == ("Test.Marker",)
