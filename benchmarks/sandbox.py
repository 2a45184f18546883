"""What confining costs: milliseconds a worker, and address space a library reserves.

Run it as root and as another user; the times of `docs/sandbox.md` are this script's.
"""

from __future__ import annotations

import os
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pybit7z

from tocsin.sandbox import confine
from tocsin.sandbox.policy import ALL, Mechanism, Policy, runtime_paths

_ROUNDS = 60
_MIB = 1 << 20
_WAYS = (
    ("everything, sealed", ALL, True),
    ("everything, not sealed", ALL, False),
    ("without namespaces, sealed", ALL - {Mechanism.NAMESPACES}, True),
    ("without namespaces, not sealed", ALL - {Mechanism.NAMESPACES}, False),
)


def main() -> None:
    """Print both."""
    for title, use, sealed in _WAYS:
        policy = Policy(readable=runtime_paths(), use=frozenset(use), sealed=sealed)
        confine.prepare(policy)
        times = sorted(_once(policy) for _ in range(_ROUNDS))
        print(f"{title:32} median {statistics.median(times):5.2f} ms, least {times[0]:5.2f} ms")
    print()
    packed = _packed()
    for title, work in (
        ("YARA-X, a scanner", _yara),
        ("Hyperscan", _hyperscan),
        ("icicle, a JIT compiler", _icicle),
        ("7-Zip, 64 MiB dictionary, 80 out", lambda: _sevenzip(packed)),
    ):
        print(f"{title:32} {_reserved(work):5d} MiB of address space")


def _once(policy: Policy) -> float:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        started = time.perf_counter()
        confine.confine(policy, (writer,))
        os.write(writer, struct.pack("=d", (time.perf_counter() - started) * 1e3))
        os._exit(0)
    os.close(writer)
    milliseconds = struct.unpack("=d", os.read(reader, 8))[0]
    os.close(reader)
    os.waitpid(child, 0)
    return float(milliseconds)


def _reserved(use: Callable[[], object]) -> int:
    """How much a piece of work adds to a process's greatest size, in MiB."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        before = _peak()
        kept = use()
        os.write(writer, struct.pack("=q", (_peak() - before) // 1024))
        del kept
        os._exit(0)
    os.close(writer)
    grown = struct.unpack("=q", os.read(reader, 8))[0]
    os.close(reader)
    os.waitpid(child, 0)
    return int(grown)


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmPeak:")[2].split()[0])


def _yara() -> object:
    import yara_x

    compiler = yara_x.Compiler()
    compiler.add_source('rule r { strings: $a = "foo" condition: $a }')
    scanner = yara_x.Scanner(compiler.build())
    return scanner.scan(bytes(_MIB))


def _hyperscan() -> object:
    import hyperscan

    database = hyperscan.Database()
    database.compile([b"foo.*bar"], ids=[1])
    scratch = hyperscan.Scratch(database)
    database.scan(bytes(_MIB), match_event_handler=lambda *_: None, scratch=scratch)
    return scratch


def _icicle() -> object:
    import icicle

    return icicle.Icicle("i686", jit=True)


def _packed() -> bytes:
    """An archive of 7-Zip's with a dictionary of 64 MiB."""
    library = pybit7z.Bit7zLibrary(pybit7z.default_lib7zip())
    writer = pybit7z.BitArchiveWriter(library, pybit7z.FormatSevenZip)
    writer.set_dictionary_size(64 * _MIB)
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder, "content")
        content.write_bytes(bytes(80 * _MIB))
        writer.add_file(str(content))
        writer.compress_to(str(Path(folder, "packed")))
        return Path(folder, "packed").read_bytes()


def _sevenzip(packed: bytes) -> object:
    library = pybit7z.Bit7zLibrary(pybit7z.default_lib7zip())
    return pybit7z.BitMemExtractor(library, pybit7z.FormatSevenZip).extract(packed)


if __name__ == "__main__":
    main()
