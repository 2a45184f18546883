"""Does things with a vault in children that another program may end at any system call.

For each line of JSON on standard input a child is forked. It prints its number, begins when
another line comes, and how it ended is printed then. Imports are done before, so that a child
makes the system calls of what it does and no others.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import sys
from contextlib import suppress
from pathlib import Path

from quarantine_samples import FINDING

from tocsin.errors import QuarantineError
from tocsin.protect.quarantine.vault import Vault

PR_SET_PTRACER = 0x59616D61


def work(task: dict[str, str], go: int) -> int:
    number = task["number"]
    vault = None if task["verb"] == "recover" else Vault(Path(task["vault"]))
    os.write(1, f"{os.getpid()}\n".encode())
    waiting = select.poll()  # a call that nothing else makes
    waiting.register(go, select.POLLIN)
    waiting.poll()
    try:
        if vault is None:
            vault = Vault(Path(task["vault"]))  # which finishes what was interrupted
        elif task["verb"] == "take":
            vault.take(task["path"], finding=FINDING)
        elif task["verb"] == "restore":
            vault.put_back(number)
        elif task["verb"] == "delete":
            vault.delete(number)
    except QuarantineError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    vault.close()
    return 0


def main() -> None:
    with Vault(Path(sys.argv[1])) as vault:  # so that every module is there
        Path(sys.argv[1], "..", "first").write_bytes(b"first")
        record = vault.take(Path(sys.argv[1]).parent / "first", finding=FINDING)
        vault.put_back(record.id)
    for line in sys.stdin:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_long(-1), 0, 0, 0)
            os.close(writer)
            status = 1
            try:
                status = work(json.loads(line), reader)
            finally:
                os._exit(status)
        os.close(reader)
        sys.stdin.readline()
        with suppress(BrokenPipeError):  # it may have been ended while it waits
            os.write(writer, b"g")
        os.close(writer)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
