"""Looks at the releases of the software that are here again, off line, and says who vouches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tocsin.errors import TocsinError
from tocsin.updates.layout import release_manifest_target
from tocsin.updates.receive.environment import Wheel
from tocsin.updates.receive.errors import ContentRefused, StateDamaged
from tocsin.updates.receive.files import read_bounded
from tocsin.updates.receive.installations import ENTRY, PROOF, RELEASE, Installations, Release
from tocsin.updates.receive.installed_files import Compared, compare, compare_record, strangers
from tocsin.updates.receive.recheck import Rechecked, Told, damaged, root_that_was
from tocsin.updates.receive.releases import SOFTWARE, demand_manifest
from tocsin.updates.receive.roots import agreed_logs, target_keys
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.verify import Expected, Finding, Vouching, examine
from tocsin.updates.statement import ReleasePredicate, WheelEntry
from tocsin.updates.wheels import parse_name

_SMALL = 2 << 20
_SHOWN = 3


def recheck_software(
    store: Installations, state: UpdateState, trust: Trust, told: Told = lambda _: None
) -> list[Rechecked]:
    """Look at every release that is kept.

    Args:
        store: where releases are.
        state: of the device, with the roots under which they came.
        trust: what the user chose.
        told: told what is being looked at.
    """
    found = []
    try:
        current = store.current()
    except StateDamaged as error:
        current = ""
        found.append(Rechecked("release", "current", True, (Finding("link", False, str(error)),)))
    for name in store.kept():
        told(f"{SOFTWARE} {name}")
        try:
            one = _one(store, state, trust, name)
        except (TocsinError, OSError) as error:
            one = damaged("release", name, error)
        found.append(replace(one, in_use=name == current))
    return found


def _one(store: Installations, state: UpdateState, trust: Trust, name: str) -> Rechecked:
    release, folder = store.release(name), store.place(name)
    root = root_that_was(state, trust, release.root_version)
    expected = Expected(
        release_manifest_target(release.version), release.sha256, ReleasePredicate, release.version
    )
    entry, proof = _file(folder / ENTRY), _file(folder / PROOF)
    vouching = examine(
        expected, entry, proof, *target_keys(root), trust.policy, log_keys=agreed_logs(state)
    )
    findings = [*vouching.findings, _named(name, release)]
    manifest = _manifest(vouching, release, findings)
    findings += _files(store, folder, release, manifest)
    return Rechecked("release", name, False, tuple(findings), vouching)


def _named(name: str, release: Release) -> Finding:
    same = name == release.name
    said = "its folder has its name" if same else f"its folder is that of {release.name}"
    return Finding("folder", same, said)


def _manifest(
    vouching: Vouching, release: Release, findings: list[Finding]
) -> dict[str, WheelEntry]:
    """The wheels that the log entry names, of those that are installed."""
    predicate = vouching.statement.predicate if vouching.statement else None
    if not isinstance(predicate, ReleasePredicate):
        return {}
    try:
        demand_manifest(predicate, release.sha256)
    except ContentRefused as error:
        findings.append(Finding("manifest", False, str(error)))
        return {}
    named = {each.name: each for each in predicate.wheels}
    wrong = [
        file
        for file, sha256 in release.wheels.items()
        if file not in named or named[file].sha256 != sha256
    ]
    said = f"{len(release.wheels)} of the {len(named)} wheels that the log entry names"
    if wrong:
        said = f"the log entry names no such wheel: {_shown(wrong)}"
    findings.append(Finding("manifest", not wrong, said))
    return {file: named[file] for file in release.wheels if file not in wrong}


def _files(
    store: Installations, folder: Path, release: Release, manifest: Mapping[str, WheelEntry]
) -> list[Finding]:
    """Whether what is installed is what the wheels hold, and nothing else."""
    known: set[Path] = set()
    wrong: list[str] = []
    without = 0
    for file in release.wheels:
        compared: Compared | None = None
        name = parse_name(file)
        entry = manifest.get(file)
        place = store.wheels / (entry.sha256 if entry else "")
        if entry is not None and place.is_file():
            compared = compare(Wheel(name, entry, place), folder)
        else:
            without += 1
            compared = compare_record(name.project, folder)
        if compared is None:
            wrong.append(f"{name.project} is not installed")
            continue
        known |= compared.files
        wrong += [str(each.relative_to(folder)) for each in compared.wrong]
    more = [
        str(each.relative_to(folder)) for each in strangers(folder, known, (ENTRY, PROOF, RELEASE))
    ]
    said = f"{len(known):,} files as their wheels have them"
    if without:
        said += f"; {without} wheel(s) are not kept: by the RECORD beside the files, unsigned"
    findings = [
        Finding("content", not wrong, f"missing or changed: {_shown(wrong)}" if wrong else said)
    ]
    if more:
        findings.append(Finding("strangers", False, f"no wheel brought {_shown(more)}"))
    return findings


def _shown(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown


def _file(place: Path) -> bytes | None:
    try:
        return read_bounded(place, _SMALL)
    except FileNotFoundError:
        return None
