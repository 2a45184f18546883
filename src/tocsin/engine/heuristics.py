"""What is worth an alarm without a signature, when the user asks for it.

The names are those of clamscan's options `--alert-encrypted` and `--alert-macros`, so that
rules of mail gateways that know them go on working.
"""

from __future__ import annotations

from tocsin.engine.options import Options
from tocsin.unpack.interface import Reason, Remark, Skipped, Trait

_ENCRYPTED = {
    "ZIP": "Zip",
    "ZIPSFX": "Zip",
    "RAR": "RAR",
    "RARSFX": "RAR",
    "7Z": "7Zip",
    "7ZSFX": "7Zip",
    "ARJ": "ARJ",
    "ALZ": "ALZ",
    "EGG": "EGG",
    "PDF": "PDF",
    "MSOLE2": "OLE2",
    "MAIL": "Mail",
}


_DOCUMENTS = frozenset({"PDF", "MSOLE2", "OOXML_WORD", "OOXML_XL", "OOXML_PPT"})


def alert_on_skipped(skipped: Skipped, container_type: str, options: Options) -> str:
    """Name of the alarm for a member that could not be had, or an empty string."""
    if skipped.reason is not Reason.ENCRYPTED:
        return ""
    return _alert_on_encrypted(container_type, options)


def alert_on_remark(remark: Remark, container_type: str, options: Options) -> str:
    """Name of the alarm for what is remarkable about a container, or an empty string."""
    if remark.trait is Trait.MACROS and options.alert_macros:
        kind = "XLM" if "Excel 4" in remark.detail else "VBA"
        return f"Heuristics.OLE2.ContainsMacros.{kind}"
    if remark.trait is Trait.ENCRYPTED_DOCUMENT:
        return _alert_on_encrypted(container_type, options)
    return ""


def _alert_on_encrypted(container_type: str, options: Options) -> str:
    wanted = (
        options.alert_encrypted_documents
        if container_type in _DOCUMENTS
        else options.alert_encrypted_archives
    )
    if not wanted:
        return ""
    return f"Heuristics.Encrypted.{_ENCRYPTED.get(container_type, container_type.capitalize())}"
