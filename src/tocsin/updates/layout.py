"""Where things are in a repository, and what its metadata says besides what TUF asks for.

Publisher and device share this module. A repository is a folder of static files:

    metadata/  TUF 1.0: N.root.json, timestamp.json, N.snapshot.json, N.targets.json
    targets/   what TUF's targets name, stored as <sha256>.<file name> (consistent snapshot)
    log/       the transparency log, C2SP tlog-tiles
    proofs/    <sha256 of what is vouched for>.entry, the log entry, and .tlog-proof beside it
    sources/   <sha256>: copies of sources, where the publisher keeps some for whoever rebuilds

`custom` fields are a struct a kind. An unknown kind of target is no error, so that publishers
can add some that older devices let lie; a known kind that is malformed is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from tocsin.updates.errors import LayoutError
from tocsin.updates.statement import Instant, Sha256, Version

METADATA = "metadata"
TARGETS = "targets"
LOG = "log"
PROOFS = "proofs"
SOURCES = "sources"

WITHDRAWN_FIELD = "x-tocsin"
"""Field of the signed part of targets: `{"withdrawn": […]}`."""

PUBLISHER_FIELD = "x-tocsin-publisher"
"""Field of the signed part of root: who the publisher claims to be."""

MOST_WITHDRAWN = 4_096
"""Withdrawals that the metadata may list; the log has them all."""

CHANNELS = ("fast", "stable")

MOST_METADATA_BYTES = {
    "root": 512_000,
    "timestamp": 16_384,
    "snapshot": 2_000_000,
    "targets": 5_000_000,
}
"""By role: what devices take, and no publisher publishes more of."""

_SHA256 = re.compile("[0-9a-f]{64}")
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+!-]{0,199}")
_PART = re.compile(r"(?!\.)[0-9A-Za-z._+!@~=, -]{1,180}")
_MOST_PARTS = 16
_Text = Annotated[str, msgspec.Meta(max_length=1_024)]
_Channel = Annotated[str, msgspec.Meta(pattern="^[a-z]{1,16}$", max_length=16)]
_Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

Ring = tuple[_Percent, _Seconds]
"""Percent of devices, and seconds after the channel's instant at which they may update."""

Channels = Annotated[dict[_Channel, Instant], msgspec.Meta(max_length=8)]
Rings = Annotated[tuple[Ring, ...], msgspec.Meta(max_length=16)]


class DatabaseTarget(msgspec.Struct, frozen=True, tag_field="kind", tag="database"):
    """`custom` of a database.

    Attributes:
        version: counted up by the publisher.
        sha256: of the plain database; the target is its compressed form.
        length: of the plain database, in bytes.
        channels: from when on it is for those on the channel.
        rings: how it spreads from then on; the last ring has 100 percent. None: all at once.
    """

    version: Version
    sha256: Sha256
    length: _Count
    channels: Channels = {}
    rings: Rings = ()


class DeltaTarget(msgspec.Struct, frozen=True, tag_field="kind", tag="delta"):
    """`custom` of a delta: from which plain database it leads to which, by SHA-256."""

    from_sha256: Sha256 = msgspec.field(name="from")
    to_sha256: Sha256 = msgspec.field(name="to")
    from_version: Version
    to_version: Version


class ReleaseTarget(msgspec.Struct, frozen=True, tag_field="kind", tag="release"):
    """`custom` of a release's manifest; the wheels are targets beside it.

    Attributes:
        version: of the software.
        sha256: of the manifest, which the log entry is about.
        channels: as a database's.
        rings: as a database's.
    """

    version: _Name
    sha256: Sha256
    channels: Channels = {}
    rings: Rings = ()


class WheelTarget(msgspec.Struct, frozen=True, tag_field="kind", tag="wheel"):
    """`custom` of one wheel: the version of the release it belongs to.

    A wheel of several releases is a target of each.
    """

    release: _Name


class RulebookTarget(msgspec.Struct, frozen=True, tag_field="kind", tag="rulebook"):
    """`custom` of an edition of the rulebook, which is a target as it is.

    Attributes:
        version: the edition's number.
        sha256: of the rulebook, which the log entry is about.
        channels: as a database's.
        rings: as a database's.
    """

    version: Version
    sha256: Sha256
    channels: Channels = {}
    rings: Rings = ()


Offered = DatabaseTarget | ReleaseTarget | RulebookTarget
"""What a log entry is about, and what reaches devices by channel and ring."""

Custom = Offered | DeltaTarget | WheelTarget
_Read = TypeVar("_Read", bound=msgspec.Struct)
_KINDS = {
    "database": DatabaseTarget,
    "delta": DeltaTarget,
    "release": ReleaseTarget,
    "rulebook": RulebookTarget,
    "wheel": WheelTarget,
}


class Withdrawn(msgspec.Struct, frozen=True):
    """A database version that was pulled back."""

    version: Version
    reason: _Text
    since: Instant


class Custodians(msgspec.Struct, frozen=True):
    """Who may appoint a successor: TUF key ids, and how many of them it takes."""

    keyids: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=128)], ...], msgspec.Meta(max_length=64)
    ]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=64)]


class Publisher(msgspec.Struct, frozen=True):
    """Who a root says its publisher is: a claim that is shown, and never believed alone.

    Attributes:
        name: in the publisher's own words.
        contact: how to reach them.
        since: from when on they publish.
        custodians: of the root's keys, those that are not the publisher's own. At least as many
            of them as their threshold says must sign for a succession to stand.
        log: verifier key of the log that the publisher writes, for whoever consents to them.
    """

    name: _Text
    contact: _Text = ""
    since: Instant | None = None
    custodians: Custodians | None = None
    log: _Text = ""


class _Withdrawals(msgspec.Struct, frozen=True):
    withdrawn: Annotated[tuple[Withdrawn, ...], msgspec.Meta(max_length=MOST_WITHDRAWN)] = ()


# --- names --------------------------------------------------------------------------------


def database_name(version: int) -> str:
    """What a log entry calls a database: `databases/12.tdb`."""
    return f"databases/{version}.tdb"


def database_target(version: int) -> str:
    """TUF target of a compressed database: `databases/12.tdb.zst`."""
    return f"databases/{version}.tdb.zst"


def delta_target(old: int, new: int) -> str:
    """TUF target of a delta: `deltas/11-12.delta`."""
    return f"deltas/{old}-{new}.delta"


def release_manifest_target(version: str) -> str:
    """TUF target of a release's manifest: `releases/1.2.0/manifest.json`.

    Raises:
        LayoutError: the version is no file name.
    """
    return f"releases/{_demand_name(version)}/manifest.json"


def wheel_target(version: str, wheel: str) -> str:
    """TUF target of a wheel: `releases/1.2.0/name.whl`.

    Raises:
        LayoutError: version or wheel is no file name.
    """
    return f"releases/{_demand_name(version)}/{_demand_name(wheel)}"


def rulebook_name(version: int) -> str:
    """TUF target of an edition of the rulebook, and its name in the log: `rulebooks/3.json`."""
    return f"rulebooks/{version}.json"


def offered_name(offered: Offered) -> str:
    """What the log entry of something that is offered calls it.

    Raises:
        LayoutError: its version is no file name.
    """
    if isinstance(offered, DatabaseTarget):
        return database_name(offered.version)
    if isinstance(offered, RulebookTarget):
        return rulebook_name(offered.version)
    return release_manifest_target(offered.version)


def root_name(version: int) -> str:
    """What a log entry calls a root: `metadata/3.root.json`, which is its path as well."""
    return f"{METADATA}/{version}.root.json"


def stored_target(target: str, sha256: str) -> str:
    """Path of a target in the repository: `targets/databases/<sha256>.12.tdb.zst`.

    TUF 1.0, section 6.2 (consistent snapshots).

    Raises:
        LayoutError: the target's path could lead out of the repository, or this is no SHA-256.
    """
    demand_inside(target)
    folder, slash, name = target.rpartition("/")
    return f"{TARGETS}/{folder}{slash}{_demand_sha256(sha256)}.{name}"


def entry_path(sha256: str) -> str:
    """Path of the log entry about what has this SHA-256.

    Raises:
        LayoutError: this is no SHA-256.
    """
    return f"{PROOFS}/{_demand_sha256(sha256)}.entry"


def proof_path(sha256: str) -> str:
    """Path of the proof that the entry is in the log.

    Raises:
        LayoutError: this is no SHA-256.
    """
    return f"{PROOFS}/{_demand_sha256(sha256)}.tlog-proof"


def withdrawal_entry_path(sha256: str) -> str:
    """Path of the log entry by which the database of this SHA-256 was pulled back.

    It is about the same file as the entry that published it and has a name of its own.
    """
    return f"{PROOFS}/{_demand_sha256(sha256)}.withdrawal.entry"


def withdrawal_proof_path(sha256: str) -> str:
    """Path of the proof that the withdrawal is in the log."""
    return f"{PROOFS}/{_demand_sha256(sha256)}.withdrawal.tlog-proof"


def source_path(sha256: str) -> str:
    """Path of a copy of a source, for whoever rebuilds a database."""
    return f"{SOURCES}/{_demand_sha256(sha256)}"


def demand_inside(path: str) -> None:
    """Check that a path stays inside of a folder, on every system: plain names between slashes.

    Raises:
        LayoutError: it does not.
    """
    parts = path.split("/")
    if len(parts) > _MOST_PARTS or not all(map(_PART.fullmatch, parts)):
        raise LayoutError(f"{path[:80]!r} is no path that a repository may have")


def _demand_sha256(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise LayoutError(f"{text[:80]!r} is no SHA-256 in lower-case hexadecimal")
    return text


def _demand_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise LayoutError(f"{text[:80]!r} cannot be a file name in a repository")
    return text


# --- fields -------------------------------------------------------------------------------


def parse_custom(custom: object, *wanted: type[Custom]) -> Custom | None:
    """Read a target's `custom` field.

    Args:
        custom: the field.
        wanted: kinds that are; all without any. A mistake in one of another kind is nobody's here.

    Returns:
        None when there is none, or it is of a kind that is unknown or not wanted.

    Raises:
        LayoutError: of a kind that is wanted, and malformed.
    """
    kind = custom.get("kind") if isinstance(custom, Mapping) else None
    if not isinstance(custom, Mapping) or not isinstance(kind, str) or kind not in _KINDS:
        return None
    if wanted and _KINDS[kind] not in wanted:
        return None
    try:
        read: Custom = msgspec.convert(dict(custom), Custom)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise LayoutError(f"a target's description is malformed: {error}") from None
    demand_rings(read.rings if isinstance(read, Offered) else ())
    return read


def demand_rings(rings: tuple[Ring, ...]) -> None:
    """Check that rings grow and that everybody is in the last one.

    Raises:
        LayoutError: they do not.
    """
    if not rings:
        return
    percents, delays = zip(*rings, strict=True)
    if list(percents) != sorted(set(percents)) or list(delays) != sorted(delays):
        raise LayoutError("rings must grow, each later than the one before")
    if percents[-1] != 100:
        raise LayoutError("the last ring must have 100 percent, else some devices never update")


def parse_withdrawn(fields: Mapping[str, Any]) -> tuple[Withdrawn, ...]:
    """Read which versions were pulled back from the unrecognised fields of signed targets.

    Raises:
        LayoutError: malformed.
    """
    read = _converted(fields, WITHDRAWN_FIELD, _Withdrawals)
    return () if read is None else read.withdrawn


def write_withdrawn(withdrawn: tuple[Withdrawn, ...]) -> dict[str, Any]:
    """The value of `WITHDRAWN_FIELD`."""
    return _plain(_Withdrawals(withdrawn))


def parse_publisher(fields: Mapping[str, Any]) -> Publisher | None:
    """Read the publisher's claim from the unrecognised fields of a signed root.

    Raises:
        LayoutError: malformed.
    """
    return _converted(fields, PUBLISHER_FIELD, Publisher)


def write_field(value: Custom | Publisher) -> dict[str, Any]:
    """What goes into the metadata as JSON."""
    return _plain(value)


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    """A struct as JSON has it: lists, not tuples, as they are read back."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain


def _converted(fields: Mapping[str, Any], name: str, kind: type[_Read]) -> _Read | None:
    if name not in fields:
        return None
    try:
        return msgspec.convert(fields[name], kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise LayoutError(f"the field {name!r} is malformed: {error}") from None
