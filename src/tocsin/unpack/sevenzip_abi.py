"""7-Zip's library as it is: its interfaces called, and given, through `ctypes`.

`pybit7z` ships the library, and its own wrapper hands out whole members only: nothing can be
stopped on the way, and a solid archive is decoded once for every member. 7-Zip's interfaces
stream, visit many members in one pass and ask for each where its bytes shall go; they have not
changed in twenty years. Objects of ours that the library calls live in `Callable` subclasses.

The functions that it calls are made once, when this is imported: making one may need memory
that a confined process does not get.

Source: 7-Zip, `CPP/7zip/Archive/IArchive.h`, `CPP/7zip/IStream.h`, `CPP/Common/MyWindows.h`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable as Function
from ctypes import byref, c_int32, c_uint16, c_uint64, c_void_p
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

S_OK = 0
S_FALSE = 1
E_ABORT = -2147467260
E_NO_INTERFACE = -2147467262
E_OUT_OF_MEMORY = -2147024882

_NO_DESTRUCTOR = 0
"""`NModuleInterfaceType`: the tables of functions have no destructors between."""


class Variant(ctypes.Structure):
    """PROPVARIANT: a value with its type."""

    _fields_ = [("type", c_uint16), ("reserved", c_uint16 * 3), ("value", c_uint64)]


def _interface(group: int, number: int) -> bytes:
    """An interface's identifier, as it lies in memory (`Z7_DECL_IFACE`)."""
    return bytes.fromhex("69 0f 17 23 c1 40 8a 27 00 00 00") + bytes([group, 0, number, 0, 0])


UNKNOWN = bytes(8) + bytes.fromhex("c000000000000046")
IN_STREAMS = frozenset({UNKNOWN, _interface(3, 1), _interface(3, 3)})
SEEKABLE = _interface(3, 3)
OUT_STREAMS = frozenset({UNKNOWN, _interface(3, 2)})
OPEN_CALLBACKS = frozenset({UNKNOWN, _interface(6, 0x10)})
EXTRACT_CALLBACKS = frozenset({UNKNOWN, _interface(0, 5), _interface(6, 0x20)})
PASSWORD = _interface(5, 0x10)
ARCHIVE = _interface(6, 0x60)
ARCHIVE_STREAM = _interface(6, 0x40)
SET_PROPERTIES = _interface(6, 3)


def _load() -> ctypes.CDLL:
    spec = find_spec("pybit7z")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("pybit7z is not installed")
    folder = Path(spec.submodule_search_locations[0])
    library = ctypes.CDLL(str(folder / "lib7zip.so"))
    kind = Variant()
    if library.GetModuleProp(0, byref(kind)) != S_OK or kind.value != _NO_DESTRUCTOR:
        raise ImportError("7-Zip's library has interfaces of another kind")
    return library


LIBRARY = _load()
LIBRARY.SysAllocString.restype = c_void_p
LIBRARY.SysAllocString.argtypes = [ctypes.c_wchar_p]
LIBRARY.SysFreeString.argtypes = [c_void_p]
LIBRARY.VariantClear.argtypes = [c_void_p]


class Interface:
    """An object of the library's.

    Args:
        pointer: where it is; the one reference to it becomes this object's.
    """

    _functions: ClassVar[dict[tuple[int, tuple[Any, ...]], Any]] = {}

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer

    def call(self, slot: int, types: tuple[Any, ...], *values: Any) -> int:
        """Call a function of its table.

        Args:
            slot: its place in the table.
            types: types of its arguments.
            values: the arguments.
        """
        return int(self.function(slot, types)(self.pointer, *values))

    def function(self, slot: int, types: tuple[Any, ...]) -> Any:
        """A function of its table; its first argument is `pointer`.

        Args:
            slot: its place in the table.
            types: types of the other arguments.
        """
        table = c_void_p.from_address(self.pointer).value or 0
        address = c_void_p.from_address(table + slot * 8).value or 0
        key = (address, types)
        function = self._functions.get(key)
        if function is None:
            function = ctypes.CFUNCTYPE(c_int32, c_void_p, *types)(address)
            self._functions[key] = function
        return function

    def query(self, identifier: bytes) -> Interface | None:
        """The same object by another of its interfaces, or None when it has it not."""
        found = c_void_p()
        result = self.call(0, (ctypes.c_char_p, c_void_p), identifier, byref(found))
        return None if result != S_OK or not found.value else Interface(found.value)

    def release(self) -> None:
        """Give the reference back; it may not be used afterwards."""
        if self.pointer:
            self.call(2, ())
            self.pointer = 0


def create(class_number: int) -> Interface:
    """A reader of archives (`IInArchive`).

    Args:
        class_number: 7-Zip's number of the format.

    Raises:
        ValueError: it has no such format.
    """
    identifier = bytes.fromhex("69 0f 17 23 c1 40 8a 27 10 00 00 01 10") + bytes(
        [class_number, 0, 0]
    )
    made = c_void_p()
    if LIBRARY.CreateObject(identifier, ARCHIVE, byref(made)) != S_OK or not made.value:
        raise ValueError(f"no reader of format {class_number:#x}")
    return Interface(made.value)


_LIVE: dict[int, Served] = {}


class Served:
    """An object of ours, called by the library.

    A subclass names its interfaces and, by signature, its functions behind the first three.
    What one of them raises is kept in `trouble`, and the library is told to stop. Whoever
    makes one ends it by `retire`, when the library holds no more than numbers of it.

    Attributes:
        pointer: what the library is given.
        trouble: the first error that one of the functions raised.
    """

    interfaces: ClassVar[frozenset[bytes]] = frozenset()
    table: ClassVar[Any] = None

    def __init__(self) -> None:
        self.trouble: BaseException | None = None
        self._memory = (c_void_p * 1)(ctypes.addressof(self.table))
        self.pointer = ctypes.addressof(self._memory)
        _LIVE[self.pointer] = self

    def query(self, identifier: bytes) -> int:
        """Where the object has an interface, or 0."""
        return self.pointer if identifier in self.interfaces else 0

    def retire(self) -> None:
        """Be called no more."""
        _LIVE.pop(self.pointer, None)


def _guarded(name: str) -> Function[..., int]:
    """A function of a table: finds its object, and lets no error out into the library."""

    def run(this: int, *values: Any) -> int:
        served = _LIVE.get(this)
        if served is None or served.trouble is not None:
            return E_ABORT
        try:
            return int(getattr(served, name)(*values))
        except BaseException as error:
            served.trouble = error
            return E_ABORT

    return run


def _query(this: int, identifier: int, out: int) -> int:
    served = _LIVE.get(this)
    found = served.query(ctypes.string_at(identifier, 16)) if served is not None else 0
    c_void_p.from_address(out).value = found
    return S_OK if found else E_NO_INTERFACE


def _count(this: int) -> int:
    del this
    return 1


_QUERY = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)(_query)
_COUNT = ctypes.CFUNCTYPE(c_int32, c_void_p)(_count)
_KEPT: list[Any] = [_QUERY, _COUNT]


def table_of(*functions: tuple[str, tuple[Any, ...]]) -> Any:
    """Make the table of functions for a subclass of `Served`.

    Args:
        functions: names of its methods, in the interface's order, and the types of their
            arguments.
    """
    made = [
        ctypes.CFUNCTYPE(c_int32, c_void_p, *types)(_guarded(name)) for name, types in functions
    ]
    _KEPT.extend(made)
    addresses = [
        ctypes.cast(function, c_void_p).value for function in (_QUERY, _COUNT, _COUNT, *made)
    ]
    table = (c_void_p * len(addresses))(*addresses)
    _KEPT.append(table)
    return table
