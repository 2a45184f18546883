"""From `freshclam.conf` and a command line to how ClamAV's databases are brought in.

The file is read as ClamAV reads it (`protect.migrate.clamav_file`); what it leaves out has
freshclam's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tocsin.errors import SettingsError, UsageError
from tocsin.protect.migrate.clamav_file import LARGEST, read_clamav
from tocsin.protect.migrate.programs import FRESHCLAM
from tocsin.updates.sources.clamav import Options, Trust
from tocsin.updates.sources.clamav_plan import OPTIONAL, STANDARD, select_databases
from tocsin.updates.sources.clamsign import read_roots
from tocsin.updates.sources.custom_file import file_name
from tocsin.updates.sources.fetch import DNS_RECORD, Wishes
from tocsin.updates.sources.http import Limits, Proxy, proxy_of

CONFIGURATION = Path("/etc/clamav/freshclam.conf")
DATABASES = "/var/lib/clamav"
CUSTOM = "custom"
"""What `--update-db` names the files of `DatabaseCustomURL` by."""
_MIRROR = "database.clamav.net"
_NO = frozenset({"no", "false", "0", "off"})
_UPSTREAM = ".clamav.net"
_TAKEN_AS_WELL = frozenset({"DatabaseOwner", "CVDCertsDirectory", "FIPSCryptoHashLimits"})
"""Options that newer versions of ClamAV know; an older table must not make them an error."""


class FreshclamSettings(NamedTuple):
    """What `freshclam.conf` says.

    Attributes:
        folder: where databases go.
        databases: which of ClamAV's.
        custom: addresses of the user's own files.
        wishes: how they are fetched.
        test: whether a new database is tried before it takes the old one's place.
        checks: how often a day the daemon looks.
        notify: `clamd.conf` of the daemon that is told, or None.
        owner: account to run as where root starts it, or empty.
        on_update: a command after an update, or empty.
        on_error: a command after an error, or empty.
        on_outdated: a command when ClamAV itself is outdated, or empty.
        log: where lines go besides, or None.
        log_time: whether each has a time before it.
        log_largest: bytes of the log; 0 for no limit.
        log_rotate: begin a new log when it is full, instead of ending it.
        log_syslog: facility of the system's log, or empty.
        verbose: say more.
        pid_file: where the daemon's process number goes, or None.
        foreground: whether the daemon stays in the foreground.
        problems: what is wrong in the file and does not matter here.
    """

    folder: Path
    databases: tuple[str, ...]
    custom: tuple[str, ...]
    wishes: Wishes
    test: bool
    checks: int
    notify: Path | None
    owner: str
    on_update: str
    on_error: str
    on_outdated: str
    log: Path | None
    log_time: bool
    log_largest: int
    log_rotate: bool
    log_syslog: str
    verbose: bool
    pid_file: Path | None
    foreground: bool
    problems: tuple[str, ...] = ()


class _Stated:
    """The options of a file, with freshclam's way of asking for them."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        """The first line that states it."""
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> tuple[str, ...]:
        """Every line that states it."""
        return tuple(self._values.get(name, ()))

    def on(self, name: str, *, default: bool) -> bool:
        """A switch."""
        stated = self._values.get(name)
        return default if stated is None else stated[0].lower() not in _NO

    def number(self, name: str, default: int) -> int:
        """A whole number that is not negative."""
        text = self.text(name, str(default))
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise SettingsError(f"{name} must be a number, not {text!r}")
        return int(text)

    def size(self, name: str, default: int) -> int:
        """A number of bytes, with K, M or G behind it."""
        text = self.text(name, str(default))
        unit = {"k": 10, "m": 20, "g": 30}.get(text[-1:].lower(), 0)
        digits = text[:-1] if unit else text
        if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
            raise SettingsError(f"{name} must be a size such as 2M, not {text!r}")
        return int(digits) << unit


def read_settings(path: Path, trust: Trust | None = None) -> FreshclamSettings:
    """Read `freshclam.conf`.

    Args:
        path: the file.
        trust: whose signatures count; None for ClamAV's.

    Raises:
        SettingsError: it cannot be read, or holds mistakes; the message names the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"Can't open/parse the config file {path}: {error.strerror}") from error
    known = FRESHCLAM.by_name
    parsed = read_clamav(content, path.name, known)
    if parsed.problems:
        first = parsed.problems[0]
        place = f"{path}:{first.line}" if first.line else str(path)
        raise SettingsError(
            f"Parse error at {place}: {first.key} {first.reason}".replace("  ", " ")
        )
    values: dict[str, list[str]] = {}
    remarks = []
    for stated in parsed.stated:
        if stated.option not in known and stated.option not in _TAKEN_AS_WELL:
            raise SettingsError(
                f"Parse error at {path}:{stated.line}: Unknown option {stated.option}"
            )
        if stated.repeated:
            remarks.append(f"{path}:{stated.line}: {stated.option} stands earlier; that one holds")
            continue
        values.setdefault(stated.option, []).append(stated.text)
    return _settings(_Stated(values), trust or Trust(), tuple(remarks))


def _settings(stated: _Stated, trust: Trust, problems: tuple[str, ...]) -> FreshclamSettings:
    private = stated.all("PrivateMirror")
    if any(_UPSTREAM in mirror for mirror in private):
        raise SettingsError(
            "The PrivateMirror config option may not include servers under *.clamav.net."
        )
    certificates = stated.text("CVDCertsDirectory")
    if certificates and not trust.roots:
        trust = trust._replace(roots=tuple(read_roots(Path(certificates))))
    scheme = "http" if private else "https"
    mirrors = private or stated.all("DatabaseMirror") or (_MIRROR,)
    servers = tuple(dict.fromkeys(server_address(mirror, scheme) for mirror in mirrors))
    options = Options(
        servers,
        private=bool(private),
        scripted=stated.on("ScriptedUpdates", default=True) and not private,
        attempts=max(1, min(stated.number("MaxAttempts", 3), 20)),
        compress=stated.on("CompressLocalDatabase", default=False),
        trust=trust,
    )
    record = stated.text("DNSDatabaseInfo", DNS_RECORD)
    silence = stated.number("ReceiveTimeout", 0) or 60
    databases = select_databases(
        extra=_listed(stated, "ExtraDatabase"),
        excluded=_listed(stated, "ExcludeDatabase"),
        bytecode=stated.on("Bytecode", default=True),
    )
    wishes = Wishes(
        limits=Limits(
            connect=float(stated.number("ConnectTimeout", 30) or 30), stall=float(silence)
        ),
        proxy=_proxy(stated),
        agent=stated.text("HTTPUserAgent"),
        local_address=stated.text("LocalIPAddress") or None,
        databases=databases,
        dns_record="" if private or record.lower() in _NO else record,
        clamav=options,
    )
    custom = stated.all("DatabaseCustomURL")
    for url in custom:
        _checked_address(url)
    notify = stated.text("NotifyClamd")
    log, pid_file = stated.text("UpdateLogFile"), stated.text("PidFile")
    return FreshclamSettings(
        folder=Path(stated.text("DatabaseDirectory", DATABASES)),
        databases=databases,
        custom=custom,
        wishes=wishes,
        test=stated.on("TestDatabases", default=True),
        checks=stated.number("Checks", 12),
        notify=Path(notify) if notify and notify.lower() not in _NO else None,
        owner=stated.text("DatabaseOwner"),
        on_update=stated.text("OnUpdateExecute"),
        on_error=stated.text("OnErrorExecute"),
        on_outdated=stated.text("OnOutdatedExecute"),
        log=Path(log) if log else None,
        log_time=stated.on("LogTime", default=False),
        log_largest=stated.size("LogFileMaxSize", 1 << 20),
        log_rotate=stated.on("LogRotate", default=False),
        log_syslog=_facility(stated),
        verbose=stated.on("LogVerbose", default=False),
        pid_file=Path(pid_file) if pid_file else None,
        foreground=stated.on("Foreground", default=False),
        problems=problems,
    )


def select_named(settings: FreshclamSettings, names: tuple[str, ...]) -> FreshclamSettings:
    """The same for some databases only, as `--update-db` names them.

    Raises:
        SettingsError: there is no such database.
    """
    if not names:
        return settings
    if names == (CUSTOM,):
        if not settings.custom:
            raise SettingsError("--update-db=custom requires at least one DatabaseCustomURL")
        return settings._replace(databases=())
    for name in names:
        if name not in (*STANDARD, *OPTIONAL):
            raise SettingsError(f"Requested database is not available: {name}.")
    return settings._replace(databases=tuple(dict.fromkeys(names)), custom=())


def server_address(mirror: str, scheme: str = "https") -> str:
    """A mirror as it may be written, as an address.

    Debian's file names mirrors by country, `db.XY.clamav.net`; all of them are the CDN today.
    """
    if mirror.startswith("db.") and mirror.endswith(_UPSTREAM):
        mirror = _MIRROR
    return mirror.rstrip("/") if "://" in mirror else f"{scheme}://{mirror.rstrip('/')}"


def _listed(stated: _Stated, option: str) -> tuple[str, ...]:
    names = stated.all(option)
    for name in names:
        if not name.replace("_", "").isalnum() or not name.isascii() or len(name) > 60:
            raise SettingsError(f"{option}: {name!r} is no name of a database")
    return names


def _proxy(stated: _Stated) -> Proxy | None:
    server = stated.text("HTTPProxyServer")
    if not server:
        return None
    port = stated.number("HTTPProxyPort", 8080 if "://" not in server else 0)
    address = f"{server}:{port}" if port else server
    return proxy_of(address, stated.text("HTTPProxyUsername"), stated.text("HTTPProxyPassword"))


def _facility(stated: _Stated) -> str:
    if not stated.on("LogSyslog", default=False):
        return ""
    return stated.text("LogFacility", "LOG_LOCAL6")


def _checked_address(url: str) -> None:
    try:
        file_name(url)
    except UsageError as error:
        raise SettingsError(f"DatabaseCustomURL: {error}") from None
