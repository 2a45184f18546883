"""An archive as 7-Zip's library reads it: opened in memory, its bytes streamed to a receiver.

Source: 7-Zip, `CPP/7zip/Archive/IArchive.h`, `CPP/7zip/PropID.h`, `CPP/7zip/IPassword.h`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from ctypes import byref, c_int32, c_uint32, c_uint64, c_void_p
from enum import IntEnum

from tocsin.unpack import sevenzip_abi as abi
from tocsin.unpack.sevenzip_callbacks import (
    ExtractCallback,
    OpenCallback,
    Password,
    Receiver,
    Source,
)

_Value = str | int | bool | None


class Property(IntEnum):
    """Numbers of what can be asked of an item or an archive."""

    PATH = 3
    IS_DIRECTORY = 6
    SIZE = 7
    PACKED_SIZE = 8
    ATTRIBUTES = 9
    SOLID = 13
    ENCRYPTED = 15
    SPLIT_BEFORE = 16
    SPLIT_AFTER = 17
    CRC = 19
    IS_ANTI = 21
    METHOD = 22
    BLOCK = 27
    OFFSET = 36
    PHYSICAL_SIZE = 44
    POSIX_MODE = 53
    SYMBOLIC_LINK = 54
    IS_STREAM = 63
    IS_AUXILIARY = 64
    IS_DELETED = 65
    ERROR_FLAGS = 71
    WARNING_FLAGS = 72
    HARD_LINK = 90
    COPY_LINK = 95


class Result(IntEnum):
    """How the extraction of an item ended (`NArchive::NExtract::NOperationResult`)."""

    OK = 0
    UNSUPPORTED = 1
    DATA_ERROR = 2
    CHECKSUM = 3
    UNAVAILABLE = 4
    CUT_OFF = 5
    DATA_BEHIND = 6
    NO_ARCHIVE = 7
    HEADERS = 8
    WRONG_PASSWORD = 9


_ALWAYS = (
    Property.PATH,
    Property.IS_DIRECTORY,
    Property.SIZE,
    Property.PACKED_SIZE,
    Property.IS_ANTI,
    Property.SYMBOLIC_LINK,
    Property.HARD_LINK,
)
"""What is asked of an item of any format."""


class LibraryError(Exception):
    """The library refused."""


class OutOfMemory(LibraryError):
    """The library did not get the memory it wanted."""


class PasswordWanted(LibraryError):
    """A password is asked for and there is none, or it is wrong."""


class Archive:
    """An open archive.

    Args:
        class_number: 7-Zip's number of the format.
        data: what holds it: bytes, or a stream of another archive's, which becomes its own.
        start: where it begins in the bytes.
        password: what to answer when asked, or None.
        alive: called now and then; may raise to stop.
        reach: how far behind `start` its signature may stand.

    Attributes:
        asked: whether a password was asked for.

    Raises:
        LibraryError: it is not of this format.
    """

    def __init__(
        self,
        class_number: int,
        data: bytes | abi.Interface,
        start: int,
        password: str | None,
        alive: Callable[[], None],
        reach: int = 0,
    ) -> None:
        self._source = Source(data, start, alive) if isinstance(data, bytes) else data
        self._password = Password(password)
        self._reader = abi.create(class_number)
        _use_one_thread(self._reader)
        callback = OpenCallback(self._password, alive)
        try:
            result = self._reader.call(
                3,
                (c_void_p, c_void_p, c_void_p),
                self._source.pointer,
                byref(c_uint64(reach)),
                callback.pointer,
            )
            self._raise_first(callback)
        except BaseException:
            self.close()
            raise
        finally:
            callback.retire()
        if result != abi.S_OK:
            asked = self._password.asked
            self.close()
            if result == abi.E_OUT_OF_MEMORY:
                raise OutOfMemory("its headers need too much memory")
            if asked:
                raise PasswordWanted("a password is needed")
            raise LibraryError("damaged or of another format")
        self._stated = self._list_stated()
        self._ask = self._reader.function(6, (c_uint32, c_uint32, c_void_p))

    @property
    def asked(self) -> bool:
        """Whether a password was asked for."""
        return self._password.asked

    def __len__(self) -> int:
        found = c_uint32()
        self._reader.call(5, (c_void_p,), byref(found))
        return found.value

    def item(self, index: int, what: Property) -> _Value:
        """What the archive states about an item, or None."""
        if what not in self._stated:
            return None
        found = abi.Variant()
        return _value(self._ask(self._reader.pointer, index, what, byref(found)), found)

    def _list_stated(self) -> frozenset[int]:
        """What the format states about items; asking for nothing else saves time."""
        count = c_uint32()
        self._reader.call(9, (c_void_p,), byref(count))
        stated = {int(what) for what in _ALWAYS}
        for number in range(count.value):
            name, what, kind = c_void_p(), c_uint32(), ctypes.c_uint16()
            ask = (c_uint32, c_void_p, c_void_p, c_void_p)
            self._reader.call(10, ask, number, byref(name), byref(what), byref(kind))
            if name.value:
                abi.LIBRARY.SysFreeString(name)
            stated.add(what.value)
        return frozenset(stated)

    def about(self, what: Property) -> _Value:
        """What the archive states about itself, or None."""
        found = abi.Variant()
        result = self._reader.call(8, (c_uint32, c_void_p), int(what), byref(found))
        return _value(result, found)

    def extract(
        self, indices: Iterable[int], receiver: Receiver, password: str | None = None
    ) -> None:
        """Extract items in one pass, in the archive's order.

        Args:
            indices: the items, in ascending order.
            receiver: what takes them in.
            password: what to answer when asked.

        Raises:
            LibraryError: the library gave up; what came out before came out.
        """
        wanted = list(indices)
        self._password.value, self._password.asked = password, False
        callback = ExtractCallback(receiver, self._password)
        numbers = (c_uint32 * len(wanted))(*wanted)
        try:
            result = self._reader.call(
                7,
                (c_void_p, c_uint32, c_int32, c_void_p),
                ctypes.addressof(numbers),
                len(wanted),
                0,
                callback.pointer,
            )
            self._raise_first(callback, callback.sink)
        finally:
            callback.retire()
        if result == abi.E_OUT_OF_MEMORY:
            raise OutOfMemory("it needs too much memory")
        if result != abi.S_OK and password is None and self._password.asked:
            raise PasswordWanted("a password is needed")
        if result not in (abi.S_OK, abi.E_ABORT):
            raise LibraryError(f"damaged (7-Zip's error {result & 0xFFFFFFFF:#x})")

    def close(self) -> None:
        """Let go of everything."""
        self._reader.release()
        if isinstance(self._source, Source):
            self._source.retire()
        else:
            self._source.release()
        self._password.retire()

    def stream(self, index: int) -> abi.Interface | None:
        """An item that can be read here and there without being extracted, or None."""
        giver = self._reader.query(abi.ARCHIVE_STREAM)
        if giver is None:
            return None
        found = c_void_p()
        result = giver.call(3, (c_uint32, c_void_p), index, byref(found))
        giver.release()
        self._raise_first()
        if result != abi.S_OK or not found.value:
            return None
        plain = abi.Interface(found.value)
        seekable = plain.query(abi.SEEKABLE)
        plain.release()
        return seekable

    def _raise_first(self, *others: abi.Served) -> None:
        """Raise what a function of ours raised while the library called it."""
        mine = (self._source,) if isinstance(self._source, Source) else ()
        for each in (*others, *mine, self._password):
            if each.trouble is not None:
                trouble, each.trouble = each.trouble, None
                raise trouble


def read_from(stream: abi.Interface, start: int, size: int) -> bytes:
    """Read from a stream of the library's (`IInStream`); less where it ends or is damaged."""
    if stream.call(4, (ctypes.c_int64, c_uint32, c_void_p), start, 0, None) != abi.S_OK:
        return b""
    out, done = ctypes.create_string_buffer(size), c_uint32()
    filled = 0
    while filled < size:
        place = ctypes.addressof(out) + filled
        result = stream.call(3, (c_void_p, c_uint32, c_void_p), place, size - filled, byref(done))
        if result != abi.S_OK or not done.value:
            break
        filled += done.value
    return out.raw[:filled]


def _value(result: int, found: abi.Variant) -> _Value:
    """Turn a PROPVARIANT into a value and free it."""
    kind, raw = found.type, found.value
    if result != abi.S_OK or kind == 0:
        return None
    if kind == 8:  # VT_BSTR
        text = ctypes.wstring_at(raw) if raw else ""
        abi.LIBRARY.VariantClear(byref(found))
        return text
    if kind == 11:  # VT_BOOL
        return bool(raw & 0xFFFF)
    return int(raw & _MASKS.get(kind, 0xFFFFFFFFFFFFFFFF))


_MASKS = {17: 0xFF, 16: 0xFF, 18: 0xFFFF, 2: 0xFFFF, 19: 0xFFFFFFFF, 3: 0xFFFFFFFF, 10: 0xFFFFFFFF}
"""Which bits of a value count, by its type: VT_UI1 and so on."""


def _use_one_thread(reader: abi.Interface) -> None:
    """Ask for no threads: the cores are busy with other files (`ISetProperties`, `mt`)."""
    settings = reader.query(abi.SET_PROPERTIES)
    if settings is None:
        return
    name = (ctypes.c_wchar_p * 1)("mt")
    value = abi.Variant(19, (ctypes.c_uint16 * 3)(), 1)
    settings.call(3, (c_void_p, c_void_p, c_uint32), byref(name), byref(value), 1)
    settings.release()
