"""The objects that 7-Zip's library calls: what it reads from, writes to and asks.

Source: 7-Zip, `CPP/7zip/Archive/IArchive.h`, `CPP/7zip/IStream.h`, `CPP/7zip/IPassword.h`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_int32, c_int64, c_uint32, c_uint64, c_void_p
from typing import Protocol

from tocsin.unpack import sevenzip_abi as abi


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


class Source(abi.Served):
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


class Password(abi.Served):
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


class OpenCallback(abi.Served):
    """IArchiveOpenCallback."""

    interfaces = abi.OPEN_CALLBACKS
    table = abi.table_of(
        ("progress", (c_void_p, c_void_p)),
        ("progress", (c_void_p, c_void_p)),
    )

    def __init__(self, password: Password, alive: Callable[[], None]) -> None:
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


class Sink(abi.Served):
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


class ExtractCallback(abi.Served):
    """IArchiveExtractCallback."""

    interfaces = abi.EXTRACT_CALLBACKS
    table = abi.table_of(
        ("total", (c_uint64,)),
        ("progress", (c_void_p,)),
        ("stream", (c_uint32, c_void_p, c_int32)),
        ("prepare", (c_int32,)),
        ("ended", (c_int32,)),
    )

    def __init__(self, receiver: Receiver, password: Password) -> None:
        super().__init__()
        self._receiver = receiver
        self._password = password
        self._open = False
        self.sink = Sink(receiver)

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
