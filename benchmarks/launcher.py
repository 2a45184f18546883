"""Starts one program and says what it took; itself kept small, and run with `python -I -S`.

Linux counts the memory of the process that called `exec` into the started program's
`ru_maxrss`, so whoever starts it sets a floor under every figure. The driver of the
benchmarks is larger than some of what it measures; this is some 8 MiB.

    launcher.py TIMEOUT STDOUT STDERR PROGRAM [ARGUMENT…]

prints `wall user system peak_kib status timed_out`: seconds, KiB, and the exit status (minus
the signal's number for a program that a signal ended).
"""

from __future__ import annotations

import os
import signal
import sys
import time


def main() -> int:
    """Start, wait, print."""
    timeout, stdout, stderr = sys.argv[1:4]
    command = sys.argv[4:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, flags, 0o600),
    ]
    timed_out = False
    began = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions, setpgroup=0)

    def end(*_: object) -> None:
        nonlocal timed_out
        timed_out = True
        os.killpg(pid, signal.SIGKILL)  # its own group: the program and its workers

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    signal.setitimer(signal.ITIMER_REAL, float(timeout))
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(
        wall,
        usage.ru_utime,
        usage.ru_stime,
        usage.ru_maxrss,
        os.waitstatus_to_exitcode(status),
        int(timed_out),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
