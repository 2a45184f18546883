"""`tocsin log`: a transparency log as a folder of static files, and proofs from it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.log_evidence import evidence
from tocsin.cli.log_follow import mirror, monitor
from tocsin.cli.log_verdict import (
    print_verdict,
    read_log_key,
    read_policy,
    read_times,
    verdict_values,
)
from tocsin.cli.passphrase import passphrase_option, read_passphrase
from tocsin.cli.printable import printable
from tocsin.cli.progress import Meter
from tocsin.cli.sizes import counted
from tocsin.cli.table import format_table
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from tocsin.transparency.keys import SigningKey
    from tocsin.transparency.note import SignedNote

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_QUIET = click.option("--no-progress", is_flag=True, help="Show no progress.")
_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_KEY = click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The log's signing key; 'tocsin log key' makes one.",
)
_LOG_KEY = click.option(
    "--log-key",
    metavar="VKEY|FILE",
    help="The log's public key, as text or in a file. A signing key's file does too.",
)
_MAX_LISTED = 1000
_KINDS = {"log": 0x01, "ed25519": 0x04, "ml-dsa": 0x06}


@click.group("log", context_settings=_CONTEXT)
def command() -> None:
    """Keep and check a transparency log: a list that can only grow.

    A log is a folder of static files (C2SP tlog-tiles): any web server, mirror or USB stick
    serves it. A proof (.tlog-proof) shows off line that an entry is in it, and who saw that.

    \b
    Examples:
      tocsin log key example.org/log log.key
      tocsin log init site/log --key log.key
      tocsin log append site/log --key log.key notes.txt
      tocsin log prove site/log 0 -o notes.txt.tlog-proof
      tocsin log verify notes.txt notes.txt.tlog-proof --policy policy
    """


command.add_command(evidence)
command.add_command(mirror)
command.add_command(monitor)


# --- making and growing -------------------------------------------------------------------


@command.command("key", context_settings=_CONTEXT)
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--type",
    "kind",
    type=click.Choice(list(_KINDS)),
    default="log",
    show_default=True,
    help="For a log, or for a witness that cosigns by Ed25519 or by ML-DSA-44.",
)
@passphrase_option
@_JSON
def key(name: str, file: Path, kind: str, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a signing key in a new file, locked by a passphrase, and print its public key.

    A log's key has the log's origin as its NAME: an address without a scheme, such as
    example.org/log. It need not exist.

    \b
    Examples:
      tocsin log key example.org/log log.key
      tocsin log key witness.example.org/w1 witness.key --type ml-dsa
    """
    from tocsin.transparency.keys import SigningKey
    from tocsin.transparency.verifier_key import KeyType

    made = SigningKey.generate(name, KeyType(_KINDS[kind]))
    made.save(file, read_passphrase(passphrase_file, of=file, new=True))
    vkey = made.verifier.vkey
    click.echo(json.dumps({"file": str(file), "vkey": vkey}) if as_json else vkey)


@command.command("init", context_settings=_CONTEXT)
@_FOLDER
@_KEY
@passphrase_option
@_JSON
def init(folder: Path, key_file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Make an empty log in a folder.

    \b
    Examples:
      tocsin log init site/log --key log.key
    """
    from tocsin.transparency.log import Log

    made = Log.init(folder, _signing_key(key_file, passphrase_file))
    if as_json:
        click.echo(json.dumps({"folder": str(folder), **_head_values(made.published().note)}))
    else:
        click.echo(printable(f"{folder}: the log {made.verifier.name} is there, and empty"))


@command.command("append", context_settings=_CONTEXT)
@_FOLDER
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.File("rb"))
@click.option("--lines", is_flag=True, help="Each line of the files is an entry.")
@_KEY
@passphrase_option
@_QUIET
@_JSON
def append(
    folder: Path,
    files: tuple[Any, ...],
    lines: bool,
    key_file: Path,
    passphrase_file: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Add entries, each the content of a file of at most 65,535 bytes; '-' is standard input.

    All of them are added or none; readers see the log as it was or as it is then.

    \b
    Examples:
      tocsin log append site/log --key log.key release.json
      git log --format=%H | tocsin log append site/log --key log.key --lines -
    """
    from tocsin.transparency.log import Log

    signing = _signing_key(key_file, passphrase_file)
    with Meter(enabled=not no_progress) as meter:
        grown = Log(folder, signing.verifier).append(
            _entries(files, lines=lines),
            signing,
            observe=lambda count: meter.say(counted(count, "entry").replace("entrys", "entries")),
        )
    added = grown.size - grown.first
    if as_json:
        values = {"first": grown.first, "added": added, **_head_values(grown.checkpoint.note)}
        click.echo(json.dumps(values))
    else:
        which = f"entry {grown.first}" if added == 1 else f"entries from {grown.first}"
        click.echo(f"added {added:,} ({which}); the log has {grown.size:,}" if added else "nothing")


def _entries(files: tuple[Any, ...], *, lines: bool) -> Iterator[bytes]:
    from tocsin.transparency.tiles import MAX_ENTRY_BYTES

    for file in files:
        if lines:
            while line := file.readline(MAX_ENTRY_BYTES + 2):
                yield line.removesuffix(b"\n")
        else:
            yield file.read(MAX_ENTRY_BYTES + 1)


# --- looking ------------------------------------------------------------------------------


@command.command("show", context_settings=_CONTEXT)
@_FOLDER
@click.option("--entry", type=click.IntRange(0), metavar="INDEX", help="Print this entry, raw.")
@click.option(
    "--last",
    type=click.IntRange(0, _MAX_LISTED),
    default=10,
    show_default=True,
    help="List so many of the newest entries.",
)
@_LOG_KEY
@_JSON
def show(folder: Path, entry: int | None, last: int, log_key: str | None, as_json: bool) -> None:
    """Show a log's size, its root, who signed it, and its newest entries.

    Without --log-key the log's own signature is not checked, only that its files fit together.

    \b
    Examples:
      tocsin log show site/log
      tocsin log show site/log --entry 0 > first
    """
    from tocsin.transparency.merkle import leaf_hash
    from tocsin.transparency.reader import LogReader, folder_fetch

    note, checked = _checkpoint(folder, log_key)
    reader = LogReader(folder_fetch(folder), _parsed(note))
    if entry is not None:
        sys.stdout.buffer.write(reader.entry(entry))
        return
    first = max(0, reader.head.size - last)
    newest = [
        {"index": index, "bytes": len(data), "leaf": leaf_hash(data).hex(), "text": _text(data)}
        for index, data in enumerate(reader.entries(first), first)
    ]
    values = {**_head_values(note), "signature_checked": checked, "newest": newest}
    if as_json:
        click.echo(json.dumps(values))
        return
    rows = [
        ("origin", values["origin"]),
        ("entries", reader.head.size),
        ("root", values["root"]),
        ("signed by", ", ".join(values["signers"])),
        ("signature", "checked" if checked else "not checked: give --log-key to have it checked"),
    ]
    click.echo(format_table([(name, str(value)) for name, value in rows]))
    if newest:
        click.echo()
        listed = [(e["index"], e["bytes"], str(e["leaf"])[:16], e["text"]) for e in newest]
        click.echo(format_table(listed, ("index", "bytes", "leaf hash", "begins")))


@command.command("fsck", context_settings=_CONTEXT)
@_FOLDER
@_LOG_KEY
@_QUIET
@_JSON
def fsck_(folder: Path, log_key: str | None, no_progress: bool, as_json: bool) -> None:
    """Recompute a whole log from its entries, and name every file that is wrong.

    Exit status: 0 the log is whole; 1 something is damaged or missing.

    \b
    Examples:
      tocsin log fsck site/log --log-key log.key
    """
    from tocsin.transparency.fsck import fsck

    note, checked = _checkpoint(folder, log_key)
    head = _parsed(note)
    with Meter(enabled=not no_progress) as meter:
        found = fsck(folder, head, observe=lambda count: meter.say(f"{count:,} files"))
    if as_json:
        values = {
            **_head_values(note),
            "signature_checked": checked,
            "clean": found.clean,
            "files": found.files,
            "damaged": found.damaged,
            "beyond": found.beyond,
        }
        click.echo(json.dumps(values))
    else:
        for sentence in found.damaged:
            click.echo(printable(f"damaged: {sentence}"))
        for path in found.beyond:
            click.echo(printable(f"not of this log, and harmless: {path}"))
        state = "whole" if found.clean else "DAMAGED"
        unsigned = "" if checked else "; its signature was not checked (--log-key)"
        click.echo(f"{head.size:,} entries, {found.files:,} files: {state}{unsigned}")
    sys.exit(0 if found.clean else 1)


# --- proofs -------------------------------------------------------------------------------


@command.command("prove", context_settings=_CONTEXT)
@_FOLDER
@click.argument("index", type=click.IntRange(0), required=False)
@click.option(
    "--entry",
    type=click.File("rb"),
    metavar="FILE",
    help="Find the entry by its content instead of its index.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to.")
@_LOG_KEY
@_JSON
def prove(
    folder: Path,
    index: int | None,
    entry: Any,
    output: Path | None,
    log_key: str | None,
    as_json: bool,
) -> None:
    """Write the proof that an entry is in a log; it is checked off line with 'log verify'.

    \b
    Examples:
      tocsin log prove site/log 4 -o release.json.tlog-proof
      tocsin log prove site/log --entry release.json > release.json.tlog-proof
    """
    from tocsin.transparency.proof import TlogProof
    from tocsin.transparency.reader import LogReader, folder_fetch
    from tocsin.transparency.tiles import MAX_ENTRY_BYTES

    if (index is None) == (entry is None):
        raise UsageError("say which entry: by its index, or by its content with --entry")
    note, _ = _checkpoint(folder, log_key)
    reader = LogReader(folder_fetch(folder), _parsed(note))
    if index is None:
        index = reader.index_of(entry.read(MAX_ENTRY_BYTES + 1))
        if index is None:
            raise UsageError(f"{entry.name}: this is no entry of the log")
    proof = TlogProof(index, tuple(reader.inclusion_proof(index)), note.to_bytes()).to_bytes()
    if output is not None:
        from tocsin.transparency.files import write_file

        write_file(output, proof)
    if as_json:
        click.echo(json.dumps({"index": index, "size": reader.head.size, "bytes": len(proof)}))
    elif output is None:
        sys.stdout.buffer.write(proof)


@command.command("verify", context_settings=_CONTEXT)
@click.argument("entry", type=click.File("rb"))
@click.argument("proof", type=click.File("rb"))
@click.option(
    "--policy",
    "policy_file",
    type=click.File("rb"),
    metavar="FILE",
    help="Whose word is asked for: logs, witnesses and a quorum (C2SP tlog-policy).",
)
@_LOG_KEY
@click.option("--max-age", metavar="TIME", help="Count no cosignature older than this: 90m, 7d.")
@click.option("--at", metavar="DATE", help="Judge times as of then instead of now.")
@_JSON
def verify(
    entry: Any,
    proof: Any,
    policy_file: Any,
    log_key: str | None,
    max_age: str | None,
    at: str | None,
    as_json: bool,
) -> None:
    """Check off line that an entry is logged, and that the witnesses you chose saw it.

    With --log-key alone no witness is asked for: the log could show others another history.

    Exit status: 0 it is shown; 1 it is not; 2 a file cannot be read.

    \b
    Examples:
      tocsin log verify release.json release.json.tlog-proof --policy policy --max-age 30d
    """
    from tocsin.transparency.errors import BadProof, BadSignature, MalformedNote
    from tocsin.transparency.proof import MAX_PROOF_BYTES, TlogProof
    from tocsin.transparency.tiles import MAX_ENTRY_BYTES

    policy, known = read_policy(policy_file, log_key)
    now, age = read_times(max_age, at)
    try:
        data = entry.read(MAX_ENTRY_BYTES + 1)
        given = TlogProof.parse(proof.read(MAX_PROOF_BYTES + 1))
        verdict = given.check(data, policy, now=now, max_age=age, log_keys=known)
    except (BadProof, BadSignature, MalformedNote) as error:
        if as_json:
            click.echo(json.dumps({"verified": False, "reason": str(error)}))
        else:
            click.echo(printable(f"not shown: {error}"))
        sys.exit(1)
    if as_json:
        click.echo(
            json.dumps({"verified": verdict.met, "index": given.index, **verdict_values(verdict)})
        )
    else:
        print_verdict(verdict, given.index)
    sys.exit(0 if verdict.met else 1)


# --- keys and checkpoints -----------------------------------------------------------------


def _signing_key(file: Path, passphrase_file: Path | None) -> SigningKey:
    from tocsin.transparency.keys import SigningKey

    return SigningKey.load(file, read_passphrase(passphrase_file, of=file))


def _checkpoint(folder: Path, log_key: str | None) -> tuple[SignedNote, bool]:
    """The published checkpoint, and whether its log's signature was checked."""
    from tocsin.transparency.log import Log
    from tocsin.transparency.note import SignedNote
    from tocsin.transparency.reader import fetch_checkpoint, folder_fetch

    if log_key is not None:
        return Log(folder, read_log_key(log_key)).published().note, True
    return SignedNote.parse(fetch_checkpoint(folder_fetch(folder))), False


def _parsed(note: SignedNote) -> Any:
    from tocsin.transparency.checkpoint import Checkpoint

    return Checkpoint.parse(note.text)


def _head_values(note: SignedNote) -> dict[str, Any]:
    head = _parsed(note)
    return {
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "signers": [each.name for each in note.signatures],
    }


def _text(data: bytes) -> str:
    return data[:60].decode("utf-8", "replace")
