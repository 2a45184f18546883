"""Changing who gets a version when, after it was published: sooner, later, or all at once.

Only the signed metadata says so; the log is about what a version is, not about who has it. What a
device has taken already it keeps: to take a version back, withdraw it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from tuf.api.metadata import TargetFile

from tocsin.updates.layout import (
    CHANNELS,
    DatabaseTarget,
    Offered,
    ReleaseTarget,
    Ring,
    demand_rings,
    parse_custom,
    write_field,
)
from tocsin.updates.publish.errors import PublishError
from tocsin.updates.publish.metadata import next_targets, read_published, signed_for
from tocsin.updates.publish.publication import Completed, complete
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.staging import Staging


def change_spread(
    session: Session,
    version: int | str,
    *,
    kind: type[Offered] | None = None,
    channels: Mapping[str, int | None],
    rings: tuple[Ring, ...] | None,
) -> Completed:
    """Say anew when a version is for whom, in the signed metadata.

    Args:
        session: of the publisher.
        version: of a database, or of a release of the software as text.
        kind: what is meant, where that is neither: an edition of the rulebook.
        channels: seconds from now at which a channel begins, None where the channel is not to
            have it; channels that are not named stay.
        rings: how it spreads from then on, none for all at once; None to leave them.

    Raises:
        PublishError: it is not offered, nothing would change, or a channel is unknown.
        LayoutError: the rings do not grow, or leave some devices out.
        QuorumNotMet: too few witnesses cosigned; it is staged.
    """
    if unknown := sorted(set(channels) - set(CHANNELS)):
        raise PublishError(
            f"there is no channel {', '.join(unknown)}; {' and '.join(CHANNELS)} are"
        )
    if rings is not None:
        demand_rings(rings)
    complete(session)
    published = read_published(session.workspace.repository)
    files = published.target_files
    path, custom = _offered(files, version, kind)
    begins = dict(custom.channels)
    for name, delay in channels.items():
        if delay is None:
            begins.pop(name, None)
        else:
            begins[name] = session.now + timedelta(seconds=delay)
    changed = msgspec.structs.replace(
        custom, channels=begins, rings=custom.rings if rings is None else rings
    )
    if changed == custom:
        raise PublishError(f"version {version} is for whom it is already; nothing was published")
    old = files[path]
    field = {"custom": write_field(changed)}
    files[path] = TargetFile(old.length, dict(old.hashes), path, field)
    size = session.log().newest().head.size
    staged = Staging(session.workspace, f"roll-out of version {version}", size)
    following = next_targets(published, files, session.settings, session.now)
    root = published.root.signed
    staged.commit(signed_for(following, "targets", [root], session.keys), following.version)
    done = complete(session)
    assert done is not None
    return done


def _offered(
    files: Mapping[str, TargetFile], version: int | str, stated: type[Offered] | None
) -> tuple[str, Offered]:
    kind: Any = stated or (DatabaseTarget if isinstance(version, int) else ReleaseTarget)
    for path, target in files.items():
        custom = parse_custom(target.custom)
        if isinstance(custom, kind) and custom.version == version:
            assert isinstance(custom, Offered)
            return path, custom
    raise PublishError(f"version {version} is not offered; 'tocsin publish status' lists what is")
