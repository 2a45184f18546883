"""The systemd unit: what the daemon may, and why it may not less.

The guard marks mounts, and a mount is what the machine sees, so the service stays in the
machine's mount namespace. Every directive that gives a service a namespace of its own
(`ProtectSystem`, `PrivateTmp`, `PrivateDevices`, `ProtectKernel…`, `ProtectProc` and their like)
would have it guard a copy of the mounts that nobody opens files through. What those directives
guard against is kept out by capabilities and a filter of system calls, and everything that
reads a scanned byte is confined by the daemon itself, more tightly than a unit can.
"""

from __future__ import annotations

from collections.abc import Iterable

UNIT = "tocsin.service"
WANTED_BY = "multi-user.target"

CAPABILITIES: dict[str, str] = {
    "CAP_SYS_ADMIN": "on-access events; workers in namespaces of their own",
    "CAP_SYS_CHROOT": "workers without a file system",
    "CAP_SETUID": "the front and the workers as other users",
    "CAP_SETGID": "the same",
    "CAP_SETPCAP": "rights given up for good",
    "CAP_DAC_READ_SEARCH": "reading what is to be scanned",
    "CAP_DAC_OVERRIDE": "quarantine: taking away and putting back in anybody's folder",
    "CAP_CHOWN": "quarantine: putting back the owner",
    "CAP_FOWNER": "quarantine: putting back mode, times and ACLs",
    "CAP_FSETID": "quarantine: putting back set-group-ID bits, where that is asked for",
    "CAP_SETFCAP": "quarantine: putting back file capabilities, where that is asked for",
    "CAP_LINUX_IMMUTABLE": "quarantine: files that are marked immutable",
    "CAP_SYS_PTRACE": "which program opens a file; scans of memory",
    "CAP_LEASE": "whether a file is being written to, before its verdict is remembered",
    "CAP_SYS_NICE": "whoever waits for the guard waits for nobody else",
    "CAP_KILL": "ending a program that was found infected",
    "CAP_SYS_RESOURCE": "limits of workers that are above those of the service",
    "CAP_NET_BIND_SERVICE": "a port below 1024 in [daemon] tcp or metrics",
}
"""What the service keeps of root's rights, and what for."""

_CALLS_REFUSED = "@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap"

_COMMON = """\
Type=notify
ExecStart={command} daemon
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2s
TimeoutStartSec=2min
TimeoutStopSec=30s
WatchdogSec=2min
# The supervisor ends its processes in order; what is left after that is killed.
KillMode=mixed
# A worker that runs out of memory costs one file its verdict, not the service its life.
OOMPolicy=continue
LimitNOFILE=65536
# Memory of these processes holds other people's files.
LimitCORE=0
"""

_CONFINED = """\
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=user mnt net ipc
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=~{calls}
"""


def system_unit(executable: Iterable[str]) -> str:
    """The unit of the machine's service.

    Args:
        executable: the program and its first arguments, absolute.
    """
    capabilities = "".join(f"#   {name}: {purpose}\n" for name, purpose in CAPABILITIES.items())
    return (
        "# Written by 'tocsin install'; 'tocsin uninstall' removes it. Changes of your own belong\n"
        "# into a drop-in: systemctl edit tocsin\n"
        "[Unit]\n"
        "Description=Malware protection: scans for others, guards this machine\n"
        "After=local-fs.target network.target nss-user-lookup.target\n"
        "StartLimitIntervalSec=5min\n"
        "StartLimitBurst=10\n"
        "\n"
        "[Service]\n" + _COMMON.format(command=_command(executable)) + "RuntimeDirectory=tocsin\n"
        "RuntimeDirectoryMode=0755\n"
        "StateDirectory=tocsin\n"
        "StateDirectoryMode=0755\n"
        "CacheDirectory=tocsin\n"
        "CacheDirectoryMode=0700\n"
        "OOMScoreAdjust=-200\n"
        "\n"
        "# It starts as root; what talks to clients and what reads scanned files is not root.\n"
        + capabilities
        + f"CapabilityBoundingSet={' '.join(CAPABILITIES)}\n"
        "# Not NoNewPrivileges: the processes that need none set it themselves, and a command of\n"
        "# [on_finding] may have to send mail. Not MemoryDenyWriteExecute: signatures' regular\n"
        "# expressions and packed programs are compiled to run. No ProtectSystem and nothing else\n"
        "# that makes a mount namespace: the guard would then guard a copy of the mounts.\n"
        + _CONFINED.format(calls=_CALLS_REFUSED)
        + "ProtectClock=yes\n"
        "ProtectHostname=yes\n"
        "DevicePolicy=closed\n"
        "KeyringMode=private\n"
        "\n"
        "[Install]\n"
        f"WantedBy={WANTED_BY}\n"
    )


def user_unit(executable: Iterable[str]) -> str:
    """The unit of a user's own service, which has no rights to give up."""
    return (
        "# Written by 'tocsin install --user'; 'tocsin uninstall --user' removes it.\n"
        "[Unit]\n"
        "Description=Malware protection: scans for this user's programs\n"
        "\n"
        "[Service]\n"
        + _COMMON.format(command=_command(executable))
        + "NoNewPrivileges=yes\n"
        + _CONFINED.format(calls=_CALLS_REFUSED)
        + "\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def _command(executable: Iterable[str]) -> str:
    """A command line as unit files have it: quoted, with `%` and `$` written twice."""
    return " ".join(_quoted(word) for word in executable)


def _quoted(word: str) -> str:
    safe = word.replace("%", "%%").replace("$", "$$")
    if not any(character in safe for character in " \t\"'\\;"):
        return safe
    escaped = safe.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
