"""What the quarantine holds, as rows for people; from plain values, wherever they come from."""

from __future__ import annotations

from typing import Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.sizes import counted, human_size
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time

ID_SHOWN = 8


def print_list(items: list[dict[str, Any]]) -> None:
    """Print a table, or nothing when there is nothing in it."""
    rows: list[tuple[object, ...]] = []
    for item in items:
        number = item["id"][:ID_SHOWN]
        if item["damaged"]:
            rows.append((number, "", "", "DAMAGED", item["damaged"]))
            continue
        what = ", ".join(_names(item)) or item["reason"] or "taken by hand"
        if item["may_be_restored"]:
            what += " (no longer detected: may be restored)"
        taken, size = local_time(item["taken"]), human_size(item["size"])
        rows.append((number, taken, size, what, item["path"]))
    if rows:
        click.echo(format_table(rows, ("ID", "taken", "size", "what", "path")))


def rows_of(item: dict[str, Any]) -> list[tuple[str, str]]:
    """All that is known of an object."""
    rows = [
        ("id", item["id"]),
        ("path", item["path"]),
        ("size", f"{item['size']:,} bytes, {item['stored']:,} in the quarantine"),
        ("SHA-256", item["sha256"]),
        ("MD5", item["md5"]),
        ("taken", f"{local_time(item['taken'])} by {item['origin']} on {item['host']}"),
    ]
    for found in item["detections"]:
        where = "" if found["object"] in ("", item["path"]) else f" in {found['object']}"
        rows.append(("found", f"{found['name']} [{found['level']}]{where} ({found['source']})"))
    if item["reason"]:
        rows.append(("reason", item["reason"]))
    if item["database"]:
        rows.append(("database", f"{item['database']} {item['database_version']}".rstrip()))
    rows += [
        ("owner", f"{item['user'] or item['uid']}:{item['group'] or item['gid']}"),
        ("mode", item["mode"]),
        ("modified", local_time(item["mtime_ns"] / 1e9)),
        ("read", local_time(item["atime_ns"] / 1e9)),
    ]
    rows += [
        ("attribute", f"{name} ({len(value) // 2} bytes)")
        for name, value in item["attributes"].items()
    ]
    if item["links"] > 1:
        names = ", ".join(item["other_names"])
        also = f"; in its folder: {names}" if names else ""
        rows.append(("names left", f"{item['links'] - 1} when it was taken{also}"))
    if item["examined"] is not None:
        said = ", ".join(item["examined"]["names"]) or item["examined"]["verdict"]
        rows.append(("looked at again", f"{local_time(item['examined']['time'])}: {said}"))
    if item["may_be_restored"]:
        rows.append(("", "no longer detected: may be restored"))
    return rows


def warn_of_links(item: dict[str, Any]) -> None:
    """Say under which other names what was taken still stands."""
    if item["links"] < 2:
        return
    names = ", ".join(item["other_names"])
    also = f", in the same folder as: {names}" if names else ""
    click.echo(
        printable(
            f"  the same content still stands under {counted(item['links'] - 1, 'other name')} "
            f"on its file system{also}"
        )
    )


def say_restored(number: str, restored: dict[str, Any]) -> None:
    """Say where something was put back, and what of it is not as it was."""
    click.echo(printable(f"restored {number}: {restored['path']}"))
    for remark in restored["remarks"]:
        click.echo(printable(f"  {remark}"))


def _names(item: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(found["name"] for found in item["detections"]))
