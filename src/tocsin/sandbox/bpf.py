"""A small assembler for seccomp's classic BPF.

A program is a chain of blocks, one a system call: if the number is not the block's, control
falls to the next block; within it, conditions on the arguments are tested one after the other
and the first that fails refuses the call. So every jump is short and forward, and a block can
be read on its own.

Source: Linux, `include/uapi/linux/filter.h`, `include/uapi/linux/seccomp.h`,
`Documentation/userspace-api/seccomp_filter.rst`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

ALLOW: Final = 0x7FFF0000
KILL_PROCESS: Final = 0x80000000
_ERRNO: Final = 0x00050000

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16
"""Offsets in `struct seccomp_data`; an argument is eight bytes, the low half first."""

_FOREIGN: Final = 0x40000000
"""Numbers from here on are x32's: other entry points to the same calls."""


def errno(number: int) -> int:
    """The action that refuses a call with an error number."""
    return _ERRNO | number


class Masked(NamedTuple):
    """A condition: these bits of an argument's low half have one of some values.

    The high half is not looked at: it is for arguments that the kernel takes as 32 bits, or
    whose bits above are all unknown to it.

    Attributes:
        argument: which, counted from 0.
        mask: the bits that are looked at.
        values: what they may be.
    """

    argument: int
    mask: int
    values: tuple[int, ...]


class Null(NamedTuple):
    """A condition: an argument is zero, all 64 bits of it.

    Attributes:
        argument: which, counted from 0.
    """

    argument: int


Condition = Masked | Null

_WHOLE: Final = 0xFFFFFFFF


def equal(argument: int, *values: int) -> Masked:
    """The condition that the low half of an argument is one of some values."""
    return Masked(argument, _WHOLE, tuple(value & _WHOLE for value in values))


def clear(argument: int, bits: int) -> Masked:
    """The condition that none of some bits of an argument is set."""
    return Masked(argument, bits, (0,))


class Rule(NamedTuple):
    """What is done with a call.

    Attributes:
        number: the call's.
        conditions: what must hold of its arguments.
        otherwise: the action when one does not hold.
        action: the action when all hold.
    """

    number: int
    conditions: tuple[Condition, ...]
    otherwise: int
    action: int = ALLOW


def program(audit: int, *blocks: bytes, default: int) -> bytes:
    """Put a filter together.

    Args:
        audit: the architecture whose calls the blocks number; calls of any other kill.
        *blocks: see `assemble`.
        default: the action for every other call.

    Returns:
        An array of `struct sock_filter`.
    """
    head = (
        _one(_LOAD, _ARCHITECTURE),
        _one(_IF_EQUAL, audit, 1, 0),
        _one(_RETURN, KILL_PROCESS),
        _one(_LOAD, _NUMBER),
        _one(_IF_AT_LEAST, _FOREIGN, 0, 1),
        _one(_RETURN, default),
    )
    return b"".join((*head, *blocks, _one(_RETURN, default)))


def assemble(rules: Iterable[Rule]) -> bytes:
    """The blocks for some calls, a part of a program."""
    code: list[bytes] = []
    for rule in rules:
        body = _body(rule)
        code.append(_one(_IF_EQUAL, rule.number, 0, len(body)))
        code.extend(body)
    return b"".join(code)


def _body(rule: Rule) -> list[bytes]:
    body: list[bytes] = []
    for condition in rule.conditions:
        low = _ARGUMENTS + 8 * condition.argument
        if isinstance(condition, Null):
            for half in (low, low + 4):
                body += [
                    _one(_LOAD, half),
                    _one(_IF_EQUAL, 0, 1, 0),
                    _one(_RETURN, rule.otherwise),
                ]
            continue
        body.append(_one(_LOAD, low))
        if condition.mask != _WHOLE:
            body.append(_one(_AND, condition.mask))
        count = len(condition.values)
        for at, value in enumerate(condition.values):
            body.append(_one(_IF_EQUAL, value, count - at, 0))
        body.append(_one(_RETURN, rule.otherwise))
    body.append(_one(_RETURN, rule.action))
    return body


def _one(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
