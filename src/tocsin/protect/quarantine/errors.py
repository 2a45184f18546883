"""What the vault refuses, and why; whoever refused left everything as it was."""

from __future__ import annotations

from tocsin.errors import QuarantineError


class VaultUnusable(QuarantineError):
    """The vault's folder or key is missing, damaged, or open to others."""


class KeyGone(VaultUnusable):
    """The vault has no master key, without which nothing in it can be read."""


class VaultBusy(QuarantineError):
    """Another process works on the vault and did not finish in time."""


class VaultFull(QuarantineError):
    """There is no room for the object, by the vault's bound or on the disk."""


class NotTaken(QuarantineError):
    """A file was not taken away; it stands where it stood."""


class IdentityChanged(NotTaken):
    """What stands at the path is not what was scanned."""


class MailboxRefused(NotTaken):
    """A mailbox is not taken away whole for one message.

    Attributes:
        path: the mailbox.
        objects: ways to the messages in which something was found.
    """

    def __init__(self, path: str, kind: str, objects: tuple[str, ...]) -> None:
        self.path = path
        self.objects = objects
        named = "; ".join(objects) or "not known"
        super().__init__(
            f"{path}: this is {kind} and is not taken away whole for one message; remove the "
            f"message with a mail program: {named}"
        )


class NotRestored(QuarantineError):
    """An object was not put back; it is still in the vault."""


class UnknownRecord(QuarantineError):
    """There is no record of that number, or several begin with it."""


class DamagedItem(QuarantineError):
    """A record or an object in the vault is not what was written there."""
