"""Sources that others publish, on this device: brought in, tried beside what is in use, put in use.

Each has a folder of its own under the state folder. Whatever becomes of one keeps no other from
being looked after; what was in use of it stays in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tocsin.app.installed import sources_folder
from tocsin.app.update_test import try_out_source
from tocsin.errors import TocsinError, UsageError
from tocsin.settings import Settings
from tocsin.updates.receive.errors import NotTriedOut
from tocsin.updates.sources.catalogue import SourceSpec, is_named, parse_source, source_text
from tocsin.updates.sources.clamav import Options, Trust
from tocsin.updates.sources.errors import (
    CoolDown,
    SourceBusy,
    SourceMissing,
    SourceStorage,
    SourceUntested,
)
from tocsin.updates.sources.fetch import Wishes, fetch_source
from tocsin.updates.sources.http import Progress, proxy_of
from tocsin.updates.sources.in_use import InUse, SourcePlace, UsedFile, set_digest, source_places
from tocsin.updates.sources.notices import Event, Notice
from tocsin.updates.sources.server_key import KEYED_DOMAINS, ServerKey, read_key

_KEY_STATUSES = frozenset({401, 403})
_WORDS = {
    Event.RETRY: "asking again",
    Event.PATCHING: "fetching a difference",
    Event.AVAILABLE: "there is a newer version",
}


class State(StrEnum):
    """What became of a source."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    PAUSED = "paused"
    FAILED = "failed"


class SourceAsked(NamedTuple):
    """What the user asks of one command, where it differs from the settings.

    Attributes:
        key_file: that holds the key of a server.
        require_sign: refuse ClamAV's databases without `.sign`.
        allow_shrink: take a source that has lost more than half of its signatures.
        again: try again what did not pass its trial.
        trial: tries the files of a source out, by its name; None to do so here.
    """

    key_file: Path | None = None
    require_sign: bool = False
    allow_shrink: bool = False
    again: bool = False
    trial: Callable[[str, Sequence[Path]], None] | None = None


class SourceOutcome(NamedTuple):
    """What became of one source.

    Attributes:
        name: of it.
        state: what.
        text: the same in words.
        files: that are in use of it.
        seconds: that it took.
    """

    name: str
    state: State
    text: str
    files: tuple[UsedFile, ...]
    seconds: float


def meant_sources(settings: Settings, named: Sequence[str]) -> list[SourceSpec]:
    """The sources that are meant: those named, else all that this device has or should have.

    Raises:
        UsageError: one is none, or has the name of another that is here already.
    """
    held = {spec.name: spec for spec in held_sources(settings)}
    if not named:
        for text in settings.updates.sources:
            spec = parse_source(text)
            held[spec.name] = spec
        return list(held.values())
    found: dict[str, SourceSpec] = {}
    for text in named:
        if text in held:
            found[text] = held[text]
            continue
        spec = parse_source(text)
        other = found.get(spec.name) or held.get(spec.name)
        if other is not None and other != spec and not is_named(text):
            raise UsageError(
                f"{text}: there is a source {spec.name!r} from {other.url} already; give this one "
                f"another name, NAME={text}, or remove that one: tocsin update sources --remove "
                f"{spec.name}"
            )
        found[spec.name] = spec
    return list(found.values())


def held_sources(settings: Settings) -> list[SourceSpec]:
    """The sources of which something is in use here."""
    found = []
    for place in source_places(sources_folder(settings)):
        try:
            held = place.in_use()
            if held is not None:
                found.append(parse_source(held.spec)._replace(name=place.name))
        except TocsinError:  # the status says so
            continue
    return found


def update_sources(
    settings: Settings,
    specs: Sequence[SourceSpec],
    asked: SourceAsked,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[SourceOutcome]:
    """Look after sources, one after the other.

    Args:
        settings: of the device.
        specs: which.
        asked: what differs from the settings.
        progress: told the file, the bytes there are, and how many there will be, when known.
        say: told in a few words what takes a while.

    Raises:
        SettingsError: the key cannot be read.
        SourceStorage: there is no folder to bring them into.
    """
    named = asked.key_file or (
        Path(settings.updates.auth_key_file) if settings.updates.auth_key_file else None
    )
    key = read_key(named)
    folder = sources_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceStorage(
            f"{folder}: cannot be made: {error.strerror}; run this as the user whose folder it is"
        ) from error
    outcomes = []
    for spec in specs:
        started = time.monotonic()
        place = SourcePlace(folder / spec.name)
        others = tuple(p.fetched for p in source_places(folder) if p.name != spec.name)
        wishes = source_wishes(settings, spec, asked, key)._replace(siblings=others)
        outcome = _looked_after(settings, spec, place, wishes, asked, progress, say)
        outcomes.append(outcome._replace(seconds=time.monotonic() - started))
    return outcomes


def source_wishes(
    settings: Settings, spec: SourceSpec, asked: SourceAsked, key: ServerKey | None
) -> Wishes:
    """How a source is fetched, as the settings and the command line say."""
    updates = settings.updates
    strict = asked.require_sign or updates.require_sign
    return Wishes(
        proxy=proxy_of(updates.proxy) if updates.proxy else None,
        allow_shrink=asked.allow_shrink,
        clamav=Options((spec.url,), trust=Trust(require_sign=strict)),
        bandwidth=updates.bandwidth,
        key=key,
    )


def _looked_after(
    settings: Settings,
    spec: SourceSpec,
    place: SourcePlace,
    wishes: Wishes,
    asked: SourceAsked,
    progress: Progress | None,
    say: Callable[[str], None],
) -> SourceOutcome:
    """One source, whatever becomes of it."""
    held: InUse | None = None
    trouble: TocsinError | None = None
    try:
        with place.locked():
            held = place.in_use()
            if held is not None and held.spec != source_text(spec):
                place.forget_fetched()
            try:
                fetch_source(spec, place.fetched, wishes, progress=progress, say=_words(say))
            except TocsinError as error:
                trouble = error
            said = _hinted(trouble, spec, wishes.key) if trouble else ""
            before, held = held, _put_in_use(settings, spec, place, held, said, asked, say)
    except SourceBusy as error:
        return SourceOutcome(spec.name, State.FAILED, f"{spec.name}: {error}", (), 0.0)
    except TocsinError as error:
        if held is None:
            place.keep_trouble(datetime.now(UTC), str(error))
        return SourceOutcome(spec.name, State.FAILED, str(error), held.files if held else (), 0.0)
    if held is None and trouble is not None:
        place.keep_trouble(datetime.now(UTC), said)
    files = held.files if held else ()
    if held is not None and held.trouble and trouble is None:
        trouble = SourceUntested(held.trouble)
    if isinstance(trouble, CoolDown) and not trouble.fresh:
        return SourceOutcome(spec.name, State.PAUSED, str(trouble), files, 0.0)
    if trouble is not None:
        return SourceOutcome(
            spec.name, State.FAILED, _hinted(trouble, spec, wishes.key), files, 0.0
        )
    changed = before is None or set_digest(before.files) != set_digest(files)
    count = sum(each.source.signatures for each in files)
    text = f"{count:,} signatures, {'in use now' if changed else 'nothing newer'}"
    return SourceOutcome(spec.name, State.UPDATED if changed else State.UNCHANGED, text, files, 0.0)


def _put_in_use(
    settings: Settings,
    spec: SourceSpec,
    place: SourcePlace,
    held: InUse | None,
    said: str,
    asked: SourceAsked,
    say: Callable[[str], None],
) -> InUse | None:
    """Try what came, if it is other than what is in use, and use it.

    Args:
        settings: of the device.
        spec: the source.
        place: its folder.
        held: what is known of it.
        said: what went wrong while it was fetched, or empty.
        asked: what differs from the settings.
        say: told what is being done.

    Returns:
        What is known of the source then; None when nothing of it ever came.

    Raises:
        SourceUntested: it did not pass, and nothing of the source was in use before.
    """
    now = datetime.now(UTC)
    wanted = place.wanted()
    if not wanted:
        if held is not None:
            held = msgspec.structs.replace(held, tried=now, trouble=said)
            place.keep(held)
        return held
    confirmed = held.confirmed if said and held else now
    digest = set_digest(wanted)
    if held is not None and digest == set_digest(held.files):
        held = msgspec.structs.replace(
            held,
            spec=source_text(spec),
            files=wanted,
            tried=now,
            confirmed=confirmed,
            trouble=said,
            refused="",
        )
    elif held is not None and digest == held.refused and not asked.again:
        held = msgspec.structs.replace(held, tried=now, trouble=said or held.trouble)
    else:
        try:
            paths = [place.path(each) for each in wanted]
            if asked.trial is not None:
                asked.trial(place.name, paths)
            else:
                try_out_source(settings, place.name, paths, lambda t: say(f"{place.name}: {t}"))
        except NotTriedOut as error:
            failed = f"what came could not be tried out here: {error}"
            if held is None:
                raise SourceUntested(f"{failed}; nothing of it is used") from error
            held = msgspec.structs.replace(held, tried=now, trouble=failed)
        except TocsinError as error:
            failed = f"what came does not pass its trial here: {error}"
            if held is None:
                raise SourceUntested(f"{failed}; nothing of it is used") from error
            failed += "; what was in use before stays ('--again' tries it again)"
            held = msgspec.structs.replace(held, tried=now, trouble=failed, refused=digest)
        else:
            previous = tuple(dict.fromkeys(each.digest for each in held.files)) if held else ()
            held = InUse(
                spec=source_text(spec),
                files=wanted,
                since=now,
                confirmed=confirmed,
                tried=now,
                trouble=said,
                previous=previous,
            )
    place.keep(held)
    return held


def _hinted(error: TocsinError, spec: SourceSpec, key: ServerKey | None) -> str:
    """An error with what is most likely missing."""
    text = str(error)
    host = urlsplit(spec.url).hostname or ""
    keyed = any(host == each or host.endswith(f".{each}") for each in KEYED_DOMAINS)
    refused = isinstance(error, (SourceMissing, CoolDown)) and error.status in _KEY_STATUSES
    if keyed and refused and key is None:
        text += (
            "; this server wants a key, which it gives to whoever asks: put it in a file and say "
            "--auth-key-file FILE, or [updates] auth_key_file"
        )
    return text


def _words(say: Callable[[str], None]) -> Callable[[Notice], None]:
    def told(notice: Notice) -> None:
        if notice.event in _WORDS:
            say(f"{notice.name}: {_WORDS[notice.event]}")

    return told


# --- shown and removed --------------------------------------------------------------------


def sources_values(settings: Settings) -> list[dict[str, Any]]:
    """How it stands with every source, as JSON has it."""
    folder = sources_folder(settings)
    wanted = {}
    for text in settings.updates.sources:
        try:
            spec = parse_source(text)
        except UsageError as error:
            wanted[text] = {"name": text, "trouble": str(error)}
        else:
            wanted[spec.name] = {"name": spec.name, "url": spec.url, **_never(folder / spec.name)}
    values = []
    for place in source_places(folder):
        try:
            held = place.in_use()
        except SourceStorage as error:
            values.append({"name": place.name, "trouble": str(error), **_NOTHING})
            continue
        if held is not None:
            values.append(_values(place, held, by_settings=place.name in wanted))
        wanted.pop(place.name, None)
    rest = ({**_NOTHING, "by_settings": True, **each} for each in wanted.values())
    return sorted([*values, *rest], key=lambda each: str(each["name"]))


def _never(folder: Path) -> dict[str, Any]:
    """What is known of a source of which nothing ever came."""
    known = SourcePlace(folder).never_came()
    if known is None:
        return {"trouble": "not fetched yet: tocsin update"}
    return {"tried": known.tried.timestamp(), "trouble": known.trouble}


_NOTHING: dict[str, Any] = {
    "kind": None,
    "url": None,
    "files": [],
    "missing": [],
    "signatures": 0,
    "since": None,
    "confirmed": None,
    "tried": None,
    "age_days": None,
    "by_settings": False,
}


def _values(place: SourcePlace, held: InUse, *, by_settings: bool) -> dict[str, Any]:
    newest = max((each.source.fetched for each in held.files), default=held.confirmed)
    missing = [each.file for each in held.files if not place.path(each).exists()]
    trouble = held.trouble or (f"{missing[0]} is gone; fetch it again" if missing else "")
    return {
        "name": place.name,
        "kind": held.files[0].source.kind if held.files else None,
        "url": held.files[0].source.url if held.files else None,
        "files": [
            {
                "file": each.file,
                "path": str(place.path(each)),
                "url": each.source.url,
                "sha256_of_download": each.source.sha256,
                "version": each.source.version,
                "signatures": each.source.signatures,
                "fetched": each.source.fetched.timestamp(),
                "author": each.source.author,
                "licence": each.source.licence,
                "signed": list(each.source.verified),
            }
            for each in held.files
        ],
        "missing": missing,
        "signatures": sum(each.source.signatures for each in held.files),
        "since": held.since.timestamp(),
        "fetched": newest.timestamp(),
        "confirmed": held.confirmed.timestamp(),
        "tried": held.tried.timestamp(),
        "age_days": max(0.0, time.time() - held.confirmed.timestamp()) / 86400,
        "trouble": trouble,
        "by_settings": by_settings,
    }


def remove_source(settings: Settings, name: str) -> None:
    """Use nothing of a source any more.

    Raises:
        UsageError: there is no such source, or the settings name it.
    """
    if any(parse_source(text).name == name for text in settings.updates.sources):
        raise UsageError(f"[updates] sources in the settings names {name}; take it out there first")
    places = {place.name: place for place in source_places(sources_folder(settings))}
    if name not in places:
        known = ", ".join(places) or "there is none"
        raise UsageError(f"there is no source {name!r} here; these are: {known}")
    with places[name].locked():
        places[name].remove()
