"""Confining the calling process: all mechanisms, in the one order in which they fit together.

Privileges are used before they are given up (namespaces, then the identity), files are named
while they can still be opened (Landlock's rules before the identity changes), and the filter
of system calls comes last, since it refuses most of what comes before.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Final, NamedTuple

from tocsin.errors import SandboxUnavailable
from tocsin.sandbox import descriptors, identity, landlock, limits, namespaces, seccomp, syscalls
from tocsin.sandbox.policy import Mechanism, Policy

_ESSENTIAL: Final = (Mechanism.SECCOMP, Mechanism.IDENTITY)
_SEALING: Final = (Mechanism.LANDLOCK, Mechanism.SECCOMP)


class Applied(NamedTuple):
    """What is in force.

    Attributes:
        mechanisms: which.
        sealed: no path can be opened.
        lacking: what was wanted and is not in force, as sentences.
    """

    mechanisms: frozenset[Mechanism]
    sealed: bool
    lacking: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The mechanisms in force, by name."""
        return sorted(each.value for each in self.mechanisms)


def needs_preload(policy: Policy) -> bool:
    """Whether a process so confined can open no file, and so import nothing.

    That is so where Landlock cannot say which files, and where the process becomes a user who
    may not read the runtime.
    """
    return _is_sealed(policy, identity.is_root())


@lru_cache(maxsize=4)
def _is_sealed(policy: Policy, is_root: bool) -> bool:
    if policy.sealed is not None:
        return policy.sealed
    if Mechanism.LANDLOCK not in policy.use or not landlock.abi():
        return Mechanism.SECCOMP in policy.use
    if Mechanism.IDENTITY in policy.use and is_root:
        return not all(identity.others_may_read(path) for path in policy.readable)
    return False


def prepare(policy: Policy) -> None:
    """Build in the parent what all its children will use; has no other effect."""
    if Mechanism.SECCOMP in policy.use:
        seccomp.prepare(sealed=needs_preload(policy))


def confine(policy: Policy, keep: Collection[int], parent: int = 0) -> Applied:
    """Confine the calling process, for good; it must have one thread only.

    Args:
        policy: what it may still do.
        keep: descriptors that stay open; 0, 1 and 2 lead nowhere unless they are among them.
        parent: the process that forked this one, if known: should it have ended already, this
            one ends too.

    Returns:
        What is in force.

    Raises:
        SandboxUnavailable: the policy requires what is not to be had.
    """
    steps = _Steps(policy)
    descriptors.close_all_but(keep)
    with suppress(PermissionError):  # it leads a session already
        os.setsid()
    steps.name_files()
    steps.enter_namespaces(new_user=False)
    steps.leave_root()
    steps.enter_namespaces(new_user=True)
    steps.give_up_privileges()
    steps.limit_resources()
    _tie_to(parent or steps.parent)
    steps.restrict_files()
    steps.restrict_calls()
    return steps.result()


class _Steps:
    """The steps, each of which does what it can, and what has come of them."""

    def __init__(self, policy: Policy) -> None:
        self.parent = os.getppid()
        self._policy = policy
        self._mapped = limits.mapped_bytes()
        self._sealed = needs_preload(policy)
        self._rules = -1
        self._own_user = False
        self._done: set[Mechanism] = set()
        self._lacking: list[str] = []

    def _wants(self, mechanism: Mechanism) -> bool:
        return mechanism in self._policy.use and mechanism not in self._done

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """Note a failure; the other steps are taken all the same."""
        try:
            yield
        except OSError as error:
            self._lacking.append(f"{what}: {error.strerror or error}")

    def name_files(self) -> None:
        """Make Landlock's rules while their paths can be opened."""
        if self._wants(Mechanism.LANDLOCK):
            readable = () if self._sealed else self._policy.readable
            version = min(landlock.abi(), self._policy.landlock_abi_at_most)
            with self._noting("landlock"):
                self._rules = landlock.prepare(readable, version)

    def enter_namespaces(self, *, new_user: bool) -> None:
        """Enter new namespaces, if the kernel grants any."""
        if not self._wants(Mechanism.NAMESPACES):
            return
        try:
            namespaces.enter(new_user=new_user)
        except OSError as error:
            if new_user:  # the second and last way
                self._lacking.append(f"namespaces: {error.strerror}")
            return
        self._done.add(Mechanism.NAMESPACES)
        with self._noting("namespaces: file systems could not be left or made read-only"):
            if self._sealed:
                namespaces.leave_file_systems()
            else:
                namespaces.make_read_only()

    def leave_root(self) -> None:
        """Become a user who owns nothing, if this is root."""
        if not (self._wants(Mechanism.IDENTITY) and identity.is_root()):
            return
        with self._noting("identity: root could not be left"):
            spare = identity.spare_id(os.getpid())
            if spare is None:
                raise OSError(errno.EINVAL, "no other user id exists in this namespace")
            identity.become(spare)
            self._own_user = spare != identity.NOBODY

    def give_up_privileges(self) -> None:
        """Keep no capability and no way to get any."""
        with self._noting("new privileges could not be refused"):
            syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if self._wants(Mechanism.IDENTITY):
            with self._noting("identity: capabilities could not be given up"):
                identity.give_up_capabilities()
                if not identity.is_root():
                    self._done.add(Mechanism.IDENTITY)

    def limit_resources(self) -> None:
        """Limit memory, time and files."""
        if self._wants(Mechanism.RLIMITS):
            policy = self._policy
            memory = self._mapped + policy.memory
            with self._noting("rlimits"):
                limits.enforce(
                    memory, policy.cpu_seconds, policy.open_files, own_user=self._own_user
                )
                self._done.add(Mechanism.RLIMITS)

    def restrict_files(self) -> None:
        """Let Landlock's rules take effect."""
        if self._rules >= 0:
            with self._noting("landlock"):
                landlock.enforce(self._rules)
                self._done.add(Mechanism.LANDLOCK)

    def restrict_calls(self) -> None:
        """Filter system calls; without Landlock, none may open a file."""
        if not self._wants(Mechanism.SECCOMP):
            return
        if not seccomp.available():
            self._lacking.append("seccomp: the kernel takes no filters")
            return
        self._sealed = self._sealed or Mechanism.LANDLOCK not in self._done
        with self._noting("seccomp"):
            seccomp.enforce(sealed=self._sealed)
            self._done.add(Mechanism.SECCOMP)

    def result(self) -> Applied:
        """What is in force.

        Raises:
            SandboxUnavailable: the policy requires more.
        """
        missing = [each.value for each in _ESSENTIAL if each not in self._done]
        if self._policy.required and missing:
            why = "; ".join(self._lacking) or "the policy does not use it"
            raise SandboxUnavailable(
                f"a worker could not be confined by {' and '.join(missing)}: {why}"
            )
        sealed = self._sealed and not self._done.isdisjoint(_SEALING)
        return Applied(frozenset(self._done), sealed, tuple(self._lacking))


def _tie_to(parent: int) -> None:
    """End this process when the one that forked it ends; trace and dump it never."""
    with suppress(OSError):
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
