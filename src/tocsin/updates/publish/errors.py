"""What publishing refuses, and why; readers of the repository see what they saw before."""

from __future__ import annotations

from tocsin.updates.errors import UpdatesError


class PublishError(UpdatesError):
    """Something could not be published; the repository is as it was."""


class WorkspaceError(PublishError):
    """The publisher's folder is missing, damaged, in use, or not as it must be for this."""


class PublishingKeyError(PublishError):
    """A key or its file cannot be used: it is missing, damaged, or its passphrase is another."""


class SignaturesMissing(PublishError):
    """Too few of those who must sign have signed so far.

    Attributes:
        missing: key ids of those who have not signed, by what they would count for.
    """

    def __init__(self, reason: str, missing: dict[str, tuple[str, ...]]) -> None:
        self.missing = missing
        super().__init__(reason)


class DevicesWait(PublishError):
    """A root that devices will not take without their users' consent.

    Attributes:
        reasons: why, as they say it.
    """

    def __init__(self, words: str, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__(words)


class SourceRefused(PublishError):
    """A source cannot be had, or is not what was pinned."""


class ValidationFailed(PublishError):
    """A database that flags what is harmless or misses what is known to be bad.

    Attributes:
        flagged: harmless files that it flags.
        missed: bad files that it does not find.
    """

    def __init__(self, reason: str, flagged: tuple[str, ...], missed: tuple[str, ...]) -> None:
        self.flagged = flagged
        self.missed = missed
        super().__init__(reason)


class QuorumNotMet(PublishError):
    """Too few witnesses cosigned the log; what was to be published is staged and kept.

    Attributes:
        answers: what became of asking each witness, by name.
    """

    def __init__(self, reason: str, answers: dict[str, str]) -> None:
        self.answers = answers
        super().__init__(reason)
