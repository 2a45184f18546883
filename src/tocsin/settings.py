"""The settings of a device: one TOML file, one typed value.

Every key, its type and its default stand here and nowhere else; the commented file that
`tocsin config show --template` writes, `docs/settings.md` and the validation are made from it.
Sizes may be written as bytes or as `"100M"`, durations as seconds or as `"5m"`, `"2h"`, `"7d"`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

_MIB = 1 << 20


def _form(form: str) -> msgspec.Meta:
    """How a value is written, which is more than its type says; the validation reads it."""
    return msgspec.Meta(extra={"form": form})


Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 50), _form("size")]
"""Bytes, written as a number or as `"100M"`."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=366 * 86400), _form("duration")]
"""Seconds, written as a number or as `"5m"`, `"2h"`, `"7d"`."""

Deadline = Annotated[float, msgspec.Meta(ge=0.1, le=86400), _form("duration")]
"""Seconds that cannot be none."""

Days = Annotated[float, msgspec.Meta(ge=0, le=36500)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Jobs = Annotated[int, msgspec.Meta(ge=0, le=256)]

PathText = Annotated[str, _form("path")]
"""An absolute path, or empty where the key's description says what that means."""

NeededPath = Annotated[str, _form("needed-path")]
"""An absolute path that cannot be empty."""

Glob = Annotated[str, _form("glob")]
Listen = Annotated[str, _form("listen")]
"""`host:port` to listen at, or empty."""

HostPort = Annotated[str, _form("host-port")]
"""`host:port` of a server."""

Mode = Annotated[str, _form("mode")]
"""Permission bits, octal."""

Name = Annotated[str, _form("name")]
"""By which something of the user's own is called."""

Account = Annotated[str, _form("account")]
"""A user or group, or empty."""

Mailbox = Annotated[str, _form("mailbox")]
Mirror = Annotated[str, _form("mirror")]
"""A folder, or a `https:`, `http:` or `file:` URL, under which a repository lies."""

UpdateSource = Annotated[str, _form("update-source")]
"""A name that `tocsin update sources` knows, or `NAME=KIND:URL`."""

WebAddress = Annotated[str, _form("web-address")]
"""A `http:` or `https:` URL, or empty."""

CronTimes = Annotated[str, _form("cron")]
Secret = Annotated[str, _form("secret")]
"""Never shown and never logged."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown keys are refused."""


class DatabaseSettings(_Section, frozen=True):
    """`[database]`: what is looked for.

    Attributes:
        sources: files and folders of signatures, as `--db` takes them.
        with_default: use tocsin's own signatures as well; they are used alone without sources.
        lenient: pass over malformed signatures.
        check_every: seconds between looks at whether the sources changed; 0: never.
        warn_after_days: age of the newest source from which `status` warns; 0: never.
        alarm_after_days: age from which it raises an alarm; 0: never.
    """

    sources: tuple[NeededPath, ...] = ()
    with_default: bool = True
    lenient: bool = True
    check_every: Seconds = 600.0
    warn_after_days: Days = 3.0
    alarm_after_days: Days = 7.0


class UpdatesSettings(_Section, frozen=True):
    """`[updates]`: where new signatures come from, and what has to be true of them.

    Attributes:
        mirrors: folders or URLs of a repository, asked in this order; none is believed.
        every: seconds between two updates that the daemon makes by itself once it is known whom
            to trust, at moments of this device's own; 0: none.
        channel: `stable`, or `fast` for versions that are new.
        trust: folder with `root.json` and `policy`; empty: `trust` beside the settings.
        policy: the policy of logs and witnesses, where it is elsewhere; empty: in `trust`.
        max_checkpoint_age: age of the witnesses' word on the log from which it is not enough
            for a new version; 0: any.
        bandwidth: most bytes a second that are fetched; 0: no limit.
        proxy: for http and https; empty: what the environment says.
        rebuilders: how many of those whom the file `rebuilders` in `trust` names must have
            rebuilt a version from its sources and got the same bytes.
        sources: what others publish and `tocsin update` brings in as well: a name from
            docs/sources.md, or `NAME=KIND:URL`.
        require_sign: of ClamAV's databases take only those with a valid `.sign` beside them.
        auth_key_file: file with the key that abuse.ch gives its users; empty: what
            `TOCSIN_AUTH_KEY` says.
    """

    mirrors: tuple[Mirror, ...] = ()
    every: Seconds = 6 * 3600.0
    channel: Literal["stable", "fast"] = "stable"
    trust: PathText = ""
    policy: PathText = ""
    max_checkpoint_age: Seconds = 7 * 86400.0
    bandwidth: Size = 0
    proxy: WebAddress = ""
    rebuilders: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    sources: tuple[UpdateSource, ...] = ()
    require_sign: bool = False
    auth_key_file: PathText = ""


class ScanSettings(_Section, frozen=True):
    """`[scan]`: how an object is scanned, by the daemon, the guard, tasks and `tocsin scan`.

    Attributes:
        jobs: worker processes; 0: one a processor.
        objects_per_worker: a worker is replaced after so many objects.
        max_file_size: larger objects are not scanned, in bytes; 0: no limit.
        max_scan_size: most bytes taken out of one file's containers; 0: no limit.
        max_files: most objects in one file; 0: no limit.
        max_depth: containers inside one another.
        timeout: seconds for one file; 0: no limit.
        detect_pua: report what is merely unwanted as well.
        alert_encrypted: report what is encrypted and could not be opened.
        alert_macros: report documents with macros.
        passwords: to try on encrypted members.
        require_sandbox: scan nothing where workers cannot be confined.
        exclude: globs of paths that are not scanned by path.
    """

    jobs: Jobs = 0
    objects_per_worker: Positive = 1000
    max_file_size: Size = 100 * _MIB
    max_scan_size: Size = 400 * _MIB
    max_files: Count = 10_000
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 17
    timeout: Seconds = 120.0
    detect_pua: bool = False
    alert_encrypted: bool = False
    alert_macros: bool = False
    passwords: tuple[Secret, ...] = ()
    require_sandbox: bool = False
    exclude: tuple[Glob, ...] = ()


class DaemonSettings(_Section, frozen=True):
    """`[daemon]`: who may ask, where, and how much.

    Attributes:
        socket: UNIX socket of the clamd protocol; empty: none.
        socket_mode: its mode, octal.
        socket_group: its group; empty: that of the daemon.
        tcp: `host:port` of the clamd protocol; empty: none.
        tcp_anywhere: allow `tcp` and `metrics` to be an address that is not loopback.
        tcp_scan_paths: let TCP clients have paths scanned.
        tcp_shutdown: let TCP clients end or reload the daemon.
        api_socket: UNIX socket of the JSON API.
        metrics: `host:port` at which Prometheus finds `/metrics`; empty: API socket only.
        user: account the network-facing process runs as when it is started by root.
        admin_group: members may restore, delete, change settings and stop the daemon.
        on_incomplete: what the clamd protocol says of an object that was not wholly looked at:
            `ok` as clamd does, `error`, or `found` with `Heuristics.Limits.Exceeded`.
        stream_max_length: most bytes of one `INSTREAM`.
        max_connections: most connections of one user at a time; more wait, and beyond twice as
            many they are closed. All who come over TCP count as one user.
        max_queue: most objects that wait for a worker; with more, nobody new is accepted.
        cache_size: most clean streams, and files that only root may write to, that are
            remembered until there is another database, and are not looked at again; 0: none.
        idle_timeout: seconds of silence after which a connection or session is closed.
        command_timeout: seconds for a command to arrive.
        follow_links: let path scans follow links inside folders.
        cross_file_systems: let path scans leave the file system they begin on.
        state: folder of run-time state that survives restarts; empty: the usual place.
    """

    socket: PathText = "/run/tocsin/clamd.sock"
    socket_mode: Mode = "0666"
    socket_group: Account = ""
    tcp: Listen = ""
    tcp_anywhere: bool = False
    tcp_scan_paths: bool = False
    tcp_shutdown: bool = False
    api_socket: NeededPath = "/run/tocsin/api.sock"
    metrics: Listen = ""
    user: Account = "tocsin"
    admin_group: Account = "tocsin-admin"
    on_incomplete: Literal["ok", "error", "found"] = "error"
    stream_max_length: Annotated[int, msgspec.Meta(ge=1, le=1 << 50), _form("size")] = 100 * _MIB
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000
    max_queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 2000
    cache_size: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 65_536
    idle_timeout: Deadline = 30.0
    command_timeout: Deadline = 30.0
    follow_links: bool = False
    cross_file_systems: bool = True
    state: PathText = ""


class GuardSettings(_Section, frozen=True):
    """`[guard]`: scanning before a file is opened or executed.

    Attributes:
        enabled: whether there is a guard.
        mode: `permission` refuses; `notify` lets pass and acts afterwards; `auto` takes the
            first that the kernel and the rights allow.
        folders: folders guarded with all beneath them.
        mounts: mount points; whatever is opened through that mount is guarded, but not what is
            opened through a copy of it in another mount namespace.
        file_systems: paths whose whole file system is guarded, through any mount.
        on_infected: `deny`, or `quarantine` (deny first).
        on_incomplete: what is done with a file that could not be looked at wholly.
        deadline: seconds after which `fallback` decides.
        fallback: `allow` (and scan later) or `deny`.
        in_flight: most files being looked at at a time.
        max_file_size: larger files are decided by `on_incomplete`; 0: as in `[scan]`.
        exclude_paths: globs or folders not guarded.
        exclude_processes: absolute paths of programs whose opens are not looked at.
        exclude_users: names or numbers of users whose opens are not looked at.
        removable: guard removable media, and scan them when they are mounted.
        cache_size: most verdicts remembered.
        kernel_cache: `root-files` has the kernel not ask again about clean files that nobody
            but root may write to, until they are written to; `off` has it always ask.
    """

    enabled: bool = False
    mode: Literal["auto", "permission", "notify"] = "auto"
    folders: tuple[NeededPath, ...] = ()
    mounts: tuple[NeededPath, ...] = ()
    file_systems: tuple[NeededPath, ...] = ()
    on_infected: Literal["deny", "quarantine"] = "deny"
    on_incomplete: Literal["allow", "deny"] = "allow"
    deadline: Deadline = 10.0
    fallback: Literal["allow", "deny"] = "allow"
    in_flight: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 64
    max_file_size: Size = 0
    exclude_paths: tuple[Glob, ...] = ()
    exclude_processes: tuple[NeededPath, ...] = ()
    exclude_users: tuple[Account, ...] = ()
    removable: bool = True
    cache_size: Annotated[int, msgspec.Meta(ge=0, le=100_000_000)] = 100_000
    kernel_cache: Literal["root-files", "off"] = "root-files"


class QuarantineSettings(_Section, frozen=True):
    """`[quarantine]`: where what was taken away is kept.

    Attributes:
        folder: the vault; empty: `quarantine` in the state folder.
        keep_days: objects older than this are deleted; 0: kept for ever.
        max_size: most bytes in the vault; more is refused and reported, nothing is deleted;
            0: no limit.
        reexamine: look at the objects again after each change of the database.
    """

    folder: PathText = ""
    keep_days: Days = 0.0
    max_size: Size = 0
    reexamine: bool = True


class JournalSettings(_Section, frozen=True):
    """`[journal]`: the record of what happened.

    Attributes:
        file: the SQLite file; empty: `journal/journal.db` in the state folder.
        keep_days: older events are removed once they were forwarded; 0: kept for ever.
        max_events: beyond this the oldest are removed once they were forwarded; 0: no limit.
    """

    file: PathText = ""
    keep_days: Days = 365.0
    max_events: Count = 1_000_000


class ForwardSettings(_Section, frozen=True):
    """One `[[forward]]`: where events go besides the journal.

    Attributes:
        name: under which progress is remembered; must be unique.
        kind: `syslog` (RFC 5424), `journald`, `webhook` (POST of a JSON array) or
            `ecs` (a file of ECS JSON lines).
        target: `/dev/log` (or another UNIX socket), `udp://host:514` or `tcp://host:601`; for a
            webhook its address; for `ecs` the file, which `[daemon] user` writes; for journald
            empty, or another socket.
        kinds: only events of these kinds; empty: all.
        severity: only events at least this severe.
        headers: of a webhook's requests, for example an authorisation.
        max_file_size: an ECS file is renamed to `.1` at this size; 0: never.
    """

    name: Name
    kind: Literal["syslog", "journald", "webhook", "ecs"]
    target: Annotated[str, _form("target")] = ""
    kinds: tuple[str, ...] = ()
    severity: Literal["info", "notice", "warning", "alarm"] = "info"
    headers: dict[str, Secret] = {}
    max_file_size: Size = 0


class FindingSettings(_Section, frozen=True):
    """`[on_finding]`: what else is done when something is found.

    Attributes:
        command: program and arguments, run without a shell with `TOCSIN_PATH`,
            `TOCSIN_SIGNATURE`, `TOCSIN_VERDICT`, `TOCSIN_ACTION`, `TOCSIN_SHA256`,
            `CLAM_VIRUSEVENT_FILENAME` and `CLAM_VIRUSEVENT_VIRUSNAME` in its environment;
            `%v` and `%f` in an argument are the signature and the path, as clamd has them. It
            runs as `[daemon] user`, never with root's rights.
        command_timeout: seconds after which it is ended.
        mail_to: addresses that get a mail.
        mail_from: its sender.
        smtp: `host:port` of the mail server.
        mail_every: seconds between mails; findings in between come in the next.
    """

    command: tuple[str, ...] = ()
    command_timeout: Deadline = 60.0
    mail_to: tuple[Mailbox, ...] = ()
    mail_from: Mailbox = "tocsin"
    smtp: HostPort = "localhost:25"
    mail_every: Seconds = 60.0


class TaskSettings(_Section, frozen=True):
    """One `[[task]]`: something done at certain times.

    Attributes:
        name: by which it is called.
        kind: `quick` (start-up places, memory, downloads and temporary folders), `full` (every
            local file system), `critical` (start-up places), `custom` (`paths`),
            `reexamination` (of the quarantine).
        at: five cron fields; `@daily` and its like; empty: only when it is asked for.
        random_delay: seconds at most by which the start is put off, at random.
        paths: of a custom task.
        exclude: globs left out.
        action: what is done with what is found.
        nice: CPU priority, 0 to 19.
        idle_io: read only when nobody else does.
        jobs: worker processes.
        pause_on_battery: wait while on battery.
        pause_above_load: wait while the one-minute load average for each processor is above
            this; 0: never.
        incremental: pass over files that are unchanged since they were found clean.
        catch_up: when a start was missed because the machine was off, do it at the next start.
    """

    name: Name
    kind: Literal["quick", "full", "critical", "custom", "reexamination"]
    at: CronTimes = ""
    random_delay: Seconds = 0.0
    paths: tuple[NeededPath, ...] = ()
    exclude: tuple[Glob, ...] = ()
    action: Literal["report", "quarantine", "delete"] = "report"
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 19
    idle_io: bool = True
    jobs: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    pause_on_battery: bool = True
    pause_above_load: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.0
    incremental: bool = True
    catch_up: bool = True


class Settings(_Section, frozen=True):
    """The whole file."""

    database: DatabaseSettings = DatabaseSettings()
    updates: UpdatesSettings = UpdatesSettings()
    scan: ScanSettings = ScanSettings()
    daemon: DaemonSettings = DaemonSettings()
    guard: GuardSettings = GuardSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    journal: JournalSettings = JournalSettings()
    forward: tuple[ForwardSettings, ...] = ()
    on_finding: FindingSettings = FindingSettings()
    task: tuple[TaskSettings, ...] = ()


def settings_from(values: dict[str, Any]) -> Settings:
    """Settings from what a TOML file holds.

    Raises:
        msgspec.ValidationError: a key that is unknown, or a value that may not be.
    """
    return msgspec.convert(values, Settings)
