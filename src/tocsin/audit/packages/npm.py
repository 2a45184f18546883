"""npm's package.json, and its locks: package-lock.json, npm-shrinkwrap.json, versions 1 to 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.audit.json_stream import Member, members
from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.purl import write
from tocsin.audit.source import Found, Source, content, reader, text
from tocsin.audit.traces import host, mail_hosts, named, of_package, told

MOST_DEPTH = 100
_NOT_FROM_REGISTRY = ("file:", "link:", "git", "http:", "https:", "github:", "workspace:")


@reader
def read_manifest(source: Source, place: str) -> Iterator[Found]:
    """Read a package.json; what it asks for stands in a lock, with versions."""
    stated: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {}
    for member in members(text(content(source, 16 << 20))):
        stated[member.key] = member.value
        lists.setdefault(member.key, []).append(member.value)
    name = stated.get("name")
    if not isinstance(name, str) or not name:
        yield Skipped(place, "a package.json without a name; nobody publishes it")
        return
    found = [*_person(stated.get("author"), "author"), *_person(stated.get("_npmUser"), "_npmUser")]
    for key in ("maintainers", "contributors"):
        people = lists.get(key, [])
        for person in people:
            found += _person(person, key)
    found += named(stated.get("publisher"), "publisher")
    for key in ("homepage", "repository", "bugs"):
        value = stated.get(key)
        found += host(value.get("url") if isinstance(value, Mapping) else value, key)
    yield component(name, _word(stated.get("version")), place, found)


@reader
def read_lock(source: Source, place: str) -> Iterator[Found]:
    """Read a lock: the table of places of versions 2 and 3, else the tree of version 1."""
    has_places = False
    for member in members(text(content(source)), into=("packages", "dependencies")):
        if member.key == "packages":
            has_places = True
            yield from _placed(member, place)
        elif member.key == "dependencies" and not has_places and member.name:
            yield from _tree(member.name, member.value, place)


def component(
    name: str, version: str, place: str, found: list[Trace], embedded: bool | None = None
) -> Component:
    """An npm package."""
    scope, slash, rest = name.partition("/")
    return Component(
        place=place,
        kind="npm",
        name=name,
        version=version,
        purl=write("npm", rest if slash else name, version, scope if slash else ""),
        traces=told(of_package("npm", name), found),
        embedded=embedded,
    )


def _placed(member: Member, place: str) -> Iterator[Found]:
    """`node_modules/a/node_modules/b` is b; one without `node_modules` is the project's own."""
    stated = member.value
    if not isinstance(stated, Mapping):
        yield Skipped(place, f"the entry of {member.name[:100]!r} is no package")
        return
    if stated.get("link") is True:
        return  # what it points at has an entry of its own
    stated_name = stated.get("name")
    path = member.name.rpartition("node_modules/")
    name = stated_name if isinstance(stated_name, str) else path[2] if path[1] else ""
    if not name:
        return
    yield component(
        name,
        _word(stated.get("version")),
        place,
        host(stated.get("resolved"), "resolved"),
        True if stated.get("inBundle") is True else None,
    )


def _tree(name: str, stated: object, place: str) -> Iterator[Found]:
    waiting: list[tuple[str, object, int]] = [(name, stated, 0)]
    while waiting:
        name, one, depth = waiting.pop()
        if not isinstance(one, Mapping):
            yield Skipped(place, f"the entry of {name[:100]!r} is no package")
            continue
        version = _word(one.get("version"))
        found = host(one.get("resolved"), "resolved")
        if version.startswith("npm:"):
            name, _, version = version[4:].rpartition("@")
        elif version.startswith(_NOT_FROM_REGISTRY):
            found += host(version, "version")
            version = ""
        embedded = True if one.get("bundled") is True else None
        yield component(name, version, place, found, embedded)
        inner = one.get("dependencies")
        if isinstance(inner, Mapping) and depth < MOST_DEPTH:
            waiting += [(key, value, depth + 1) for key, value in reversed(list(inner.items()))]


def _person(stated: object, where: str) -> list[Trace]:
    """`Name <mail> (address)`, or an object with those."""
    if isinstance(stated, str):
        name, _, rest = stated.partition("<")
        name, bracket, address = name.partition("(")
        found = named(name.strip(), where) + mail_hosts(stated, where)
        return found + host((address if bracket else rest.partition("(")[2]).rstrip(") "), where)
    if not isinstance(stated, Mapping):
        return []
    found = named(stated.get("name"), where) + mail_hosts(stated.get("email"), where)
    return found + host(stated.get("url"), where)


def _word(value: Any) -> str:
    return value.strip()[:4096] if isinstance(value, str) else ""
