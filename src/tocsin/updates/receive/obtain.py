"""Gets one plain database onto this device: by deltas from one that is here, else whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tuf.api.metadata import TargetFile

from tocsin.updates.delta import Digest, apply_delta
from tocsin.updates.errors import DeltaError
from tocsin.updates.layout import DatabaseTarget, database_target
from tocsin.updates.receive.choose import Delta, Offer, delta_path
from tocsin.updates.receive.download import (
    Progress,
    digest_of,
    download_target,
    unpack_database,
)
from tocsin.updates.receive.errors import ContentRefused, NothingReached
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.state import UpdateState

_WORTH = 0.8
"""Deltas that are larger than this part of the whole database are not worth it."""


_FOR_DELTA = "the delta could not be used, so the whole database was fetched:"


def obtain(
    state: UpdateState,
    mirrors: MirrorFetcher,
    offer: Offer,
    wanted: DatabaseTarget,
    targets: Mapping[str, TargetFile],
    progress: Progress,
    remarks: list[str],
) -> tuple[Path, str]:
    """Get a database whose digest is the signed one.

    Args:
        state: of the device.
        mirrors: where from.
        offer: with the deltas.
        wanted: the database.
        targets: signed description of every file.
        progress: told how far it is.
        remarks: to which what was wrong with a delta is added, when the whole database is fetched
            for it.

    Returns:
        The plain database in the state's folder, and `delta` or `full`.

    Raises:
        ContentRefused: what came is not what was signed.
        NothingReached: no mirror had it.
        NoRoom: the disk is full.
    """
    out = state.partial(f"{wanted.sha256}.tdb")
    if out.exists() and digest_of(out) == (wanted.sha256, wanted.length):
        return out, "full"  # power was lost between here and the next step
    whole = targets[database_target(wanted.version)]
    held = {state.received(version).sha256: version for version in state.kept_versions()}
    way = delta_path(offer.deltas, held, wanted.sha256, int(whole.length * _WORTH))
    while way:
        base = state.database(held[way[0].custom.from_sha256])
        try:
            _by_deltas(state, mirrors, offer, wanted, way, base, targets, out, progress)
            return out, "delta"
        except (DeltaError, NothingReached) as error:  # then the whole of it
            remarks.append(f"{_FOR_DELTA} {error}")
            break
        except ContentRefused as error:
            # One mirror that lies must not have every device fetch the whole database.
            if len(mirrors.standing()) < 2 or mirrors.last not in mirrors.standing():
                remarks.append(f"{_FOR_DELTA} {error}")
                break
            mirrors.set_aside(mirrors.last, str(error))
    packed = state.partial(whole.hashes["sha256"])
    download_target(mirrors, whole, packed, progress)
    try:
        unpack_database(packed, out, wanted.sha256, wanted.length, progress)
    finally:
        packed.unlink(missing_ok=True)
    return out, "full"


def _by_deltas(
    state: UpdateState,
    mirrors: MirrorFetcher,
    offer: Offer,
    wanted: DatabaseTarget,
    way: list[Delta],
    base: Path,
    targets: Mapping[str, TargetFile],
    out: Path,
    progress: Progress,
) -> None:
    between: list[Path] = []
    lengths = {each.sha256: each.length for each in offer.databases.values()}
    try:
        for delta in way:
            result = delta.custom.to_sha256
            length = wanted.length if result == wanted.sha256 else lengths.get(result)
            if length is None:
                raise ContentRefused(f"{delta.path}: leads to a database that is not offered")
            target = targets[delta.path]
            file = state.partial(target.hashes["sha256"])
            download_target(mirrors, target, file, progress)
            step = out if result == wanted.sha256 else state.partial(f"{result}.tdb")
            try:
                apply_delta(base, file, step, expected=Digest(result, length))
            finally:
                file.unlink(missing_ok=True)
            if step != out:
                between.append(step)
            base = step
    finally:
        for each in between:
            with suppress(OSError):
                os.unlink(each)
