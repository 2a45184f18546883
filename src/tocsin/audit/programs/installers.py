"""Windows Installer packages and catalogues of signed files: who signed them, who made them.

Source: MS-CFB; Windows Installer, "Digital Signatures and Windows Installer" (the stream
`DigitalSignature`, with a character 5 before its name), "Summary Property Descriptions"; MS-OLEPS,
2.21 (PropertySet) and 2.15 (TypedPropertyValue). A catalogue is a signature over a list of digests
(1.3.6.1.4.1.311.10.1).
"""

from __future__ import annotations

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import Facts, trace
from tocsin.audit.programs.signatures import Signature, read_signatures
from tocsin.audit.programs.signers import day_signed, signer_traces
from tocsin.errors import FormatError
from tocsin.jurisdiction.vocabulary import MarkerKind
from tocsin.unpack.cfb import CompoundFile
from tocsin.unpack.interface import Budget
from tocsin.unpack.msi import decode_name

_SIGNATURE, _SUMMARY = "\5DigitalSignature", "\5SummaryInformation"
_TABLES = "!_StringPool"
_SUBJECT, _AUTHOR, _KEYWORDS, _COMMENTS = 3, 4, 5, 6
_CODE_PAGE, _LPSTR, _LPWSTR = 1, 30, 31
_MOST_PROPERTIES = 100
_LONGEST_SUMMARY = 1 << 20
_LONGEST_SIGNATURE = 32 << 20

_CATALOGUE = bytes.fromhex("06092b0601040182370a01")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_HEAD = 200


def is_catalogue(data: bytes) -> bool:
    """Whether this is a catalogue of digests, by the two identifiers at its beginning."""
    head = data[:_HEAD]
    return head[:1] == b"\x30" and 0 < head.find(_SIGNED_DATA) < 16 and _CATALOGUE in head


def read_catalogue(data: bytes) -> Facts:
    """Read a catalogue.

    Raises:
        FormatError: its signature is broken.
    """
    signatures = read_signatures(data)
    traces = signer_traces(signatures, "catalogue's")
    return Facts("catalogue", traces=traces, made=day_signed(signatures))


def read_installer(data: bytes, budget: Budget) -> Facts | None:
    """Read a Windows Installer package; None where a compound file is none.

    Raises:
        FormatError: it is no compound file.
        LimitReached: it took too long.
    """
    file = CompoundFile(data, budget)
    streams = file.streams_of(0)
    if not any(decode_name(name) == _TABLES for name in streams):
        return None
    signatures: list[Signature] = []
    trouble: list[str] = []
    if _SIGNATURE in streams:
        try:
            envelope = file.read(streams[_SIGNATURE], _LONGEST_SIGNATURE)
            signatures = read_signatures(envelope)
        except FormatError as error:
            trouble.append(f"its signature cannot be read: {error}")
    words: dict[int, str] = {}
    if _SUMMARY in streams:
        words = summary(file.read(streams[_SUMMARY], _LONGEST_SUMMARY))
    traces: list[Trace] = list(signer_traces(signatures, "Windows Installer package's"))
    traces += trace(MarkerKind.COMPANY, words.get(_AUTHOR, ""), "summary information: Author")
    for number, name in ((_SUBJECT, "Subject"), (_KEYWORDS, "Keywords"), (_COMMENTS, "Comments")):
        traces += trace(MarkerKind.TEXT, words.get(number, ""), f"summary information: {name}")
    return Facts(
        "installer",
        words.get(_SUBJECT, ""),
        traces=tuple(traces),
        made=day_signed(signatures),
        trouble=tuple(trouble),
    )


def summary(data: bytes) -> dict[int, str]:
    """Texts of a property set, by their numbers."""
    start = int.from_bytes(data[44:48], "little")
    count = int.from_bytes(data[start + 4 : start + 8], "little")
    places: dict[int, int] = {}
    for index in range(min(count, _MOST_PROPERTIES)):
        row = data[start + 8 + 8 * index : start + 16 + 8 * index]
        if len(row) == 8:
            number = int.from_bytes(row[:4], "little")
            places.setdefault(number, start + int.from_bytes(row[4:], "little"))
    encoding = "cp1252"
    if _CODE_PAGE in places:
        page = int.from_bytes(data[places[_CODE_PAGE] + 4 : places[_CODE_PAGE] + 6], "little")
        encoding = "utf-8" if page == 65001 else f"cp{page}"
    found: dict[int, str] = {}
    for number, at in places.items():
        kind = int.from_bytes(data[at : at + 4], "little")
        size = min(int.from_bytes(data[at + 4 : at + 8], "little"), 2000)
        if kind == _LPSTR:
            found[number] = _decoded(data[at + 8 : at + 8 + size], encoding)
        elif kind == _LPWSTR:
            found[number] = _decoded(data[at + 8 : at + 8 + 2 * size], "utf-16-le")
    return found


def _decoded(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding, "replace")
    except LookupError:
        text = data.decode("cp1252", "replace")
    return text.partition("\0")[0]
