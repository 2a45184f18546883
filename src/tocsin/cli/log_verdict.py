"""Whose word somebody asks for, read from options; and what came of it, for people and programs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tocsin.cli.printable import printable
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from tocsin.transparency.note import VerifierKey
    from tocsin.transparency.policy import Policy
    from tocsin.transparency.verdict import Verdict


def read_policy(
    file: BinaryIO | None, log_key: str | None
) -> tuple[Policy, tuple[VerifierKey, ...]]:
    """The policy of a file, and a log that is believed besides.

    Raises:
        UsageError: neither is given.
        MalformedPolicy: the file is no policy.
    """
    from tocsin.transparency.policy import MAX_POLICY_BYTES, Policy

    if file is None and log_key is None:
        raise UsageError("say whom to believe: --policy FILE, or --log-key for the log alone")
    text = b"quorum none\n" if file is None else file.read(MAX_POLICY_BYTES + 1)
    return Policy.parse(text), () if log_key is None else (read_log_key(log_key),)


def read_log_keys(
    file: BinaryIO | None, stated: tuple[str, ...]
) -> tuple[Policy, tuple[VerifierKey, ...]]:
    """The policy of a file, and the keys of logs from it and from options.

    Raises:
        UsageError: there is neither.
        MalformedPolicy: the file is no policy.
    """
    first, *more = stated or (None,)
    policy, known = read_policy(file, first)
    extra = tuple(read_log_key(each) for each in more if each is not None)
    from_policy = tuple(entry.key for entry in policy.logs)
    if known or extra:  # of a policy with several logs the option says which
        names = {key.name for key in known + extra}
        from_policy = tuple(key for key in from_policy if key.name in names)
    return policy, tuple(dict.fromkeys(known + extra + from_policy))


def read_times(max_age: str | None, at: str | None) -> tuple[int, int | None]:
    """The time to judge by and the oldest that counts, in seconds.

    Raises:
        UsageError: one cannot be read.
    """
    from tocsin.cli.times import past_moment

    now = time.time() if at is None else past_moment(at)
    return int(now), None if max_age is None else int(time.time() - past_moment(max_age))


def verdict_values(verdict: Verdict) -> dict[str, Any]:
    """What came of a checkpoint, for JSON."""
    return {
        "log": verdict.log.vkey,
        "size": verdict.head.size,
        "quorum": verdict.quorum,
        "quorum_time": verdict.quorum_time,
        "reason": verdict.reason(),
        "witnesses": [
            {
                "name": each.witness.name,
                "standing": each.standing.value,
                "time": each.timestamp,
            }
            for each in verdict.witnesses
        ],
        "groups": [
            {"name": each.name, "needed": each.needed, "has": each.has} for each in verdict.groups
        ],
    }


def print_verdict(verdict: Verdict, index: int) -> None:
    """Print what came of a checkpoint in which an entry is."""
    rows = [
        (
            each.witness.name,
            each.standing.value,
            "" if each.timestamp is None else local_time(each.timestamp),
        )
        for each in verdict.witnesses
    ]
    if rows:
        click.echo(format_table(rows, ("witness", "standing", "cosigned")))
        click.echo()
    head = verdict.head
    if verdict.met:
        click.echo(printable(f"verified: entry {index} of {head.size} in {head.origin}"))
    else:
        click.echo(printable(f"not shown: {verdict.reason()}"))


def read_log_key(stated: str) -> VerifierKey:
    """The public key that is stated as text or by its file.

    Raises:
        TransparencyError: it is none.
    """
    from tocsin.transparency.keys import read_verifier
    from tocsin.transparency.note import VerifierKey

    return VerifierKey.parse(stated) if stated.count("+") >= 2 else read_verifier(Path(stated))
