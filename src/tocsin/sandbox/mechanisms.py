"""What this kernel offers to confine a process with, asked of the kernel and not of its version."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tocsin.sandbox import identity, landlock, namespaces, seccomp, syscalls
from tocsin.sandbox.policy import Mechanism


class Row(NamedTuple):
    """A mechanism, as a person is told of it.

    Attributes:
        name: the mechanism's.
        available: whether it will be used here.
        detail: in what form, or an empty string.
        protects: what it is for.
        without: what is then not prevented by it; an empty string when nothing is amiss.
    """

    name: str
    available: bool
    detail: str
    protects: str
    without: str


class Support(NamedTuple):
    """What a kernel offers to this process.

    Attributes:
        landlock_abi: version of Landlock's interface; 0 without Landlock.
        seccomp: filters of system calls are taken, and one is known for this architecture.
        namespaces: a process like this may have its own network and mounts...
        user_namespace: ...for which it needs a user namespace.
        root: this process is root.
        spare_user: root can become a user of its own here.
        no_new_privileges: can be set.
    """

    landlock_abi: int
    seccomp: bool
    namespaces: bool
    user_namespace: bool
    root: bool
    spare_user: bool
    no_new_privileges: bool

    @property
    def mechanisms(self) -> frozenset[Mechanism]:
        """The mechanisms that `confine.confine` will find."""
        found = {Mechanism.RLIMITS}
        if self.landlock_abi:
            found.add(Mechanism.LANDLOCK)
        if self.seccomp:
            found.add(Mechanism.SECCOMP)
        if self.namespaces:
            found.add(Mechanism.NAMESPACES)
        if not self.root or self.spare_user:
            found.add(Mechanism.IDENTITY)
        return frozenset(found)

    def describe(self) -> tuple[Row, ...]:
        """A row a mechanism."""
        return (self._landlock(), self._seccomp(), self._namespaces(), self._identity(), _RLIMITS)

    def _landlock(self) -> Row:
        without = ""
        if not self.landlock_abi:
            without = "workers can open no file at all, and load everything before they start"
            if not self.seccomp:
                without = "files that this user may read or write are open to a worker"
        return Row(
            "landlock",
            self.landlock_abi > 0,
            f"version {self.landlock_abi}" if self.landlock_abi else "",
            "files, TCP (from version 4), signals and abstract sockets (from 6), tracing",
            without,
        )

    def _seccomp(self) -> Row:
        return Row(
            "seccomp",
            self.seccomp,
            "",
            "new programs and processes, sockets, signals, tracing, changes of files, the kernel",
            "" if self.seccomp else "a worker may start programs and use most of the kernel",
        )

    def _namespaces(self) -> Row:
        return Row(
            "namespaces",
            self.namespaces,
            "in a user namespace" if self.user_namespace else "",
            "any network, and changes of files",
            "" if self.namespaces else "only the filter of system calls stops UDP and UNIX sockets",
        )

    def _identity(self) -> Row:
        available = not self.root or self.spare_user
        return Row(
            "identity",
            available,
            "root becomes a user of its own" if self.root and available else "",
            "what belongs to root or, for root, to anyone",
            "" if available else "workers stay root",
        )


_RLIMITS = Row("rlimits", True, "", "memory, CPU time, open files, growth of files", "")


def probe() -> Support:
    """Ask the kernel; tries out namespaces in a child process, so not for every scan."""
    root = identity.is_root()
    plain = _granted(lambda: namespaces.enter(new_user=False))
    new_user = not plain and _granted(lambda: namespaces.enter(new_user=True))
    return Support(
        landlock_abi=landlock.abi(),
        seccomp=seccomp.available(),
        namespaces=plain or new_user,
        user_namespace=new_user,
        root=root,
        spare_user=root and identity.spare_id(os.getpid()) is not None,
        no_new_privileges=_can_refuse_privileges(),
    )


def _can_refuse_privileges() -> bool:
    try:
        return syscalls.prctl(syscalls.PR_GET_NO_NEW_PRIVS) >= 0
    except OSError:
        return False


def _granted(attempt: Callable[[], None]) -> bool:
    """Whether something succeeds in a process that ends at once."""
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(OSError):
            attempt()
            status = 0
        os._exit(status)
    return os.waitpid(child, 0)[1] == 0
