"""A busy listener is waited for, and one that is not there is not."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from tocsin.app.unix_socket import connect_unix


@pytest.fixture
def full(tmp_path: Path):
    """A listener with a queue of one, which is taken."""
    place = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(place)
        listener.listen(0)
        first.connect(place)
        yield place, listener


def test_a_full_queue_refuses_a_socket_that_does_not_block(full) -> None:
    with socket.socket(socket.AF_UNIX) as end:  # what the others are for
        end.settimeout(10)
        with pytest.raises(BlockingIOError):
            end.connect(full[0])


def test_a_full_queue_is_waited_for(full) -> None:
    place, listener = full
    timer = threading.Timer(0.2, lambda: listener.accept()[0].close())
    timer.start()
    with connect_unix(place, 30) as end:
        assert end.gettimeout() == 30
    timer.join()


def test_a_queue_that_stays_full_is_given_up(full) -> None:
    with pytest.raises(TimeoutError, match=r"no place in its queue for 0\.1 s"):
        connect_unix(full[0], 0.1)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect_unix(str(tmp_path / "none"), 1)
