"""The locks of other JavaScript package managers: yarn.lock (both forms) and pnpm-lock.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tocsin.audit.model import Skipped
from tocsin.audit.packages.npm import component
from tocsin.audit.packages.stanzas import lines
from tocsin.audit.source import Found, Source, content, reader, text
from tocsin.audit.traces import host
from tocsin.audit.yaml_tree import documents

MOST_BYTES = 128 << 20
_PROTOCOL = re.compile(r"(@?[^@]+)@(?:[a-z]+:)?(.*)\Z", re.S)
_FIELD = re.compile(r'  (version|resolved|resolution):? +"?([^"\s]+)"?')
_PEERS = re.compile(r"_.*", re.S)
_PLAIN_VERSION = re.compile(r"\d+\.\d+\.\d+")


@reader
def read_yarn(source: Source, place: str) -> Iterator[Found]:
    """Read a yarn.lock: blocks whose first line names who asks for it."""
    asked, fields = "", dict[str, str]()
    for line in [*lines(text(content(source, MOST_BYTES))), "end:"]:
        if not line or line.startswith("#"):
            continue
        if line[0] not in " \t":
            if asked and asked != "__metadata":
                yield _yarn(asked, fields, place)
            asked, fields = line.rstrip(":").strip(), {}
        else:
            found = _FIELD.match(line)
            if found is not None:
                fields[found[1]] = found[2]


def _yarn(asked: str, fields: Mapping[str, str], place: str) -> Found:
    resolution = fields.get("resolution", "")
    written = resolution or asked.partition(",")[0].strip().strip('"')
    found = _PROTOCOL.match(written)
    if found is None or not fields:
        return Skipped(place, f"the entry {asked[:100]!r} is no package")
    name, after = found[1], found[2]
    if not resolution and "@npm:" in written:  # an alias: `mine@npm:theirs@^1`
        alias = _PROTOCOL.match(after)
        name = alias[1] if alias is not None else name
    return component(
        name, fields.get("version", ""), place, host(fields.get("resolved"), "resolved")
    )


@reader
def read_pnpm(source: Source, place: str) -> Iterator[Found]:
    """Read a pnpm-lock.yaml: the keys of `packages` are names with versions."""
    for tree in documents(text(content(source, MOST_BYTES))):
        packages = tree.get("packages") if isinstance(tree, Mapping) else None
        for key, stated in packages.items() if isinstance(packages, Mapping) else ():
            yield _pnpm(key, stated, place)


def _pnpm(key: str, stated: object, place: str) -> Found:
    """`/name/1.0.0_peer` (5), `/name@1.0.0(peer)` (6), `name@1.0.0(peer)` (9)."""
    fields = stated if isinstance(stated, Mapping) else {}
    resolution = fields.get("resolution")
    address = resolution.get("tarball") if isinstance(resolution, Mapping) else None
    path = key.removeprefix("/").partition("(")[0]
    name, _, last = path.rpartition("/")
    if _PLAIN_VERSION.match(last):
        version = _PEERS.sub("", last)
    else:
        at = path.find("@", 1)
        name, version = (path[:at], path[at + 1 :]) if at > 0 else (path, "")
    stated_name, stated_version = fields.get("name"), fields.get("version")
    if isinstance(stated_name, str):  # packages that come from elsewhere have a place as key
        name = stated_name
        version = stated_version if isinstance(stated_version, str) else ""
    if not name:
        return Skipped(place, f"the entry {key[:100]!r} is no package")
    return component(name, version, place, host(address, "resolution"))
