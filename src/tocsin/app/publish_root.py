"""What devices will make of a root that a publisher drafted, said before it is shown to them.

Publishing knows nothing of receiving; this joins the two.
"""

from __future__ import annotations

from pathlib import Path

from tuf.api.metadata import Root

from tocsin.updates.layout import root_name
from tocsin.updates.publish.errors import DevicesWait
from tocsin.updates.publish.files import read_bounded
from tocsin.updates.publish.metadata import parse_metadata
from tocsin.updates.publish.roots import MOST_ROOT_BYTES
from tocsin.updates.publish.session import Session
from tocsin.updates.receive.consent import last_agreed, reasons_to_wait
from tocsin.updates.receive.tuf_client import read_root

_MOST = 64
"""Roots that are looked back at."""


def _last(version: int) -> range:
    return range(max(1, version - _MOST + 1), version + 1)


def _root_bytes(session: Session, version: int) -> bytes:
    return read_bounded(session.workspace.repository / root_name(version), MOST_ROOT_BYTES)


def demand_routine(session: Session, before: Root, draft: Path) -> None:
    """Insist that devices take a root that the publisher's own keys sign without asking anybody.

    Args:
        session: of the publisher.
        before: the root in force.
        draft: of the one that is to follow it; it stays as it is.

    Raises:
        DevicesWait: they will ask their users.
    """
    data = read_bounded(draft, MOST_ROOT_BYTES)
    root = parse_metadata(data, Root, str(draft)).signed
    chain = [_root_bytes(session, version) for version in _last(before.version)]
    agreed = last_agreed(chain)
    reasons = reasons_to_wait(read_root(agreed).signed, before, root)
    if reasons:
        folder = session.workspace.folder
        raise DevicesWait(
            f"root {root.version} is drafted and not published. With it every device stops taking "
            f"updates until its user agrees: {'; '.join(reasons)}. 'tocsin publish finish "
            f"{folder}' publishes it all the same; 'tocsin publish abandon {folder}' gives it up",
            reasons,
        )
