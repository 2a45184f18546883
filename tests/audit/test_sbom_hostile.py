"""Hostile and broken lists: what was read before is kept, the reason is said, nothing is raised."""

from __future__ import annotations

import importlib
import io
import json
import re
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.audit import source
from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages import interface as packages
from tocsin.audit.packages import requirements
from tocsin.audit.sbom import (
    cyclonedx_json,
    cyclonedx_protobuf,
    cyclonedx_xml,
    spdx3,
    spdx_json,
    spdx_rdf,
    spdx_tag_value,
    spdx_xml,
)
from tocsin.audit.sbom import interface as bills

FORMATS = {form.name: form for form in (*bills.BILLS, *packages.PACKAGE_LISTS)}


def split(values) -> tuple[list[Component], list[Skipped]]:
    held = list(values)
    return (
        [each for each in held if isinstance(each, Component)],
        [each for each in held if isinstance(each, Skipped)],
    )


def test_every_format_has_a_reader() -> None:
    for form in FORMATS.values():
        assert callable(getattr(importlib.import_module(form.module), form.function))


@pytest.mark.parametrize("name", sorted(FORMATS))
@given(data=st.binary(max_size=600))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_components_and_reasons_only(name: str, data: bytes) -> None:
    for one in FORMATS[name].read(data, "place"):
        assert isinstance(one, Component | Skipped)
        assert one.place.startswith("place")


def test_an_open_file_is_read_as_bytes_are() -> None:
    data = b'{"bomFormat":"CycloneDX","components":[{"name":"a"}]}'
    by_bytes = list(cyclonedx_json.read(data, "p"))
    assert list(cyclonedx_json.read(io.BytesIO(data), "p")) == by_bytes


def bill(count: int) -> bytes:
    rows = [{"type": "library", "name": f"name-{n}", "version": str(n)} for n in range(count)]
    return json.dumps({"bomFormat": "CycloneDX", "components": rows}).encode()


@given(cut=st.integers(min_value=1, max_value=len(bill(20)) - 1))
@settings(max_examples=40)
def test_a_truncated_bill_gives_what_was_whole(cut: int) -> None:
    data = bill(20)[:cut]
    components, skipped = split(cyclonedx_json.read(data, "p"))
    whole = len(re.findall(rb'"version": "\d+"\}', data))
    assert [each.name for each in components] == [f"name-{n}" for n in range(whole)]
    assert len(skipped) == 1


def test_truncated_xml_yaml_tags_and_graphs_give_what_was_whole() -> None:
    xml = (
        b'<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><components><component type="library">'
        b"<name>a</name></component><component><na"
    )
    yaml = b"spdxVersion: SPDX-2.3\npackages:\n- name: a\n- name: 'b\n"
    tags = b"SPDXVersion: SPDX-2.3\nPackageName: a\nPackageComment: <text>never"
    graph = b'{"@graph":[{"type":"software_Package","name":"a"},{"type":'
    rdf = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        b'xmlns:s="http://spdx.org/rdf/terms#"><s:Package rdf:about="x"><s:name>a</s:name>'
        b"</s:Package><s:Pack"
    )
    document = b"<Document><packages><name>a</name></packages><packages><na"
    for read, data in (
        (cyclonedx_xml.read, xml),
        (spdx_json.read_yaml, yaml),
        (spdx_tag_value.read, tags),
        (spdx3.read, graph),
        (spdx_rdf.read, rdf),
        (spdx_xml.read, document),
    ):
        components, skipped = split(read(data, "p"))
        assert [each.name for each in components][:1] == ["a"], read
        assert len(skipped) == 1, read


@pytest.mark.parametrize("read", [cyclonedx_xml.read, spdx_xml.read, spdx_rdf.read])
def test_entities_are_not_expanded(read) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    data = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x>&l9;</x>'.encode()
    assert [each.reason for each in split(read(data, "p"))[1]] == [
        "it declares entities, which no list needs; they are not expanded"
    ]


def test_a_document_type_from_elsewhere_is_not_fetched() -> None:
    data = b'<!DOCTYPE bom SYSTEM "file:///etc/passwd"><bom><component><name>a</name></component></bom>'
    components, _ = split(cyclonedx_xml.read(data, "p"))
    assert [each.name for each in components] == ["a"]


def test_aliases_of_yaml_are_not_followed() -> None:
    laughs = "a: &a [x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    _, skipped = split(spdx_json.read_yaml(f"packages: []\n{laughs}".encode(), "p"))
    assert "alias" in skipped[0].reason


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (cyclonedx_json.read, b'{"components":[' + b"[" * 100_000),
        (cyclonedx_json.read, b'{"a":' * 100_000),
        (spdx_json.read_yaml, b"a: " + b"[" * 100_000),
        (cyclonedx_xml.read, b"<component>" * 100_000),
        (spdx_rdf.read, b"<a>" * 100_000),
    ],
)
def test_depth_is_bounded_and_said(read, data: bytes) -> None:
    _, skipped = split(read(data, "p"))
    assert re.search("nest|deep", skipped[-1].reason)


def test_components_within_components_are_bounded() -> None:
    inner: dict[str, object] = {"name": "x"}
    for _ in range(300):
        inner = {"name": "x", "components": [inner]}
    data = json.dumps({"components": [inner]}).encode()
    components, skipped = split(cyclonedx_json.read(data, "p"))
    assert len(components) == 101
    assert "nested more than 100" in skipped[0].reason


def test_messages_within_messages_are_bounded() -> None:
    held = b""
    for _ in range(2_000):
        length = len(held)
        size = b""
        while True:
            byte = length & 0x7F
            length >>= 7
            size += bytes([byte | (0x80 if length else 0)])
            if not length:
                break
        held = b"\xaa\x01" + size + held  # field 21: components
    _, skipped = split(cyclonedx_protobuf.read(b"\x2a" + held[2:], "p"))
    assert "nested" in skipped[0].reason


def test_a_long_line_takes_no_long_time() -> None:
    line = b"a" * 10_000_000
    for form in FORMATS.values():
        list(form.read(line, "p"))
    _, skipped = split(requirements.read(line + b"\\\n" * 10, "p"))
    assert len(skipped) <= 1


def test_a_number_of_a_million_digits_takes_no_long_time() -> None:
    data = b'{"components":[{"name":"a","x":' + b"9" * 1_000_000 + b"}]}"
    assert [each.name for each in split(cyclonedx_json.read(data, "p"))[0]] == ["a"]


def test_bytes_of_another_encoding_lose_one_word_and_not_the_list() -> None:
    data = '{"components":[{"name":"a","publisher":"M\u00fcller"},{"name":"b"}]}'.encode("latin-1")
    components, _ = split(cyclonedx_json.read(data, "p"))
    assert [each.name for each in components] == ["a", "b"]
    assert components[0].traces[0].value == "M\ufffdller"


def test_too_much_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_COMPONENTS", 5)
    components, skipped = split(cyclonedx_json.read(bill(9), "p"))
    assert len(components) == 5
    assert "more than 5 components" in skipped[0].reason
    monkeypatch.setattr(source, "MOST_SKIPPED", 2)
    _, skipped = split(cyclonedx_json.read(b'{"components":[1,2,3,4,5]}', "p"))
    assert "more than 2 entries cannot be read" in skipped[-1].reason
    assert "more than 1 MB" in _too_long()


def _too_long() -> str:
    with pytest.raises(source.Unreadable) as raised:
        source.content(io.BytesIO(bytes((1 << 20) + 1)), 1 << 20)
    return str(raised.value)


def test_a_ring_of_pages_ends() -> None:
    from tocsin.audit.packages import rpm_bdb

    size = 512
    meta = bytearray(size)
    struct.pack_into("<III", meta, 12, 0x061561, 9, size)
    meta[25] = 8
    table = bytearray(size)
    struct.pack_into("<H", table, 20, 2)
    struct.pack_into("<2H", table, 26, 508, 496)
    table[25] = 13
    table[496] = 3
    struct.pack_into("<2I", table, 500, 2, 1 << 30)  # the value lies on page 2, a gigabyte of it
    ring = bytearray(size)
    struct.pack_into("<I", ring, 16, 2)  # the next page is this one
    struct.pack_into("<H", ring, 22, 0)
    ring[25] = 7
    _, skipped = split(rpm_bdb.read(bytes(meta + table + ring), "p"))
    assert "not whole" in skipped[0].reason
