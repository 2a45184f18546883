"""What stops an update, and what to do; the state of the device stays as it was."""

from __future__ import annotations

from tocsin.updates.errors import UpdatesError


class UpdateError(UpdatesError):
    """An update that was not made. What was in use before is still in use."""


# --- what the user chose ------------------------------------------------------------------


class NoTrust(UpdateError):
    """Nothing says whom to trust yet, or it cannot be read."""


class StateDamaged(UpdateError):
    """The device's own record of updates is not as it was written."""


class StateBusy(UpdateError):
    """Another process is updating this device."""


# --- what could not be fetched ------------------------------------------------------------


class NothingReached(UpdateError):
    """No mirror gave what was needed.

    Attributes:
        failures: each mirror and what was wrong with it.
    """

    def __init__(self, message: str, failures: tuple[tuple[str, str], ...] = ()) -> None:
        self.failures = failures
        super().__init__(message)


class BundleDamaged(UpdateError):
    """A bundle that is no bundle, or is cut off."""


class NotWritten(UpdateError):
    """The disk did not take what was to be written; the message says what is in use."""


class NoRoom(NotWritten):
    """The disk is full."""


# --- what was fetched and must not be used ------------------------------------------------


class MetadataRefused(UpdateError):
    """The publisher's metadata does not verify: unsigned, rolled back, mixed or damaged."""


class MetadataExpired(MetadataRefused):
    """The publisher's metadata is older than it says it may be, or this clock is wrong."""


class NotVouchedFor(UpdateError):
    """A version that was not publicly logged, or not seen by the witnesses this device wants."""


class SplitLog(UpdateError):
    """The log showed this device another history than before; the evidence is kept."""


class ContentRefused(UpdateError):
    """A file that is not the one that was signed."""


class ConsentNeeded(UpdateError):
    """The publisher would change, and the user has not agreed.

    Attributes:
        version: of the root that waits.
        sha256: of its bytes, hexadecimal.
    """

    def __init__(self, message: str, version: int, sha256: str) -> None:
        self.version = version
        self.sha256 = sha256
        super().__init__(message)


class ActivationFailed(UpdateError):
    """A version that verified but did not pass its test on this device."""


class NotTriedOut(UpdateError):
    """A version could not be tried out, for a reason that lies in this device and not in it."""


class NothingFits(UpdateError):
    """A release without wheels for this machine."""
