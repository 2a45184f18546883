"""CycloneDX as XML, versions 1.0 to 1.7: brought into the shape of JSON, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.audit.sbom.cyclonedx import components, in_metadata, services
from tocsin.audit.source import Found, Source, content, reader
from tocsin.audit.xml_stream import Node, elements

_PASSED_OVER = (  # each whole, since some have elements called `component` or `service` within
    "vulnerabilities", "dependencies", "compositions", "annotations", "formulation",
    "declarations", "definitions", "Signature",
)  # fmt: skip
_TEXTS = ("name", "group", "version", "purl", "cpe", "publisher", "author", "copyright")
_LISTS = {"components": "component", "services": "service", "authors": "author"}
_ENTITIES = ("supplier", "manufacturer", "manufacture", "provider")


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a bill of materials."""
    wanted = {"component", "service", "metadata", *_PASSED_OVER}
    for node in elements(content(source), wanted):
        if node.tag == "component":
            yield from components(_shaped(node), place)
        elif node.tag == "service":
            yield from services(_shaped(node), place)
        elif node.tag == "metadata":
            yield from in_metadata(_shaped(node), place)


def _shaped(node: Node) -> dict[str, Any]:
    """An element as the object that stands for it in JSON; its depth is bounded by the parser."""
    shaped: dict[str, Any] = {}
    for key in ("type", "bom-ref"):
        if key in node.attributes:
            shaped[key] = node.attributes[key]
    for child in node.children:
        tag = child.tag
        if tag in _LISTS:
            wanted = _LISTS[tag]
            shaped[tag] = [_shaped(each) for each in child.children if each.tag == wanted]
        elif tag in _TEXTS:
            shaped[tag] = child.text.strip()
        elif tag in _ENTITIES:
            shaped[tag] = _entity(child)
        elif tag == "component":  # of the metadata
            shaped[tag] = _shaped(child)
        elif tag == "email":
            shaped[tag] = child.text.strip()
        elif tag == "externalReferences":
            shaped[tag] = [
                {"type": each.attributes.get("type"), "url": each.value("url")}
                for each in child.all("reference")
            ]
        elif tag == "endpoints":
            shaped[tag] = [each.text.strip() for each in child.all("endpoint")]
        elif tag == "swid":
            shaped[tag] = _swid(child)
        elif tag == "pedigree":
            ancestors = child.child("ancestors")
            inner = ancestors.all("component") if ancestors is not None else []
            shaped[tag] = {"ancestors": [_shaped(each) for each in inner]}
        elif tag == "evidence":
            shaped[tag] = {"identity": [_identity(each) for each in child.all("identity")]}
        elif tag == "properties":
            shaped[tag] = [{"value": each.text.strip()} for each in child.all("property")]
        elif tag == "licenses":
            shaped[tag] = [_license(each) for each in child.all("license")]
        elif tag == "data":
            shaped[tag] = [_flow(each) for each in child.all("dataflow")]
    return shaped


def _entity(node: Node) -> dict[str, Any]:
    return {
        "name": node.value("name"),
        "url": [each.text.strip() for each in node.all("url")],
        "contact": [{"email": each.value("email")} for each in node.all("contact")],
    }


def _identity(node: Node) -> dict[str, Any]:
    methods = node.child("methods")
    return {
        "concludedValue": node.value("concludedValue"),
        "methods": [
            {"value": each.value("value")}
            for each in (methods.all("method") if methods is not None else ())
        ],
    }


def _license(node: Node) -> dict[str, Any]:
    held: Node | None = node
    for tag in ("licensing", "licensor", "organization"):
        held = held.child(tag) if held is not None else None
    licensor = {"organization": _entity(held)} if held is not None else {}
    return {"license": {"licensing": {"licensor": licensor}}}


def _swid(node: Node) -> dict[str, Any]:
    shaped: dict[str, Any] = {"url": node.value("url")}
    held = node.child("text")
    if held is not None:
        shaped["text"] = {
            "content": held.text.strip(),
            "encoding": held.attributes.get("encoding"),
        }
    return shaped


def _flow(node: Node) -> dict[str, Any]:
    return {
        way: [each.text.strip() for holder in node.all(way) for each in holder.all("url")]
        for way in ("source", "destination")
    }
