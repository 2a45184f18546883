"""The options of `clamd.conf` (ClamAV 1.4), but for those of on-access scanning."""

from __future__ import annotations

from tocsin.protect.migrate.options import Option, Takes, becomes, missing, not_needed, older

_SWITCH, _NUMBER, _SIZE, _TEXT = Takes.SWITCH, Takes.NUMBER, Takes.SIZE, Takes.TEXT

_JOURNAL = "the journal is always kept, and `tocsin events` shows it"
_FORWARDED = "a `[[forward]]` says it for its own target"
_BYTECODE = "ClamAV's bytecode is not run; `tocsin db info` counts what needs it"
_ALWAYS = "always looked into; to leave a file out, name it in `[scan] exclude`"
_NO_LINKS = "addresses in mail are not judged; leave that to the mail filter (rspamd)"
_NO_CARDS = "card and social security numbers are not looked for"
_OWN_BOUND = "the engine has bounds of its own for that, and says when one is hit"
_NO_TEMPORARY = "nothing of a scanned file is written to temporary files"
_NO_PRELUDE = "Prelude is not spoken; a `[[forward]]` of kind `webhook` or `syslog` carries events"
_RESTARTS = "each of the daemon's processes is started anew when it ends"
_STREAM = "the STREAM command is gone from ClamAV too; INSTREAM needs no ports"

_CURRENT: tuple[Option, ...] = (
    # --- where and for whom
    becomes("LocalSocket", _TEXT, "`[daemon] socket`, with `--take-over-socket`; else clients "
            "are told the new one"),
    becomes("LocalSocketGroup", _TEXT, "`[daemon] socket_group`"),
    becomes("LocalSocketMode", _TEXT, "`[daemon] socket_mode`"),
    not_needed("FixStaleSocket", _SWITCH, "a socket at which nobody listens is always replaced"),
    becomes("TCPSocket", _NUMBER, "`[daemon] tcp`; where no `TCPAddr` says otherwise, at "
            "127.0.0.1 only"),
    becomes("TCPAddr", _TEXT, "`[daemon] tcp`, the first one; what is not loopback sets "
            "`tcp_anywhere`", several=True),
    not_needed("MaxConnectionQueueLength", _NUMBER, "1,024 clients may wait to be accepted, or "
               "what the kernel allows (`net.core.somaxconn`)"),
    becomes("StreamMaxLength", _SIZE, "`[daemon] stream_max_length`"),
    not_needed("StreamMinPort", _NUMBER, _STREAM),
    not_needed("StreamMaxPort", _NUMBER, _STREAM),
    becomes("MaxThreads", _NUMBER, "`[scan] jobs`, where it is less than the processors there "
            "are; more workers than processors gain nothing"),
    becomes("ReadTimeout", _NUMBER, "`[daemon] command_timeout`, the longer of the two"),
    becomes("CommandReadTimeout", _NUMBER, "`[daemon] command_timeout`, the longer of the two"),
    not_needed("SendBufTimeout", _NUMBER, "answers never wait for a slow client"),
    becomes("MaxQueue", _NUMBER, "`[daemon] max_queue`, where it is more than the default of "
            "2,000"),
    becomes("IdleTimeout", _NUMBER, "`[daemon] idle_timeout`"),
    becomes("ExcludePath", _TEXT, "`[scan] exclude`, as globs that match the same paths; an "
            "expression that has none is named", several=True),
    not_needed("MaxDirectoryRecursion", _NUMBER, "folders are entered to any depth"),
    becomes("FollowDirectorySymlinks", _SWITCH, "`[daemon] follow_links`"),
    becomes("FollowFileSymlinks", _SWITCH, "`[daemon] follow_links`, which is for files and "
            "folders"),
    becomes("CrossFilesystems", _SWITCH, "`[daemon] cross_file_systems`"),
    not_needed("User", _TEXT, "`tocsin install` makes an account of its own (`[daemon] user`); "
               "paths are opened with the rights of the client that names them"),
    missing("AllowAllMatchScan", _SWITCH, "ALLMATCHSCAN is always answered", True),
    not_needed("PidFile", _TEXT, "systemd knows the process; `tocsin status` shows it"),
    not_needed("Foreground", _SWITCH, "`tocsin daemon` always stays in the foreground"),
    not_needed("ExitOnOOM", _SWITCH, _RESTARTS),
    not_needed("TemporaryDirectory", _TEXT, "streams too large for memory are kept in "
               "`[daemon] state`; else " + _NO_TEMPORARY),
    # --- what is looked for
    becomes("DatabaseDirectory", _TEXT, "`[database] sources`: the folder is read where it is, "
            "and freshclam goes on filling it"),
    becomes("OfficialDatabaseOnly", _SWITCH, "`[database] sources` names the official files one "
            "by one", False),
    becomes("FailIfCvdOlderThan", _NUMBER, "`[database] alarm_after_days`: an alarm, not an end",
            -1),
    becomes("SelfCheck", _NUMBER, "`[database] check_every`"),
    not_needed("ConcurrentDatabaseReload", _SWITCH, "a new database takes over without a pause "
               "and without twice the memory"),
    missing("Bytecode", _SWITCH, _BYTECODE, False),
    not_needed("BytecodeSecurity", _TEXT, _BYTECODE),
    not_needed("BytecodeTimeout", _NUMBER, _BYTECODE),
    missing("BytecodeUnsigned", _SWITCH, _BYTECODE, False),
    not_needed("BytecodeMode", _TEXT, _BYTECODE),
    becomes("DetectPUA", _SWITCH, "`[scan] detect_pua`"),
    missing("ExcludePUA", _TEXT, "categories cannot be left out; except single signatures with "
            "`tocsin allow NAME`", several=True),
    missing("IncludePUA", _TEXT, "all categories are used; except single signatures with "
            "`tocsin allow NAME`", several=True),
    missing("PhishingSignatures", _SWITCH, "they are always used; except single ones with "
            "`tocsin allow NAME`", True),
    missing("PhishingScanURLs", _SWITCH, _NO_LINKS, False),
    missing("HeuristicAlerts", _SWITCH, "there are no heuristics but those that `[scan] alert_…` "
            "switch on", False),
    missing("HeuristicScanPrecedence", _SWITCH, "strong names always come first", False),
    missing("StructuredDataDetection", _SWITCH, _NO_CARDS, False),
    not_needed("StructuredMinCreditCardCount", _NUMBER, _NO_CARDS),
    not_needed("StructuredCCOnly", _SWITCH, _NO_CARDS),
    not_needed("StructuredMinSSNCount", _NUMBER, _NO_CARDS),
    not_needed("StructuredSSNFormatNormal", _SWITCH, _NO_CARDS),
    not_needed("StructuredSSNFormatStripped", _SWITCH, _NO_CARDS),
    missing("DisableCertCheck", _SWITCH, "certificates in programs are not looked at: none makes a "
            "file trusted", True),
    # --- what is looked into
    missing("ScanPE", _SWITCH, _ALWAYS, True),
    missing("ScanELF", _SWITCH, _ALWAYS, True),
    missing("ScanMail", _SWITCH, _ALWAYS, True),
    missing("ScanPartialMessages", _SWITCH, "messages split over several mails are not joined",
            False),
    missing("ScanHTML", _SWITCH, _ALWAYS, True),
    missing("ScanOLE2", _SWITCH, _ALWAYS, True),
    missing("ScanPDF", _SWITCH, _ALWAYS, True),
    missing("ScanSWF", _SWITCH, _ALWAYS, True),
    missing("ScanXMLDOCS", _SWITCH, _ALWAYS, True),
    missing("ScanHWP3", _SWITCH, _ALWAYS, True),
    missing("ScanOneNote", _SWITCH, _ALWAYS, True),
    missing("ScanArchive", _SWITCH, _ALWAYS, True),
    missing("ScanImage", _SWITCH, _ALWAYS, True),
    missing("ScanImageFuzzyHash", _SWITCH, "fuzzy hashes of pictures are not computed", False),
    # --- what is reported
    missing("AlertBrokenExecutables", _SWITCH, "broken programs are not reported", False),
    missing("AlertBrokenMedia", _SWITCH, "broken pictures are not reported", False),
    becomes("AlertEncrypted", _SWITCH, "`[scan] alert_encrypted`"),
    becomes("AlertEncryptedArchive", _SWITCH, "`[scan] alert_encrypted`, which is for archives "
            "and documents"),
    becomes("AlertEncryptedDoc", _SWITCH, "`[scan] alert_encrypted`, which is for archives and "
            "documents"),
    becomes("AlertOLE2Macros", _SWITCH, "`[scan] alert_macros`"),
    becomes("AlertExceedsMax", _SWITCH, '`[daemon] on_incomplete`: `"found"` for yes, `"ok"` for '
            'no, which is what clamd does; `"error"` is safer'),
    missing("AlertPhishingSSLMismatch", _SWITCH, _NO_LINKS, False),
    missing("AlertPhishingCloak", _SWITCH, _NO_LINKS, False),
    missing("AlertPartitionIntersection", _SWITCH, "overlapping partitions are not looked for",
            False),
    # --- how much
    becomes("MaxScanTime", _NUMBER, "`[scan] timeout`, in seconds"),
    becomes("MaxScanSize", _SIZE, "`[scan] max_scan_size`"),
    becomes("MaxFileSize", _SIZE, "`[scan] max_file_size`"),
    becomes("MaxRecursion", _NUMBER, "`[scan] max_depth`"),
    becomes("MaxFiles", _NUMBER, "`[scan] max_files`"),
    not_needed("MaxEmbeddedPE", _SIZE, _OWN_BOUND),
    not_needed("MaxHTMLNormalize", _SIZE, _OWN_BOUND),
    not_needed("MaxHTMLNoTags", _SIZE, _OWN_BOUND),
    not_needed("MaxScriptNormalize", _SIZE, _OWN_BOUND),
    not_needed("MaxZipTypeRcg", _SIZE, _OWN_BOUND),
    not_needed("MaxPartitions", _NUMBER, _OWN_BOUND),
    not_needed("MaxIconsPE", _NUMBER, _OWN_BOUND),
    not_needed("MaxRecHWP3", _NUMBER, _OWN_BOUND),
    not_needed("PCREMatchLimit", _NUMBER, _OWN_BOUND),
    not_needed("PCRERecMatchLimit", _NUMBER, _OWN_BOUND),
    not_needed("PCREMaxFileSize", _SIZE, _OWN_BOUND),
    becomes("DisableCache", _SWITCH, "`[daemon] cache_size = 0` for yes"),
    becomes("CacheSize", _NUMBER, "`[daemon] cache_size`, for streams and files that only root "
            "may write to; the guard has its own, `[guard] cache_size`"),
    not_needed("ForceToDisk", _SWITCH, _NO_TEMPORARY),
    # --- what is said
    becomes("LogFile", _TEXT, "a `[[forward]]` of kind `ecs`, one JSON object a line; besides, "
            + _JOURNAL),
    not_needed("LogFileUnlock", _SWITCH, "no lock is held"),
    becomes("LogFileMaxSize", _SIZE, "`max_file_size` of that `[[forward]]`: the file is renamed"),
    not_needed("LogTime", _SWITCH, "every event has its time"),
    missing("LogClean", _SWITCH, "clean files are not recorded; `tocsin status` counts them",
            False),
    becomes("LogSyslog", _SWITCH, "a `[[forward]]` of kind `syslog`"),
    not_needed("LogFacility", _TEXT, "syslog messages are of facility `daemon`; sort by their "
               "name, `tocsin`"),
    missing("LogVerbose", _SWITCH, _FORWARDED, False),
    not_needed("LogRotate", _SWITCH, "a file that has a `max_file_size` is always renamed, and "
               "logrotate is not needed"),
    not_needed("ExtendedDetectionInfo", _SWITCH, "size and digest are in every event"),
    becomes("VirusEvent", _TEXT, "`[on_finding] command`, without a shell where it needs none"),
    missing("PreludeEnable", _SWITCH, _NO_PRELUDE, False),
    not_needed("PreludeAnalyzerName", _TEXT, _NO_PRELUDE),
    not_needed("Debug", _SWITCH, "`tocsin scan --json` and `tocsin events` say more"),
    not_needed("LeaveTemporaryFiles", _SWITCH, "`tocsin unpack` writes out what is in a file"),
    not_needed("GenerateMetadataJson", _SWITCH, "`tocsin scan --json` says what was found where"),
)  # fmt: skip

CLAMD_OPTIONS: tuple[Option, ...] = (
    *_CURRENT,
    older("AlgorithmicDetection", "HeuristicAlerts", _CURRENT),
    older("BlockMax", "AlertExceedsMax", _CURRENT),
    older("DetectBrokenExecutables", "AlertBrokenExecutables", _CURRENT),
    older("PhishingAlwaysBlockSSLMismatch", "AlertPhishingSSLMismatch", _CURRENT),
    older("PhishingAlwaysBlockCloak", "AlertPhishingCloak", _CURRENT),
    older("PartitionIntersection", "AlertPartitionIntersection", _CURRENT),
    older("OLE2BlockMacros", "AlertOLE2Macros", _CURRENT),
    older("ArchiveBlockEncrypted", "AlertEncrypted", _CURRENT),
)
"""By what they are about; the older names, which Debian still writes, last."""

RETIRED = frozenset({
    "AllowSupplementaryGroups", "ArchiveBlockMax", "ArchiveLimitMemoryUsage",
    "ArchiveMaxCompressionRatio", "ArchiveMaxFiles", "ArchiveMaxRecursion", "ArchiveMaxScanSize",
    "DevACDepth", "DevACOnly", "DevLiblog", "DevPerformance", "MailFollowURLs",
    "MailMaxRecursion", "SafeBrowsing", "ScanOnAccess", "StatsEnabled", "StatsHostID",
    "StatsPEDisabled", "StatsTimeout",
})  # fmt: skip
"""Options of older versions that do nothing in ClamAV 1.4 either."""
