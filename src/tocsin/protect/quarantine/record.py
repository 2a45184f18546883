"""What the vault knows of an object: enough to put it back exactly, and why it was taken.

A record is sealed like the objects are: nobody reads it without the vault's key, and one that
was altered or belongs to another number does not open.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import TYPE_CHECKING, TypeVar

import msgspec

from tocsin.engine.report import Report
from tocsin.protect.quarantine.errors import DamagedItem
from tocsin.protect.quarantine.file_metadata import Metadata

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MAGIC = b"TOCSINR\x01"
_NONCE_BYTES = 12
_MOST_DETECTIONS = 1000
_T = TypeVar("_T", bound=msgspec.Struct)


class Detected(msgspec.Struct, frozen=True, kw_only=True):
    """A signature that matched.

    Attributes:
        name: its name.
        source: file it came from.
        object: the way through the containers to what matched.
        level: how bad it is, by its signature's word.
    """

    name: str
    source: str = ""
    object: str = ""
    level: str = "malicious"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Why a file is taken away, and on whose word.

    Attributes:
        origin: who took it: `cli`, `guard`, `daemon`, `task:NAME`.
        verdict: of the scan; empty when somebody took it by hand.
        detections: what was found.
        sha256: digest of what was scanned, which what is taken must have; empty when unknown.
        database: identity of the database that was scanned with.
        database_version: its version for people, where it has one.
        engine: version of this program.
        uid: of the user who asked, -1 when nobody did.
        reason: in the words of who took it by hand.
    """

    origin: str = "cli"
    verdict: str = ""
    detections: tuple[Detected, ...] = ()
    sha256: str = ""
    database: str = ""
    database_version: str = ""
    engine: str = ""
    uid: int = -1
    reason: str = ""

    @classmethod
    def of(
        cls,
        report: Report,
        *,
        database: str,
        origin: str,
        uid: int = -1,
        database_version: str = "",
    ) -> Finding:
        """What a report found."""
        from tocsin.version import VERSION

        return cls(
            origin=origin,
            verdict=report.verdict.value,
            detections=tuple(
                Detected(name=d.name, source=d.source, object=d.object, level=d.level.value)
                for d in report.detections[:_MOST_DETECTIONS]
            ),
            sha256=report.sha256,
            database=database,
            database_version=database_version,
            engine=VERSION,
            uid=uid,
        )


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What a later look at an object said.

    Attributes:
        database: identity of the database it was looked at with.
        time: when, seconds since 1970.
        verdict: what was said.
        names: signatures that matched.
    """

    database: str
    time: float
    verdict: str
    names: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether it was wholly looked at and nothing was found."""
        return self.verdict == "clean"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One object in the vault.

    Attributes:
        id: its number.
        path: where it stood.
        folder: device and inode of the folder it stood in.
        inode: device and inode that it had.
        size: its length.
        sha256: digest of its content, lower-case hex.
        md5: the same, as others look it up.
        metadata: everything else about the file.
        other_names: names it still has in the same folder.
        finding: why it was taken.
        taken: when, seconds since 1970.
        taken_by: user who ran the process that took it.
        host: name of the machine.
        stored: bytes it has in the vault.
        examined: what the last look at it said, or None.
    """

    id: str
    path: bytes
    folder: tuple[int, int]
    inode: tuple[int, int]
    size: int
    sha256: str
    md5: str
    metadata: Metadata
    other_names: tuple[bytes, ...]
    finding: Finding
    taken: float
    taken_by: int
    host: str
    stored: int
    examined: Examination | None = None

    @property
    def place(self) -> str:
        """Where it stood; undecodable bytes by `surrogateescape`."""
        return os.fsdecode(self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """Signatures for which it was taken."""
        return tuple(dict.fromkeys(detected.name for detected in self.finding.detections))

    @property
    def links_left(self) -> int:
        """Names under which its content still stands somewhere on the same file system."""
        return max(0, self.metadata.links - 1)

    @property
    def may_be_restored(self) -> bool:
        """Whether something was found in it once, and nothing when it was last looked at.

        What somebody took by hand they took for reasons of their own.
        """
        detected = bool(self.finding.detections)
        return detected and self.examined is not None and self.examined.clean


class Restoring(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is being put back: written before anything appears.

    Attributes:
        path: where it is put.
        temporary: name under which it is written in that folder, where it needs one.
    """

    path: bytes
    temporary: bytes


class DamagedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that does not open; the others do.

    Attributes:
        id: its number.
        reason: in words.
    """

    id: str
    reason: str


def now_and_here() -> tuple[float, int, str]:
    """Time, user and host for a record."""
    return time.time(), os.geteuid(), socket.gethostname()


def seal(value: msgspec.Struct, cipher: AESGCM, number: str) -> bytes:
    """A record or an intent as it stands on disk."""
    nonce = os.urandom(_NONCE_BYTES)
    # Names of members may hold lone surrogates, which msgspec's own JSON does not know.
    plain = json.dumps(msgspec.to_builtins(value)).encode("ascii")
    return _MAGIC + nonce + cipher.encrypt(nonce, plain, _bound(value, number))


def unseal(data: bytes, kind: type[_T], cipher: AESGCM, number: str) -> _T:
    """Read back what `seal` gave.

    Raises:
        DamagedItem: it is something else, or was altered.
    """
    from cryptography.exceptions import InvalidTag

    start = len(_MAGIC) + _NONCE_BYTES
    if not data.startswith(_MAGIC) or len(data) <= start:
        raise DamagedItem(f"{number}: its record is damaged")
    bound = _bound(kind, number)
    try:
        plain = cipher.decrypt(data[len(_MAGIC) : start], data[start:], bound)
        return msgspec.convert(json.loads(plain), type=kind)
    except InvalidTag:
        raise DamagedItem(
            f"{number}: its record is damaged, or was sealed with another key"
        ) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise DamagedItem(f"{number}: its record is of another version ({error})") from None


def _bound(value: msgspec.Struct | type[msgspec.Struct], number: str) -> bytes:
    kind = value if isinstance(value, type) else type(value)
    return _MAGIC + kind.__name__.encode("ascii") + number.encode("ascii")
