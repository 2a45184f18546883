"""What the dictionaries of a PDF do: scripts, links, programs, files and their names.

Collected from every dictionary of every object, without following the document's structure,
because a viewer may be led there on ways that are no structure (superseded objects, objects
of a hidden stream).

Source: ISO 32000-1, 7.11 (files), 12.6 (actions); ISO 32000-2.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeGuard

from tocsin.unpack.pdf_syntax import Name, Ref, Value, Word

TELLTALE = re.compile(
    rb"/(?:JS|URI|EF|Launch|SubmitForm|GoTo[ER]|URL|OpenAction|AA|ImportData|Ren|Rich|Encrypt|Root)|#"
)
"""What an object's text must hold to be worth parsing; `#` may hide any of the others."""

MOST_FINDINGS = 100_000
"""Of each sort that are kept."""

_MOST_TRAILERS = 10
"""Trailers that are asked for encryption: trying passwords takes time."""

_FILE_NAMES = (b"UF", b"F", b"Unix", b"DOS", b"Mac")
_ACTS = {
    b"JavaScript": "runs JavaScript",
    b"Launch": "launches a program",
    b"SubmitForm": "sends its form",
    b"ImportData": "imports data from a file",
    b"GoToE": "opens a document embedded in it",
    b"GoToR": "opens another document",
    b"URI": "opens an address",
    b"Rendition": "plays media",
    b"RichMediaExecute": "runs a command of embedded media",
}
"""What an action does, by its name. Source: ISO 32000-1, table 198."""

_QUIET = (b"URI", b"GoToR")
"""Actions that stand for links: remarked on only where they act by themselves."""


class Text(NamedTuple):
    """A string, and the object by whose key it may be encrypted."""

    value: bytes
    owner: Ref | None


class Findings:
    """Collects from dictionaries.

    Attributes:
        scripts: JavaScript as strings.
        script_refs: numbers of objects that hold JavaScript.
        addresses: addresses of links, forms and other documents.
        address_refs: numbers of objects that hold such addresses.
        file_names: by number of an embedded file's stream, its name.
        acts: what actions do, by the number of their object, or by 0.
        openers: targets of what acts by itself, with its key.
        remarks: what is to be remarked on: words, and a string that goes with them.
        encryptions: what is said of encryption in what may be a trailer.
        identifiers: first parts of the file's identifier.
        plain_trailers: trailers that say nothing of encryption.
        full: whether there was more than is kept.
    """

    def __init__(self) -> None:
        self.scripts: list[Text] = []
        self.script_refs: set[int] = set()
        self.addresses: list[Text] = []
        self.address_refs: set[int] = set()
        self.file_names: dict[int, Text] = {}
        self.acts: dict[int, bytes] = {}
        self.openers: list[tuple[bytes, int]] = []
        self.remarks: list[tuple[str, tuple[Text, ...]]] = []
        self.encryptions: list[Value] = []
        self.identifiers: list[bytes] = []
        self.plain_trailers = 0
        self.full = False

    def look(self, found: dict[bytes, Value], owner: Ref | None, number: int) -> None:
        """Look at one dictionary.

        Args:
            found: the dictionary.
            owner: the object by whose key its strings may be encrypted, or None.
            number: of the object it is in.
        """
        if max(len(self.scripts), len(self.addresses), len(self.remarks)) > MOST_FINDINGS:
            self.full = True
            return
        if b"JS" in found:
            self._script(found[b"JS"], owner)
        if b"URI" in found:
            self._address(found[b"URI"], owner)
        if b"EF" in found:
            self._files(found, owner)
        if found.get(b"FS") == b"URL" and b"F" in found:
            self._address(found[b"F"], owner)
        for key in (b"OpenAction", b"AA"):
            if key in found:
                self._opener(key, found[key])
        action = found.get(b"S")
        if isinstance(action, Name) and action in _ACTS:
            self._action(action, found, owner, number)
        if b"Root" in found and (b"Size" in found or b"ID" in found or b"Encrypt" in found):
            self._trailer(found)

    def _script(self, value: Value, owner: Ref | None) -> None:
        if isinstance(value, Ref):
            self.script_refs.add(value.number)
        elif is_string(value):
            self.scripts.append(Text(value, owner))

    def _address(self, value: Value, owner: Ref | None) -> None:
        if isinstance(value, Ref):
            self.address_refs.add(value.number)
        elif is_string(value) and value:
            self.addresses.append(Text(value, owner))

    def _files(self, found: dict[bytes, Value], owner: Ref | None) -> None:
        files = found[b"EF"]
        name = next((found[key] for key in _FILE_NAMES if is_string(found.get(key))), b"")
        if isinstance(files, dict) and isinstance(name, bytes):
            for value in files.values():
                if isinstance(value, Ref) and len(self.file_names) < MOST_FINDINGS:
                    self.file_names[value.number] = Text(name, owner)

    def _opener(self, key: bytes, value: Value) -> None:
        targets = list(value.values()) if key == b"AA" and isinstance(value, dict) else [value]
        for target in targets:
            if isinstance(target, Ref):
                self.openers.append((key, target.number))
            elif isinstance(target, dict):
                action = target.get(b"S")
                if isinstance(action, Name) and action in _ACTS:
                    self.remarks.append((_by_itself(key, action), ()))

    def _action(
        self, action: Name, found: dict[bytes, Value], owner: Ref | None, number: int
    ) -> None:
        self.acts.setdefault(number, bytes(action))
        targets = tuple(Text(text, owner) for text in _targets(found))
        if action in (b"SubmitForm", b"GoToR", b"ImportData"):
            self.addresses += targets[:1]
        if action not in _QUIET:
            self.remarks.append((_ACTS[bytes(action)], targets))

    def _trailer(self, found: dict[bytes, Value]) -> None:
        if b"Encrypt" in found and found[b"Encrypt"] != b"null":
            if found[b"Encrypt"] in self.encryptions:
                pass
            elif len(self.encryptions) < _MOST_TRAILERS:
                self.encryptions.append(found[b"Encrypt"])
            else:
                self.full = True
        else:
            self.plain_trailers += 1
        identifier = found.get(b"ID")
        first = identifier[0] if isinstance(identifier, list) and identifier else None
        if is_string(first) and first not in self.identifiers[:_MOST_TRAILERS]:
            self.identifiers.append(first)

    def self_acting(self) -> list[str]:
        """What acts by itself through a reference, in words."""
        return [
            _by_itself(key, self.acts[number])
            for key, number in dict.fromkeys(self.openers)
            if number in self.acts
        ]


def is_string(value: Value | None) -> TypeGuard[bytes]:
    """Whether a value is a string, not a name or a bare word."""
    return isinstance(value, bytes) and not isinstance(value, Name | Word)


def _by_itself(key: bytes, action: bytes) -> str:
    when = "when it is opened" if key == b"OpenAction" else "upon an event"
    return f"{_ACTS[bytes(action)]} {when}"


def _targets(found: dict[bytes, Value]) -> list[bytes]:
    """The file, program or address that an action is about, and its parameters."""
    for key in (b"Win", b"Mac", b"Unix", b"F"):
        value = found.get(key)
        if isinstance(value, dict):
            parts = [value.get(name) for name in (b"F", b"UF", b"P")]
            texts = [part for part in parts if is_string(part)]
            if texts:
                return list(dict.fromkeys(texts))
        elif is_string(value):
            return [value]
    return []
