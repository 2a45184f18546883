"""How it stands with the rulebook and its updates, for the status: read from disk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.app.law import base_rulebook
from tocsin.app.law_editions import packaged_number
from tocsin.app.updates import device_trust
from tocsin.errors import TocsinError
from tocsin.settings import Settings
from tocsin.transparency.proof import TlogProof
from tocsin.transparency.verdict import Standing, check
from tocsin.updates.receive.roots import agreed_logs
from tocsin.updates.receive.state import UpdateState


def edition_status(settings: Settings, state: UpdateState, named: Path | None) -> dict[str, Any]:
    """Which edition is used here, as JSON has it; `trouble` has what is wrong, a line each.

    Args:
        settings: of the device.
        state: what it remembers of its updates.
        named: folder with root and policy, None for the usual one.
    """
    base = base_rulebook(settings)
    held = state.rulebooks
    trouble = [base.origin.trouble] if base.origin.trouble else []
    values: dict[str, Any] = {
        "base": base.origin.base,
        "edition": base.origin.number,
        "checked": base.book.edition.checked.isoformat(),
        "sha256": base.book.sha256,
        "packaged": packaged_number(),
        "installed": 0,
        "previous": [],
        "received": None,
        "source": "",
        "signed_by": [],
        "witnesses": [],
        "last": None,
    }
    try:
        installed, last = held.installed(), held.last_run()
        values |= {"installed": installed.current, "previous": list(installed.previous)}
        if last is not None:
            values["last"] = {
                "at": last.at.timestamp(),
                "outcome": last.outcome,
                "text": last.text,
            }
            if last.outcome == "failed":
                trouble.append(f"the last update of the rulebook failed: {last.text}")
        if installed.current:
            how = held.received(installed.current)
            values |= {
                "received": how.received.timestamp(),
                "source": how.source,
                "signed_by": sorted(how.keyids),
            }
            with suppress(TocsinError, OSError):  # who is trusted may be for others to read
                values["witnesses"] = _witnesses(settings, state, named, installed.current)
    except (TocsinError, OSError) as error:
        trouble.append(str(error))
    return {**values, "trouble": trouble}


def _witnesses(
    settings: Settings, state: UpdateState, named: Path | None, version: int
) -> list[str]:
    """Those that count by the policy as it is now."""
    trust = device_trust(settings, named)
    _, proof = state.rulebooks.evidence_of(version)
    verdict = check(trust.policy, TlogProof.parse(proof).checkpoint, log_keys=agreed_logs(state))
    return [each.witness.name for each in verdict.witnesses if each.standing is Standing.COUNTS]
