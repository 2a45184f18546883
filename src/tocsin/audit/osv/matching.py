"""Components held against records: the records of packages that are there, by package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tocsin.audit.model import Advisory, AdvisoryFinding, Component, Skipped
from tocsin.audit.osv.affected import Answer, fixed_versions, is_affected
from tocsin.audit.osv.database import Progress, read
from tocsin.audit.osv.ecosystems import (
    Identity,
    ReleaseUnknown,
    comparable_name,
    identify,
    is_of_release,
)
from tocsin.audit.osv.record import Affected, Record, one_line, published_on

_LINK_KINDS = ("ADVISORY", "WEB", "REPORT", "ARTICLE", "PACKAGE")
_FLAT = re.compile(r"[-_.]+")


class Index:
    """Records by the packages that they are about.

    Args:
        components: whose packages are kept; None: every package.
        system: the distribution of packages that name none, as OSV does: `Debian:12`.

    Attributes:
        undecided: places of components of which it cannot be told whether they are malicious.
    """

    def __init__(self, components: Iterable[Component] | None = None, system: str = "") -> None:
        self._system = system
        self._packages: dict[tuple[str, str], list[tuple[Record, Affected, str]]] = {}
        self._wanted: set[tuple[str, str]] | None = None
        self._folders: set[str] = set()
        self.undecided: dict[str, None] = {}
        if components is not None:
            self._wanted = set()
            for component in components:
                identity = identify(component, system)
                if isinstance(identity, Identity):
                    self._wanted.add((identity.ecosystem, identity.name))
            self._folders = {_folder_name(name) for _, name in self._wanted}

    def may_want(self, _: str, name: str) -> bool:
        """Whether records in a folder of that name may be about a package that is kept."""
        return self._wanted is None or _folder_name(name) in self._folders

    def add(self, record: Record) -> None:
        """Keep a record, if it stands and is about a package that is wanted."""
        if record.withdrawn:
            return
        for stated in record.affected or ():
            if stated.package is None:
                continue
            ecosystem, _, release = stated.package.ecosystem.partition(":")
            key = (ecosystem, comparable_name(ecosystem, stated.package.name))
            if self._wanted is None or key in self._wanted:
                self._packages.setdefault(key, []).append((record, stated, release))

    def find(self, component: Component) -> Iterator[AdvisoryFinding | Skipped]:
        """What records say of a component; what cannot be decided is skipped, with the reason."""
        identity = identify(component, self._system)
        if not isinstance(identity, Identity):
            return
        held = self._packages.get((identity.ecosystem, identity.name), ())
        answers: dict[str, tuple[Record, Answer]] = {}
        for record, stated, release in held:
            if not is_of_release(release, identity.release):
                continue
            answer = is_affected(stated, identity.ecosystem, identity.version)
            known = answers.get(record.id)
            if known is None or answer is Answer.YES or known[1] is Answer.NO:
                answers[record.id] = (record, answer)
        for record, answer in answers.values():
            if answer is Answer.YES:
                yield AdvisoryFinding(component, advisory(record, identity))
        unknown = sorted(name for name, (_, answer) in answers.items() if answer is Answer.UNKNOWN)
        if unknown:
            if any(answers[name][0].is_malicious for name in unknown):
                self.undecided[component.place] = None
            some = ", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else "")
            version = f"version {component.version!r}" if component.version else "without a version"
            about = "advisory is" if len(unknown) == 1 else "advisories are"
            reason = (
                f"{component.name} {version}: whether {len(unknown)} {about} about it "
                f"cannot be told ({some})"
            )
            yield Skipped(component.place, reason)


def match(
    components: Iterable[Component],
    place: Path,
    system: str = "",
    progress: Progress | None = None,
) -> Iterator[AdvisoryFinding | Skipped]:
    """Hold components against a database.

    Args:
        components: all of them.
        place: of the database: a folder, an archive or one record.
        system: the distribution of packages that name none, as OSV does: `Debian:12`.
        progress: told from time to time how many records were read.

    Yields:
        What was found, and what was not looked at.
    """
    held = list(components)
    index = Index(held, system)
    for one in read(place, index.may_want, progress):
        if isinstance(one, Skipped):
            yield one
        else:
            index.add(one)
    yield from without_release(held, place, system)
    for component in held:
        yield from index.find(component)


def without_release(components: Iterable[Component], place: Path, system: str) -> Iterator[Skipped]:
    """Say how many packages of distributions cannot be asked about."""
    counts: dict[str, int] = {}
    for component in components:
        identity = identify(component, system)
        if isinstance(identity, ReleaseUnknown):
            counts[identity.family] = counts.get(identity.family, 0) + 1
    for family, count in sorted(counts.items()):
        reason = (
            f"{count:,} {family} packages are held against nothing, since which distribution and "
            "release they are of is not told; name it as OSV does, such as 'Debian:12'"
        )
        yield Skipped(str(place), reason)


def advisory(record: Record, identity: Identity) -> Advisory:
    """What a record says, in short."""
    about = [
        stated
        for stated in record.affected or ()
        if stated.package is not None
        and stated.package.ecosystem.partition(":")[0] == identity.ecosystem
        and comparable_name(identity.ecosystem, stated.package.name) == identity.name
        and is_of_release(stated.package.ecosystem.partition(":")[2], identity.release)
    ]
    return Advisory(
        id=record.id,
        aliases=tuple(record.aliases or ()),
        is_malicious=record.is_malicious,
        summary=one_line(record),
        published=published_on(record),
        fixed=fixed_versions(about),
        link=_link(record),
    )


def _link(record: Record) -> str:
    references = record.references or []
    for kind in _LINK_KINDS:
        for reference in references:
            if reference.type == kind and reference.url.startswith(("https://", "http://")):
                return reference.url[:2_000]
    return ""


def _folder_name(name: str) -> str:
    """A package's name as loosely as folders may write it."""
    return _FLAT.sub("-", name.lower().replace(":", "/"))
