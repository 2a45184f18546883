"""One top-level object and everything inside it, scanned under one budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tocsin.database.index import Index
from tocsin.engine.digests import Digests, digest_names, executable_names
from tocsin.engine.findings import HEURISTIC, Findings, Layer, Match
from tocsin.engine.heuristics import alert_on_remark, alert_on_skipped
from tocsin.engine.identify import TypeRules
from tocsin.engine.mailbox import is_mailbox, message_label
from tocsin.engine.member_match import matching_members
from tocsin.engine.options import Options
from tocsin.engine.pattern_match import matching_signatures
from tocsin.engine.report import MEMBER_MARK
from tocsin.engine.view import ObjectView
from tocsin.engine.yara_match import YaraScanner
from tocsin.errors import FormatError, LimitReached, ScanError
from tocsin.formats.identify import TYPE_NAMES
from tocsin.unpack import find_unpackers
from tocsin.unpack.interface import Budget, Hint, Item, Member, Reason, Remark, Skipped, View
from tocsin.unpack.passwords import USUAL

SMALLEST_OBJECT = 6
"""Objects of fewer bytes are not looked at; clamscan's bound, which its signatures assume."""

WITH_FORMS = frozenset(
    {"HTML", "HTML_UTF16", "TEXT_ASCII", "TEXT_UTF8", "TEXT_UTF16LE", "TEXT_UTF16BE", "SCRIPT"}
)
"""Types that are brought into other forms in any depth, and opened only where that is allowed."""


def first_passwords(options: Options, database: Index) -> list[bytes]:
    """Passwords to try before a mail's text gives others: the user's, the database's, usual."""
    return [*options.passwords, *(entry[2] for entry in database.passwords), *USUAL]


class _Inside(NamedTuple):
    """Where what comes out of a container is.

    Attributes:
        container: the object it came out of.
        types: types of the containers around it, the outermost first, for signatures that ask.
        kind: what the container was opened as.
        depth: how many layers down it lies.
    """

    container: Layer
    types: tuple[str, ...]
    kind: str
    depth: int


_BEHIND_OTHER_BYTES = {
    "ZIPSFX": "ZIP",
    "RARSFX": "RAR",
    "7ZSFX": "7Z",
    "CABSFX": "MSCAB",
    "ARJSFX": "ARJ",
}


def _with_layer(types: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """Types of the containers around what comes out of an object opened as a kind.

    Signatures know ClamAV's types; to them what is found by other means lies in the object.
    """
    kind = _BEHIND_OTHER_BYTES.get(kind, kind)
    return types if kind == types[-1] or kind not in TYPE_NAMES else (*types, kind)


class TreeScan:
    """Scans an object, opens it, and scans what is inside.

    Args:
        database: what to match with.
        options: how to scan.
        types: how objects are identified.
        yara: the YARA rules, when there are any.
        findings: where results go.
    """

    def __init__(
        self,
        database: Index,
        options: Options,
        types: TypeRules,
        yara: YaraScanner | None,
        findings: Findings,
    ) -> None:
        self._database = database
        self._options = options
        self._types = types
        self._yara = yara
        self._findings = findings
        self._budget = Budget(options.limits)
        self._opened: set[tuple[tuple[str, ...], int, int]] = set()
        self._around: list[tuple[int, int]] = []
        self._passwords = first_passwords(options, database)

    def scan(self, data: bytes, layer: Layer) -> None:
        """Scan a top-level object.

        Raises:
            Enough: the first detection was made and no other is wanted.
        """
        type_name = self._types.identify(data) if data else ""
        self._findings.report.type_name = type_name
        try:
            self._budget.charge_file()
        except LimitReached as error:
            self._findings.skip(layer.name, "limit", str(error))
            return
        self._object(data, layer, (), 1, type_name)

    def _object(
        self,
        data: bytes,
        layer: Layer,
        parents: tuple[str, ...],
        depth: int,
        type_name: str = "",
    ) -> None:
        if len(data) < SMALLEST_OBJECT:
            return
        type_name = type_name or self._types.identify(data)
        self._findings.report.bytes_scanned += len(data)
        try:
            for match in self._matches(data, layer, type_name, parents):
                layer.matched.add((match.name, match.source))
                self._findings.add(layer, match, self._place(data, match))
        except LimitReached as error:
            self._findings.skip(layer.name, "limit", str(error))
        except ScanError as error:
            self._findings.skip(layer.name, "damaged", str(error))
        self._open(data, layer, (*parents, type_name), depth + 1)

    def _place(self, data: bytes, match: Match) -> str:
        """Where inside the object a person should look: of a mailbox, the message."""
        if match.offset is None or not is_mailbox(data):
            return ""
        return message_label(data, match.offset)

    def _matches(
        self, data: bytes, layer: Layer, type_name: str, parents: tuple[str, ...]
    ) -> Iterator[Match]:
        """What matches the object itself: digests, then patterns, then rules."""
        for name in digest_names(self._database, "file", layer.digests, len(data)):
            yield Match(name.name, name.source, pua=name.pua)
        if type_name == "MSEXE":
            for name in executable_names(self._database, data):
                yield Match(name.name, name.source, pua=name.pua)
        view = ObjectView(data, type_name, parents, self._budget.check_time, raw=True)
        for found in matching_signatures(self._database, view):
            yield Match(found.name, found.source, found.offset, found.pua)
        if self._yara is not None:
            for rule in self._yara.matches(data, layer.name, self._options.limits.timeout):
                yield Match(
                    rule.name,
                    rule.source,
                    rule.offset,
                    level=rule.level,
                    author=rule.author,
                    licence=rule.licence,
                    yara=True,
                )

    def _open(self, data: bytes, layer: Layer, types: tuple[str, ...], depth: int) -> None:
        """Open an object in every way there is; the same bytes in the same place only once.

        A container that is there many times, as in a nest of archives made to be endless,
        has nothing new inside the second time. One that stands inside itself is not entered
        again; an archive is made so to be endless, but the memory of a packed program may
        hold the program as it was.
        """
        same = (len(data), hash(data))
        if same in self._around and types[-1] != "MSEXE":
            self._findings.skip(layer.name, "limit", "it contains itself, without end")
        if same in self._around or (types, *same) in self._opened:
            return
        self._opened.add((types, *same))
        self._around.append(same)
        try:
            self._open_each(data, layer, types, depth)
        finally:
            self._around.pop()

    def _open_each(self, data: bytes, layer: Layer, types: tuple[str, ...], depth: int) -> None:
        """Open an object in every way there is."""
        for kind, unpacker in find_unpackers(data, types[-1]):
            if kind in self._options.closed:
                continue
            inside = _Inside(layer, _with_layer(types, kind), kind, depth)
            passwords = self._passwords
            try:
                if kind not in WITH_FORMS:
                    self._budget.check_depth(depth)
                for item in unpacker.members(data, self._budget, passwords):
                    self._item(item, inside)
            except LimitReached as error:
                self._findings.skip(layer.name, "limit", str(error))
                return
            except FormatError as error:
                self._findings.skip(layer.name, "damaged", str(error))
            finally:
                self._passwords = passwords  # what a message hints at is for what it carries

    def _item(self, item: Item, inside: _Inside) -> None:
        container, types, kind, depth = inside
        if isinstance(item, View):
            self._view(item, container, types)
        elif isinstance(item, Hint):
            self._passwords = [*item.passwords, *self._passwords]
        elif isinstance(item, Remark):
            self._findings.remark(container, item)
            self._alert(container, alert_on_remark(item, kind, self._options))
        else:
            self._budget.check_depth(depth)
            self._member(item, inside)

    def _alert(self, layer: Layer, name: str) -> None:
        if name:
            self._findings.add(layer, Match(name, HEURISTIC))

    def _view(self, view: View, layer: Layer, types: tuple[str, ...]) -> None:
        """Match the object in another form, which stands where the object itself stands.

        A signature is reported once for an object, whatever form it was found in.
        """
        for match in self._view_matches(view, types[:-1]):
            if (match.name, match.source) not in layer.matched:
                layer.matched.add((match.name, match.source))
                self._findings.add(layer, match, view.name)

    def _view_matches(self, view: View, parents: tuple[str, ...]) -> Iterator[Match]:
        digests = Digests(view.data)
        for name in digest_names(self._database, "file", digests, len(view.data)):
            yield Match(name.name, name.source, pua=name.pua)
        shown = ObjectView(view.data, view.type_name, parents, self._budget.check_time)
        for found in matching_signatures(self._database, shown):
            yield Match(found.name, found.source, found.offset, found.pua)

    def _member(self, member: Member | Skipped, inside: _Inside) -> None:
        container, types, kind, depth = inside
        name = f"{container.name}{MEMBER_MARK}{member.name or member.position}"
        for found in matching_members(self._database, member, (kind, types[-1]), container.size):
            self._findings.add(container, Match(found.name, found.source, pua=found.pua))
        if isinstance(member, Skipped):
            if member.reason is Reason.DUPLICATE:
                return  # the same bytes under another name: looked at already
            self._alert(container, alert_on_skipped(member, kind, self._options))
            self._findings.skip(name, member.reason.value, member.detail)
            return
        if not member.complete:
            cut = "(--" in member.note  # a limit is named by its option
            self._findings.skip(name, "limit" if cut else "damaged", member.note)
        layer = Layer(name, Digests(member.data), len(member.data), container)
        self._object(member.data, layer, types, depth, member.type_name)
