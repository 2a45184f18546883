"""Builds a Python environment from verified wheels, with nothing fetched and nothing executed.

The environment is made in one place and used in another: it is built and tried out under a name
that nobody uses, and renamed when it is whole. So whatever has its own place written into it
(the first lines of scripts, the places in compiled files) gets the one it will have.

No pip is in it: nothing that could ask a registry, and on Debian no package that is missing.
Formats: binary distribution format (PyPA, "Installing a wheel"), by the library `installer`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from tocsin.updates.errors import WheelError
from tocsin.updates.receive.download import Progress
from tocsin.updates.receive.errors import ContentRefused, UpdateError
from tocsin.updates.receive.files import refused
from tocsin.updates.statement import WheelEntry
from tocsin.updates.wheels import ARCHIVE_ERRORS, WheelFacts, WheelName, read_facts

INSTALLER = {"INSTALLER": b"tocsin\n"}
"""Who installed it, as its `.dist-info` says (PyPA, "Recording installed projects")."""

_UMASK = 0o022
_LONGEST_COMPILING = 600.0


class Wheel(NamedTuple):
    """A wheel on this device: its name, how the signed manifest has it, and where it is."""

    name: WheelName
    entry: WheelEntry
    place: Path


@contextmanager
def opened(wheel: Wheel) -> Iterator[IO[bytes]]:
    """Open a wheel that is what was signed; it is read through this descriptor and no other.

    Raises:
        ContentRefused: it is not.
    """
    with wheel.place.open("rb") as file:
        state = hashlib.file_digest(file, "sha256")
        length = file.tell()
        same = hmac.compare_digest(state.hexdigest(), wheel.entry.sha256)
        if not same or length != wheel.entry.size:
            raise ContentRefused(
                f"{wheel.name.file}: not the wheel that was signed: SHA-256 {state.hexdigest()} "
                f"instead of {wheel.entry.sha256}"
            )
        file.seek(0)
        yield file


def facts_of(wheel: Wheel) -> WheelFacts:
    """Look into a wheel that is what was signed.

    Raises:
        ContentRefused: it is not.
        WheelError: it is damaged, or its members reach out of it.
    """
    with opened(wheel) as file:
        return read_facts(file, wheel.name)


def build_environment(
    folder: Path, final: Path, wheels: Sequence[Wheel], progress: Progress
) -> None:
    """Make an environment with wheels in it.

    Args:
        folder: where it is made; not there yet.
        final: where it will be.
        wheels: to install.
        progress: told how far it is, in wheels.

    Raises:
        ContentRefused: a wheel is not what was signed.
        WheelError: a wheel cannot be installed.
        NoRoom: the disk is full.
        UpdateError: it cannot be made.
    """
    umask = os.umask(_UMASK)
    try:
        _make(folder)
        for done, wheel in enumerate(wheels):
            progress(f"installing {wheel.name.project}", done, 0)
            _install(wheel, folder, final)
        progress("compiling", 0, 0)
        _compile(folder, final)
    except OSError as error:
        raise refused(error, folder, again="tocsin update software") from error
    finally:
        os.umask(umask)


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def places_of(folder: Path, project: str) -> dict[str, str]:
    """Where the parts of a wheel go in an environment, by the scheme's names.

    Args:
        folder: of the environment.
        project: whose wheel it is.
    """
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    places = {name: paths[name] for name in ("purelib", "platlib", "scripts", "data")}
    return {**places, "headers": str(folder / "include" / project)}


def _make(folder: Path) -> None:
    try:
        import venv
    except ImportError as error:
        raise UpdateError(
            f"{sys.executable} has no module venv ({error}); on Debian: apt-get install "
            "python3-venv"
        ) from error

    class Builder(venv.EnvBuilder):
        """Without activation scripts: nobody needs them, and they name the place they are in."""

        def setup_scripts(self, context: object) -> None:
            del context

    Builder(symlinks=True, with_pip=False).create(folder)


def _install(wheel: Wheel, folder: Path, final: Path) -> None:
    from installer import install
    from installer.destinations import SchemeDictionaryDestination
    from installer.exceptions import InstallerError
    from installer.sources import WheelFile

    destination = SchemeDictionaryDestination(
        places_of(folder, wheel.name.project),
        interpreter=str(python_of(final)),
        script_kind="posix",
    )
    with opened(wheel) as file:
        read_facts(file, wheel.name)
        try:
            with zipfile.ZipFile(file) as archive:
                archive.filename = wheel.name.file  # by which the library knows what it is
                source = WheelFile(archive)
                source.validate_record(validate_contents=False)
                install(source, destination, INSTALLER)
        except FileExistsError as error:
            raise WheelError(f"{wheel.name.file}: it would replace a file: {error}") from None
        except (InstallerError, AssertionError, *ARCHIVE_ERRORS) as error:
            raise WheelError(f"{wheel.name.file}: it cannot be installed: {error}") from error


def _compile(folder: Path, final: Path) -> None:
    """Compile what was installed, as whoever runs it later may not write there.

    That is done by the interpreter alone, isolated: it reads what was installed and runs nothing
    of it. What cannot be compiled is a test file for another version; it is left as it is.
    """
    library = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    command = [getattr(sys, "_base_executable", None) or sys.executable, "-I", "-S", "-m"]
    command += ["compileall", "-q", "-s", str(folder), "-p", str(final), library["purelib"]]
    try:
        subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            timeout=_LONGEST_COMPILING,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UpdateError(f"{folder}: compiling took longer than {error.timeout:.0f} s") from error
