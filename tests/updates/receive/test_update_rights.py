"""What talks to mirrors in the background has no right; what tries out talks to nobody."""

from __future__ import annotations

import functools
import glob
import hashlib
import http.server
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from receive_samples import Repository

import ready_process
from protect.running_daemon import daemon_folder
from tocsin.app.update_apart import Done, Trials, without_rights
from tocsin.app.update_test import SelfTestFailed
from tocsin.protect.daemon.rights import held_capabilities
from tocsin.updates.receive.errors import NotTriedOut, UpdateError
from tocsin.updates.receive.state import UpdateState

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")


def process_of(port: int) -> int:
    """The process that has the socket of a local port (proc(5), `net/tcp`).

    A list of a process's descriptors is read while the process and others come and go, so that
    one look may miss it.
    """
    for _ in range(100):
        for inode in inodes_of(port):
            for place in glob.iglob("/proc/[0-9]*/fd/*"):
                with suppress(OSError):
                    if os.readlink(place) == f"socket:[{inode}]":
                        return int(place.split("/")[2])
        time.sleep(0.02)
    raise AssertionError(f"nobody has port {port}")


def inodes_of(port: int) -> list[str]:
    """Sockets of a local port; one that only waits for its time to pass has none."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    here = [row for row in rows if int(row[1].rpartition(":")[2], 16) == port]
    return [row[9] for row in here if row[9] != "0"]


class Looking(http.server.SimpleHTTPRequestHandler):
    """Gives files, and looks at who asks for them."""

    def do_GET(self) -> None:
        status = Path(f"/proc/{process_of(self.client_address[1])}/status").read_text()
        rights = dict(line.split(":", 1) for line in status.splitlines())
        self.server.seen.append({name: value.strip() for name, value in rights.items()})
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, list[dict[str, str]], Repository]]:
    repository = Repository(tmp_path / "repository")
    repository.add(1)
    repository.publish_metadata()
    handler = functools.partial(Looking, directory=str(repository.folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", server.seen, repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """The daemon's user writes the journal, and must be able to enter."""
    with daemon_folder() as folder:
        yield folder


@needs_root
def test_the_process_that_speaks_http_has_no_capability(mirror, open_folder: Path) -> None:
    url, seen, repository = mirror
    trust = open_folder / "config" / "trust"
    trust.mkdir(parents=True)
    (trust / "root.json").write_bytes(repository.root_bytes(1))
    (trust / "policy").write_bytes(repository.policy_text())
    settings = open_folder / "config" / "tocsin.toml"
    listed = repository.folder / "list"
    listed.write_text(hashlib.sha256(b"bad").hexdigest() + "\n")
    (open_folder / "own.hdb").write_text("d41d8cd98f00b204e9800998ecf8427e:999:Own\n")
    settings.write_text(
        f'[database]\nwith_default = false\nsources = ["{open_folder}/own.hdb"]\n'
        f'[updates]\nmirrors = ["{url}"]\n'
        f'sources = ["ours=digests:{url}list"]\n'
        f'[daemon]\nstate = "{open_folder}/state"\nuser = "nobody"\n'
        f'[journal]\nfile = "{open_folder}/journal/journal.db"\n'
    )
    environment = {
        **os.environ,
        "TOCSIN_STATE_DIR": str(open_folder / "state"),
        "TOCSIN_CONFIG_DIR": str(open_folder / "config"),
        "TOCSIN_CACHE_DIR": str(open_folder / "cache"),
        "NO_PROXY": "127.0.0.1",
    }
    words = ["--config", str(settings), "update", "background"]
    done = ready_process.run("tocsin.cli.main", words, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert UpdateState(open_folder / "state" / "updates").installed().current == 1  # it was tried
    assert (open_folder / "state" / "sources" / "ours" / "in-use.json").exists()
    assert b"not journalled" not in done.stderr
    assert len(seen) > 5
    assert {each["Pid"] for each in seen} == {seen[0]["Pid"]}
    for each in seen:
        assert {int(each[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert each["NoNewPrivs"] == "1"


# --- the two processes --------------------------------------------------------------------


def trials(*, database=lambda _: None, source=lambda *_: None) -> Trials:
    return Trials(database, source)


@needs_root
def test_the_other_process_keeps_its_rights(tmp_path: Path) -> None:
    kept = []

    def work(asked: Trials, say) -> Done:
        asked.database(tmp_path / "database")
        return Done(held_capabilities().permitted)

    here = trials(database=lambda _: kept.append(held_capabilities().permitted))
    assert without_rights(work, here, [tmp_path], lambda _: None).status == 0
    assert kept == [held_capabilities().permitted]
    assert kept[0]


def test_what_a_trial_says_arrives_as_it_was(tmp_path: Path) -> None:
    def fails(error: Exception):
        def trial(*_: object) -> None:
            raise error

        return trial

    def work(asked: Trials, say) -> Done:
        for trial in (
            lambda: asked.database(tmp_path / "x"),
            lambda: asked.source("ours", [tmp_path / "y"]),
        ):
            try:
                trial()
            except (SelfTestFailed, NotTriedOut) as error:
                say(f"{type(error).__name__}: {error}")
        return Done(7)

    said: list[str] = []
    here = trials(database=fails(SelfTestFailed("it crashed")), source=fails(NotTriedOut("full")))
    assert without_rights(work, here, [tmp_path], said.append).status == 7
    assert said == ["SelfTestFailed: it crashed", "NotTriedOut: full"]


def test_nothing_but_updates_is_tried_out(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "out").symlink_to("/etc/passwd")
    tried: list[Path] = []
    for place in (Path("/etc/passwd"), tmp_path / "state" / "out", tmp_path / "state" / ".." / "x"):

        def work(asked: Trials, _, place=place) -> Done:
            asked.database(place)
            return Done(0)

        with pytest.raises(UpdateError, match="which is no update"):
            without_rights(work, trials(database=tried.append), [tmp_path / "state"], print)
    assert tried == []


def test_a_process_that_ends_early_is_a_failure(tmp_path: Path) -> None:
    def ends(*_: object) -> Done:
        os._exit(9)

    with pytest.raises(UpdateError, match=r"ended early \(9\)"):
        without_rights(ends, trials(), [tmp_path], print)

    def breaks(*_: object) -> Done:
        raise KeyError("sha256")

    with pytest.raises(UpdateError, match="a defect of this program: KeyError: 'sha256'"):
        without_rights(breaks, trials(), [tmp_path], print)


def test_what_is_not_believed_holds_nobody_up(tmp_path: Path) -> None:
    """Neither when it asked for what it may not, nor when it said that it is done and stays."""

    def refused(asked: Trials, _: object) -> Done:
        try:
            asked.database(Path("/etc/passwd"))
        finally:
            time.sleep(60)
        return Done(0)

    began = time.monotonic()
    with pytest.raises(UpdateError, match="which is no update"):
        without_rights(refused, trials(), [tmp_path], print)
    assert time.monotonic() - began < 30
