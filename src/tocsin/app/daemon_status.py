"""What the daemon says of itself, taken only when it is of the form that is known here.

Whoever shows it need not fear what a daemon of another version may say.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tocsin.app.api_client import ApiClient
from tocsin.errors import DaemonUnreachable

Number = int | float


class _Part(msgspec.Struct):
    """Something of which more may be said than is known here."""


class _Database(_Part):
    generation: int = 0
    signatures: int = 0
    newest: Number = 0.0
    since: Number = 0.0
    trouble: str = ""
    refused: str = ""
    indexing: bool = False


class _Target(_Part):
    kind: str = ""
    path: str = ""
    trouble: str = ""


class _GuardSlowest(_Part):
    seconds: Number = 0.0
    path: str = ""


class _Guard(_Part):
    mode: str = "permission"
    active: bool = False
    reason: str = ""
    targets: list[_Target] = []
    engine: bool = True
    events: int = 0
    remembered: int = 0
    joined: int = 0
    looks: int = 0
    denied: int = 0
    timed_out: int = 0
    overflows: int = 0
    waiting: int = 0
    slowest: _GuardSlowest | None = None


class _Queue(_Part):
    pending: int = 0
    waiting: int = 0
    most: int = 0


class _Slow(_Part):
    seconds: Number
    name: str
    size: int


class _Scanned(_Part):
    objects: int = 0
    bytes: int = 0
    worker_seconds: Number = 0.0
    verdicts: dict[str, int] = {}
    slowest: list[_Slow] = []


class _Forward(_Part):
    lag: int = 0
    failures: int = 0
    last_error: str | None = ""


class _Journal(_Part):
    file: str = ""
    waiting: int = 0
    dropped: int = 0
    trouble: str = ""
    forward: dict[str, _Forward] = {}


class _Event(_Part):
    time: Number
    message: str = ""
    severity: str = ""
    origin: str = ""
    path: str = ""
    action: str = ""
    signatures: list[str] = []


class _Status(_Part):
    version: str
    pid: int = 0
    started: Number = 0.0
    ready: bool = False
    paths: bool = False
    guarded: bool = False
    jobs: int = 0
    clients: int = 0
    database: _Database = msgspec.field(default_factory=_Database)
    processes: dict[str, int] = {}
    restarts: dict[str, int] = {}
    guard: _Guard = msgspec.field(default_factory=_Guard)
    queue: _Queue = msgspec.field(default_factory=_Queue)
    scanned: _Scanned = msgspec.field(default_factory=_Scanned)
    listening: dict[str, str] = {}
    journal: _Journal = msgspec.field(default_factory=_Journal)
    recent: list[_Event] = []


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """The same values, when they have the form that is known here.

    Raises:
        DaemonUnreachable: they have not.
    """
    try:
        msgspec.convert(values, _Status)
    except msgspec.ValidationError as error:
        version = values.get("version")
        its = f"of version {version} " if isinstance(version, str) else ""
        raise DaemonUnreachable(
            f"what the daemon {its}says makes no sense to this command ({error}); restart it: "
            "systemctl restart tocsin"
        ) from error
    return values


def daemon_status(client: ApiClient) -> dict[str, Any]:
    """What the daemon says of itself.

    Raises:
        DaemonUnreachable: there is no daemon, or no answer that makes sense.
        DaemonRefused: it does not say that.
    """
    return checked(client.get("/v1/status"))
