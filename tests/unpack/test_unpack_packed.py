"""Packed Windows programs come out unpacked; those that are not packed are left alone."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installer_samples import debian_sample
from packed_samples import (
    BASE,
    PAYLOAD,
    STUB_RVA,
    TARGET_RVA,
    Section,
    packed,
    packed_twice,
    plain,
    program,
    stubborn,
)
from unpack_contract import check_contract

from tocsin.formats.packed import find_packed, packer
from tocsin.unpack import emulator_cpu, emulator_pool, find_unpackers
from tocsin.unpack import packed as packed_module
from tocsin.unpack.emulate import Effort, Outcome, emulate
from tocsin.unpack.emulator_cpu import Cpu, Kind
from tocsin.unpack.emulator_image import read_image
from tocsin.unpack.emulator_instructions import stand_in
from tocsin.unpack.emulator_pool import CpuLost
from tocsin.unpack.interface import Budget, Limits, Member, Reason, Remark, Skipped
from tocsin.unpack.packed import UNPACKER

BRIEF = Limits(
    max_file_size=1_000_000, max_scan_size=4_000_000, max_files=200, max_depth=5, timeout=0.6
)
DEBIANS = ("aspack", "mew", "pespin", "petite", "upack", "upx", "wwpack", "yc")
PACKERS = {
    "aspack": "ASPack",
    "petite": "Petite",
    "upx": "UPX",
    "wwpack": "WWPack",
    "yc": "UPX",  # packed with UPX before
}
ENTRY = 0x1020
"""Where the program inside Debian's samples begins."""


def opened(data: bytes, limits: Limits | None = None) -> list[Member]:
    """What comes out of a packed program."""
    return [v for v in UNPACKER.members(data, Budget(limits), ()) if isinstance(v, Member)]


def inside(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """An object and everything in it."""
    yield data
    if depth:
        for _, unpacker in find_unpackers(data, "MSEXE"):
            for value in unpacker.members(data, Budget(), ()):
                if isinstance(value, Member):
                    yield from inside(value.data, depth - 1)


def run(code: bytes, *, wide: bool = False, effort: Effort | None = None) -> Outcome:
    """Emulate a program that consists of some code."""
    data = stubborn(code, wide=wide)
    return emulate(read_image(data), data, lambda: None, effort)


def unpacks(before: bytes) -> bool:
    """Whether a program that runs some code first gets so far as to unpack itself."""
    return any(PAYLOAD in member.data for member in opened(packed(before=before)))


# --- recognition --------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEBIANS)
def test_a_packed_program_is_recognised_by_its_headers(name: str) -> None:
    data = debian_sample(f"clam-{name}.exe")
    assert list(find_packed(data)) == ["PACKED"]
    assert packer(data) == PACKERS.get(name, "")


def test_programs_of_compilers_are_not_taken_for_packed() -> None:
    assert not list(find_packed(plain()))
    assert not list(find_packed(debian_sample("clam.exe")))


def test_launchers_of_python_packages_are_not_taken_for_packed() -> None:
    import pip

    found = sorted(Path(pip.__file__).parent.rglob("*.exe"))
    if not found:
        pytest.skip("this pip has no launchers for Windows")
    assert not [path for path in found if list(find_packed(path.read_bytes()))]


@pytest.mark.parametrize("cut", [0, 1, 63, 64, 100, 200, 300, 391])
def test_cut_headers_are_no_packed_program(cut: int) -> None:
    assert not list(find_packed(packed()[:cut]))


def test_a_driver_is_left_alone_though_its_entry_is_in_a_discardable_section() -> None:
    rows = [
        Section(b".text", 0x1000, 0x1000, b"\xcc", 0x68000020),
        Section(b"INIT", 0x2000, 0x1000, b"\xcc", 0xE2000020),
    ]
    driver = bytearray(program(rows, 0x2000))
    assert not list(find_packed(bytes(driver)))
    driver[64 + 24 + 68] = 1
    assert not list(find_packed(bytes(driver)))


# --- Debian's samples ---------------------------------------------------------------------


@pytest.mark.parametrize("name", DEBIANS)
def test_debians_sample_is_unpacked(name: str) -> None:
    code = debian_sample("clam.exe")[0x45 : 0x45 + 18]
    data = debian_sample(f"clam-{name}.exe")
    assert code not in data
    assert any(code in found for found in inside(data))


@pytest.mark.parametrize("name", sorted(set(DEBIANS) - {"pespin"}))
def test_the_rebuilt_program_begins_where_the_packed_one_did(name: str) -> None:
    member = opened(debian_sample(f"clam-{name}.exe"))[0]
    image = read_image(member.data)
    assert image.entry == ENTRY
    assert not list(find_packed(member.data))
    section = next(s for s in image.sections if s.rva <= ENTRY < s.rva + s.size)
    at = section.raw + ENTRY - section.rva
    assert member.data[at : at + 4] == bytes.fromhex("83ec4456")  # sub esp, 0x44; push esi


# --- our own packer -----------------------------------------------------------------------


@pytest.mark.parametrize("wide", [False, True])
def test_both_kinds_of_processor_unpack(wide: bool) -> None:
    (member,) = opened(packed(wide=wide))
    assert PAYLOAD in member.data
    image = read_image(member.data)
    assert (image.entry, image.wide) == (TARGET_RVA, wide)


def test_a_stub_that_unpacks_a_stub_is_followed() -> None:
    data = packed_twice()
    outcome = emulate(read_image(data), data, lambda: None)
    assert [dump.wave for dump in outcome.dumps] == [2, 1]
    assert outcome.dumps[0].entry == TARGET_RVA
    assert PAYLOAD in outcome.dumps[0].memory


def test_a_long_stub_is_compiled_and_keeps_its_registers() -> None:
    count = 3_000_000
    loop = b"\xb9" + struct.pack("<I", count) + b"\x01\xc8\xd1\xc0\xe2\xfa"  # add, rol, loop
    accumulator = 0
    for value in range(count, 0, -1):
        accumulator = (accumulator + value) & 0xFFFFFFFF
        accumulator = (accumulator << 1 | accumulator >> 31) & 0xFFFFFFFF
    check = b"\x3d" + struct.pack("<I", accumulator) + b"\x74\x01\xcc"  # cmp; je over int3
    assert unpacks(b"\x31\xc0" + loop + check)


def test_code_that_rewrites_itself_runs_as_rewritten() -> None:
    # A loop whose `nop` becomes `inc eax`, then `dec eax`: three passes make eax 0+1-1.
    place = BASE + STUB_RVA + 9
    code = (
        b"\x31\xc0\x31\xd2"  # xor eax, eax; xor edx, edx
        b"\xb9\x03\x00\x00\x00"  # mov ecx, 3
        b"\x90"  # place: nop
        + b"\xc6\x05"
        + struct.pack("<I", place)
        + b"\x40"  # mov byte [place], 0x40 (inc eax)
        + b"\x85\xd2\x74\x07"  # test edx, edx; je +7
        + b"\xc6\x05"
        + struct.pack("<I", place)
        + b"\x48"  # mov byte [place], 0x48 (dec eax)
        + b"\x42\xe2\xea"  # inc edx; loop place
        + b"\x85\xc0\x74\x01\xcc"  # test eax, eax; je over int3
    )
    assert unpacks(code)


def handler_frame(handler: int) -> bytes:
    """Set an exception handler."""
    push = b"\x68" + struct.pack("<I", BASE + STUB_RVA + handler)
    return push + b"\x64\xff\x35\0\0\0\0\x64\x89\x25\0\0\0\0"  # push fs:[0]; mov fs:[0], esp


RESUME = b"\x8b\x44\x24\x0c\x83\x80\xb8\0\0\0"
"""mov eax, [esp+12]; add dword [eax+0xb8], …: move the context's address."""


@pytest.mark.parametrize(
    ("fault", "skip"),
    [
        pytest.param(b"\xcc", 1, id="breakpoint"),
        pytest.param(b"\x31\xc0\x8b\x00", 2, id="read"),
        pytest.param(b"\x31\xc0\x89\x00", 2, id="write"),
        pytest.param(b"\x31\xc9\xf7\xf1", 2, id="division"),
        pytest.param(b"\x0f\x0b", 2, id="invalid"),
        pytest.param(b"\xf4", 1, id="halt"),
        pytest.param(b"\x9c\x80\x4c\x24\x01\x01\x9d\x90", 0, id="trap flag"),
    ],
)
def test_the_programs_own_handler_takes_a_fault(fault: bytes, skip: int) -> None:
    length = len(handler_frame(0)) + len(fault)
    handler = RESUME + bytes([skip]) + b"\xff\x80\xa4\0\0\0\x31\xc0\xc3"  # inc the context's EBX
    over = b"\xeb" + bytes([len(handler)])
    check = b"\x83\xfb\x01\x74\x01\xcc"  # cmp ebx, 1; je over int3
    code = b"\x31\xdb" + handler_frame(2 + length + 2) + fault + over + handler + check
    assert unpacks(code + b"\x64\x8f\x05\0\0\0\0\x58")  # pop fs:[0]; pop eax


def test_a_fault_that_no_handler_takes_ends_the_emulation() -> None:
    outcome = run(b"\x31\xc0\x8b\x00")
    assert not outcome.dumps
    assert outcome.end.startswith("read fault")


def test_functions_are_found_by_walking_the_lists_of_modules() -> None:
    # The third module in the order of initialisation's list is user32; its base has MZ.
    code = (
        b"\x64\xa1\x30\0\0\0"  # mov eax, fs:[0x30]
        b"\x8b\x40\x0c\x8b\x40\x1c\x8b\x00"  # Ldr; InInitializationOrder; kernel32
        b"\x8b\x40\x08\x66\x81\x38\x4d\x5a"  # its base; cmp word [eax], MZ
        b"\x74\x01\xcc"
        b"\x8b\x48\x3c\x8b\x4c\x01\x78\x8b\x54\x01\x18\x85\xd2\x75\x01\xcc"  # exports' count
    )
    assert unpacks(code)


def test_a_debugger_is_not_there() -> None:
    assert unpacks(b"\x64\xa1\x30\0\0\0\x80\x78\x02\0\x74\x01\xcc")


def imported(code_of: bytes, functions: list[bytes]) -> bytes:
    """A program that imports from kernel32 and runs code."""
    at = STUB_RVA + 0x800
    names = b""
    rows = []
    for name in functions:
        rows.append(at + 0x100 + len(names))
        names += b"\0\0" + name + b"\0"
    table = struct.pack("<IIIII", 0, 0, 0, at + 0x80, at + 0xC0).ljust(0x80, b"\0")
    table += b"KERNEL32.dll".ljust(0x40, b"\0")
    table += struct.pack(f"<{len(rows) + 1}I", *rows, 0).ljust(0x40, b"\0") + names
    return program(
        [
            Section(b".text", TARGET_RVA, 0x2000, b""),
            Section(b".pack", STUB_RVA, 0x2000, code_of.ljust(0x800, b"\0") + table),
        ],
        STUB_RVA,
        imports=(at, 40),
    )


def test_memory_that_is_asked_for_and_executed_comes_out() -> None:
    slot = BASE + STUB_RVA + 0x8C0
    code = (
        b"\x6a\x40\x68\0\x10\0\0\x68\0\x10\0\0\x6a\0"  # push 0x40, 0x1000, 0x1000, 0
        + b"\xff\x15"
        + struct.pack("<I", slot)  # call [VirtualAlloc]
        + b"\xc6\x00\x90\xc6\x40\x01\xcc\xff\xe0"  # write nop, int3; jmp eax
    )
    data = imported(code, [b"VirtualAlloc"])
    found = opened(data)
    assert [m.data for m in found if m.name.startswith("memory.")] == [b"\x90\xcc"]


def test_a_function_nobody_knows_ends_the_emulation() -> None:
    data = imported(b"\xff\x15" + struct.pack("<I", BASE + STUB_RVA + 0x8C0), [b"NoSuchThing"])
    outcome = emulate(read_image(data), data, lambda: None)
    assert outcome.end == "it called NoSuchThing"


def test_callbacks_run_before_the_entry_point() -> None:
    base = BASE + STUB_RVA
    unpacking = packed()
    stub_and_data = unpacking[0x200:]
    table = struct.pack("<6I", 0, 0, 0, base + 0xE00 + 24, 0, 0) + struct.pack("<2I", base, 0)
    code = stub_and_data.ljust(0xE00, b"\0") + table + b"\xcc" * 16
    data = program(
        [
            Section(b".text", TARGET_RVA, 0x2000, b""),
            Section(b".pack", STUB_RVA, 0x2000, code),
        ],
        STUB_RVA + 0xE20,
        tls=(STUB_RVA + 0xE00, 24),
    )
    assert any(PAYLOAD in member.data for member in opened(data))


# --- instructions that the emulator lacks ---------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "0fa2",  # cpuid
        "0fc7f0",  # rdrand eax
        "0fc7f8",  # rdseed eax
        "0f00c8",  # str eax
        "0f00c0",  # sldt eax
        "83ec100f0104240f010c2483c410",  # sgdt [esp]; sidt [esp]
        "0f38f00424",  # movbe eax, [esp]
        "660f3800c1",  # pshufb xmm0, xmm1
        "660f3a0fc103",  # palignr xmm0, xmm1, 3
        "f20f38f1c3",  # crc32 eax, ebx
        "660f38dcc1",  # aesenc xmm0, xmm1
        "a12003fe7f",  # mov eax, [KUSER_SHARED_DATA.TickCount]
    ],
)
def test_instructions_that_ask_who_runs_them_end_nothing(code: str) -> None:
    assert unpacks(b"\x60" + bytes.fromhex(code) + b"\x61")


@pytest.fixture
def cpu(request: pytest.FixtureRequest) -> Iterator[Cpu]:
    made = Cpu(getattr(request, "param", False))
    made.map(0x10000, 0x2000)
    yield made
    made.close()


def stepped(cpu: Cpu, code: str) -> bool | None:
    data = bytes.fromhex(code)
    cpu.write(0x10000, data)
    faithful = stand_in(cpu, 0x10000)
    assert cpu.pc == 0x10000 + len(data)
    return faithful


@pytest.mark.parametrize("cpu", [False, True], indirect=True)
def test_crc32_is_that_of_the_processor(cpu: Cpu) -> None:
    cpu.write(0x11000, b"123456789")
    cpu.set("AX", 0xFFFFFFFF)
    cpu.set("SI", 0x11000)
    cpu.set("CX", 1)
    assert stepped(cpu, "f20f38f106")  # crc32 eax, dword [esi]
    assert stepped(cpu, "f20f38f14603" if cpu.wide else "f20f38f1448e00")
    assert cpu.get("AX") == crc32c(b"1234" + (b"4567" if cpu.wide else b"5678"))


def crc32c(data: bytes) -> int:
    """CRC-32C without the last inversion, bit by bit. Source: RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for bit in (byte >> place & 1 for byte in data for place in range(8)):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 != bit else 0)
    return crc


def test_crc32_of_the_standards_example() -> None:
    assert crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283


def test_movbe_and_cpuid(cpu: Cpu) -> None:
    cpu.write(0x11000, bytes.fromhex("01020304"))
    cpu.set("BX", 0x11000)
    cpu.set("DX", 4)
    assert stepped(cpu, "0f38f00c13") is True  # movbe ecx, [ebx+edx]
    assert cpu.get("CX") == 0
    cpu.set("DX", 0)
    assert stepped(cpu, "0f38f00c13") is True
    assert cpu.get("CX") == 0x01020304
    assert stepped(cpu, "0f38f18b00010000") is True  # movbe [ebx+0x100], ecx
    assert cpu.read(0x11100, 4) == bytes.fromhex("01020304")
    cpu.set("AX", 0)
    assert stepped(cpu, "0fa2") is True
    names = (cpu.get("BX"), cpu.get("DX"), cpu.get("CX"))
    assert struct.pack("<3I", *names) == b"GenuineIntel"


@pytest.mark.parametrize(
    "code",
    ["660f3a0f4c2410ff", "c4e37d06c121", "c5fdefc9", "c4e27d18056789abcd", "660f380005cdab0000"],
)
def test_of_what_is_not_done_the_length_is_known(cpu: Cpu, code: str) -> None:
    cpu.set("SP", 0x11000)
    assert stepped(cpu, code) is False


@pytest.mark.parametrize("code", ["0f0b", "0fff", "90", "c4010203", "f30f", "0f"])
def test_what_raises_a_fault_goes_on_doing_so(cpu: Cpu, code: str) -> None:
    cpu.write(0x11FF0 - len(code) // 2 + 0x10, bytes.fromhex(code))
    assert stand_in(cpu, 0x12000 - len(code) // 2) is None


def test_a_packed_program_that_cannot_be_unpacked_is_incomplete() -> None:
    data = packed(before=b"\xff\x15\0\0\0\0")  # call [0]
    (item,) = UNPACKER.members(data, Budget(), ())
    assert isinstance(item, Skipped)
    assert item.reason is Reason.UNSUPPORTED


# --- bounds -------------------------------------------------------------------------------


def test_a_program_that_goes_on_for_ever_is_stopped_by_the_clock() -> None:
    start = time.monotonic()
    outcome = run(b"\xeb\xfe", effort=Effort(seconds=0.5))
    assert outcome.end == "more than 0.5 seconds"
    assert time.monotonic() - start < 5


def test_a_program_that_goes_on_for_ever_is_stopped_by_its_instructions() -> None:
    outcome = run(b"\xeb\xfe", effort=Effort(instructions=2_000_000))
    assert outcome.end == "more than 2000000 instructions"


def test_memory_for_the_asking_has_an_end() -> None:
    slot = BASE + STUB_RVA + 0x8C0
    ask = b"\x6a\x40\x68\0\x10\0\0\x68\0\0\x10\0\x6a\0\xff\x15" + struct.pack("<I", slot)
    code = ask + b"\x85\xc0\x75" + bytes([256 - len(ask) - 4]) + b"\xf4"  # until it is refused
    data = imported(code, [b"VirtualAlloc"])
    outcome = emulate(read_image(data), data, lambda: None)
    assert outcome.end.startswith("invalid fault")


def test_a_size_that_lies_costs_nothing() -> None:
    data = bytearray(packed())
    struct.pack_into("<I", data, 64 + 24 + 56, 0xFFFFF000)
    (member,) = opened(bytes(data))
    assert PAYLOAD in member.data
    assert member.size < 10_000


def test_the_clock_of_the_tree_ends_it_too() -> None:
    outcome = check_contract("PACKED", stubborn(b"\xeb\xfe"), BRIEF)
    assert outcome.error is not None
    assert "--timeout" in str(outcome.error)


def test_what_gives_nothing_is_remarked_on_and_not_incomplete() -> None:
    rows = [
        Section(b".text", 0x1000, 0x1000, b"\xcc", 0x60000020),
        Section(b".more", 0x2000, 0x1000, b"\xcc", 0xE0000020),
    ]
    data = program(rows, 0x2000)
    assert list(find_packed(data)) == ["PACKED"]
    (remark,) = UNPACKER.members(data, Budget(), ())
    assert isinstance(remark, Remark)
    assert "looks packed, could not be unpacked" in remark.detail


def test_what_time_ran_out_for_is_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "_SECONDS", 0.3)
    monkeypatch.setattr(packed_module, "_SECONDS_IN_ALL", 0.4)
    budget = Budget()
    (first,) = UNPACKER.members(stubborn(b"\xeb\xfe"), budget, ())
    assert isinstance(first, Skipped)
    assert first.reason is Reason.LIMIT
    assert "more than 0.3 seconds" in first.detail
    (second,) = UNPACKER.members(packed(), budget, ())
    assert isinstance(second, Skipped)
    assert second.reason is Reason.LIMIT
    assert "used up" in second.detail


# --- where a processor can be made only once ------------------------------------------------


class Broken:
    """A processor that fails as icicle does when its own code fails."""

    def __init__(self, vm: object) -> None:
        self.vm = vm

    def run(self) -> None:
        raise type("PanicException", (BaseException,), {})("out of its mind")

    def __getattr__(self, name: str) -> object:
        return getattr(self.vm, name)


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a worker that may open no file."""
    emulator_pool.preload("i686")

    def refused(*_: object) -> None:
        raise CpuLost("no emulator: may open no file")

    monkeypatch.setattr(emulator_pool, "make", refused)
    monkeypatch.setattr(emulator_cpu, "make", refused)


@pytest.mark.usefixtures("sealed")
def test_a_used_up_processor_goes_on_where_none_can_be_made() -> None:
    data = packed()
    for _ in range(emulator_pool.MOST_USES + 2):
        assert any(PAYLOAD in member.data for member in opened(data))


@pytest.mark.usefixtures("sealed")
def test_a_program_that_breaks_the_processor_costs_only_itself() -> None:
    vm, uses = emulator_pool.POOL.idle["i686", False]
    emulator_pool.POOL.idle["i686", False] = (Broken(vm), uses)
    (skipped,) = UNPACKER.members(packed(), Budget(), ())
    assert isinstance(skipped, Skipped)
    assert skipped.reason is Reason.UNSUPPORTED
    assert "out of its mind" in skipped.detail
    (_, uses) = emulator_pool.POOL.idle["i686", False]
    emulator_pool.POOL.idle["i686", False] = (vm, uses)
    assert any(PAYLOAD in member.data for member in opened(packed()))


def test_a_processor_stops_at_what_it_has_not_executed_yet() -> None:
    cpu = Cpu(False)
    try:
        assert cpu.map(0x10000, 0x1000)
        assert not cpu.map(0x10000, 0x1000)
        cpu.write(0x10000, b"\x90\x90\xcc")
        cpu.pc = 0x10000
        assert cpu.run(100)[:2] == (Kind.FETCH, 0x10000)
        cpu.grant(0x10000)
        stop = cpu.run(100)
        assert (stop.kind, stop.pc, stop.value) == (Kind.INTERRUPT, 0x10002, 3)
    finally:
        cpu.close()


# --- damage -------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wide=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 0x7FF), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 0x800),
)
def test_damaged_programs_keep_the_contract(
    wide: bool, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(packed(wide=wide))
    for at, value in changes:
        if at < len(data):
            data[at] = value
    check_contract("PACKED", bytes(data[: len(data) - cut]), BRIEF)
