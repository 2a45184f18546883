"""From the fields of a list to `Trace`s: names, hosts, CPE vendors, what a package URL tells."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from urllib.parse import unquote

from tocsin.audit.model import Trace
from tocsin.audit.purl import Purl, full_name
from tocsin.jurisdiction.vocabulary import MarkerKind

MOST_CHARACTERS = 500
"""Of a word; what is longer is no name, and is cut."""

MOST_TRACES = 200
"""Of one component."""

_NOTHING = frozenset({"", "noassertion", "none", "unknown", "n/a", "null"})
_LONGEST_NOTHING = max(map(len, _NOTHING))
_KEPT = 1 << 14
"""Words whose host is remembered: one list names few places, many times."""

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#\\@]*@)?([^/?#\\:@]+)")
_BARE_HOST = re.compile(r"(?:[^@/\s:]+@)?((?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]+)(?=[/:?#]|\Z)")
_MAIL = re.compile(
    r"[^\s<>()\[\]:;,@\"]{1,64}@((?:[A-Za-z0-9_-]{1,63}\.)+[A-Za-z][A-Za-z0-9-]{1,62})"
)
_ESCAPED = re.compile(r"\\(.)")
_CPE_PARTS = re.compile(r"(?<!\\):")


def clean(value: object) -> str:
    """A word without what stands for "not told", cut to what a name may have."""
    if not isinstance(value, str):
        return ""
    if len(value) > MOST_CHARACTERS:
        value = value[: MOST_CHARACTERS * 4].strip()[:MOST_CHARACTERS]
    word = value.strip()
    return "" if len(word) <= _LONGEST_NOTHING and word.lower() in _NOTHING else word


def named(value: object, where: str) -> list[Trace]:
    """Of whoever made or supplies something; a mail address in it gives its host as well."""
    word = clean(value)
    if not word:
        return []
    found = [Trace(MarkerKind.SUPPLIER_NAME, word, where)]
    if "@" in word:
        found += mail_hosts(word, where)
    if "://" in word:
        found += host(word, where)
    return found


def mail_hosts(value: object, where: str) -> list[Trace]:
    """The hosts of mail addresses in a text."""
    word = clean(value)
    return [
        Trace(MarkerKind.HOST, host.lower(), f"{where}, mail address")
        for host in dict.fromkeys(_MAIL.findall(word))
    ]


def host(value: object, where: str) -> list[Trace]:
    """The host of an address, with or without a scheme."""
    word = clean(value)
    found = _host_of(word) if word else ""
    return [Trace(MarkerKind.HOST, found, where)] if found else []


@functools.lru_cache(_KEPT)
def _host_of(word: str) -> str:
    found = _AUTHORITY.search(word) or _BARE_HOST.match(word)
    return found[1].lower().rstrip(".") if found is not None else ""


def hosts(values: object, where: str) -> list[Trace]:
    """The hosts of a list of addresses."""
    if isinstance(values, str):
        return host(values, where)
    if not isinstance(values, list):
        return []
    return [trace for value in values[:MOST_TRACES] for trace in host(value, where)]


def cpe_vendor(value: object, where: str) -> list[Trace]:
    """The vendor in a CPE name: a URI (CPE 2.2) or a formatted string (NISTIR 7695, 6.1, 6.2)."""
    word = clean(value)
    start = word[:8].lower()
    if start.startswith("cpe:2.3:"):
        parts = _CPE_PARTS.split(word, 4) if "\\" in word else word.split(":", 4)
        vendor = parts[3] if len(parts) > 3 else ""
        vendor = _ESCAPED.sub(r"\1", vendor) if "\\" in vendor else vendor
    elif start.startswith("cpe:/"):
        parts = word[5:].split(":")
        vendor = unquote(parts[1]) if len(parts) > 1 else ""
    else:
        return []
    return [Trace(MarkerKind.CPE_VENDOR, vendor.lower(), where)] if vendor not in "*-" else []


def of_purl(purl: Purl, where: str = "package URL") -> list[Trace]:
    """What a package URL tells."""
    found = [Trace(MarkerKind.PACKAGE, f"{purl.type}:{full_name(purl)}"[:MOST_CHARACTERS], where)]
    if purl.type == "npm" and purl.namespace:
        scope = purl.namespace if purl.namespace.startswith("@") else f"@{purl.namespace}"
        found.append(Trace(MarkerKind.NPM_SCOPE, scope[:MOST_CHARACTERS], where))
    elif purl.type == "swid" and purl.namespace:
        creator, _, regid = purl.namespace.partition("/")
        found += named(creator, f"{where}, SWID creator") + host(regid, f"{where}, SWID creator")
    for key, value in purl.qualifiers:
        if key.endswith("_url"):
            found += host(value, f"{where}, {key}")
    return found


def of_package(kind: str, name: str) -> list[Trace]:
    """The mark that a package's own name is."""
    found = [Trace(MarkerKind.PACKAGE, f"{kind}:{name}"[:MOST_CHARACTERS], "package name")]
    if kind == "npm" and name.startswith("@") and "/" in name:
        scope = name.partition("/")[0][:MOST_CHARACTERS]
        found.append(Trace(MarkerKind.NPM_SCOPE, scope, "package name"))
    return found


def told(*groups: Iterable[Trace]) -> tuple[Trace, ...]:
    """All of them once, in the order in which they were found, as many as a component may have."""
    seen = dict.fromkeys(trace for group in groups for trace in group)
    return tuple(seen) if len(seen) <= MOST_TRACES else tuple(seen)[:MOST_TRACES]
