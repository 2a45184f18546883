"""Confining: what is decided, what is said, and what old kernels and containers lack."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import time
from pathlib import Path

import pytest
from sandbox_children import Broken, confined, in_child, refused

from tocsin.errors import SandboxUnavailable
from tocsin.sandbox import bpf, confine, identity, landlock, limits, mechanisms, seccomp, syscalls
from tocsin.sandbox.descriptors import close_all_but
from tocsin.sandbox.policy import ALL, Mechanism, Policy, runtime_paths

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="not root")
needs_seccomp = pytest.mark.skipif(not seccomp.available(), reason="this kernel has no filters")
needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")


def without(*names: str) -> None:
    """Make this process live on a kernel that lacks some calls: they give ENOSYS."""
    known = syscalls.architecture()
    assert known is not None
    rules = [bpf.Rule(known.calls[name], (), 0, bpf.errno(errno.ENOSYS)) for name in names]
    code = bpf.program(known.audit, bpf.assemble(rules), default=bpf.ALLOW)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    structure = seccomp._Program(len(code) // 8, code)
    pointer = ctypes.cast(ctypes.pointer(structure), ctypes.c_void_p)
    syscalls.call("prctl", syscalls.PR_SET_SECCOMP, 2, pointer, 0, 0)


def old_kernel(*names: str) -> None:
    without(*names)
    confine._is_sealed.cache_clear()


LANDLOCK_CALLS = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")


@needs_seccomp
def test_a_kernel_without_landlock_gets_a_sealed_process() -> None:
    def live(writer: int) -> list[object]:
        old_kernel(*LANDLOCK_CALLS)
        policy = Policy(readable=runtime_paths())
        preload = confine.needs_preload(policy)
        applied = confine.confine(policy, (writer,))
        opens = not refused(lambda: os.close(os.open(os.__file__, os.O_RDONLY)))
        return [preload, applied.sealed, "landlock" in applied.names, opens, *applied.lacking]

    preload, sealed, has_landlock, opens, *lacking = in_child(live)
    assert (preload, sealed, has_landlock, opens) == (True, True, False, False)
    assert lacking == ["landlock: Operation not supported"]


@needs_seccomp
def test_a_kernel_from_before_close_range_and_mount_setattr_closes_all_the_same() -> None:
    def live(writer: int) -> list[object]:
        old_kernel("close_range", "mount_setattr")
        left_open = os.dup(writer)
        applied = confine.confine(Policy(readable=runtime_paths(), sealed=False), (writer,))
        return [refused(lambda: os.fstat(left_open)), "seccomp" in applied.names]

    assert in_child(live) == [True, True]


def test_where_the_kernel_has_neither_the_rest_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "architecture", lambda: None)
    confine._is_sealed.cache_clear()

    def live(writer: int) -> list[object]:
        applied = confine.confine(Policy(readable=runtime_paths()), (writer,))
        return [applied.names, list(applied.lacking)]

    names, lacking = in_child(live)
    assert "rlimits" in names
    assert not {"landlock", "seccomp"} & set(names)
    assert {said.partition(":")[0] for said in lacking} >= {"landlock", "seccomp"}


def test_where_the_kernel_has_neither_doctor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "architecture", lambda: None)
    support = mechanisms.probe()
    assert support.landlock_abi == 0
    assert not support.seccomp
    rows = {row.name: row for row in support.describe()}
    assert not rows["landlock"].available
    assert rows["landlock"].without
    assert not rows["seccomp"].available
    assert rows["seccomp"].without


def test_a_kernel_without_landlock_is_seen_as_one() -> None:
    def live(_: int) -> list[object]:
        without(*LANDLOCK_CALLS)
        support = mechanisms.probe()
        return [support.landlock_abi, Mechanism.LANDLOCK in support.mechanisms]

    assert in_child(live) == [0, False]


@needs_seccomp
@needs_landlock
def test_all_that_probe_finds_is_in_force_afterwards() -> None:
    found = mechanisms.probe().mechanisms
    policy = Policy(readable=runtime_paths(), sealed=False)
    names = in_child(lambda writer: confine.confine(policy, (writer,)).names)
    assert set(names) == {each.value for each in found}


def test_what_is_required_and_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "available", lambda: False)

    def live(writer: int) -> str:
        with pytest.raises(SandboxUnavailable) as caught:
            confine.confine(Policy(required=True), (writer,))
        return str(caught.value)

    assert "seccomp" in in_child(live)


def test_root_that_cannot_be_left_is_an_error_where_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "spare_id", lambda _: None)
    if os.geteuid() != 0:
        pytest.skip("not root")

    def live(writer: int) -> str:
        with pytest.raises(SandboxUnavailable) as caught:
            confine.confine(Policy(required=True, sealed=False), (writer,))
        return str(caught.value)

    assert "identity" in in_child(live)


@needs_seccomp
def test_all_is_well_where_what_is_required_is_there() -> None:
    policy = Policy(required=True, readable=runtime_paths())
    names = in_child(lambda writer: confine.confine(policy, (writer,)).names)
    assert {"seccomp", "identity"} <= set(names)


# --- sealed or not --------------------------------------------------------------------------


@needs_landlock
def test_a_runtime_that_only_root_may_read_is_loaded_before(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "lib").mkdir(parents=True)
    open_to_all = Path("/usr/lib")
    closed.chmod(0o700)
    expected = os.geteuid() == 0
    assert confine.needs_preload(Policy(readable=(closed / "lib",))) is expected
    assert confine.needs_preload(Policy(readable=(open_to_all,))) is False
    assert (
        confine.needs_preload(Policy(readable=(closed,), use=ALL - {Mechanism.IDENTITY})) is False
    )


def test_without_landlock_it_is_seccomp_that_seals() -> None:
    use = frozenset({Mechanism.SECCOMP})
    assert confine.needs_preload(Policy(use=use))
    assert not confine.needs_preload(Policy(use=frozenset({Mechanism.RLIMITS})))


@needs_seccomp
def test_to_ask_for_an_unsealed_process_without_landlock_is_in_vain() -> None:
    policy = Policy(use=frozenset({Mechanism.SECCOMP}), sealed=False)
    assert confined(policy, lambda: refused(lambda: os.open("/etc/passwd", os.O_RDONLY)))


def test_the_runtime_holds_the_library_and_no_folder_of_a_program() -> None:
    paths = runtime_paths()
    library = Path(os.path.realpath(os.__file__))
    assert any(library.is_relative_to(path) for path in paths)
    assert not any(Path(__file__).is_relative_to(path) for path in paths)
    assert not any(path in (Path("/"), Path.home()) for path in paths)


# --- descriptors, the parent, limits ----------------------------------------------------------


def test_standard_descriptors_lead_nowhere() -> None:
    def live(writer: int) -> list[object]:
        close_all_but((writer,))
        null = os.stat(os.devnull)
        return [os.fstat(number).st_rdev == null.st_rdev for number in (0, 1, 2)]

    assert in_child(live) == [True, True, True]


def test_a_standard_descriptor_may_be_kept() -> None:
    def live(writer: int) -> bool:
        os.dup2(writer, 1)
        close_all_but((1, writer))
        return os.fstat(1).st_ino == os.fstat(writer).st_ino

    assert in_child(live) is True


@needs_seccomp
def test_a_worker_ends_with_its_parent() -> None:
    reader, writer = os.pipe()

    def parent(answer: int) -> int:
        waits, told = os.pipe()
        child = os.fork()
        if child == 0:
            confine.confine(Policy(sealed=True), (writer, told))
            os.write(told, b"x")
            time.sleep(60)
            os._exit(0)
        os.read(waits, 1)
        os.close(writer)
        del answer
        return child

    child = in_child(parent)
    os.close(writer)
    assert os.read(reader, 1) == b""  # nobody holds the other end any more
    os.close(reader)
    deadline = time.monotonic() + 10
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(child)


def _lives(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_a_worker_whose_parent_has_gone_before_ends_at_once() -> None:
    def live(writer: int) -> None:
        confine.confine(Policy(use=frozenset()), (writer,), parent=1 << 22)

    with pytest.raises(Broken, match="ended with status 256"):
        in_child(live)


def test_it_leads_a_group_of_its_own() -> None:
    assert confined(Policy(use=frozenset()), lambda: os.getpgrp() == os.getpid() == os.getsid(0))


def test_memory_is_counted_from_what_is_mapped() -> None:
    policy = Policy(use=frozenset({Mechanism.RLIMITS}), memory=64 << 20)

    def live() -> list[bool]:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        fits = len(bytearray(16 << 20)) == 16 << 20
        try:
            bytearray(128 << 20)
        except MemoryError:
            return [limit > 64 << 20, fits, True]
        return [limit > 64 << 20, fits, False]

    assert limits.mapped_bytes() > 1 << 20
    assert confined(policy, live) == [True, True, True]


def test_time_is_up_when_it_is_up() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        confine.confine(Policy(use=frozenset({Mechanism.RLIMITS}), cpu_seconds=1), (writer,))
        while True:
            pass
    os.close(writer)
    _, status, usage = os.wait4(child, 0)
    os.close(reader)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert 0.5 < usage.ru_utime + usage.ru_stime < 2


def test_a_limit_that_is_lower_already_stays() -> None:
    def live(writer: int) -> list[int]:
        close_all_but({0, 1, 2, writer})  # whatever tests before this one have open
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 32))
        confine.confine(Policy(use=frozenset({Mechanism.RLIMITS}), open_files=64), (writer,))
        return list(resource.getrlimit(resource.RLIMIT_NOFILE))

    assert in_child(live) == [32, 32]


# --- identity ---------------------------------------------------------------------------------


@as_root
def test_each_process_of_root_becomes_a_user_of_its_own() -> None:
    policy = Policy(use=frozenset({Mechanism.IDENTITY}))

    def live() -> list[object]:
        return [os.getresuid(), os.getresgid(), os.getgroups()]

    (users, groups, others), again = confined(policy, live), confined(policy, live)
    assert users == groups == [users[0]] * 3
    assert users[0] >= identity.FIRST_ID
    assert others == []
    assert again[0] != users


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("0 0 4294967295\n", identity.FIRST_ID + 7),
        ("0 100000 65536\n", identity.NOBODY),  # a container
        ("0 1000 1\n", None),  # a container without root's help
        ("0 1000 1\n1 100000 65536\n", identity.NOBODY),
        ("nonsense\n", identity.FIRST_ID + 7),
    ],
)
def test_an_id_is_taken_that_exists_here(tmp_path: Path, rows: str, expected: int | None) -> None:
    (tmp_path / "map").write_text(rows, encoding="ascii")
    assert identity.spare_id(7, str(tmp_path / "map")) == expected


@as_root
def test_a_container_with_one_user_says_that_root_could_not_be_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "spare_id", lambda _: None)
    policy = Policy(use=frozenset({Mechanism.IDENTITY}))
    lacking = in_child(lambda writer: list(confine.confine(policy, (writer,)).lacking))
    assert lacking == [
        "identity: root could not be left: no other user id exists in this namespace"
    ]
