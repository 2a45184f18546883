"""From a record's text to the parsed signature: the one table of languages."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.signatures.clamav.container import parse_container
from tocsin.signatures.clamav.digests import parse_file_digest, parse_section_digest
from tocsin.signatures.clamav.extended import parse_extended
from tocsin.signatures.clamav.lists import (
    parse_file_type,
    parse_ignore,
    parse_password,
    parse_setting,
)
from tocsin.signatures.clamav.logical import parse_logical
from tocsin.signatures.metadata import parse_metadata
from tocsin.signatures.records import Kind


def _parse_import_digest(line: str) -> object:
    return parse_file_digest(line, any_size_free=True)


def _keep(line: str) -> str:
    return line


PARSERS: dict[Kind, Callable[[str], object]] = {
    Kind.FILE_DIGEST: parse_file_digest,
    Kind.SECTION_DIGEST: parse_section_digest,
    Kind.IMPORT_DIGEST: _parse_import_digest,
    Kind.ALLOW_DIGEST: parse_file_digest,
    Kind.BODY: parse_extended,
    Kind.LOGICAL: parse_logical,
    Kind.CONTAINER: parse_container,
    Kind.IGNORE: parse_ignore,
    Kind.FILE_TYPE: parse_file_type,
    Kind.PASSWORD: parse_password,
    Kind.SETTING: parse_setting,
    Kind.METADATA: parse_metadata,
    Kind.YARA: _keep,
    Kind.UNEVALUATED: _keep,
}
"""A parser returns None for a signature that is meant for another engine, and raises
`SignatureError` for a malformed one."""


def parse_text(kind: Kind, text: str) -> object:
    """What a signature says; None when it is meant for another engine.

    Raises:
        SignatureError: it is malformed.
    """
    return PARSERS[kind](text)


def signature_name(kind: Kind, text: str) -> str:
    """Name of a signature, from its text alone; of a YARA file an empty string."""
    if kind in (Kind.FILE_DIGEST, Kind.SECTION_DIGEST, Kind.IMPORT_DIGEST, Kind.ALLOW_DIGEST):
        fields = text.split(":")
        return fields[2] if len(fields) > 2 else ""
    if kind is Kind.BODY or kind is Kind.CONTAINER:
        return text.partition(":")[0]
    if kind is Kind.LOGICAL or kind is Kind.PASSWORD:
        return text.partition(";")[0]
    if kind is Kind.IGNORE:
        fields = text.split(":")
        return fields[2] if len(fields) > 2 else fields[0]
    if kind is Kind.FILE_TYPE:
        fields = text.split(":")
        return fields[3] if len(fields) > 3 else ""
    if kind is Kind.METADATA:
        return parse_metadata(text).name
    if kind is Kind.UNEVALUATED:
        for separator in (":", ";"):
            head, found, _ = text.partition(separator)
            if found:
                return head
    return ""
