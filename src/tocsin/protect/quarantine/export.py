"""Handing an object to an analyst: a zip archive that no mail filter opens by accident.

By the field's custom its password is `infected`. That keeps nothing secret, it only keeps other
scanners and careless double clicks away.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from tocsin.protect.quarantine.errors import NotRestored
from tocsin.protect.quarantine.record import Record
from tocsin.protect.quarantine.restore import exists_error, give_name, new_file, write_content
from tocsin.protect.quarantine.safe_open import open_folder, split_path, sync_folder
from tocsin.protect.quarantine.store import Store, raise_if_full

PASSWORD = "infected"  # noqa: S105 - the one that everybody knows
_IN_MEMORY = 64 << 20
_COPY = 1 << 20


def export(store: Store, record: Record, target: Path) -> Path:
    """Write an object into an encrypted archive.

    Args:
        store: the vault.
        record: the object's.
        target: the archive, which must not be there yet.

    Returns:
        Where it is.

    Raises:
        DamagedItem: the content is damaged.
        NotRestored: the archive cannot be written.
    """
    path = os.path.abspath(os.fsencode(target))
    place = os.fsdecode(path)
    try:
        folder_path, name = split_path(path)
        folder = open_folder(folder_path)
    except (OSError, ValueError) as error:
        raise NotRestored(f"{place}: {getattr(error, 'strerror', None) or error}") from error
    try:
        _export_into(store, record, folder, name, place)
    except OSError as error:
        raise_if_full(error, place)
        raise NotRestored(f"{place}: {error.strerror or error}") from error
    finally:
        os.close(folder)
    return Path(place)


def _export_into(store: Store, record: Record, folder: int, name: bytes, place: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tocsin-export-") as private:
        archive = _archive(store, record, private)
        descriptor, temporary = new_file(folder, b".tocsin-export-" + record.id.encode("ascii"))
        try:
            with open(archive, "rb") as source, open(descriptor, "wb", closefd=False) as written:
                while chunk := source.read(_COPY):
                    written.write(chunk)
            os.fsync(descriptor)
            give_name(folder, descriptor, temporary, name)
        except BaseException as error:
            if temporary:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
            if isinstance(error, FileExistsError):
                raise exists_error(place) from None
            raise
        finally:
            os.close(descriptor)
        sync_folder(folder)


def _archive(store: Store, record: Record, private: str) -> str:
    import pybit7z

    content = _plain(store, record, private)
    archive = os.path.join(private, "archive.zip")
    try:
        with pybit7z.lib7zip_context() as library:
            writer = pybit7z.BitArchiveWriter(library, pybit7z.FormatZip)
            writer.set_password(PASSWORD)
            writer.set_format_property("em", pybit7z.BitPropVariant("AES256"))
            writer.add_file(f"/proc/self/fd/{content}", _member_name(record))
            writer.compress_to(archive)
    except pybit7z.BitException as error:
        raise NotRestored(f"{record.id}: the archive could not be written: {error}") from error
    finally:
        os.close(content)
    return archive


def _plain(store: Store, record: Record, private: str) -> int:
    """A descriptor of the plain bytes, which have no name anywhere."""
    if record.size <= _IN_MEMORY:
        descriptor = os.memfd_create("tocsin-export", os.MFD_CLOEXEC)
    else:
        descriptor, path = tempfile.mkstemp(dir=private)
        os.unlink(path)
    try:
        os.fchmod(descriptor, 0o600)
        write_content(store, record, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _member_name(record: Record) -> str:
    name = os.path.basename(record.path).decode("utf-8", "replace")
    return "".join(c if c.isprintable() and c != "\\" else "_" for c in name)
