"""Whom the user chose to trust: a root to begin with, and a policy of logs and witnesses.

Both lie in one folder (`/etc/tocsin/trust/` for root) as `root.json` and `policy`, and beside
them `rebuilders`, if the user asks for those. Without root and policy nothing is fetched: there
is no publisher that this program trusts by itself.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Root

from tocsin.transparency.errors import MalformedPolicy
from tocsin.transparency.note import VerifierKey
from tocsin.transparency.policy import MAX_POLICY_BYTES, Policy
from tocsin.updates.receive.errors import NoTrust
from tocsin.updates.receive.files import read_bounded, write_durably
from tocsin.updates.receive.rebuilders import parse_rebuilders
from tocsin.updates.receive.tuf_client import MAX_ROOT, read_root

ROOT = "root.json"
POLICY = "policy"
REBUILDERS = "rebuilders"


@dataclass(frozen=True)
class Trust:
    """What the user chose.

    Attributes:
        root: bytes of the root metadata to begin with.
        policy: whose word is asked for.
        rebuilders: whose rebuilding of databases counts.
    """

    root: bytes
    policy: Policy
    rebuilders: tuple[VerifierKey, ...] = ()

    @property
    def root_version(self) -> int:
        """Version of the root to begin with."""
        return self.signed_root.version

    @property
    def signed_root(self) -> Root:
        """The root to begin with."""
        return read_root(self.root).signed


def read_trust(folder: Path, policy_file: Path | None = None) -> Trust:
    """Read what the user chose.

    Args:
        folder: with `root.json`, `policy` and perhaps `rebuilders`.
        policy_file: the policy, where it is elsewhere.

    Raises:
        NoTrust: one of the two is missing or unusable, or anybody may write there; says what to
            do.
        MetadataRefused: the root is none.
    """
    _demand_closed(folder)
    root = _read(folder / ROOT, MAX_ROOT)
    place = policy_file or folder / POLICY
    policy = parse_policy(_read(place, MAX_POLICY_BYTES), place)
    named = folder / REBUILDERS
    rebuilders = parse_rebuilders(_read(named, MAX_POLICY_BYTES), named) if named.exists() else ()
    return Trust(root, policy, rebuilders)


def parse_policy(data: bytes, place: Path) -> Policy:
    """Read a policy, with the file's name in what is wrong.

    Raises:
        NoTrust: it is none, or names no log.
    """
    try:
        policy = Policy.parse(data)
    except MalformedPolicy as error:
        raise NoTrust(f"{place}: {error}") from None
    if not policy.logs:
        raise NoTrust(f"{place}: names no log, so nothing could ever be used; add a 'log' line")
    return policy


def choose_trust(folder: Path, root: bytes | None, policy: bytes | None) -> None:
    """Keep what the user chose; what is None stays as it was.

    Raises:
        MetadataRefused: the root is none.
        NoTrust: the policy is none, or the folder cannot be written.
    """
    if root is not None:
        read_root(root)
    if policy is not None:
        parse_policy(policy, folder / POLICY)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in ((ROOT, root), (POLICY, policy)):
            if data is not None:
                write_durably(folder / name, data)
    except OSError as error:
        raise NoTrust(f"{folder}: {error.strerror}") from error


def _demand_closed(folder: Path) -> None:
    """Insist that not everybody may choose whom this device trusts."""
    for place in (folder, folder / ROOT, folder / POLICY, folder / REBUILDERS):
        with suppress(OSError):
            if place.stat().st_mode & stat.S_IWOTH:
                raise NoTrust(
                    f"{place}: anybody may write there, so it says nothing of whom you trust; look "
                    f"at what is in it, then: chmod o-w {place}"
                )


def _read(place: Path, most: int) -> bytes:
    try:
        return read_bounded(place, most)
    except OSError as error:
        raise NoTrust(
            f"{place}: {error.strerror}; choose whom to trust first: "
            "tocsin update trust --root root.json --policy policy --mirror URL"
        ) from error
