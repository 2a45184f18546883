"""Whether an environment is what its wheels make of it: compared file by file, nothing written.

The wheels that it was installed from are kept by their digests, which the log entry names. So
they are installed once more, by the same library, into a destination that compares instead of
writing: with the commands that it generates and the RECORD that it ends with. A compiled file is
looked at for whose it is, not for what is in it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.records import Hash, InvalidRecordEntry, RecordEntry, parse_record_file
from installer.scripts import Script
from installer.sources import WheelFile
from packaging.utils import canonicalize_name

from tocsin.updates.errors import WheelError
from tocsin.updates.receive.environment import INSTALLER, Wheel, opened, places_of, python_of
from tocsin.updates.wheels import ARCHIVE_ERRORS

_BLOCK = 1 << 20
_COMPILED = re.compile(r"(.+)\.cpython-\d+(\.opt-\d)?\.pyc\Z")
_MOST_RECORD = 64 << 20


class Compared(NamedTuple):
    """What came of it.

    Attributes:
        files: that belong there, as they are.
        wrong: that are missing or changed.
    """

    files: frozenset[Path]
    wrong: tuple[Path, ...]


def compare(wheel: Wheel, folder: Path) -> Compared:
    """Compare an environment with one of its wheels.

    Args:
        wheel: as the log entry has it.
        folder: of the environment, where it is used.

    Raises:
        ContentRefused: the wheel is not what was signed.
        WheelError: it is damaged.
        OSError: it cannot be read.
    """
    destination = _Comparing(
        places_of(folder, wheel.name.project),
        interpreter=str(python_of(folder)),
        script_kind="posix",
    )
    with opened(wheel) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                archive.filename = wheel.name.file
                install(WheelFile(archive), destination, INSTALLER)
        except (InstallerError, AssertionError, *ARCHIVE_ERRORS) as error:
            raise WheelError(f"{wheel.name.file}: {error}") from error
    return Compared(frozenset(destination.files), tuple(destination.wrong))


class _Comparing(SchemeDictionaryDestination):
    """Compares what would be written with what is there."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.files: set[Path] = set()
        self.wrong: list[Path] = []

    def write_to_fs(
        self, scheme: Any, path: str, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        del is_executable
        place = self._path_with_destdir(scheme, path)
        state, size = hashlib.sha256(), 0
        while block := stream.read(_BLOCK):
            state.update(block)
            size += len(block)
        self.files.add(place)
        if not _has(place, state.digest(), size):
            self.wrong.append(place)
        return RecordEntry(path, Hash("sha256", _as_recorded(state.digest())), size)

    def write_script(self, name: str, module: str, attr: str, section: Any) -> RecordEntry:
        script, data = Script(name, module, attr, section).generate(
            self.interpreter, self.script_kind
        )
        return self.write_to_fs("scripts", script, io.BytesIO(data), is_executable=True)


def compare_record(project: str, folder: Path) -> Compared | None:
    """Compare files with the RECORD that lies beside them, where their wheel is not kept.

    Args:
        project: name of it, normalised.
        folder: of the environment.

    Returns:
        None when there is no such RECORD.
    """
    library = Path(places_of(folder, project)["purelib"])
    found = [
        place
        for place in library.glob("*.dist-info/RECORD")
        if canonicalize_name(place.parent.name.partition("-")[0]) == project
    ]
    if len(found) != 1 or found[0].stat().st_size > _MOST_RECORD:
        return None
    files, wrong = {found[0]}, []
    try:
        for row in parse_record_file(found[0].read_text("utf-8").splitlines()):
            entry = RecordEntry.from_elements(*row)
            place = Path(os.path.abspath(library / entry.path))
            files.add(place)
            if entry.hash_ is not None and not _recorded(entry, place):
                wrong.append(place)
    except (InvalidRecordEntry, UnicodeDecodeError, ValueError):
        wrong.append(found[0])
    return Compared(frozenset(files), tuple(wrong))


def strangers(folder: Path, known: Collection[Path], own: Collection[str]) -> Iterator[Path]:
    """Files of an environment that no wheel brought and that are not the environment's own.

    Args:
        folder: of the environment.
        known: files that wheels brought.
        own: names of other files in the folder itself that belong there.
    """
    for root, folders, names in os.walk(folder):
        at = Path(root)
        links = [name for name in folders if (at / name).is_symlink()]
        for name in (*names, *links):
            place = at / name
            if place in known or _is_environments(folder, place, own):
                continue
            compiled = _COMPILED.match(name) if at.name == "__pycache__" else None
            if compiled is None or at.parent / f"{compiled[1]}.py" not in known:
                yield place


def _is_environments(folder: Path, place: Path, own: Collection[str]) -> bool:
    """Whether `venv` made it: its settings, and links to the interpreter."""
    inside = place.relative_to(folder).parts
    if len(inside) == 1:
        return (
            inside[0] in own
            or inside[0] == "pyvenv.cfg"
            or (inside[0] == "lib64" and place.is_symlink())
        )
    return (
        len(inside) == 2
        and inside[0] == "bin"
        and inside[1].startswith("python")
        and place.is_symlink()
    )


def _has(place: Path, digest: bytes, size: int) -> bool:
    try:
        with place.open("rb") as file:
            held = hashlib.file_digest(file, "sha256").digest()
            return hmac.compare_digest(held, digest) and file.tell() == size
    except OSError:
        return False


def _recorded(entry: RecordEntry, place: Path) -> bool:
    try:
        with place.open("rb") as file:
            return entry.validate_stream(file)
    except OSError:
        return False


def _as_recorded(digest: bytes) -> str:
    """A digest as RECORD has it (PEP 376; base64 for URLs, without padding)."""
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
