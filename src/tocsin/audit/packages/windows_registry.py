r"""Windows programs as the registry lists them: the keys under `…\CurrentVersion\Uninstall`.

Exports of regedit and `reg export` (`.reg`, in UTF-16 or, for REGEDIT4, in a code page), and what
`reg query … /s` prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.audit.model import Component, Trace
from tocsin.audit.packages.stanzas import lines
from tocsin.audit.source import Found, Source, Unreadable, content, has_replaced, reader, text
from tocsin.audit.traces import clean, host, mail_hosts, of_package, told
from tocsin.jurisdiction.vocabulary import MarkerKind

MOST_VALUES = 1_000
MOST_VALUE = 1 << 16
_KEY = re.compile(r"\[?(-?)(HKEY_[A-Z_]+\\[^\r\n]*?|HK(?:LM|CU|U|CR)\\[^\r\n]*?)\]?\s*\Z")
_UNINSTALL = re.compile(r"\\CurrentVersion\\Uninstall\\([^\\]+)\Z", re.I)
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"=(.*)\Z', re.S)
_QUERIED = re.compile(r" {4}(\S.*?) {4}REG_(SZ|EXPAND_SZ) {4}(.*)\Z")
_ESCAPED = re.compile(r"\\(.)")
_EXPANDED = re.compile(r"hex\((?:2|1|7)\):([0-9a-fA-F,\s]*)")
_ADDRESSES = ("urlinfoabout", "urlupdateinfo", "helplink", "readme")


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the programs of an export."""
    written, is_ansi = _decoded(content(source))
    key = ""
    values: dict[str, str] = {}
    has_keys = False
    for line in _joined(written):
        found = _KEY.match(line)
        if found is not None:
            has_keys = True
            yield from _program(key, values, place)
            key, values = ("" if found[1] else found[2]), {}
        elif key and len(values) < MOST_VALUES:
            name, value = _value(line, is_ansi)
            if name:
                values[name.lower()] = value
    if not has_keys:
        raise Unreadable("no key of the registry in it")
    yield from _program(key, values, place)


def _program(key: str, values: dict[str, str], place: str) -> Iterator[Component]:
    found = _UNINSTALL.search(key)
    name = clean(values.get("displayname"))
    publisher = clean(values.get("publisher"))
    if found is None or not (name or publisher):
        return
    traces: list[Trace] = []
    if publisher:
        traces.append(Trace(MarkerKind.WINGET_PUBLISHER, publisher, "registry, Publisher"))
    traces += of_package("windows", name or found[1])
    for each in _ADDRESSES:
        traces += host(values.get(each), f"registry, {each}")
    traces += mail_hosts(values.get("contact"), "registry, contact")
    yield Component(
        place=place,
        kind="windows",
        name=name or found[1],
        version=clean(values.get("displayversion")),
        traces=told(traces),
        reference=key,
    )


def _decoded(data: bytes) -> tuple[str, bool]:
    """The text, and whether bytes of values in it are of a code page."""
    written = text(data)
    is_ansi = written.lstrip().startswith("REGEDIT4")
    if has_replaced(written) and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("cp1252", "replace"), is_ansi
    return written, is_ansi


def _joined(written: str) -> Iterator[str]:
    """Lines; values in hexadecimal go on after a backslash."""
    held = ""
    for line in lines(written):
        if held:
            line = held + line.strip()
            held = ""
        if line.endswith("\\") and "=hex" in line[:300] and len(line) < MOST_VALUE:
            held = line[:-1]
            continue
        yield line


def _value(line: str, is_ansi: bool) -> tuple[str, str]:
    """Name and text of a value; empty for a line that is none, or no text."""
    queried = _QUERIED.match(line)
    if queried is not None:
        return queried[1], queried[3]
    found = _VALUE.match(line)
    if found is None:
        return "", ""
    name, value = _ESCAPED.sub(r"\1", found[1]), found[2].strip()
    if value.startswith('"'):
        return name, _ESCAPED.sub(r"\1", value[1:].removesuffix('"'))
    expanded = _EXPANDED.match(value)
    if expanded is None:
        return "", ""
    try:
        held = bytes.fromhex(expanded[1].replace(",", " "))
    except ValueError:
        return "", ""
    decoded = held.decode("cp1252" if is_ansi else "utf-16-le", "replace")
    return name, decoded.rstrip("\0").replace("\0", " ")
