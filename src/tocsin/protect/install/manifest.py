"""What installing made, written down before each thing is made.

Only what was not there before is recorded, so uninstalling can take back exactly that. A thing
that is recorded and was never made (the power went) is passed over; a thing that was made is
always recorded.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from tocsin.errors import InstallError
from tocsin.version import VERSION

FILE_NAME = "install.json"
_FORM = 1


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that installing made.

    Attributes:
        kind: `folder`, `file`, `link`, `group` or `user`.
        name: its path, or the account's name.
        content: digest of a file's text, or where a link leads.
        holds: of a folder, what comes into it later.
    """

    kind: str
    name: str
    content: str = ""
    holds: str = ""


class Manifest:
    """The record of one installation.

    Args:
        path: its file.

    Attributes:
        path: its file.
        made: what was made, in order.
        units: whether systemd is to start the daemon.
        found: whether there was a file.

    Raises:
        InstallError: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[Made] = []
        self.found = False
        try:
            stated = json.loads(path.read_bytes())
            if stated["form"] != _FORM:
                raise ValueError(f"of form {stated['form']}, not {_FORM}")
            self.made = msgspec.convert(stated["made"], list[Made])
            self.found = True
        except FileNotFoundError:
            return
        except OSError as error:
            raise InstallError(f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InstallError(
                f"{path}: no record of an installation ({error}); to begin anew, move it away"
            ) from None

    def add(self, made: Made) -> None:
        """Record a thing, before it is made."""
        self.made = [each for each in self.made if (each.kind, each.name) != (made.kind, made.name)]
        self.made.append(made)
        self.write()

    def drop(self, made: Made) -> None:
        """Forget a thing that was taken back."""
        self.made.remove(made)
        self.write()

    def get(self, kind: str, name: str) -> Made | None:
        """The record of a thing, or None."""
        return next((m for m in self.made if (m.kind, m.name) == (kind, name)), None)

    def write(self) -> None:
        """Write the record, whole or not at all, so that it survives the power.

        Raises:
            InstallError: it cannot be written.
        """
        values: dict[str, Any] = {
            "form": _FORM,
            "tocsin": VERSION,
            "made": [msgspec.to_builtins(each) for each in self.made],
        }
        temporary = self.path.with_name(f".{self.path.name}.new")
        try:
            descriptor = os.open(
                temporary,
                os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o644,
            )
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(values, file, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise InstallError(f"{self.path}: {error.strerror}") from error
