"""The bills of materials that can be read."""

from __future__ import annotations

from tocsin.audit.list_format import ListFormat

_HERE = "tocsin.audit.sbom"

CYCLONEDX_JSON = ListFormat("CycloneDX, JSON", f"{_HERE}.cyclonedx_json", is_bill=True)
CYCLONEDX_XML = ListFormat("CycloneDX, XML", f"{_HERE}.cyclonedx_xml", is_bill=True)
CYCLONEDX_PROTOBUF = ListFormat(
    "CycloneDX, Protocol Buffers", f"{_HERE}.cyclonedx_protobuf", is_bill=True
)
SPDX_JSON = ListFormat("SPDX 2, JSON", f"{_HERE}.spdx_json", is_bill=True)
SPDX_YAML = ListFormat("SPDX 2, YAML", f"{_HERE}.spdx_json", "read_yaml", is_bill=True)
SPDX_XML = ListFormat("SPDX 2, XML", f"{_HERE}.spdx_xml", is_bill=True)
SPDX_RDF = ListFormat("SPDX 2, RDF/XML", f"{_HERE}.spdx_rdf", is_bill=True)
SPDX_TAG_VALUE = ListFormat("SPDX 2, tag-value", f"{_HERE}.spdx_tag_value", is_bill=True)
SPDX_3 = ListFormat("SPDX 3, JSON-LD", f"{_HERE}.spdx3", is_bill=True)
ENVELOPE = ListFormat("attestation with a bill in it", f"{_HERE}.envelope", is_bill=True)

BILLS = (
    CYCLONEDX_JSON, CYCLONEDX_XML, CYCLONEDX_PROTOBUF, SPDX_JSON, SPDX_YAML, SPDX_XML, SPDX_RDF,
    SPDX_TAG_VALUE, SPDX_3, ENVELOPE,
)  # fmt: skip
