r"""What `rpm -qa` prints: names alone, `-qai` in blocks, or with the query format given here.

rpm -qa --queryformat '%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{VENDOR}\t
%{PACKAGER}\t%{URL}\t%{SOURCERPM}\t%{BUILDTIME}\n'       (in one line)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from tocsin.audit.model import Skipped
from tocsin.audit.packages.rpm_header import from_fields
from tocsin.audit.packages.stanzas import lines
from tocsin.audit.source import Found, Source, content, reader, text

COLUMNS = (
    "name", "epoch", "version", "release", "arch", "vendor", "packager", "url", "sourcerpm",
    "buildtime",
)  # fmt: skip
QUERY_FORMAT = "\\t".join(f"%{{{name.upper()}}}" for name in COLUMNS) + "\\n"
_NVRA = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._+~-]*)-(?:(?P<epoch>\d+):)?(?P<version>[^-\s:]+)"
    r"-(?P<release>[^-\s]+?)"
    r"(?:\.(?P<arch>noarch|x86_64(?:_v\d)?|i[3-6]86|aarch64|armv7hn?l|ppc64(?:le)?|s390x?|"
    r"riscv64|loongarch64|mips64el|athlon|geode|src|\(none\)))?\Z"
)
_INFORMATION = re.compile(r"([A-Z][A-Za-z ]{2,16}?)\s*: ?(.*)")
_INFORMATION_NAMES = {
    "Architecture": "arch", "Source RPM": "sourcerpm", "Build Date": "builddate",
}  # fmt: skip


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a list of installed packages, each line or block by its form."""
    fields: dict[str, str] = {}
    is_description = False
    for number, line in enumerate(lines(text(content(source))), 1):
        if "\t" in line:
            yield from_fields(dict(zip(COLUMNS, line.split("\t"), strict=False)), place)
            continue
        if line.startswith("Name") and line[4:].lstrip().startswith(":"):
            if fields:
                yield _block(fields, place)
            fields, is_description = {}, False
        found = _INFORMATION.match(line)
        if found is not None and not is_description:
            key = found[1].strip()
            is_description = key == "Description"
            name = _INFORMATION_NAMES.get(key, key.lower())
            fields.setdefault(name, found[2].strip())
        elif not fields and line.strip():
            listed = parse_name(line.strip())
            if listed is None:
                yield Skipped(place, f"line {number:,} is no package as rpm prints it")
            else:
                yield from_fields(listed, place)
    if fields:
        yield _block(fields, place)


def parse_name(word: str) -> dict[str, str] | None:
    """The fields of `name-version-release.architecture`; None for what is none."""
    found = _NVRA.match(word) if len(word) < 1024 else None
    return None if found is None else {k: v for k, v in found.groupdict().items() if v}


def _block(fields: dict[str, str], place: str) -> Found:
    built = fields.pop("builddate", "")
    for form in ("%a %d %b %Y %I:%M:%S %p %Z", "%a %b %d %H:%M:%S %Y", "%a %d %b %Y %H:%M:%S"):
        try:
            at = datetime.strptime(built, form)
        except ValueError:
            continue
        fields["buildtime"] = str(int(at.timestamp()))
        break
    return from_fields(fields, place)
