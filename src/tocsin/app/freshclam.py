"""One round of `tocsin-freshclam`: ClamAV's databases, the user's own files, and who is told.

Several databases are independent: one that cannot be brought in does not keep the others from it,
and the first thing that went wrong is what the round is judged by.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import socket
import subprocess
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tocsin.app.unix_socket import connect_unix
from tocsin.errors import SettingsError, TocsinError
from tocsin.updates.sources.clamav import ClamavSource
from tocsin.updates.sources.clamav_plan import Announced
from tocsin.updates.sources.custom_file import fetch_file
from tocsin.updates.sources.errors import CoolDown, SourceError, SourceStorage, SourceUntested
from tocsin.updates.sources.fetch import announced_versions, make_http
from tocsin.updates.sources.http import Http, Progress
from tocsin.updates.sources.notices import Event, Notice, Say
from tocsin.updates.sources.state import SourceFolder

if TYPE_CHECKING:
    from tocsin.app.freshclam_settings import FreshclamSettings
    from tocsin.updates.sources.clamav import Test

TEST_SECONDS = 1800
_SOFTWARE = re.compile(r"\d{1,4}(?:\.\d{1,6}){1,3}(?:-[A-Za-z0-9]{1,20})?\Z")
_REPLY_BYTES = 200
_NOTIFY_SECONDS = 30.0


class Round(NamedTuple):
    """How a round ended.

    Attributes:
        updated: names of what is newer than before.
        errors: what went wrong, in order.
        announced: what the TXT record says, or None.
        requests: how many were made.
        received: bytes that came for them.
    """

    updated: tuple[str, ...]
    errors: tuple[TocsinError, ...]
    announced: Announced | None
    requests: int
    received: int


def run_round(
    settings: FreshclamSettings,
    *,
    dns: bool = True,
    allow_shrink: bool = False,
    progress: Progress | None = None,
    say: Say,
) -> Round:
    """Look after every database once.

    Args:
        settings: what `freshclam.conf` and the command line say.
        dns: whether the TXT record may be asked for.
        allow_shrink: take a file of the user's that lost most of its signatures.
        progress: told how far a fetch is.
        say: told what happens.

    Raises:
        SourceError: the folder cannot be used at all.
    """
    if not settings.folder.is_dir():
        raise SourceStorage(f"Database directory does not exist: {settings.folder}")
    wishes = settings.wishes
    announced = None
    if settings.databases:
        record = wishes.dns_record or "" if dns else ""
        announced = announced_versions(record, wishes.resolvers, say)
    with SourceFolder(settings.folder) as held:
        http = make_http(held, wishes, progress)
        test = load_test if settings.test else None
        updated, errors = _databases(settings, held, http, announced, test, say)
        if not any(isinstance(error, CoolDown) for error in errors):
            for url in settings.custom:
                try:
                    trust = wishes.clamav.trust if wishes.clamav else None
                    changed = fetch_file(
                        url, held, http, test=test, trust=trust, allow_shrink=allow_shrink, say=say
                    )
                except SourceError as error:
                    errors.append(error)
                else:
                    updated += [url.rpartition("/")[2]] if changed else []
    return Round(tuple(updated), tuple(errors), announced, http.requests, http.received)


def _databases(
    settings: FreshclamSettings,
    held: SourceFolder,
    http: Http,
    announced: Announced | None,
    test: Test | None,
    say: Say,
) -> tuple[list[str], list[TocsinError]]:
    updated: list[str] = []
    errors: list[TocsinError] = []
    assert settings.wishes.clamav is not None
    source = ClamavSource(
        held, http, settings.wishes.clamav, announced=announced, test=test, say=say
    )
    for name in settings.databases:
        try:
            if source.update(name).changed:
                updated.append(name)
        except CoolDown as error:
            say(Notice(Event.COOL_DOWN, name, reason=str(error)))
            errors.append(error)
            break
        except SourceError as error:
            errors.append(error)
            if isinstance(error, SourceStorage):
                break
    return updated, errors


# --- trying a database --------------------------------------------------------------------


def load_test(path: Path) -> int:
    """Make the index of a file, in a process of its own, and throw it away.

    What is signed by ClamAV may hold lines that this engine does not take; of other files every
    line must be sound.

    Raises:
        SourceUntested: it does not load, or takes the process with it.
    """
    context = multiprocessing.get_context("fork")
    hears, tells = context.Pipe(duplex=False)
    process = context.Process(target=_load, args=(path, tells), daemon=True)
    process.start()
    tells.close()
    try:
        if not hears.poll(TEST_SECONDS):
            raise SourceUntested(f"{path.name}: does not load in {TEST_SECONDS} s")
        said: str = hears.recv()
    except EOFError:
        process.join()
        raise SourceUntested(
            f"{path.name}: the process that loads it ended ({process.exitcode})"
        ) from None
    finally:
        process.kill()
        process.join()
        hears.close()
    if said:
        raise SourceUntested(f"{path.name}: does not load: {said}")
    return 0


def _load(path: Path, tells: multiprocessing.connection.Connection) -> None:
    from tocsin.database.index_build import build_index

    signed = path.suffix.lower() in (".cvd", ".cld")
    try:
        with tempfile.TemporaryFile() as file:
            build_index([path], file, lenient=signed)
        tells.send("")
    except TocsinError as error:
        tells.send(str(error))
    except Exception as error:
        tells.send(f"{type(error).__name__}: {error}")


# --- telling others -----------------------------------------------------------------------


class NotNotified(TocsinError):
    """The daemon was not told; it looks by itself later."""


def notify_clamd(configuration: Path) -> None:
    """Tell clamd, or whatever answers on its socket, to load its databases again.

    Args:
        configuration: its `clamd.conf`, which names the socket.

    Raises:
        NotNotified: it could not be told, with the reason.
    """
    try:
        with _connected(configuration) as channel:
            channel.settimeout(_NOTIFY_SECONDS)
            channel.sendall(b"nRELOAD\n")
            reply = channel.recv(_REPLY_BYTES)
    except OSError as error:
        raise NotNotified(f"Can't connect to clamd: {error.strerror or error}") from error
    if not reply.startswith(b"RELOADING"):
        shown = reply[:60].decode("latin-1").strip()
        raise NotNotified(f"Unknown answer from clamd: {shown!r}")


def _connected(configuration: Path) -> socket.socket:
    from tocsin.protect.migrate.clamav_file import LARGEST, read_clamav
    from tocsin.protect.migrate.programs import CLAMD

    try:
        with configuration.open("rb") as file:
            content = file.read(LARGEST)
    except OSError as error:
        raise NotNotified(
            f"Can't find or parse configuration file {configuration}: {error.strerror}"
        ) from error
    stated: dict[str, str] = {}
    for option in read_clamav(content, configuration.name, CLAMD.by_name).stated:
        stated.setdefault(option.option, option.text)
    if "LocalSocket" in stated:
        return connect_unix(stated["LocalSocket"], _NOTIFY_SECONDS)
    port = stated.get("TCPSocket", "")
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65536:
        raise NotNotified(f"No communication socket specified in {configuration}")
    address = stated.get("TCPAddr", "localhost")
    return socket.create_connection((address, int(port)), _NOTIFY_SECONDS)


def forced_exit(command: str) -> int | None:
    """The exit status that `EXIT_n` stands for; None for a command to run."""
    form = re.match(r"EXIT_(\d{1,3})", command)
    return int(form[1]) & 0xFF if form else None


def run_hook(command: str, *, software: str = "") -> int:
    """Run a command of the administrator's with a shell, as freshclam does.

    Args:
        command: with `%v` where the newest version of ClamAV goes.
        software: that version, which came from a resolver: only digits and dots go in.

    Returns:
        Its exit status.

    Raises:
        SettingsError: the version is none.
    """
    if "%v" in command:
        if not _SOFTWARE.match(software):
            raise SettingsError("OnOutdatedExecute: Incorrect version number string")
        command = command.replace("%v", software)
    # The administrator's own line, from a file that root owns.
    return subprocess.run(command, shell=True, check=False).returncode  # noqa: S602


def is_newer(software: str, than: str) -> bool:
    """Whether one version of ClamAV is newer than another, by its numbers."""
    return _numbers(software) > _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(text) for text in re.findall(r"\d{1,6}", version.partition("-")[0])[:4])


# --- who we are ---------------------------------------------------------------------------


def become(owner: str) -> None:
    """Go on with the rights of an account, where root started us.

    Raises:
        SettingsError: there is no such account, or the rights cannot be given up.
    """
    import pwd

    if not owner or os.geteuid() != 0:
        return
    try:
        account = pwd.getpwnam(owner)
    except KeyError:
        raise SettingsError(f"Can't get information about user {owner}.") from None
    if account.pw_uid == 0:
        return
    try:
        os.initgroups(owner, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    except OSError as error:
        raise SettingsError(f"Failed to switch to {owner} user: {error.strerror}") from error


def write_pid(path: Path) -> None:
    """Note the daemon's process number.

    Raises:
        SourceStorage: it cannot be written.
    """
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(path, flags, 0o644), "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        raise SourceStorage(f"Can't save PID to file {path}: {error.strerror}") from error


def version_line(folder: Path) -> str:
    """What `--version` says of the databases: the daily one's version and time, or nothing."""
    from tocsin.signatures.clamav.cvd import made_at
    from tocsin.updates.sources.clamav_headers import find_database

    here = find_database(folder, "daily")
    made = made_at(here.path) if here else None
    if here is None or made is None:
        return ""
    moment = datetime.fromtimestamp(made, UTC).astimezone()
    return f"/{here.header.version}/{moment:%a %b %e %H:%M:%S %Y}"
