"""The filter of system calls, run in a small machine of our own: for each architecture."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator

import pytest

from tocsin.sandbox import bpf, seccomp, syscalls
from tocsin.sandbox.call_numbers import NUMBERS, Architecture

PROCESS = 4321
EPERM = bpf.errno(errno.EPERM)
AT_FDCWD = -100 & 0xFFFFFFFF


def run(code: bytes, audit: int, number: int, *arguments: int) -> int:
    """What a filter answers; as the kernel runs it, with the few instructions we use."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, audit, 0, *padded)
    instructions = list(struct.iter_unpack("=HBBI", code))
    register, at, steps = 0, 0, 0
    while True:
        operation, if_true, if_false, operand = instructions[at]
        at += 1
        steps += 1
        assert steps <= len(instructions), "only forward jumps"
        match operation:
            case 0x20:
                register = struct.unpack_from("=I", data, operand)[0]
            case 0x54:
                register &= operand
            case 0x15:
                at += if_true if register == operand else if_false
            case 0x35:
                at += if_true if register >= operand else if_false
            case 0x06:
                return operand
            case other:
                raise AssertionError(f"unknown instruction {other:#x}")


@pytest.fixture(params=NUMBERS)
def machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Architecture]:
    known = NUMBERS[request.param]
    monkeypatch.setattr(syscalls, "architecture", lambda: known)
    seccomp._fixed.cache_clear()
    yield known
    seccomp._fixed.cache_clear()


def ask(machine: Architecture, name: str, *arguments: int, sealed: bool = False) -> int:
    code = seccomp.build(PROCESS, sealed=sealed)
    return run(code, machine.audit, machine.calls[name], *arguments)


def test_a_call_that_nobody_named_is_refused(machine: Architecture) -> None:
    code = seccomp.build(PROCESS, sealed=False)
    named = set(machine.calls.values())
    for number in set(range(600)) - named:
        assert run(code, machine.audit, number) == EPERM


@pytest.mark.parametrize(
    "name", ["mount", "unshare", "capset", "seccomp", "landlock_create_ruleset", "mount_setattr"]
)
def test_what_confines_cannot_be_used_again(machine: Architecture, name: str) -> None:
    assert ask(machine, name) == EPERM


def test_another_architecture_ends_the_process(machine: Architecture) -> None:
    code = seccomp.build(PROCESS, sealed=False)
    assert run(code, 0x40000003, machine.calls["read"]) == bpf.KILL_PROCESS  # AUDIT_ARCH_I386


def test_numbers_of_x32_are_refused(machine: Architecture) -> None:
    code = seccomp.build(PROCESS, sealed=False)
    assert run(code, machine.audit, 0x40000000 | machine.calls["read"]) == EPERM


def test_reading_is_always_allowed(machine: Architecture) -> None:
    assert ask(machine, "read", 3, 0x7FFF_0000_0000, 10, sealed=True) == bpf.ALLOW


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(1, id="O_WRONLY"),
        pytest.param(2, id="O_RDWR"),
        pytest.param(0o100, id="O_CREAT"),
        pytest.param(0o1000, id="O_TRUNC"),
        pytest.param(0o10000000, id="O_PATH"),
        pytest.param(0o20000000 | 0o200000, id="O_TMPFILE"),
        pytest.param(3, id="no access mode"),
    ],
)
def test_a_file_is_never_opened_for_writing(machine: Architecture, flags: int) -> None:
    assert ask(machine, "openat", AT_FDCWD, 1, flags | 0o2000000) == EPERM


def test_a_file_is_opened_for_reading_unless_sealed(machine: Architecture) -> None:
    close_on_exec = 0o2000000
    assert ask(machine, "openat", AT_FDCWD, 1, close_on_exec) == bpf.ALLOW
    assert ask(machine, "openat", AT_FDCWD, 1, close_on_exec, sealed=True) == EPERM


@pytest.mark.parametrize(
    ("descriptor", "flags", "answer"),
    [(3, 0x1000, bpf.ALLOW), (AT_FDCWD, 0, EPERM), (AT_FDCWD, 0x1000, EPERM), (3, 0, EPERM)],
)
def test_sealed_only_a_descriptor_is_looked_at(
    machine: Architecture, descriptor: int, flags: int, answer: int
) -> None:
    assert ask(machine, "newfstatat", descriptor, 1, 2, flags, sealed=True) == answer
    assert ask(machine, "statx", descriptor, 1, flags, 0, 2, sealed=True) == answer


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        pytest.param(0x3D0F00, bpf.ALLOW, id="a thread of glibc"),
        pytest.param(0x7D0F00, bpf.ALLOW, id="a thread of musl"),
        pytest.param(17, EPERM, id="fork"),
        pytest.param(0x4111, EPERM, id="vfork"),
        pytest.param(0x3D0F00 | 0x10000000, EPERM, id="a thread in a user namespace"),
        pytest.param(0x3D0F00 & ~0x10000, EPERM, id="shares memory, but is no thread"),
        pytest.param(0, EPERM, id="nothing"),
    ],
)
def test_clone_makes_threads_only(machine: Architecture, flags: int, answer: int) -> None:
    assert ask(machine, "clone", flags) == answer


def test_clone3_does_not_exist(machine: Architecture) -> None:
    assert ask(machine, "clone3", 1, 88) == bpf.errno(errno.ENOSYS)


@pytest.mark.parametrize("name", ["kill", "tgkill"])
def test_a_process_signals_only_itself(machine: Architecture, name: str) -> None:
    assert ask(machine, name, PROCESS, 6) == bpf.ALLOW
    for other in (PROCESS - 1, 0, 1, 0xFFFFFFFF, 0xFFFFFFFF - PROCESS + 1):
        assert ask(machine, name, other, 6) == EPERM


def test_limits_are_read_and_not_set(machine: Architecture) -> None:
    assert ask(machine, "prlimit64", 0, 7, 0, 0x7FFF_0000_0000) == bpf.ALLOW
    assert ask(machine, "prlimit64", PROCESS, 7, 0, 1) == bpf.ALLOW
    assert ask(machine, "prlimit64", 1, 7, 0, 1) == EPERM
    for new in (1, 0x7FFF_0000_0000, 1 << 32):  # the low half of a pointer may be zero
        assert ask(machine, "prlimit64", 0, 7, new, 0) == EPERM


def test_memory_is_not_shared_with_nobody(machine: Architecture) -> None:
    private, shared, anonymous = 2, 1, 0x20
    assert ask(machine, "mmap", 0, 4096, 7, private | anonymous) == bpf.ALLOW
    assert ask(machine, "mmap", 0, 4096, 1, shared) == bpf.ALLOW
    assert ask(machine, "mmap", 0, 4096, 3, shared | anonymous) == EPERM
    assert ask(machine, "mmap", 0, 4096, 3, 3 | anonymous) == EPERM  # MAP_SHARED_VALIDATE


@pytest.mark.parametrize(
    ("name", "position", "allowed", "denied"),
    [
        ("fcntl", 1, (1, 3, 1030), (8, 9, 10, 1024, 1031, 1033)),  # F_SETOWN, F_SETSIG, ...
        ("ioctl", 1, (0x5401, 0x541B), (0x5412, 0x5402, 0x8904)),  # TIOCSTI, TCSETS, FIOSETOWN
        ("prctl", 0, (15,), (1, 4, 22, 38, 0x59616D61)),
    ],
)
def test_calls_of_many_uses_have_few_left(
    machine: Architecture,
    name: str,
    position: int,
    allowed: tuple[int, ...],
    denied: tuple[int, ...],
) -> None:
    for answer, values in ((bpf.ALLOW, allowed), (EPERM, denied)):
        for value in values:
            assert ask(machine, name, *[0] * position, value) == answer


def test_the_filter_is_short_enough_for_the_kernel(machine: Architecture) -> None:
    assert len(seccomp.build(PROCESS, sealed=False)) // 8 <= 4096  # BPF_MAXINSNS
