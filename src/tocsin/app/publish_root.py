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


def _chain(session: Session, newest: int) -> list[bytes]:
    """The repository's roots up to the newest; a successor may not have the first ones."""
    places = [session.workspace.repository / root_name(each) for each in range(1, newest + 1)]
    first = max((n for n, place in enumerate(places) if not place.is_file()), default=-1) + 1
    return [read_bounded(place, MOST_ROOT_BYTES) for place in places[first:]]


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
    agreed = last_agreed(_chain(session, before.version))
    reasons = reasons_to_wait(read_root(agreed).signed, before, root)
    if reasons:
        folder = session.workspace.folder
        raise DevicesWait(
            f"root {root.version} is drafted and not published. With it every device stops taking "
            f"updates until its user agrees: {'; '.join(reasons)}. 'tocsin publish finish "
            f"{folder}' publishes it all the same; 'tocsin publish abandon {folder}' gives it up",
            reasons,
        )
