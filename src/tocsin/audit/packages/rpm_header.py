"""One package in rpm's database: a header as rpm keeps it (rpm file format, "Header structure")."""

from __future__ import annotations

import struct
from datetime import date

from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages.apk import day_of
from tocsin.audit.purl import write
from tocsin.audit.source import Found
from tocsin.audit.traces import host, named, of_package, told

MOST_ENTRIES = 0xFFFF
MOST_BYTES = 256 << 20
_ENTRY = struct.Struct(">4i")
_INT32, _STRING, _STRINGS, _I18N = 4, 6, 8, 9
_TEXTS = {
    1000: "name",
    1001: "version",
    1002: "release",
    1010: "distribution",
    1011: "vendor",
    1015: "packager",
    1020: "url",
    1022: "arch",
    1044: "sourcerpm",
    1123: "disturl",
}
_NUMBERS = {1003: "epoch", 1006: "buildtime"}


def component(blob: bytes, place: str) -> Found:
    """A package from its header.

    Args:
        blob: number of entries and length of the data, then both.
        place: the database.
    """
    fields = header_fields(blob)
    if fields is None:
        return Skipped(place, "an entry of the rpm database is no whole header")
    return from_fields(fields, place)


def header_fields(blob: bytes) -> dict[str, str] | None:
    """The fields that matter, by the names that `rpm --queryformat` has in small letters."""
    if len(blob) < 8:
        return None
    count, length = struct.unpack_from(">2i", blob)
    start = 8 + 16 * count
    if not 0 < count <= MOST_ENTRIES or not 0 <= length <= MOST_BYTES or start > len(blob):
        return None
    end = min(start + length, len(blob))
    fields: dict[str, str] = {}
    for index in range(count):
        tag, kind, offset, _ = _ENTRY.unpack_from(blob, 8 + 16 * index)
        at = start + offset
        if not start <= at < end:
            continue
        if tag in _TEXTS and kind in (_STRING, _STRINGS, _I18N):
            stop = blob.find(b"\0", at, end)
            value = blob[at : end if stop < 0 else stop][:4096]
            fields[_TEXTS[tag]] = value.decode("utf-8", "replace")
        elif tag in _NUMBERS and kind == _INT32 and at + 4 <= end:
            fields[_NUMBERS[tag]] = str(struct.unpack_from(">I", blob, at)[0])
    return fields


def from_fields(fields: dict[str, str], place: str) -> Found:
    """A package from its fields."""
    told_fields = {key: value for key, value in fields.items() if value not in ("", "(none)")}
    name = told_fields.get("name", "")
    if not name:
        return Skipped(place, "an rpm package without a name")
    version, release = told_fields.get("version", ""), told_fields.get("release", "")
    plain = f"{version}-{release}" if release else version
    epoch = told_fields.get("epoch", "")
    qualifiers = (
        ("arch", told_fields.get("arch", "")),
        ("epoch", epoch),
        ("upstream", told_fields.get("sourcerpm", "")),
    )
    made: date | None = day_of(told_fields["buildtime"]) if "buildtime" in told_fields else None
    return Component(
        place=place,
        kind="rpm",
        name=name,
        version=f"{epoch}:{plain}" if epoch and epoch != "0" else plain,
        purl=write("rpm", name, plain, "", qualifiers),
        traces=told(
            of_package("rpm", name),
            named(told_fields.get("vendor"), "Vendor"),
            named(told_fields.get("packager"), "Packager"),
            named(told_fields.get("distribution"), "Distribution"),
            host(told_fields.get("url"), "URL"),
            host(told_fields.get("disturl"), "DistURL"),
        ),
        made=made,
    )
