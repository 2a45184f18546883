"""CycloneDX as JSON, versions 1.2 to 1.7."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.audit.json_stream import members
from tocsin.audit.sbom.cyclonedx import components, in_metadata, services
from tocsin.audit.sbom.envelope import INSIDE, within
from tocsin.audit.source import Found, Source, content, reader, text


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a bill of materials; `vulnerabilities` and what else is no component is passed over."""
    for member in members(text(content(source))):
        if member.key == "components":
            yield from components(member.value, place)
        elif member.key == "metadata":
            yield from in_metadata(member.value, place)
        elif member.key == "services":
            yield from services(member.value, place)
        elif member.key in INSIDE:
            yield from within(member.value, place)
