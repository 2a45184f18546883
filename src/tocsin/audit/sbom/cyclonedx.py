"""What a CycloneDX component or service means (ECMA-424; versions 1.0 to 1.7).

Every encoding is brought into the shape that JSON has. Components in a component are parts of it,
except where the outer one is a platform that programs are installed on.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.purl import full_name, parse
from tocsin.audit.source import Found, Unreadable
from tocsin.audit.traces import (
    clean,
    cpe_vendor,
    host,
    hosts,
    mail_hosts,
    named,
    of_purl,
    told,
)
from tocsin.audit.xml_stream import elements
from tocsin.jurisdiction.vocabulary import MarkerKind

MOST_DEPTH = 100
"""Of components within components."""

MOST_SWID_BYTES = 1 << 20
PLATFORMS = frozenset({"container", "operating-system", "platform", "file"})
"""What holds components without their being parts of one product: an image, a disk, a folder."""


def in_metadata(metadata: object, place: str) -> Iterator[Found]:
    """The product that the whole bill is about; who supplies it may stand beside it."""
    if not isinstance(metadata, Mapping):
        return
    subject = metadata.get("component")
    beside = told(
        _entity(metadata.get("supplier"), "metadata.supplier"),
        _entity(metadata.get("manufacture"), "metadata.manufacture"),
    )
    if isinstance(subject, Mapping):
        yield from components(subject, place, embedded=False, beside=beside)
    elif beside:
        yield Component(place, "product", "what the bill is about", traces=beside, embedded=False)


def components(
    stated: object,
    place: str,
    *,
    embedded: bool | None = None,
    beside: tuple[Trace, ...] = (),
) -> Iterator[Found]:
    """A component and those in it.

    Args:
        stated: as JSON has it.
        place: the bill.
        embedded: whether it is part of another product.
        beside: traces of it that stand elsewhere.
    """
    waiting: list[tuple[object, bool | None, int]] = [(stated, embedded, 0)]
    while waiting:
        one, is_part, depth = waiting.pop()
        if not isinstance(one, Mapping):
            yield Skipped(place, "an entry among the components is none")
            continue
        made = _component(one, place, is_part, beside)
        beside = ()
        yield made
        inner = one.get("components")
        if not isinstance(inner, list) or not inner:
            continue
        if depth >= MOST_DEPTH:
            reason = f"components of {made.name!r} are nested more than {MOST_DEPTH} deep"
            yield Skipped(place, reason)
            continue
        inside = None if _text(one, "type") in PLATFORMS else True
        waiting += [(each, inside, depth + 1) for each in reversed(inner)]


def services(stated: object, place: str) -> Iterator[Found]:
    """A service and those in it."""
    waiting: list[tuple[object, int]] = [(stated, 0)]
    while waiting:
        one, depth = waiting.pop()
        if not isinstance(one, Mapping):
            yield Skipped(place, "an entry among the services is none")
            continue
        yield _service(one, place)
        inner = one.get("services")
        if isinstance(inner, list) and depth < MOST_DEPTH:
            waiting += [(each, depth + 1) for each in reversed(inner)]


def _component(
    stated: Mapping[str, Any], place: str, embedded: bool | None, beside: tuple[Trace, ...]
) -> Component:
    name, group = _text(stated, "name"), _text(stated, "group")
    written = _text(stated, "purl")
    purl = parse(written) if written else None
    kind = purl.type if purl is not None else _text(stated, "type") or "library"
    if purl is not None:
        name = full_name(purl) if purl.name == name or not name else name
    if group and purl is None:
        name = f"{group}/{name}"
    traces = told(
        beside,
        _people(stated),
        cpe_vendor(stated.get("cpe"), "cpe") if "cpe" in stated else (),
        of_purl(purl) if purl is not None else (),
        _npm_scope(group),
        _references(stated.get("externalReferences")),
        _swid(stated.get("swid")) if "swid" in stated else (),
        _pedigree(stated.get("pedigree")) if "pedigree" in stated else (),
        _copyright(stated.get("copyright")) if "copyright" in stated else (),
        _identified(stated.get("evidence")) if "evidence" in stated else (),
        _properties(stated.get("properties")) if "properties" in stated else (),
        _licensors(stated.get("licenses")) if "licenses" in stated else (),
    )
    return Component(
        place=place,
        kind=kind,
        name=name,
        version=_text(stated, "version") or (purl.version if purl is not None else ""),
        purl=written if purl is not None else "",
        traces=traces,
        embedded=embedded,
        reference=_text(stated, "bom-ref"),
    )


def _service(stated: Mapping[str, Any], place: str) -> Component:
    name, group = _text(stated, "name"), _text(stated, "group")
    flows = stated.get("data")
    flowing: list[Trace] = []
    for flow in flows if isinstance(flows, list) else ():
        if isinstance(flow, Mapping):
            flowing += hosts(flow.get("source"), "source of data")
            flowing += hosts(flow.get("destination"), "destination of data")
    return Component(
        place=place,
        kind="service",
        name=f"{group}/{name}" if group else name,
        version=_text(stated, "version"),
        traces=told(
            _entity(stated.get("provider"), "provider"),
            hosts(stated.get("endpoints"), "endpoints"),
            flowing,
            _references(stated.get("externalReferences")),
        ),
        reference=_text(stated, "bom-ref"),
    )


def _people(stated: Mapping[str, Any]) -> list[Trace]:
    found: list[Trace] = []
    for key in ("supplier", "manufacturer"):
        if key in stated:
            found += _entity(stated[key], key)
    for key in ("publisher", "author"):
        if key in stated:
            found += named(stated[key], key)
    authors = stated.get("authors")
    for author in authors if isinstance(authors, list) else ():
        found += _contact(author, "authors")
    return found


def _entity(stated: object, where: str) -> list[Trace]:
    """An `organizationalEntity`: its name, its addresses, and whom to write to."""
    if isinstance(stated, str):
        return named(stated, where)
    if not isinstance(stated, Mapping):
        return []
    found = named(stated.get("name"), f"{where}.name") + hosts(stated.get("url"), f"{where}.url")
    contacts = stated.get("contact")
    for contact in contacts if isinstance(contacts, list) else ():
        if isinstance(contact, Mapping):
            found += mail_hosts(contact.get("email"), f"{where}.contact")
    return found


def _contact(stated: object, where: str) -> list[Trace]:
    if not isinstance(stated, Mapping):
        return []
    return named(stated.get("name"), f"{where}.name") + mail_hosts(stated.get("email"), where)


def _references(stated: object) -> list[Trace]:
    if not isinstance(stated, list):
        return []
    found: list[Trace] = []
    for reference in stated:
        if isinstance(reference, Mapping):
            kind = clean(reference.get("type")) or "other"
            found += host(reference.get("url"), f"external reference, {kind}")
    return found


def _npm_scope(group: str) -> list[Trace]:
    if group.startswith("@") and len(group) > 1:
        return [Trace(MarkerKind.NPM_SCOPE, group, "group")]
    return []


def _pedigree(stated: object) -> list[Trace]:
    """Who made what this component was made from."""
    ancestors = stated.get("ancestors") if isinstance(stated, Mapping) else None
    found: list[Trace] = []
    for ancestor in ancestors if isinstance(ancestors, list) else ():
        if not isinstance(ancestor, Mapping):
            continue
        written = _text(ancestor, "purl")
        purl = parse(written) if written else None
        within = [*_people(ancestor), *cpe_vendor(ancestor.get("cpe"), "cpe")]
        within += of_purl(purl) if purl is not None else []
        found += [trace._replace(where=f"ancestor, {trace.where}") for trace in within]
    return found


def _names(written: object, where: str) -> list[Trace]:
    """What a CPE name or a package URL tells."""
    if not isinstance(written, str):
        return []
    purl = parse(written.strip())
    if purl is not None:
        return of_purl(purl, where)
    return cpe_vendor(written, where)


def _identified(stated: object) -> list[Trace]:
    """What tools concluded that a component is; since 1.6 there may be several."""
    held = stated.get("identity") if isinstance(stated, Mapping) else None
    found: list[Trace] = []
    for one in held if isinstance(held, list) else (held,):
        if isinstance(one, Mapping):
            found += _names(one.get("concludedValue"), "evidence of identity")
            methods = one.get("methods")
            for method in methods if isinstance(methods, list) else ():
                if isinstance(method, Mapping):
                    found += _names(method.get("value"), "evidence of identity")
    return found


def _properties(stated: object) -> list[Trace]:
    """CPE names and package URLs that have no other place: a component has one of each."""
    found: list[Trace] = []
    for one in stated if isinstance(stated, list) else ():
        value = one.get("value") if isinstance(one, Mapping) else None
        if isinstance(value, str) and value[:4].lower() in ("cpe:", "pkg:"):
            found += _names(value, "property")
    return found


def _licensors(stated: object) -> list[Trace]:
    """Who licenses a component to its users."""
    found: list[Trace] = []
    for choice in stated if isinstance(stated, list) else ():
        one = choice
        for key in ("license", "licensing", "licensor", "organization"):
            one = one.get(key) if isinstance(one, Mapping) else None
        found += _entity(one, "licensor") if one is not None else []
    return found


def _copyright(stated: object) -> list[Trace]:
    word = clean(stated)
    return [Trace(MarkerKind.TEXT, word, "copyright")] if word else []


def _swid(stated: object) -> list[Trace]:
    """A software identification tag (ISO/IEC 19770-2), often attached as a document of its own."""
    if not isinstance(stated, Mapping):
        return []
    found = host(stated.get("url"), "SWID address")
    attached = stated.get("text")
    if not isinstance(attached, Mapping):
        return found
    held = attached.get("content")
    if not isinstance(held, str) or len(held) > MOST_SWID_BYTES:
        return found
    document = held.encode("utf-8", "replace")
    if attached.get("encoding") == "base64":
        try:
            document = base64.b64decode(document)
        except (binascii.Error, ValueError):
            return found
    try:
        for entity in elements(document, {"Entity"}):
            where = f"SWID {entity.attributes.get('role', 'entity')}"
            found += named(entity.attributes.get("name"), where)
            found += host(entity.attributes.get("regid"), where)
    except Unreadable:
        return found  # a tag that is no XML tells nothing more
    return found


def _text(stated: Mapping[str, Any], key: str) -> str:
    value = stated.get(key)
    return value.strip()[:4096] if isinstance(value, str) else ""
