"""What workers are for still works: the libraries that scan and unpack, confined.

Each piece of work has a part that may open files (imports, a library's own data) and one that
must not. Confined with Landlock both run inside; sealed, the first runs before the fork.
"""

from __future__ import annotations

import gzip
import io
import mmap
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sandbox_children import confined

from tocsin.sandbox import identity, landlock, seccomp
from tocsin.sandbox.policy import ALL, Mechanism, Policy, runtime_paths

Work = Callable[[], Any]
PREPARED: dict[str, Callable[[], tuple[Work, Any]]] = {}


def prepared(prepare: Callable[[], tuple[Work, Any]]) -> Callable[[], tuple[Work, Any]]:
    """Register: returns the work that opens nothing, and what is to come of it."""
    PREPARED[prepare.__name__] = prepare
    return prepare


@prepared
def zip_of_the_standard_library() -> tuple[Work, Any]:
    import encodings.cp437

    del encodings
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("name", "content" * 1000)
    return lambda: len(zipfile.ZipFile(packed).read("name")), 7000


@prepared
def zip_with_every_method() -> tuple[Work, Any]:
    import bz2
    import lzma
    import zlib

    content = b"content" * 1000
    all_three = (zlib.compress(content), bz2.compress(content), lzma.compress(content))

    def work() -> int:
        unpacked = (zlib.decompress, bz2.decompress, lzma.decompress)
        return sum(len(f(packed)) for f, packed in zip(unpacked, all_three, strict=True))

    return work, 21_000


@prepared
def gzip_of_many_bytes() -> tuple[Work, Any]:
    packed = gzip.compress(bytes(10_000_000))
    return lambda: len(gzip.decompress(packed)), 10_000_000


@cache
def _sevenzip_sample() -> bytes:
    import pybit7z

    library = pybit7z.Bit7zLibrary(pybit7z.default_lib7zip())
    writer = pybit7z.BitArchiveWriter(library, pybit7z.FormatSevenZip)
    with tempfile.TemporaryDirectory() as folder:
        content, packed = Path(folder, "content"), Path(folder, "packed.7z")
        content.write_bytes(b"content" * 1_000_000)
        writer.add_file(str(content))
        writer.compress_to(str(packed))
        return packed.read_bytes()


@pytest.fixture(scope="module", autouse=True)
def _written_before() -> None:
    """Samples whose library can only write files are made outside."""
    _sevenzip_sample()


@prepared
def sevenzip_with_threads() -> tuple[Work, Any]:
    import pybit7z

    library = pybit7z.Bit7zLibrary(pybit7z.default_lib7zip())
    packed = _sevenzip_sample()

    def work() -> list[int]:
        extractor = pybit7z.BitMemExtractor(library, pybit7z.FormatSevenZip)
        return [len(content) for content in extractor.extract(packed).values()]

    return work, [7_000_000]


@prepared
def pdf() -> tuple[Work, Any]:
    import pikepdf

    written = io.BytesIO()
    with pikepdf.new() as new:
        new.add_blank_page()
        new.save(written)

    def work() -> int:
        with pikepdf.open(io.BytesIO(written.getvalue())) as opened:
            return len(opened.pages)

    return work, 1


@prepared
def yara() -> tuple[Work, Any]:
    import yara_x

    compiler = yara_x.Compiler()
    compiler.add_source('rule r { strings: $a = "foo" $b = /fo{1,3}x/ condition: any of them }')
    rules = compiler.build()

    def work() -> int:
        scanner = yara_x.Scanner(rules)
        scanner.set_timeout(10)
        return len(scanner.scan(b"there is foo").matching_rules)

    return work, 1


@prepared
def hyperscan() -> tuple[Work, Any]:
    import hyperscan

    database = hyperscan.Database()
    database.compile([b"foo"], ids=[1])

    def work() -> int:
        found: list[int] = []
        scratch = hyperscan.Scratch(database)
        database.scan(
            b"there is foo", match_event_handler=lambda at, *_: found.append(at), scratch=scratch
        )
        return len(found)

    return work, 1


@prepared
def emulation() -> tuple[Work, Any]:
    import icicle

    machine = icicle.Icicle("i686", jit=True)

    def work() -> str:
        machine.reset()
        machine.mem_map(0x400000, 0x1000, icicle.MemoryProtection.ExecuteReadWrite)
        machine.mem_write(0x400000, b"\x90" * 64 + b"\xeb\xfe")  # nop...; jmp to itself
        machine.pc = 0x400000
        return str(machine.step(100_000))

    return work, "RunStatus.InstructionLimit"


@prepared
def text_encodings() -> tuple[Work, Any]:
    import encodings.cp1252
    import encodings.euc_jp
    import encodings.idna
    import encodings.punycode
    import encodings.utf_16

    del encodings
    return lambda: [b"\xe4".decode("cp1252"), b"xn--4ca".decode("idna")], ["ä", "ä"]


@prepared
def ciphers() -> tuple[Work, Any]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(b"k" * 16), modes.CBC(b"i" * 16))
    return lambda: len(cipher.decryptor().update(bytes(64))), 64


@prepared
def threads() -> tuple[Work, Any]:
    def work() -> int:
        done: list[int] = []
        started = [threading.Thread(target=done.append, args=(1,)) for _ in range(8)]
        for each in started:
            each.start()
        for each in started:
            each.join()
        return len(done)

    return work, 8


@prepared
def a_gibibyte_of_memory() -> tuple[Work, Any]:
    return lambda: len(bytearray(1 << 30)), 1 << 30


def _here_readable() -> frozenset[Mechanism]:
    """All mechanisms; without the change of identity where only root may read the runtime."""
    if all(identity.others_may_read(path) for path in runtime_paths()):
        return ALL
    return ALL - {Mechanism.IDENTITY}


needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not seccomp.available(), reason="this kernel has no filters")


@needs_landlock
@pytest.mark.parametrize("name", PREPARED)
def test_work_is_done_where_landlock_lets_the_runtime_be_read(name: str) -> None:
    policy = Policy(readable=runtime_paths(), use=_here_readable(), sealed=False)

    def work() -> tuple[Any, Any]:
        act, expected = PREPARED[name]()
        return act(), expected

    came, expected = confined(policy, work)
    assert came == expected


@needs_seccomp
@pytest.mark.parametrize("name", PREPARED)
def test_work_is_done_where_no_file_can_be_opened(name: str) -> None:
    work, expected = PREPARED[name]()
    assert confined(Policy(sealed=True), work) == expected


@needs_seccomp
@pytest.mark.parametrize("sealed", [True, False])
def test_a_descriptor_that_was_handed_over_can_be_read_and_mapped(
    tmp_path: Path, sealed: bool
) -> None:
    (tmp_path / "file").write_bytes(b"content")
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)

    def work() -> list[Any]:
        with open(descriptor, "rb", closefd=False) as stream:
            size = os.fstat(descriptor).st_size
            mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            return [stream.read().decode(), size, mapped[:].decode()]

    policy = Policy(sealed=sealed, use=_here_readable())
    assert confined(policy, work, (descriptor,)) == ["content", 7, "content"]
    os.close(descriptor)
