"""The settings of a device: one TOML file, one typed value.

Every key, its type and its default stand here and nowhere else; the commented file that
`tocsin config show --template` writes, `docs/settings.md` and the validation are made from it.
Sizes may be written as bytes or as `"100M"`, durations as seconds or as `"5m"`, `"2h"`, `"7d"`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

_MIB = 1 << 20

Port = Annotated[str, msgspec.Meta(description="host:port, for example 127.0.0.1:3310")]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown keys are refused."""


class DatabaseSettings(_Section, frozen=True):
    """`[database]`: what is looked for.

    Attributes:
        sources: files and folders of signatures, as `--db` takes them.
        with_default: use tocsin's own signatures as well; they are used alone without sources.
        lenient: pass over malformed signatures.
        check_every: seconds between looks at whether the sources changed; 0: never.
        warn_after_days: age of the newest source from which `status` warns.
        alarm_after_days: age from which it raises an alarm.
    """

    sources: tuple[str, ...] = ()
    with_default: bool = True
    lenient: bool = True
    check_every: float = 600.0
    warn_after_days: float = 3.0
    alarm_after_days: float = 7.0


class ScanSettings(_Section, frozen=True):
    """`[scan]`: how an object is scanned, by the daemon, the guard and tasks alike.

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

    jobs: int = 0
    objects_per_worker: int = 1000
    max_file_size: int = 100 * _MIB
    max_scan_size: int = 400 * _MIB
    max_files: int = 10_000
    max_depth: int = 17
    timeout: float = 120.0
    detect_pua: bool = False
    alert_encrypted: bool = False
    alert_macros: bool = False
    passwords: tuple[str, ...] = ()
    require_sandbox: bool = False
    exclude: tuple[str, ...] = ()


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
        max_connections: most connections at a time; more wait.
        max_queue: most objects that wait for a worker; more are refused.
        idle_timeout: seconds of silence after which a connection or session is closed.
        command_timeout: seconds for a command to arrive.
        follow_links: let path scans follow links inside folders.
        cross_file_systems: let path scans leave the file system they begin on.
        state: folder of run-time state that survives restarts; empty: the usual place.
    """

    socket: str = "/run/tocsin/clamd.sock"
    socket_mode: str = "0666"
    socket_group: str = ""
    tcp: str = ""
    tcp_anywhere: bool = False
    tcp_scan_paths: bool = False
    tcp_shutdown: bool = False
    api_socket: str = "/run/tocsin/api.sock"
    metrics: str = ""
    user: str = "tocsin"
    admin_group: str = "tocsin-admin"
    on_incomplete: Literal["ok", "error", "found"] = "error"
    stream_max_length: int = 100 * _MIB
    max_connections: int = 1000
    max_queue: int = 2000
    idle_timeout: float = 30.0
    command_timeout: float = 30.0
    follow_links: bool = False
    cross_file_systems: bool = True
    state: str = ""


class GuardSettings(_Section, frozen=True):
    """`[guard]`: scanning before a file is opened or executed.

    Attributes:
        enabled: whether there is a guard.
        mode: `permission` refuses; `notify` lets pass and acts afterwards; `auto` takes the
            first that the kernel and the rights allow.
        folders: folders guarded with all beneath them.
        mounts: mount points; whatever is opened through that mount is guarded.
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
        removable: scan removable media when they are mounted.
        cache_size: most verdicts remembered.
    """

    enabled: bool = False
    mode: Literal["auto", "permission", "notify"] = "auto"
    folders: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    file_systems: tuple[str, ...] = ()
    on_infected: Literal["deny", "quarantine"] = "deny"
    on_incomplete: Literal["allow", "deny"] = "allow"
    deadline: float = 10.0
    fallback: Literal["allow", "deny"] = "allow"
    in_flight: int = 64
    max_file_size: int = 0
    exclude_paths: tuple[str, ...] = ()
    exclude_processes: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    removable: bool = True
    cache_size: int = 100_000


class QuarantineSettings(_Section, frozen=True):
    """`[quarantine]`: where what was taken away is kept.

    Attributes:
        folder: the vault; empty: `quarantine` in the state folder.
        keep_days: objects older than this are deleted; 0: kept for ever.
        max_size: most bytes in the vault; more is refused and reported, nothing is deleted;
            0: no limit.
        reexamine: look at the objects again after each change of the database.
    """

    folder: str = ""
    keep_days: float = 0.0
    max_size: int = 0
    reexamine: bool = True


class JournalSettings(_Section, frozen=True):
    """`[journal]`: the record of what happened.

    Attributes:
        file: the SQLite file; empty: `journal.db` in the state folder.
        keep_days: older events are removed once they were forwarded; 0: kept for ever.
        max_events: beyond this the oldest are removed; 0: no limit.
    """

    file: str = ""
    keep_days: float = 365.0
    max_events: int = 1_000_000


class ForwardSettings(_Section, frozen=True):
    """One `[[forward]]`: where events go besides the journal.

    Attributes:
        name: under which progress is remembered; must be unique.
        kind: `syslog` (RFC 5424), `journald`, `webhook` (POST of a JSON array) or
            `ecs` (a file of ECS JSON lines).
        target: `/dev/log`, `udp://host:514` or `tcp://host:601`; for a webhook its address; for
            `ecs` the file; for journald empty.
        kinds: only events of these kinds; empty: all.
        severity: only events at least this severe.
        headers: of a webhook's requests, for example an authorisation.
        max_file_size: an ECS file is renamed to `.1` at this size; 0: never.
    """

    name: str
    kind: Literal["syslog", "journald", "webhook", "ecs"]
    target: str = ""
    kinds: tuple[str, ...] = ()
    severity: Literal["info", "notice", "warning", "alarm"] = "info"
    headers: dict[str, str] = {}
    max_file_size: int = 0


class FindingSettings(_Section, frozen=True):
    """`[on_finding]`: what else is done when something is found.

    Attributes:
        command: program and arguments, run without a shell with `TOCSIN_PATH`,
            `TOCSIN_SIGNATURE`, `TOCSIN_VERDICT`, `TOCSIN_ACTION`, `TOCSIN_SHA256`,
            `CLAM_VIRUSEVENT_FILENAME` and `CLAM_VIRUSEVENT_VIRUSNAME` in its environment;
            `%v` and `%f` in an argument are the signature and the path, as clamd has them.
        command_timeout: seconds after which it is ended.
        mail_to: addresses that get a mail.
        mail_from: its sender.
        smtp: `host:port` of the mail server.
        mail_every: seconds between mails; findings in between come in the next.
    """

    command: tuple[str, ...] = ()
    command_timeout: float = 60.0
    mail_to: tuple[str, ...] = ()
    mail_from: str = "tocsin"
    smtp: str = "localhost:25"
    mail_every: float = 60.0


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

    name: str
    kind: Literal["quick", "full", "critical", "custom", "reexamination"]
    at: str = ""
    random_delay: float = 0.0
    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    action: Literal["report", "quarantine", "delete"] = "report"
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 19
    idle_io: bool = True
    jobs: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    pause_on_battery: bool = True
    pause_above_load: float = 0.0
    incremental: bool = True
    catch_up: bool = True


class Settings(_Section, frozen=True):
    """The whole file."""

    database: DatabaseSettings = DatabaseSettings()
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
