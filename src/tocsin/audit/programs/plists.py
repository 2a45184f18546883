"""Lists of properties of Apple's programs (`Info.plist`), as XML and in their binary form.

Source: Apple, "Information Property List", `CFBundleIdentifier`, `CFBundleName`,
`CFBundleShortVersionString`, `NSHumanReadableCopyright`.
"""

from __future__ import annotations

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import Facts, trace
from tocsin.jurisdiction.vocabulary import MarkerKind

LONGEST = 4 << 20
"""Bytes of a list that is read."""


def read_plist(data: bytes, kind: str = "program") -> Facts | None:
    """What a bundle says of itself, or None where it is no list of a bundle.

    Args:
        data: the list.
        kind: of the component that the bundle is.
    """
    if len(data) > LONGEST:
        return None
    import plistlib

    try:
        fields = plistlib.loads(data)
    except Exception:  # what it raises for malformed lists depends on where they are malformed
        return None
    if not isinstance(fields, dict) or "CFBundleIdentifier" not in fields:
        return None
    words = {str(key): value for key, value in fields.items() if isinstance(value, str)}
    traces: list[Trace] = []
    traces += trace(
        MarkerKind.ANDROID_PACKAGE, words.get("CFBundleIdentifier", ""), "bundle identifier"
    )
    for key in ("NSHumanReadableCopyright", "CFBundleGetInfoString"):
        traces += trace(MarkerKind.COMPANY, words.get(key, ""), f"Info.plist: {key}")
    for key in ("CFBundleName", "CFBundleDisplayName"):
        traces += trace(MarkerKind.TEXT, words.get(key, ""), f"Info.plist: {key}")
    return Facts(
        kind,
        words.get("CFBundleDisplayName") or words.get("CFBundleName") or "",
        words.get("CFBundleShortVersionString") or words.get("CFBundleVersion") or "",
        tuple(traces),
    )
