"""What hostile code would try, once it runs in a worker: real attempts on a real victim.

Each attempt runs in a process of its own that was confined first. It got through when it
returns, and was refused when it raises or is killed; whether the world has changed is looked
at by the victim, the process that forked it.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
MARK = b"the victim's own words"
FAR_TOO_MUCH = 8 << 30

# x86-64, arm64; source: as in tocsin.sandbox.call_numbers
NUMBERS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "capset": (126, 91),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fchmodat2": (452, 452),
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "rt_sigqueueinfo": (129, 138),
    "shmget": (29, 194),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
COLUMN = {"x86_64": 0, "aarch64": 1}


def syscall(name: str, *arguments: object) -> int:
    """Make a call, by its number; raises OSError."""
    number = NUMBERS[name][COLUMN[os.uname().machine]]
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = LIBC.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return int(result)


class Victim:
    """A process with files, sockets and memory, which is going to fork hostile code.

    Args:
        folder: an empty directory that everybody may write to, so that it is not the owner
            of the files alone who keeps hostile code out.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.pid = os.getpid()
        self.private = self._file("private", 0o600)
        self.public = self._file("public", 0o666)
        self.renamed = self._file("renamed", 0o666)
        self.removed = self._file("removed", 0o666)
        self.changed = self._file("changed", 0o644)
        self.stamped = self._file("stamped", 0o666)
        self.shortened = self._file("shortened", 0o666)
        self.handed = os.open(self._file("handed", 0o666), os.O_RDWR)
        self.forgotten = os.open(self.private, os.O_RDWR)
        os.utime(self.stamped, (1, 1))
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(self.at("socket"))
        os.chmod(self.at("socket"), 0o777)
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(b"\0" + folder.encode())
        self.tcp_address, self.udp_address = self.tcp.getsockname(), self.udp.getsockname()
        for listener in (self.tcp, self.udp, self.unix, self.abstract):
            listener.setblocking(False)
        self.unix.listen()
        self.abstract.listen()
        self.signals: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _: self.signals.append(number))
        self.memory = ctypes.create_string_buffer(MARK)

    def close(self) -> None:
        """Close what is open."""
        for listener in (self.tcp, self.udp, self.unix, self.abstract):
            listener.close()
        os.close(self.handed)
        os.close(self.forgotten)

    def at(self, name: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, name)

    def _file(self, name: str, mode: int) -> str:
        with open(self.at(name), "wb") as file:
            file.write(MARK)
        os.chmod(self.at(name), mode)
        return self.at(name)

    def called(self, listener: socket.socket) -> bool:
        """Whether somebody has connected or sent something."""
        try:
            if listener is self.udp:
                return bool(listener.recv(100))
            listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def has(self, name: str) -> bool:
        """Whether something of a name is in the folder."""
        return os.path.lexists(self.at(name))


class Attempt(NamedTuple):
    """One thing to try.

    Attributes:
        topic: what it is against.
        name: what it is, in a few words.
        run: tries it, in the confined process.
        happened: whether the world shows it; None where it shows nothing.
        silent: only the world shows it: the kernel refuses without an error.
    """

    topic: str
    name: str
    run: Callable[[Victim], object]
    happened: Callable[[Victim], bool] | None = None
    silent: bool = False


ATTEMPTS: list[Attempt] = []


def attempt(
    topic: str,
    name: str,
    happened: Callable[[Victim], bool] | None = None,
    *,
    silent: bool = False,
) -> Callable[[Callable[[Victim], object]], Callable[[Victim], object]]:
    """Register an attempt."""

    def register(run: Callable[[Victim], object]) -> Callable[[Victim], object]:
        ATTEMPTS.append(Attempt(topic, name, run, happened, silent))
        return run

    return register


# --- reading ------------------------------------------------------------------------------


@attempt("reading", "read a file of the user's own")
def _(victim: Victim) -> None:
    with open(victim.private, "rb") as file:
        assert file.read() == MARK


@attempt("reading", "read /etc/passwd")
def _(victim: Victim) -> None:
    with open("/etc/passwd", "rb") as file:
        assert file.read(1)


@attempt("reading", "list a folder")
def _(victim: Victim) -> None:
    assert os.listdir(victim.folder)


@attempt("reading", "open by openat2")
def _(victim: Victim) -> None:
    how = ctypes.create_string_buffer(struct.pack("=QQQ", os.O_RDONLY, 0, 0), 24)
    syscall("openat2", -100, ctypes.c_char_p(victim.private.encode()), how, 24)


@attempt("reading", "learn whether a file exists")
def _(victim: Victim) -> None:
    os.stat(victim.public)


@attempt("reading", "learn it by a call like `fstat`")
def _(victim: Victim) -> None:
    # AT_EMPTY_PATH with a path that is not empty: what a filter cannot tell from fstat.
    buffer = ctypes.create_string_buffer(512)
    if LIBC.fstatat(0, ctypes.c_char_p(victim.public.encode()), buffer, 0x1000) < 0:
        raise OSError(ctypes.get_errno(), "fstatat")


@attempt("reading", "watch a file for changes")
def _(victim: Victim) -> None:
    watch = syscall("inotify_init1", 0)
    if LIBC.inotify_add_watch(watch, ctypes.c_char_p(victim.public.encode()), 0x2) < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")


@attempt("reading", "read a descriptor that was open before")
def _(victim: Victim) -> None:
    assert os.pread(victim.forgotten, 100, 0) == MARK


@attempt("reading", "read the environment of the parent")
def _(victim: Victim) -> None:
    with open(f"/proc/{victim.pid}/environ", "rb") as file:
        file.read()


# --- writing ------------------------------------------------------------------------------


@attempt("writing", "create a file", lambda victim: victim.has("new"))
def _(victim: Victim) -> None:
    os.close(os.open(victim.at("new"), os.O_WRONLY | os.O_CREAT, 0o644))


@attempt("writing", "write to a file", lambda victim: _content(victim.public) != MARK)
def _(victim: Victim) -> None:
    descriptor = os.open(victim.public, os.O_WRONLY)
    os.write(descriptor, b"overwritten")


@attempt("writing", "shorten a file by its path", lambda victim: _content(victim.shortened) != MARK)
def _(victim: Victim) -> None:
    os.truncate(victim.shortened, 0)


@attempt("writing", "rename a file", lambda victim: not victim.has("renamed"))
def _(victim: Victim) -> None:
    os.rename(victim.renamed, victim.at("elsewhere"))


@attempt("writing", "remove a file", lambda victim: not victim.has("removed"))
def _(victim: Victim) -> None:
    os.unlink(victim.removed)


@attempt("writing", "make a folder", lambda victim: victim.has("folder"))
def _(victim: Victim) -> None:
    os.mkdir(victim.at("folder"))


@attempt("writing", "make a symbolic link", lambda victim: victim.has("symlink"))
def _(victim: Victim) -> None:
    os.symlink("/etc/passwd", victim.at("symlink"))


@attempt("writing", "make a hard link", lambda victim: victim.has("link"))
def _(victim: Victim) -> None:
    os.link(victim.public, victim.at("link"))


@attempt("writing", "make a named pipe", lambda victim: victim.has("fifo"))
def _(victim: Victim) -> None:
    os.mkfifo(victim.at("fifo"))


@attempt(
    "writing",
    "change a file's mode",
    lambda victim: os.stat(victim.changed).st_mode & 0o777 != 0o644,
)
def _(victim: Victim) -> None:
    os.chmod(victim.changed, 0o777)


@attempt("writing", "change a file's times", lambda victim: os.stat(victim.stamped).st_mtime != 1)
def _(victim: Victim) -> None:
    os.utime(victim.stamped)


@attempt(
    "writing", "write to a descriptor that was open before", lambda v: _content(v.private) != MARK
)
def _(victim: Victim) -> None:
    os.pwrite(victim.forgotten, b"overwritten", 0)


@attempt(
    "writing",
    "write to a file that was handed over writable",
    lambda victim: os.fstat(victim.handed).st_size > 100,
)
def _(victim: Victim) -> None:
    os.write(victim.handed, bytes(1 << 20))


@attempt(
    "writing",
    "change the mode of a file that was handed over",
    lambda victim: os.fstat(victim.handed).st_mode & 0o777 != 0o666,
)
def _(victim: Victim) -> None:
    os.fchmod(victim.handed, 0o777)


@attempt("writing", "fill memory that looks like a file")
def _(victim: Victim) -> None:
    descriptor = syscall("memfd_create", ctypes.c_char_p(b"x"), 0)
    os.write(descriptor, bytes(1 << 20))


@attempt("writing", "write to /proc/self/oom_score_adj")
def _(victim: Victim) -> None:
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


# --- sockets ------------------------------------------------------------------------------


@attempt("sockets", "connect to a TCP port", lambda victim: victim.called(victim.tcp))
def _(victim: Victim) -> None:
    with socket.socket() as client:
        client.settimeout(2)
        client.connect(victim.tcp_address)


@attempt("sockets", "listen on a TCP port")
def _(victim: Victim) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


@attempt("sockets", "send a UDP packet", lambda victim: victim.called(victim.udp))
def _(victim: Victim) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"out", victim.udp_address)


@attempt("sockets", "connect to a UNIX socket by its path", lambda v: v.called(v.unix))
def _(victim: Victim) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(victim.at("socket"))


@attempt("sockets", "connect to an abstract UNIX socket", lambda v: v.called(v.abstract))
def _(victim: Victim) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(b"\0" + victim.folder.encode())


@attempt("sockets", "open a netlink socket")
def _(victim: Victim) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


# --- other processes ----------------------------------------------------------------------


@attempt("processes", "see whether the parent lives, by signal 0")
def _(victim: Victim) -> None:
    os.kill(victim.pid, 0)


@attempt("processes", "signal the parent", lambda victim: bool(victim.signals))
def _(victim: Victim) -> None:
    os.kill(victim.pid, signal.SIGUSR1)


@attempt("processes", "signal the parent by its thread", lambda victim: bool(victim.signals))
def _(victim: Victim) -> None:
    syscall("tkill", victim.pid, int(signal.SIGUSR1))


@attempt("processes", "signal the parent by a descriptor of it", lambda v: bool(v.signals))
def _(victim: Victim) -> None:
    syscall("pidfd_send_signal", syscall("pidfd_open", victim.pid, 0), int(signal.SIGUSR1), None, 0)


@attempt("processes", "have the kernel signal the parent", lambda v: bool(v.signals), silent=True)
def _(victim: Victim) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, victim.pid)
    fcntl.fcntl(reader, 10, int(signal.SIGUSR1))  # F_SETSIG
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
    os.write(writer, b"x")


@attempt("processes", "trace the parent")
def _(victim: Victim) -> None:
    syscall("ptrace", 0x4206, victim.pid, None, None)  # PTRACE_SEIZE


@attempt("processes", "read the parent's memory")
def _(victim: Victim) -> None:
    here = ctypes.create_string_buffer(len(MARK))
    ours = struct.pack("=QQ", ctypes.addressof(here), len(MARK))
    theirs = struct.pack("=QQ", ctypes.addressof(victim.memory), len(MARK))
    syscall(
        "process_vm_readv",
        victim.pid,
        ctypes.create_string_buffer(ours),
        1,
        ctypes.create_string_buffer(theirs),
        1,
        0,
    )
    assert here.raw == MARK


@attempt("processes", "open the parent's memory as a file")
def _(victim: Victim) -> None:
    with open(f"/proc/{victim.pid}/mem", "rb", buffering=0) as memory:
        os.pread(memory.fileno(), len(MARK), ctypes.addressof(victim.memory))


@attempt("processes", "take a descriptor out of the parent")
def _(victim: Victim) -> None:
    taken = syscall("pidfd_getfd", syscall("pidfd_open", victim.pid, 0), victim.forgotten, 0)
    assert os.pread(taken, 100, 0) == MARK


@attempt("processes", "lower the parent's limits")
def _(victim: Victim) -> None:
    resource.prlimit(victim.pid, resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY))


@attempt("processes", "change the parent's priority")
def _(victim: Victim) -> None:
    os.setpriority(os.PRIO_PROCESS, victim.pid, os.getpriority(os.PRIO_PROCESS, victim.pid))


@attempt("processes", "bind the parent to a processor")
def _(victim: Victim) -> None:
    os.sched_setaffinity(victim.pid, os.sched_getaffinity(victim.pid))


@attempt("processes", "start a program")
def _(victim: Victim) -> None:
    os.execv("/bin/true", ["true"])


@attempt("processes", "fork")
def _(victim: Victim) -> None:
    if os.fork() == 0:
        os._exit(0)


@attempt("processes", "fork by clone3")
def _(victim: Victim) -> None:
    arguments = ctypes.create_string_buffer(struct.pack("=8Q", 0, 0, 0, 0, 17, 0, 0, 0), 64)
    if syscall("clone3", arguments, 64) == 0:
        os._exit(0)


# --- resources ----------------------------------------------------------------------------


@attempt("resources", "map 8 GiB of memory")
def _(victim: Victim) -> None:
    mmap.mmap(-1, FAR_TOO_MUCH, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


@attempt("resources", "map 8 GiB of shared memory")
def _(victim: Victim) -> None:
    mmap.mmap(-1, FAR_TOO_MUCH, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)


@attempt("resources", "make a System V segment of 8 GiB")
def _(victim: Victim) -> None:
    identifier = syscall("shmget", 0, FAR_TOO_MUCH, 0o600 | 0o1000)
    LIBC.shmctl(identifier, 0, None)


@attempt("resources", "compute for ever")
def _(victim: Victim) -> None:
    while time.process_time() < 1.3:  # the limit is 1
        pass


@attempt("resources", "open 10,000 descriptors")
def _(victim: Victim) -> None:
    for _ in range(10_000):
        os.dup(0)


@attempt("resources", "raise a limit")
def _(victim: Victim) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    except ValueError as error:  # what Python makes of EPERM
        raise PermissionError(str(error)) from error


@attempt("resources", "lock memory")
def _(victim: Victim) -> None:
    memory = mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if LIBC.mlock(ctypes.c_void_p(address), ctypes.c_size_t(1 << 20)) < 0:
        raise OSError(ctypes.get_errno(), "mlock")


# --- privileges and the kernel ------------------------------------------------------------


@attempt("kernel", "become root")
def _(victim: Victim) -> None:
    os.setresuid(0, 0, 0)


@attempt("kernel", "take capabilities")
def _(victim: Victim) -> None:
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    wanted = ctypes.create_string_buffer(struct.pack("=6I", 0x200000, 0x200000, 0, 0, 0, 0))
    syscall("capset", header, wanted)


@attempt("kernel", "make a user namespace")
def _(victim: Victim) -> None:
    syscall("unshare", 0x10000000)


@attempt("kernel", "mount a file system")
def _(victim: Victim) -> None:
    with suppress(OSError):
        syscall("unshare", 0x10000000 | 0x00020000)
    folder = ctypes.c_char_p(b"/")
    syscall("mount", None, folder, None, (1 << 18) | (1 << 14), None)
    syscall("mount", ctypes.c_char_p(b"x"), folder, ctypes.c_char_p(b"tmpfs"), 0, None)


@attempt("kernel", "change the root")
def _(victim: Victim) -> None:
    os.chroot("/")


@attempt("kernel", "store a key")
def _(victim: Victim) -> None:
    key, name = ctypes.c_char_p(b"user"), ctypes.c_char_p(b"tocsin-test")
    syscall("add_key", key, name, ctypes.c_char_p(b"x"), 1, -3)  # the session's keyring


@attempt("kernel", "set up io_uring")
def _(victim: Victim) -> None:
    syscall("io_uring_setup", 4, ctypes.create_string_buffer(120))


@attempt("kernel", "load a BPF program")
def _(victim: Victim) -> None:
    # An array of one element: BPF_MAP_CREATE
    syscall("bpf", 0, ctypes.create_string_buffer(struct.pack("=5I", 2, 4, 4, 1, 0), 72), 72)


@attempt("kernel", "count events of the processor")
def _(victim: Victim) -> None:
    attributes = struct.pack("=IIQQQQQ", 1, 112, 0, 0, 0, 0, 0b1100001)
    syscall("perf_event_open", ctypes.create_string_buffer(attributes, 112), 0, -1, -1, 0)


@attempt("kernel", "handle page faults")
def _(victim: Victim) -> None:
    syscall("userfaultfd", 1)


@attempt("kernel", "switch the personality")
def _(victim: Victim) -> None:
    syscall("personality", 0x0040000)  # ADDR_NO_RANDOMIZE


@attempt("kernel", "call by the numbers of 32-bit programs")
def _(victim: Victim) -> None:
    if os.uname().machine != "x86_64":
        raise PermissionError("there are none here")
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    if ctypes.CFUNCTYPE(ctypes.c_int)(address)() < 0:
        raise PermissionError("refused")


@attempt("kernel", "call by x32's numbers")
def _(victim: Victim) -> None:
    if LIBC.syscall(ctypes.c_long(0x40000000 + 39)) < 0:  # getpid
        raise OSError(ctypes.get_errno(), "x32")
