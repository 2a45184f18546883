"""`tocsin log mirror` and `tocsin log monitor`: hold a log for others, and watch one."""

from __future__ import annotations

import base64
import binascii
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tocsin.cli.log_verdict import read_log_keys
from tocsin.cli.passphrase import passphrase_option, read_passphrase
from tocsin.cli.printable import printable
from tocsin.cli.progress import Meter
from tocsin.cli.sizes import counted
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time
from tocsin.errors import TocsinError, UsageError

if TYPE_CHECKING:
    from tocsin.transparency.monitor import Look, Monitor, Page
    from tocsin.transparency.policy import Policy

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_IN_TOTO = "application/vnd.in-toto+json"
_MOST_TEXT = 200
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_LOG_KEYS = click.option(
    "--log-key",
    "log_keys",
    multiple=True,
    metavar="VKEY|FILE",
    help="The log's public key, as text or in a file.",
)
_POLICY = click.option(
    "--policy",
    "policy_file",
    type=click.File("rb"),
    metavar="FILE",
    help="A policy (tlog-policy) with the log's key and the witnesses.",
)


@click.command("mirror", context_settings=_CONTEXT)
@click.argument("source", metavar="DIR|URL")
@click.argument("folder", metavar="TO", type=click.Path(path_type=Path))
@_LOG_KEYS
@_POLICY
@click.option(
    "--key",
    "key_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A cosigner's key that is used for this mirror alone; it says that the contents are held.",
)
@passphrase_option
@click.option(
    "--whole",
    is_flag=True,
    help="Look into what is held too, and fetch again what is wrong. Without it that is done only "
    "when a file is missing or has another length.",
)
@click.option("--no-progress", is_flag=True, help="Show no progress.")
@_JSON
def mirror(
    source: str,
    folder: Path,
    log_keys: tuple[str, ...],
    policy_file: BinaryIO | None,
    key_files: tuple[Path, ...],
    passphrase_file: Path | None,
    whole: bool,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Keep a complete copy of a log, each file checked, and cosign that it is held.

    The copy is a log's folder: any web server serves it. Evidence of two histories is kept in
    TO.evidence beside it. With --policy only cosignatures by its witnesses are passed on, and
    only those that verify.

    Exit status: 0 done; 1 the log showed two histories; 2 it could not be copied, and what was
    held stays.

    \b
    Examples:
      tocsin log mirror https://example.org/log /srv/log --log-key log.vkey --key mirror.key
    """
    from tocsin.transparency.errors import SplitView
    from tocsin.transparency.evidence import keep_evidence
    from tocsin.transparency.http_fetch import source_fetch
    from tocsin.transparency.keys import SigningKey
    from tocsin.transparency.mirror import Mirror

    policy, known = read_log_keys(policy_file, log_keys)
    keys = [SigningKey.load(file, read_passphrase(passphrase_file, of=file)) for file in key_files]
    cosigners = None if policy_file is None else [each.key for each in policy.witnesses.values()]
    copy = Mirror(folder, known, keys=keys, cosigners=cosigners)
    try:
        with Meter(enabled=not no_progress) as meter:
            done = copy.update(
                source_fetch(source),
                whole=whole,
                observe=lambda count: meter.say(f"{counted(count, 'file')} checked"),
            )
    except SplitView as split:
        there = folder.resolve()
        place = keep_evidence(there.with_name(there.name + ".evidence"), split)
        _say_split(str(split), place, as_json=as_json)
        sys.exit(1)
    head = done.checkpoint.head
    if as_json:
        values = {
            "origin": head.origin,
            "before": done.before,
            "size": head.size,
            "root": head.root.hex(),
            "written": done.written,
            "source_size": done.source_size,
            "cosigned_by": [key.verifier.vkey for key in keys],
        }
        click.echo(json.dumps(values))
        return
    new = head.size - done.before
    click.echo(printable(f"{folder} holds {head.size:,} entries of {head.origin}, {new:,} new"))
    if done.source_size < head.size:
        click.echo(f"the source is behind: it shows {done.source_size:,}")


@click.command("monitor", context_settings=_CONTEXT)
@click.argument("source", metavar="DIR|URL")
@click.option(
    "--state",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to remember what was seen, and to keep evidence.",
)
@_LOG_KEYS
@_POLICY
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    metavar="URL",
    help="Look at what this witness shows too, besides those of the policy.",
)
@click.option(
    "--every", type=click.FloatRange(0.1), metavar="SECONDS", help="Go on, looking so often."
)
@_JSON
def monitor(
    source: str,
    state: Path,
    log_keys: tuple[str, ...],
    policy_file: BinaryIO | None,
    witnesses: tuple[str, ...],
    every: float | None,
    as_json: bool,
) -> None:
    """Watch a log: print what was added, and check that it shows everybody one history.

    What the log and the witnesses show is checked against all that was seen before. Two signed
    checkpoints of different histories are kept with the proof, in the folder of --state: show
    them to others who use the log.

    With --json one object a line: added, looked, failed, split.

    A checkpoint that the log signed and does not show the tree of is kept, and judged when it
    does. Then, too, what the witnesses show is looked at.

    Exit status: 0 all of it is one history; 1 the log showed two; 2 it could not be looked at, or
    does not show what it signed.
    With --every it goes on over failures and ends on a split view only.

    \b
    Examples:
      tocsin log monitor https://example.org/log --log-key log.vkey --state ~/watched
      tocsin log monitor site/log --policy policy --state watched --every 300 --json
    """
    from tocsin.transparency.http_fetch import source_fetch
    from tocsin.transparency.monitor import Monitor, SplitFound

    policy, known = read_log_keys(policy_file, log_keys)
    watching = Monitor(state, known, source_fetch(source), _pages(policy, witnesses))
    while True:
        started = time.monotonic()
        try:
            whole = _look(watching, as_json=as_json)
        except SplitFound as split:
            _say_split(str(split), split.place, as_json=as_json)
            sys.exit(1)
        except TocsinError as error:
            if every is None:
                raise
            _say_failed(error, as_json=as_json)
        else:
            if every is None:
                sys.exit(0 if whole else 2)
        sys.stdout.flush()
        time.sleep(max(0.0, every - (time.monotonic() - started)))


def _pages(policy: Policy, urls: tuple[str, ...]) -> list[Page]:
    from tocsin.transparency.http_fetch import url_fetch
    from tocsin.transparency.monitor import Page

    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise UsageError("--witness: an address begins with https:// or http://")
    pages = [
        Page(each.name, url_fetch(each.url), each.key)
        for each in policy.witnesses.values()
        if each.url.startswith(("http://", "https://"))
    ]
    return pages + [Page(url, url_fetch(url)) for url in urls]


# --- saying what came of it ---------------------------------------------------------------


def _look(watching: Monitor, *, as_json: bool) -> bool:
    """Look once and say what came of it; whether the log showed what it signed."""

    def tell(index: int, entry: bytes) -> None:
        if as_json:
            click.echo(json.dumps({"event": "added", "index": index, **entry_values(entry)}))
        else:
            click.echo(printable(f"{index}  {_in_words(entry)}"))

    look = watching.look(tell)
    if as_json:
        click.echo(json.dumps(_look_values(look)))
        return not look.trouble
    click.echo(
        printable(
            f"{look.origin}: {look.size:,} entries, {look.size - look.before:,} new, one history"
        )
    )
    if look.trouble:
        click.echo(printable(f"tocsin: the log could not be followed further: {look.trouble}"))
    if look.shown is not None and look.shown < look.size:
        click.echo(f"the log is shown here with {look.shown:,} only: this is an old state of it")
    rows = [
        (
            each.name,
            each.standing.value,
            "" if each.size is None else f"{each.size:,}",
            "" if each.time is None else local_time(each.time),
            each.reason,
        )
        for each in look.pages
    ]
    if rows:
        click.echo(format_table(rows, ("witness", "standing", "entries", "cosigned", "")))
    if look.undecided:
        click.echo(
            f"{counted(look.undecided, 'checkpoint')} of trees that the log does not show yet are "
            "kept until it does"
        )
    return not look.trouble


def _look_values(look: Look) -> dict[str, Any]:
    return {
        "event": "looked",
        "origin": look.origin,
        "before": look.before,
        "size": look.size,
        "root": look.root.hex(),
        "shown": look.shown,
        "undecided": look.undecided,
        "trouble": look.trouble,
        "witnesses": [
            {
                "name": each.name,
                "standing": each.standing.name.lower(),
                "size": each.size,
                "time": each.time,
                "reason": each.reason,
            }
            for each in look.pages
        ],
    }


def _say_split(reason: str, place: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event": "split", "reason": reason, "evidence": str(place)}))
    else:
        click.echo(printable(f"{reason}. The proof is in {place}; show it to others"))


def _say_failed(error: TocsinError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event": "failed", "reason": str(error)}))
    else:
        click.echo(printable(f"tocsin: {error}"), err=True)


def entry_values(entry: bytes) -> dict[str, Any]:
    """An entry for JSON: its statement where it is a DSSE envelope with an in-toto statement.

    Nobody's signature on the envelope is checked here.
    """
    try:
        envelope = json.loads(entry)
        if isinstance(envelope, dict) and envelope.get("payloadType") == _IN_TOTO:
            statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
            keyids = [each["keyid"] for each in envelope["signatures"]]
            return {"statement": statement, "signed_by": keyids}
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        pass
    try:
        return {"text": entry.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(entry).decode("ascii")}


def _in_words(entry: bytes) -> str:
    values = entry_values(entry)
    statement = values.get("statement")
    if isinstance(statement, dict):
        subjects = statement.get("subject")
        names = (
            [str(each.get("name")) for each in subjects or () if isinstance(each, dict)]
            if isinstance(subjects, list)
            else []
        )
        return f"{statement.get('predicateType')}  {', '.join(names)}"[:_MOST_TEXT]
    return str(values.get("text", values.get("base64", values.get("statement"))))[:_MOST_TEXT]
