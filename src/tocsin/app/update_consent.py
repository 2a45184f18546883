"""Shows the roots that wait for the user, and takes their consent."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.app.updates import device_trust, state_of
from tocsin.errors import UsageError
from tocsin.settings import Settings
from tocsin.updates.receive.consent import keys_of
from tocsin.updates.receive.roots import Waiting, agree, agreed_ahead, role_keys, waiting_roots
from tocsin.updates.receive.state import Consent, LastRun
from tocsin.updates.receive.tuf_client import read_root

_DAILY = ("targets", "snapshot", "timestamp")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def waiting_values(settings: Settings, named: Path | None) -> list[dict[str, Any]]:
    """The roots that wait, as JSON has them.

    Raises:
        UpdateError: what was kept is damaged.
    """
    state, trust = state_of(settings), device_trust(settings, named)
    values, pending = [], state.pending()
    for old, waiting in waiting_roots(state, trust):
        step, claimed = waiting.step, waiting.step.publisher
        values.append(
            {
                "version": step.version,
                "sha256": step.sha256,
                "publisher": claimed.name if claimed else "",
                "contact": claimed.contact if claimed else "",
                "since": claimed.since.isoformat() if claimed and claimed.since else "",
                "signed_own": len(step.signed_own),
                "own_needed": keys_of(read_root(old).signed).needed,
                "signed_custodians": len(step.signed_custodians),
                "custodians_needed": step.custodians_needed,
                "signers": sorted(step.signed_own | step.signed_custodians),
                "kept": len(step.kept),
                "added": len(step.added),
                "removed": len(step.removed),
                "daily_roles": _changed_roles(old, pending[step.version]),
                "routine": step.routine,
                "appointed": step.appointed,
                "reasons": waiting.reasons(),
                "logged": _logged(waiting),
            }
        )
    return values


def _changed_roles(old: bytes, new: bytes) -> list[str]:
    """Roles that sign daily, of which a root changes keys or threshold."""
    before, after = (read_root(data).signed for data in (old, new))
    return [role for role in _DAILY if role_keys(before, role) != role_keys(after, role)]


def _logged(waiting: Waiting) -> str:
    return "; ".join(
        f.detail for f in waiting.vouching.findings if f.point in ("log", "witnesses", "statement")
    )


def give_consent(settings: Settings, named: Path | None, sha256: str) -> list[int]:
    """Agree to every root that waits, up to the last, which is named by its digest.

    Returns:
        Versions that were agreed to.

    Raises:
        UsageError: nothing waits, or the last root has another digest.
        MetadataRefused: one of them must not be agreed to.
        NotVouchedFor: one of them was not logged as the policy asks.
    """
    state, trust = state_of(settings), device_trust(settings, named)
    with state.locked():
        shown = [waiting for _, waiting in waiting_roots(state, trust)]
        if not shown:
            raise UsageError("nothing waits; 'tocsin update' asks for what is new")
        wanted = sha256.strip().lower()
        if not _DIGEST.match(wanted) or not hmac.compare_digest(wanted, shown[-1].step.sha256):
            raise UsageError(
                f"the root that waits has the digest {shown[-1].step.sha256}, not {sha256}; "
                "look at it with 'tocsin update consent'"
            )
        agree(state, shown)
        versions = [waiting.step.version for waiting in shown]
        last = state.last_run()
        state.keep_last_run(
            LastRun(
                datetime.now(UTC),
                "agreed",
                agreed_said(versions),
                last.confirmed if last else None,
                last.software if last else "",
            )
        )
        state.drop_pending()  # an update fetches them anew, and what was agreed to is their digest
        return versions


def agreed_said(versions: Sequence[int]) -> str:
    """What follows once the user agreed to roots, in words."""
    named = ", ".join(map(str, versions))
    return f"you agreed to root {named}; 'tocsin update' goes on with it"


def refuse_pending(settings: Settings) -> None:
    """Forget what waits, and what was agreed to and no update has used yet."""
    state = state_of(settings)
    with state.locked():
        ahead = agreed_ahead(state)
        if ahead:
            kept = tuple(each for each in state.consent().roots if each not in ahead)
            state.keep_consent(Consent(kept))
        state.drop_pending()
