"""What can go wrong with a source; whatever it is, what was there before stays in use."""

from __future__ import annotations

from datetime import datetime

from tocsin.updates.errors import UpdatesError


class SourceError(UpdatesError):
    """A source could not be brought in; the files of before are as they were."""


class SourceUnreachable(SourceError):
    """A server could not be reached, was too slow, or broke off."""


class SourceMissing(SourceError):
    """The server has no such file, or does not give it.

    Attributes:
        status: of the answer, as HTTP has it.
    """

    def __init__(self, message: str, status: int = 404) -> None:
        self.status = status
        super().__init__(message)


class CoolDown(SourceError):
    """A server said not to be asked again before some time.

    Attributes:
        until: when it may be asked again, in UTC.
        status: of the answer that said so: 403 or 429.
        fresh: whether it said so now; else it was remembered and nothing was asked.
    """

    def __init__(self, host: str, until: datetime, status: int, *, fresh: bool) -> None:
        self.host, self.until, self.status, self.fresh = host, until, status, fresh
        refused = "refuses this client" if status == 403 else "asks for fewer requests"
        super().__init__(
            f"{host} {refused} (status {status}); it is not asked again before "
            f"{until:%Y-%m-%d %H:%M} UTC"
        )


class SourceRefused(SourceError):
    """What came is damaged, not signed as it must be, or not what it says it is."""


class SourceOlder(SourceRefused):
    """A server has an older version than the one that is here, or than was announced.

    Attributes:
        version: of what it has.
    """

    def __init__(self, message: str, version: int) -> None:
        self.version = version
        super().__init__(message)


class DifferenceError(SourceRefused):
    """A difference that is malformed or does not fit the database it is applied to."""


class SourceShrunk(SourceRefused):
    """Less than half of the signatures are left, which nobody asked for."""


class SourceTooLarge(SourceRefused):
    """More came than a source of this kind may have."""


class SourceUntested(SourceRefused):
    """A new database that does not load; the old one stays."""


class SourceBusy(SourceError):
    """Another process brings sources into the same folder."""


class SourceStorage(SourceError):
    """The folder cannot be read or written, or the disk is full."""
