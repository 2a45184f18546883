"""An archive as 7-Zip's library reads it: opened in memory, its bytes streamed to a receiver.

Source: 7-Zip, `CPP/7zip/Archive/IArchive.h`, `CPP/7zip/PropID.h`, `CPP/7zip/IPassword.h`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from ctypes import byref, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from enum import IntEnum
from typing import Protocol

from tocsin.unpack import sevenzip_abi as abi

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


class Receiver(Protocol):
    """Takes in items, one after the other.

    Whatever one of its functions raises ends the extraction and comes out of it.
    """

    def begin(self, index: int) -> bool:
        """An item comes; False ends the extraction before it."""
        ...

    def write(self, piece: memoryview) -> None:
        """Bytes of the item come; they are gone when this returns."""
        ...

    def end(self, result: int) -> None:
        """The item has ended (see `Result`)."""
        ...

    def alive(self) -> None:
        """The library is at work."""
        ...


class _Source(abi.Served):
    """IInStream over bytes."""

    interfaces = abi.IN_STREAMS
    table = abi.table_of(
        ("read", (c_void_p, c_uint32, c_void_p)),
        ("seek", (c_int64, c_uint32, c_void_p)),
    )

    def __init__(self, data: bytes, start: int, alive: Callable[[], None]) -> None:
        super().__init__()
        self._data = data
        self._address = ctypes.cast(ctypes.c_char_p(data), c_void_p).value or 0
        self._start = start
        self._size = len(data) - start
        self._at = 0
        self._alive = alive

    def read(self, out: int, size: int, done: int | None) -> int:
        """ISequentialInStream::Read."""
        self._alive()
        count = max(0, min(size, self._size - self._at))
        if count:
            ctypes.memmove(out, self._address + self._start + self._at, count)
            self._at += count
        if done:
            c_uint32.from_address(done).value = count
        return abi.S_OK

    def seek(self, offset: int, origin: int, out: int | None) -> int:
        """IInStream::Seek."""
        base = (0, self._at, self._size)[origin] if origin < 3 else 0
        if base + offset < 0:
            return abi.E_ABORT
        self._at = base + offset
        if out:
            c_uint64.from_address(out).value = self._at
        return abi.S_OK


class _Password(abi.Served):
    """ICryptoGetTextPassword."""

    interfaces = frozenset({abi.UNKNOWN, abi.PASSWORD})
    table = abi.table_of(("password", (c_void_p,)))

    def __init__(self, password: str | None) -> None:
        super().__init__()
        self.value = password
        self.asked = False

    def password(self, out: int) -> int:
        """ICryptoGetTextPassword::CryptoGetTextPassword."""
        self.asked = True
        if self.value is None:
            return abi.E_ABORT
        c_void_p.from_address(out).value = abi.LIBRARY.SysAllocString(self.value)
        return abi.S_OK


class _OpenCallback(abi.Served):
    """IArchiveOpenCallback."""

    interfaces = abi.OPEN_CALLBACKS
    table = abi.table_of(
        ("progress", (c_void_p, c_void_p)),
        ("progress", (c_void_p, c_void_p)),
    )

    def __init__(self, password: _Password, alive: Callable[[], None]) -> None:
        super().__init__()
        self._password = password
        self._alive = alive

    def query(self, identifier: bytes) -> int:
        """The password is asked for by an interface of its own."""
        if identifier == abi.PASSWORD:
            return self._password.pointer
        return super().query(identifier)

    def progress(self, files: int | None, size: int | None) -> int:
        """SetTotal and SetCompleted."""
        del files, size
        self._alive()
        return abi.S_OK


class _Sink(abi.Served):
    """ISequentialOutStream."""

    interfaces = abi.OUT_STREAMS
    table = abi.table_of(("write", (c_void_p, c_uint32, c_void_p)))

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._receiver = receiver

    def write(self, piece: int, size: int, done: int | None) -> int:
        """ISequentialOutStream::Write."""
        if size:
            self._receiver.write(memoryview((ctypes.c_char * size).from_address(piece)).cast("B"))
        if done:
            c_uint32.from_address(done).value = size
        return abi.S_OK


class _ExtractCallback(abi.Served):
    """IArchiveExtractCallback."""

    interfaces = abi.EXTRACT_CALLBACKS
    table = abi.table_of(
        ("total", (c_uint64,)),
        ("progress", (c_void_p,)),
        ("stream", (c_uint32, c_void_p, c_int32)),
        ("prepare", (c_int32,)),
        ("ended", (c_int32,)),
    )

    def __init__(self, receiver: Receiver, password: _Password) -> None:
        super().__init__()
        self._receiver = receiver
        self._password = password
        self._open = False
        self.sink = _Sink(receiver)

    def query(self, identifier: bytes) -> int:
        """The password is asked for by an interface of its own."""
        if identifier == abi.PASSWORD:
            return self._password.pointer
        return super().query(identifier)

    def retire(self) -> None:
        """Its stream goes with it."""
        self.sink.retire()
        super().retire()

    def total(self, size: int) -> int:
        """IProgress::SetTotal."""
        del size
        return abi.S_OK

    def progress(self, size: int | None) -> int:
        """IProgress::SetCompleted."""
        del size
        self._receiver.alive()
        return abi.S_OK

    def stream(self, index: int, out: int, mode: int) -> int:
        """IArchiveExtractCallback::GetStream; mode 0 is that data are wanted."""
        c_void_p.from_address(out).value = None
        self._receiver.alive()
        if mode == 0:
            if not self._receiver.begin(index):
                return abi.E_ABORT
            self._open = True
            c_void_p.from_address(out).value = self.sink.pointer
        return abi.S_OK

    def prepare(self, mode: int) -> int:
        """IArchiveExtractCallback::PrepareOperation."""
        del mode
        return abi.S_OK

    def ended(self, result: int) -> int:
        """IArchiveExtractCallback::SetOperationResult."""
        if self._open:
            self._open = False
            self._receiver.end(result)
        return abi.S_OK


class Archive:
    """An open archive.

    Args:
        class_number: 7-Zip's number of the format.
        data: what holds it.
        start: where it begins.
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
        data: bytes,
        start: int,
        password: str | None,
        alive: Callable[[], None],
        reach: int = 0,
    ) -> None:
        self._source = _Source(data, start, alive)
        self._password = _Password(password)
        self._reader = abi.create(class_number)
        _use_one_thread(self._reader)
        callback = _OpenCallback(self._password, alive)
        try:
            result = self._reader.call(
                3,
                (c_void_p, c_void_p, c_void_p),
                self._source.pointer,
                byref(c_uint64(reach)),
                callback.pointer,
            )
            _raise_first(callback, self._source, self._password)
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
        callback = _ExtractCallback(receiver, self._password)
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
            _raise_first(callback, callback.sink, self._source, self._password)
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
        self._source.retire()
        self._password.retire()


def _raise_first(*served: abi.Served) -> None:
    for each in served:
        if each.trouble is not None:
            trouble, each.trouble = each.trouble, None
            raise trouble


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
