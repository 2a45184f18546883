"""Makes an edition of the rulebook again from a folder, and compares it with what is logged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tocsin.app.law_editions import make_edition
from tocsin.app.rebuild import logged
from tocsin.app.updates import Asked, device_trust, fetcher_of
from tocsin.durable import write_file
from tocsin.errors import UsageError
from tocsin.settings import Settings
from tocsin.transparency.verdict import Verdict
from tocsin.updates.rebuild.entry import RulebookEntry
from tocsin.updates.rulebooks import Changes, changes
from tocsin.updates.statement import RulebookPredicate


@dataclass(frozen=True)
class RebuiltRulebook:
    """What making it again came to.

    Attributes:
        entry: the log entry that names the files.
        verdict: what the user's policy makes of the log.
        sha256: of the rulebook that was made here.
        size: of that, in bytes.
        files: what the folder has otherwise than the log entry names.
    """

    entry: RulebookEntry
    verdict: Verdict
    sha256: str
    size: int
    files: Changes

    @property
    def same(self) -> bool:
        """Whether the same bytes came out."""
        return self.sha256 == self.entry.statement.sha256


def rebuild_rulebook(
    settings: Settings,
    asked: Asked,
    version: int,
    folder: Path,
    *,
    sha256: str = "",
    keep: Path | None = None,
) -> RebuiltRulebook:
    """Make an edition again and compare.

    Args:
        settings: of the device.
        asked: what differs from them.
        version: the edition's number.
        folder: with its files.
        sha256: which of several with this number is meant; empty when there is one.
        keep: where to put what was made; None for nowhere.

    Raises:
        LawError: the folder is no rulebook.
        RebuildError: the log has no such edition, or does not stand.
        UsageError: it cannot be kept there.
    """
    made = make_edition(folder)
    trust = device_trust(settings, asked.trust)
    with fetcher_of(settings, asked) as mirrors:
        entry, verdict = logged(settings, trust, mirrors, version, RulebookPredicate, sha256=sha256)
    if keep is not None:
        try:
            write_file(keep, made.data, mode=0o644)
        except OSError as error:
            raise UsageError(f"{keep}: {error.strerror or error}") from error
    return RebuiltRulebook(
        entry,
        verdict,
        hashlib.sha256(made.data).hexdigest(),
        len(made.data),
        changes(entry.predicate.files, made.files),
    )
