"""Writes down whom the user trusts, and shows it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tocsin.app.updates import MIRRORS, Asked, device_mirrors, device_trust, state_of, trust_folder
from tocsin.errors import UsageError
from tocsin.settings import Settings
from tocsin.transparency.note import VerifierKey
from tocsin.transparency.policy import MAX_POLICY_BYTES
from tocsin.updates.receive.consent import keys_of
from tocsin.updates.receive.files import read_bounded, write_durably
from tocsin.updates.receive.former import begin_with_another, is_another
from tocsin.updates.receive.mirrors import mirror_url
from tocsin.updates.receive.rebuilders import parse_rebuilders
from tocsin.updates.receive.trust import REBUILDERS, choose_trust
from tocsin.updates.receive.tuf_client import MAX_ROOT, read_root


def chosen(
    settings: Settings,
    named: Path | None,
    root: Path | None,
    policy: Path | None,
    mirrors: Sequence[str],
) -> None:
    """Write down what the user chose; what is not given stays.

    Raises:
        TocsinError: a file cannot be read or is not what it should be, or nothing can be written.
    """
    folder = trust_folder(settings, named)
    root_bytes = None if root is None else _read(root, MAX_ROOT)
    policy_bytes = None if policy is None else _read(policy, MAX_POLICY_BYTES)
    for mirror in mirrors:
        if "\n" in mirror or not mirror.strip():
            raise UsageError(f"{mirror!r} is no address of a mirror")
    if root_bytes is not None:
        _begin(settings, root_bytes)
    choose_trust(folder, root_bytes, policy_bytes)
    if mirrors:
        text = "".join(f"{mirror_url(mirror)}\n" for mirror in mirrors)
        write_durably(folder / MIRRORS, text.encode())


def _begin(settings: Settings, root: bytes) -> None:
    """Set the old publisher's word aside, unless it is the same publisher's root.

    First this, then the choice is written: after a loss of power the device asks the old one anew.

    Raises:
        MetadataRefused: it is no root.
    """
    read_root(root)
    state = state_of(settings)
    with state.locked():
        if is_another(state, root):
            begin_with_another(state)
        else:
            state.drop_pending()


def add_rebuilders(settings: Settings, named: Path | None, keys: Sequence[VerifierKey]) -> None:
    """Let the word of some rebuilders count as well.

    Raises:
        NoTrust: a key is none of a rebuilder's, or there are too many.
        UsageError: the list cannot be read or written.
    """
    place = trust_folder(settings, named) / REBUILDERS
    held = _read(place, MAX_POLICY_BYTES) if place.exists() else b""
    have = {key.public for key in parse_rebuilders(held, place)}
    if held and not held.endswith(b"\n"):
        held += b"\n"
    held += b"".join(f"{key.vkey}\n".encode() for key in keys if key.public not in have)
    parse_rebuilders(held, place)
    try:
        write_durably(place, held)
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}") from error


def trust_values(settings: Settings, named: Path | None) -> dict[str, Any]:
    """Whom the user trusts, as JSON has it.

    Raises:
        NoTrust: nothing says so.
    """
    trust = device_trust(settings, named)
    keys = keys_of(trust.signed_root)
    return {
        "folder": str(trust_folder(settings, named)),
        "publisher": keys.publisher.name if keys.publisher else "",
        "root_version": trust.root_version,
        "root_sha256": hashlib.sha256(trust.root).hexdigest(),
        "needed": keys.needed,
        "own_keys": sorted(keys.own),
        "custodian_keys": sorted(keys.custodians),
        "custodians_needed": keys.custodians_needed,
        "logs": [entry.key.name for entry in trust.policy.logs],
        "witnesses": list(trust.policy.witnesses),
        "quorum": trust.policy.quorum,
        "rebuilders": [key.name for key in trust.rebuilders],
        "mirrors": device_mirrors(settings, Asked(named)),
    }


def _read(place: Path, most: int) -> bytes:
    try:
        return read_bounded(place, most)
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}") from error
