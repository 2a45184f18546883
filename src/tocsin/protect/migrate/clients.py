"""Who asks clamd on a machine, and which line of whose settings must name another socket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tocsin.protect.migrate.handlers import normal_path


class Client(NamedTuple):
    """A program that asks clamd.

    Attributes:
        name: of the program.
        files: its settings files, globs of absolute paths.
        setting: what in them names the socket.
        line: that setting for a socket `{socket}`.
        reload: what has it read its settings again; empty when nothing is needed.
        asks_clamd: whether it asks clamd for sure where such a file is.
    """

    name: str
    files: tuple[str, ...]
    setting: str
    line: str
    reload: str
    asks_clamd: bool = False


CLIENTS: tuple[Client, ...] = (
    Client(
        "rspamd",
        ("/etc/rspamd/local.d/antivirus.conf", "/etc/rspamd/override.d/antivirus.conf"),
        "`servers` of the section of type `clamav`",
        'servers = "{socket}";',
        "systemctl reload rspamd",
        asks_clamd=True,
    ),
    Client(
        "Amavis",
        ("/etc/amavis/conf.d/*", "/etc/amavisd/amavisd.conf", "/etc/amavisd.conf"),
        "the socket in the `ClamAV-clamd` entry of `@av_scanners`",
        '["CONTSCAN {{}}\\n", "{socket}"]',
        "systemctl restart amavis",
    ),
    Client(
        "clamav-milter",
        ("/etc/clamav/clamav-milter.conf", "/etc/mail/clamav-milter.conf"),
        "`ClamdSocket`",
        "ClamdSocket unix:{socket}",
        "systemctl restart clamav-milter",
    ),
    Client(
        "Exim",
        (
            "/etc/exim4/exim4.conf",
            "/etc/exim4/exim4.conf.localmacros",
            "/etc/exim4/exim4.conf.template",
            "/etc/exim4/conf.d/main/*",
            "/etc/exim/exim.conf",
        ),
        "`av_scanner`",
        "av_scanner = clamd:{socket}",
        "systemctl reload exim4",
    ),
    Client(
        "clamsmtp",
        ("/etc/clamsmtpd.conf",),
        "`ClamAddress`",
        "ClamAddress: {socket}",
        "systemctl restart clamsmtp",
        asks_clamd=True,
    ),
    Client(
        "MailScanner",
        ("/etc/MailScanner/MailScanner.conf", "/etc/MailScanner/conf.d/*"),
        "`Clamd Socket`",
        "Clamd Socket = {socket}",
        "systemctl reload mailscanner",
    ),
    Client(
        "c-icap",
        ("/etc/c-icap/clamd_mod.conf", "/etc/c-icap/virus_scan.conf"),
        "`clamd_mod.ClamdSocket`",
        "clamd_mod.ClamdSocket {socket}",
        "systemctl reload c-icap",
    ),
    Client(
        "SquidClamav",
        ("/etc/squidclamav.conf", "/etc/c-icap/squidclamav.conf"),
        "`clamd_local`",
        "clamd_local {socket}",
        "systemctl reload c-icap",
        asks_clamd=True,
    ),
    Client(
        "ProFTPD (mod_clamav)",
        ("/etc/proftpd/proftpd.conf", "/etc/proftpd/conf.d/*"),
        "`ClamLocalSocket`",
        "ClamLocalSocket {socket}",
        "systemctl reload proftpd",
    ),
    Client(
        "Samba (vfs_virusfilter)",
        ("/etc/samba/smb.conf",),
        "`virusfilter:socket path`",
        "virusfilter:socket path = {socket}",
        "smbcontrol all reload-config",
    ),
    Client(
        "Nextcloud (files_antivirus)",
        (
            "/var/www/*/apps/files_antivirus/appinfo/info.xml",
            "/var/www/*/custom_apps/files_antivirus/appinfo/info.xml",
        ),
        "the app's `av_socket`, which is in Nextcloud's database",
        "occ config:app:set files_antivirus av_socket --value={socket}",
        "",
        asks_clamd=True,
    ),
    Client(
        "clamdscan",
        (),
        "`LocalSocket` of the file that `clamdscan --config-file` names",
        "LocalSocket {socket}",
        "",
    ),
)
"""Postfix and Sendmail ask clamav-milter or Amavis, never clamd, and need no change."""


class Place(NamedTuple):
    """A line that names clamd's socket.

    Attributes:
        client: whose settings it is in.
        file: which file.
        line: counted from 1; 0 when the file does not name the socket.
        text: the line as it is.
        change: the line as it must be.
        reload: what has the program read it.
    """

    client: str
    file: str
    line: int
    text: str
    change: str
    reload: str


def places(
    old: str,
    new: str,
    find_files: Callable[[str], list[str]],
    read_lines: Callable[[str], list[str] | None],
) -> Iterator[Place]:
    """Every line of a known client's settings that names clamd's socket.

    Args:
        old: clamd's socket; empty when it has none.
        new: the daemon's.
        find_files: the files that a glob of absolute paths stands for.
        read_lines: lines of a file; None when it cannot be read.
    """
    names = _names_of(old)
    for client in CLIENTS:
        found = False
        present = ""
        for pattern in client.files:
            for file in find_files(pattern):
                present = present or pattern
                for number, line in enumerate(read_lines(file) or (), 1):
                    form = names.search(line) if names and _is_stated(line) else None
                    if form is not None:
                        found = True
                        change = line[: form.start()] + new + line[form.end() :]
                        texts = (line.strip()[:300], change.strip()[:300])
                        yield Place(client.name, file, number, *texts, client.reload)
        if present and not found and client.asks_clamd:
            change = client.line.format(socket=new)
            yield Place(client.name, present, 0, "", change, client.reload)


def _names_of(socket: str) -> re.Pattern[str] | None:
    """Matches a socket's path by its names of today and of before."""
    if not socket:
        return None
    place = normal_path(socket)
    older = [f"/var{place}"] if place.startswith("/run/") else []
    return re.compile("|".join(rf"(?<![\w/.-]){re.escape(n)}(?![\w/.-])" for n in (*older, place)))


def _is_stated(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(("#", ";", "//"))
