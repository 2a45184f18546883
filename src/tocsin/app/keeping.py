"""The keeper composed: opening files, the quarantine, ending processes, and tasks at their times."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from tocsin.errors import UsageError
from tocsin.protect.daemon.keeper import Keeper
from tocsin.protect.daemon.peer import Peer
from tocsin.settings import Settings


def run_keeper(
    settings: Settings,
    state: Path,
    control: socket.socket,
    front: socket.socket,
    network: Peer,
    admin_gid: int | None,
) -> None:
    """The life of the keeper's process.

    Args:
        settings: the settings.
        state: folder of what survives restarts.
        control: the channel to the supervisor.
        front: the channel to the front.
        network: as whom files are opened for clients over a network.
        admin_gid: the group whose members may act.
    """
    del control, state, settings

    def act(verb: str, arguments: dict[str, Any], peer: Peer) -> Any:
        raise UsageError(f"there is no verb {verb!r}")

    def take(path: bytes, descriptor: int, report: dict[str, Any], origin: str) -> None:
        os.fstat(descriptor)

    Keeper(front, network, admin_gid, act, take).serve()
