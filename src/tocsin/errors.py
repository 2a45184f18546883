"""Every error this package raises on purpose, in families a caller can act on.

A message says what happened and, where there is something to do, what to do. Whatever
else escapes from a reader or a matcher is a defect of this package.
"""

from __future__ import annotations

from typing import NamedTuple


class TocsinError(Exception):
    """Base of all errors raised on purpose."""

    def lines(self) -> list[str]:
        """What is wrong, a line each."""
        return [str(self)]


# --- what somebody wrote ------------------------------------------------------------------


class SignatureError(TocsinError):
    """A signature that cannot be read.

    Attributes:
        reason: what is wrong with it, without the place.
        source: file the signature stands in, or an empty string.
        line: line in that file, counted from 1, or 0 when unknown.
    """

    def __init__(self, reason: str, source: str = "", line: int = 0) -> None:
        self.reason = reason
        self.source = source
        self.line = line
        place = f"{source}:{line}: " if source and line else f"{source}: " if source else ""
        super().__init__(place + reason)


class UsageError(TocsinError):
    """Arguments that contradict each other or name something that does not exist."""


# --- what lies on disk --------------------------------------------------------------------


class DatabaseError(TocsinError):
    """A detection database that is missing, damaged, altered or of another version."""


class VerificationError(DatabaseError):
    """A digest or a digital signature that does not fit what it covers."""


class SettingsError(TocsinError):
    """A file of the user's own (settings, allow list, state) that cannot be read or written."""


class Problem(NamedTuple):
    """One thing that is wrong in a file that people write.

    Attributes:
        line: where, counted from 1; 0 when it concerns the whole file.
        key: which key, as people name it: `[daemon] socket`; empty for the whole file.
        reason: what is wrong and what it may be instead.
    """

    line: int
    key: str
    reason: str


class InvalidFile(SettingsError):
    """A file that people write, with mistakes, all of them at once.

    Attributes:
        source: the file.
        problems: what is wrong, in the order of lines.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("; ".join(self.lines()))

    def lines(self) -> list[str]:
        """One line a problem: `FILE:LINE: KEY: what is wrong`."""
        return [
            (f"{self.source}:{p.line}: " if p.line else f"{self.source}: ")
            + (f"{p.key}: " if p.key else "")
            + p.reason
            for p in self.problems
        ]


class InvalidSettings(InvalidFile):
    """A settings file with mistakes."""


class InvalidRules(InvalidFile):
    """A rule of law, or a description of a supplier, with mistakes."""


class LawError(TocsinError):
    """A question about the law that cannot be asked so, or a rulebook that is not whole."""


class ForwardError(TocsinError):
    """Events did not reach where they are forwarded to; they are sent again.

    Attributes:
        delivered: how many of those that were sent reached it all the same, from the first.
    """

    def __init__(self, reason: str, delivered: int = 0) -> None:
        self.delivered = delivered
        super().__init__(reason)


class JournalError(TocsinError):
    """The journal of events cannot be read or written; what was to be written was not."""


# --- what is being scanned ----------------------------------------------------------------


class ScanError(TocsinError):
    """An object that could not be looked at; the scan of the others goes on."""


class FormatError(ScanError):
    """A container or header that does not follow its format."""


class LimitReached(ScanError):
    """A bound set for the scan was hit; what lies beyond it was not looked at."""


# --- the machine --------------------------------------------------------------------------


class ResourcesExhausted(TocsinError):
    """The system has no process or descriptor left to go on with."""


class HostGone(TocsinError):
    """The engine's process has ended; what it was asked must be asked of another."""


class ChannelClosed(TocsinError):
    """Another of the daemon's processes has ended or makes no sense."""


class DaemonUnreachable(TocsinError):
    """There is no daemon to ask, or it gives no answer that makes sense."""


class DaemonRefused(TocsinError):
    """The daemon does not do what it was asked.

    Attributes:
        status: of the answer, as HTTP has it: 403 for who may not, 404 for what it does not know.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class QuarantineError(TocsinError):
    """The vault, or what was to go into it or out of it, is not as it must be; nothing is lost."""


class InstallError(TocsinError):
    """The machine cannot be changed as installing needs it, or is not as it was left."""


class SandboxUnavailable(TocsinError):
    """Hostile bytes cannot be parsed in confinement here, and the caller demands it."""
