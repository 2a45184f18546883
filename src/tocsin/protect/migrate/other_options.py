"""The options of on-access scanning, of freshclam and of clamav-milter (ClamAV 1.4)."""

from __future__ import annotations

from tocsin.protect.migrate.options import Option, Takes, becomes, missing, not_needed

_SWITCH, _NUMBER, _SIZE, _TEXT = Takes.SWITCH, Takes.NUMBER, Takes.SIZE, Takes.TEXT

_FRESHCLAM = "stays freshclam's: it goes on running, and tocsin reads what it brings"
_MILTER = "stays clamav-milter's: it goes on running, and asks tocsin"
_NO_DAEMON = "the guard is one of the daemon's own processes, not its client"

ON_ACCESS_OPTIONS: tuple[Option, ...] = (
    becomes("OnAccessIncludePath", _TEXT, "`[guard] folders`", several=True),
    becomes("OnAccessMountPath", _TEXT, "`[guard] mounts`", several=True),
    becomes("OnAccessExcludePath", _TEXT, "`[guard] exclude_paths`", several=True),
    becomes("OnAccessExcludeRootUID", _SWITCH, "`root` in `[guard] exclude_users`", False),
    becomes("OnAccessExcludeUID", _NUMBER, "`[guard] exclude_users`", several=True),
    becomes("OnAccessExcludeUname", _TEXT, "`[guard] exclude_users`", several=True),
    becomes("OnAccessMaxFileSize", _SIZE, "`[guard] max_file_size`"),
    becomes("OnAccessPrevention", _SWITCH, '`[guard] mode`: `"auto"` for yes, `"notify"` for no'),
    becomes("OnAccessDenyOnError", _SWITCH, "`[guard] on_incomplete` and `fallback`: deny", False),
    not_needed("OnAccessMaxThreads", _NUMBER, "`[guard] in_flight` bounds what is looked at at a "
               "time; the workers are the daemon's"),
    not_needed("OnAccessCurlTimeout", _NUMBER, _NO_DAEMON + "; `[guard] deadline` bounds the wait"),
    not_needed("OnAccessRetryAttempts", _NUMBER, _NO_DAEMON),
    missing("OnAccessDisableDDD", _SWITCH, "folders are always guarded with all beneath them",
            False),
    not_needed("OnAccessExtraScanning", _SWITCH, "new folders are guarded from the start"),
)  # fmt: skip

CLAMONACC_OPTIONS: tuple[Option, ...] = (
    becomes("--move", _TEXT, '`[guard] on_infected = "quarantine"`: into the vault, not into a '
            "folder"),
    becomes("--remove", _SWITCH, '`[guard] on_infected = "quarantine"`: from where it can be put '
            "back"),
    missing("--copy", _TEXT, "infected files are not copied; `tocsin quarantine export` does"),
    becomes("--watch-list", _TEXT, "`[guard] folders`, one a line of that file"),
    becomes("--exclude-list", _TEXT, "`[guard] exclude_paths`, one a line of that file"),
    not_needed("--config-file", _TEXT, "one settings file holds all"),
    not_needed("--log", _TEXT, "`tocsin events` shows what was refused"),
    not_needed("--fdpass", _SWITCH, _NO_DAEMON),
    not_needed("--stream", _SWITCH, _NO_DAEMON),
    not_needed("--ping", _TEXT, _NO_DAEMON),
    not_needed("--wait", _SWITCH, _NO_DAEMON),
    not_needed("--allmatch", _SWITCH, "the first name decides"),
    not_needed("--foreground", _SWITCH, "the daemon stays in the foreground"),
    not_needed("--verbose", _SWITCH, "`tocsin events` says more"),
    not_needed("--version", _SWITCH, "`tocsin --version`"),
    not_needed("--help", _SWITCH, "`tocsin daemon --help`"),
)  # fmt: skip
"""Of the command line of `clamonacc`, as its systemd unit has it."""

FRESHCLAM_OPTIONS: tuple[Option, ...] = (
    becomes("DatabaseDirectory", _TEXT, "`[database] sources`, where `clamd.conf` names no other"),
    becomes("DatabaseCustomURL", _TEXT, "stays freshclam's; the file it brings is read with the "
            "others of the folder", several=True),
    becomes("ExtraDatabase", _TEXT, "stays freshclam's; the file it brings is read with the "
            "others of the folder", several=True),
    not_needed("ExcludeDatabase", _TEXT, _FRESHCLAM, several=True),
    not_needed("NotifyClamd", _TEXT, "tocsin looks by itself (`[database] check_every`); with "
               "`--take-over-socket` it is told at once, as clamd was"),
    not_needed("Checks", _NUMBER, _FRESHCLAM),
    not_needed("DatabaseOwner", _TEXT, _FRESHCLAM),
    not_needed("DatabaseMirror", _TEXT, _FRESHCLAM, several=True),
    not_needed("PrivateMirror", _TEXT, _FRESHCLAM, several=True),
    not_needed("DNSDatabaseInfo", _TEXT, _FRESHCLAM),
    not_needed("MaxAttempts", _NUMBER, _FRESHCLAM),
    not_needed("ScriptedUpdates", _SWITCH, _FRESHCLAM),
    not_needed("TestDatabases", _SWITCH, _FRESHCLAM + "; the daemon tries a new database itself "
               "before it uses it"),
    not_needed("CompressLocalDatabase", _SWITCH, _FRESHCLAM),
    not_needed("Bytecode", _SWITCH, _FRESHCLAM + "; bytecode is not run, so `no` saves a download"),
    not_needed("HTTPProxyServer", _TEXT, _FRESHCLAM),
    not_needed("HTTPProxyPort", _NUMBER, _FRESHCLAM),
    not_needed("HTTPProxyUsername", _TEXT, _FRESHCLAM),
    not_needed("HTTPProxyPassword", _TEXT, _FRESHCLAM),
    not_needed("HTTPUserAgent", _TEXT, _FRESHCLAM),
    not_needed("LocalIPAddress", _TEXT, _FRESHCLAM),
    not_needed("ConnectTimeout", _NUMBER, _FRESHCLAM),
    not_needed("ReceiveTimeout", _NUMBER, _FRESHCLAM),
    not_needed("OnUpdateExecute", _TEXT, _FRESHCLAM),
    not_needed("OnErrorExecute", _TEXT, _FRESHCLAM),
    not_needed("OnOutdatedExecute", _TEXT, _FRESHCLAM),
    not_needed("UpdateLogFile", _TEXT, _FRESHCLAM),
    not_needed("LogFileMaxSize", _SIZE, _FRESHCLAM),
    not_needed("LogTime", _SWITCH, _FRESHCLAM),
    not_needed("LogSyslog", _SWITCH, _FRESHCLAM),
    not_needed("LogFacility", _TEXT, _FRESHCLAM),
    not_needed("LogVerbose", _SWITCH, _FRESHCLAM),
    not_needed("LogRotate", _SWITCH, _FRESHCLAM),
    not_needed("PidFile", _TEXT, _FRESHCLAM),
    not_needed("Foreground", _SWITCH, _FRESHCLAM),
    not_needed("Debug", _SWITCH, _FRESHCLAM),
)  # fmt: skip

MILTER_OPTIONS: tuple[Option, ...] = (
    becomes("ClamdSocket", _TEXT, "stays as it is with `--take-over-socket`; else it must name "
            "the new socket", several=True),
    becomes("MaxFileSize", _SIZE, "stays clamav-milter's; it must not be more than `[daemon] "
            "stream_max_length`"),
    not_needed("MilterSocket", _TEXT, _MILTER, several=True),
    not_needed("MilterSocketGroup", _TEXT, _MILTER),
    not_needed("MilterSocketMode", _TEXT, _MILTER),
    not_needed("FixStaleSocket", _SWITCH, _MILTER),
    not_needed("User", _TEXT, _MILTER + "; its account must be able to write to the socket"),
    not_needed("MaxThreads", _NUMBER, _MILTER),
    not_needed("ReadTimeout", _NUMBER, _MILTER),
    not_needed("Foreground", _SWITCH, _MILTER),
    not_needed("Chroot", _TEXT, _MILTER + "; the socket must be inside"),
    not_needed("PidFile", _TEXT, _MILTER),
    not_needed("TemporaryDirectory", _TEXT, _MILTER),
    not_needed("LocalNet", _TEXT, _MILTER, several=True),
    not_needed("AllowList", _TEXT, _MILTER),
    not_needed("Whitelist", _TEXT, _MILTER),
    not_needed("SkipAuthenticated", _TEXT, _MILTER),
    not_needed("OnClean", _TEXT, _MILTER),
    not_needed("OnInfected", _TEXT, _MILTER),
    not_needed("OnFail", _TEXT, _MILTER + "; what `[daemon] on_incomplete` makes of a mail that "
               'was not wholly looked at comes here when it is `"error"`'),
    not_needed("RejectMsg", _TEXT, _MILTER),
    not_needed("AddHeader", _TEXT, _MILTER),
    not_needed("ReportHostname", _TEXT, _MILTER),
    not_needed("VirusAction", _TEXT, _MILTER),
    not_needed("LogFile", _TEXT, _MILTER),
    not_needed("LogFileUnlock", _SWITCH, _MILTER),
    not_needed("LogFileMaxSize", _SIZE, _MILTER),
    not_needed("LogTime", _SWITCH, _MILTER),
    not_needed("LogSyslog", _SWITCH, _MILTER),
    not_needed("LogFacility", _TEXT, _MILTER),
    not_needed("LogVerbose", _SWITCH, _MILTER),
    not_needed("LogRotate", _SWITCH, _MILTER),
    not_needed("LogInfected", _TEXT, _MILTER),
    not_needed("LogClean", _TEXT, _MILTER),
    not_needed("SupportMultipleRecipients", _SWITCH, _MILTER),
)  # fmt: skip
