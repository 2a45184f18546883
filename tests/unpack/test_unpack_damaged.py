"""The good sample of every format, cut off and with bits turned over.

What holds, and what cannot:

- Whatever the damage, an unpacker keeps its contract (`check_contract`), the engine reports no
  defect of its own, and both are done in bounded time.
- A sample that is cut off and still known as its format is `clean` only if everything that
  the whole sample gives came out all the same: then the cut took nothing of it. The formats
  of `UNNOTICED` cannot promise that, each for the reason that stands there; those of `GAPS`
  could, and do not yet.
- A turned bit shows only where a format has a check value over it. Stored data without one
  are other data, and no reader can tell; so nothing is asked of the verdict there.
"""

from __future__ import annotations

import time

import pytest
from damaged_samples import builders, flipped, good, kinds_of, truncated
from unpack_contract import check_contract

from tocsin.database.cache import open_database
from tocsin.engine.object_scan import ObjectScanner
from tocsin.engine.options import Options
from tocsin.engine.report import Report, Verdict
from tocsin.engine.tree import SMALLEST_OBJECT
from tocsin.errors import FormatError, LimitReached
from tocsin.formats.kinds import kinds
from tocsin.unpack import find_unpackers
from tocsin.unpack.interface import Budget, Limits, Member, Reason

MOST_SECONDS = 20
"""Of processor time for one damaged sample."""

_NO_END = "it has no end and states no size: what is left of it is one too"
_PIECES = "each piece in it is whole by itself; a further one might have followed or not"
UNNOTICED: dict[str, str] = {
    "base64_runs": _NO_END,
    "html": _NO_END,
    "html_in_gif": "a page that a picture hides has no end, and pages are shown without one",
    "script": _NO_END,
    "tar": "archives without blocks of zeros at their end are common: a cut between members",
    "mail": "mails without their last boundary are common and not damaged",
    "mbox": _NO_END,
    "compress_z": _NO_END,
    "packed": "a program that is cut off is a program still, and unpacks what it has",
    "embedded": "a program that is cut off is a program still, inside another as by itself",
    "tnef": _PIECES,
    "xlsb_book": _PIECES,
    "xlsb_sheet": _PIECES,
}
"""Samples of which a part may be gone unnoticed, and why nobody could tell."""

_NOTHING = "a cut that leaves 7-Zip nothing to list is not told of"
GAPS: dict[str, str] = {
    "apm": _NOTHING,
    "nsis": "a cut in the last bytes of its data is not told of",
    "uefi": "a volume that is not whole is given as far as it goes",
    "word_xml": "its reader does not ask for the last tag",
    "flat_opc": "its reader does not ask for the last tag",
    "rtf": "its reader does not ask for the last brace",
    "lnk": "its reader does not tell of parts that the flags announce and the file lacks",
    "onenote": "its reader does not compare the size that the header states",
    "resources": "its reader does not tell of values that the count announces",
    "sis": "its reader takes a block that is not whole for none",
    "sis9": "its reader takes a field that is not whole for none",
}
"""Samples of which a part is gone unnoticed though the format would tell."""

each_sample = pytest.mark.parametrize("name", sorted(builders()))


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> ObjectScanner:
    folder = tmp_path_factory.mktemp("signatures")
    (folder / "a.ndb").write_text("Other:0:*:6e6f74207468657265206174\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOCSIN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        database = open_database(folder)
    return ObjectScanner(database, Options(all_matches=True))


def scanned(scanner: ObjectScanner, data: bytes) -> Report:
    started = time.process_time()
    report = scanner.scan_bytes(data, "sample")
    assert time.process_time() - started < MOST_SECONDS
    assert not report.errors
    return report


def objects(scanner: ObjectScanner, data: bytes) -> set[bytes]:
    """The data of all members, however the object is opened; nothing inside these."""
    found: set[bytes] = set()
    for _, unpacker in find_unpackers(data, scanner.identify(data)):
        try:
            for item in unpacker.members(data, Budget(), ()):
                if isinstance(item, Member):
                    found.add(item.data)
        except (FormatError, LimitReached):
            continue
    return found


def known_as(scanner: ObjectScanner, data: bytes, name: str) -> bool:
    """Whether data are still taken for the sample's format."""
    return not set(kinds_of(name)).isdisjoint(kinds(data, scanner.identify(data)))


@each_sample
def test_good_sample(name: str, scanner: ObjectScanner) -> None:
    """What is damaged below is whole before: it is known, and opened without complaint."""
    data = good(name)
    assert known_as(scanner, data, name)
    assert objects(scanner, data)
    for kind in set(kinds_of(name)) & set(kinds(data, scanner.identify(data))):
        outcome = check_contract(kind, data, Limits())
        assert outcome.error is None
        assert all(member.complete for member in outcome.members)
        assert {skip.reason for skip in outcome.skipped} <= {Reason.DUPLICATE}


@each_sample
def test_truncated_sample(name: str, scanner: ObjectScanner) -> None:
    for _, data in truncated(name):
        for kind in kinds_of(name):
            check_contract(kind, data)
        scanned(scanner, data)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(reason=GAPS[name], strict=False))
        if name in GAPS
        else name
        for name in sorted(set(builders()) - set(UNNOTICED))
    ],
)
def test_truncated_sample_is_not_clean(name: str, scanner: ObjectScanner) -> None:
    whole = objects(scanner, good(name))
    for place, data in truncated(name):
        if place < SMALLEST_OBJECT or not known_as(scanner, data, name):
            continue
        if scanned(scanner, data).verdict is Verdict.CLEAN:
            gone = whole - objects(scanner, data)
            assert not gone, f"cut off at byte {place}, it is called clean"


@each_sample
def test_sample_with_a_turned_bit(name: str, scanner: ObjectScanner) -> None:
    for _, data in flipped(name):
        for kind in kinds_of(name):
            check_contract(kind, data)
        scanned(scanner, data)


def test_reasons_are_for_samples_that_exist() -> None:
    assert {*UNNOTICED, *GAPS} <= set(builders())
