"""A mirror that sends so slowly that a device would wait for days: it is left, and said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from attack_case import Case, Made, case_of, make

from tocsin.updates.receive.errors import NothingReached, UpdateError
from tocsin.updates.receive.http import HttpFetcher, Limits

LIMITS = Limits(timeout=2, least_speed=2_000, patience=0.3)


class Dripping(SimpleHTTPRequestHandler):
    """Gives files below one folder a byte at a time, and all others as they are."""

    def __init__(self, *args: Any, slow: str, **kwargs: Any) -> None:
        self.slow = slow
        super().__init__(*args, **kwargs)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        if self.slow not in self.path:
            return super().copyfile(source, outputfile)
        for byte in source.read():
            try:
                outputfile.write(bytes([byte]))
                outputfile.flush()
            except OSError:
                return None  # who asked has gone
            time.sleep(0.02)
        return None

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def dripping(folder: Path, slow: str) -> Iterator[str]:
    handler = partial(Dripping, directory=str(folder), slow=slow)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("slow"))


@pytest.fixture
def case(made: Made, tmp_path: Path) -> Case:
    case = case_of(made, tmp_path)
    case.publish(2, delta=False)
    case.device.schemes["http"] = HttpFetcher(LIMITS, proxies={})
    return case


@pytest.mark.parametrize("slow", ["/timestamp.json", "/log/", "/proofs/", "/targets/databases/"])
def test_slow_data_ends_and_the_good_version_stays(case: Case, slow: str) -> None:
    with dripping(case.repository.folder, slow) as url:
        case.device.mirrors = [url]
        began = time.monotonic()
        case.refuses(UpdateError, "bytes a second, given up")
        assert time.monotonic() - began < 10


def test_slow_data_of_one_mirror_costs_that_mirror(case: Case) -> None:
    with dripping(case.repository.folder, "/targets/databases/") as url:
        case.device.mirrors = [url, str(case.repository.folder)]
        outcome = case.device.update()
    assert outcome.now == 2
    assert outcome.source == f"{case.repository.folder.as_uri()}/"
    assert list(outcome.failures) == [url]
    assert "bytes a second, given up" in outcome.failures[url]


def test_a_mirror_that_never_answers(case: Case) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        case.device.schemes["http"] = HttpFetcher(LIMITS._replace(timeout=0.5), proxies={})
        case.device.mirrors = [f"http://127.0.0.1:{silent.getsockname()[1]}/"]
        case.refuses(NothingReached, "no answer in time")
