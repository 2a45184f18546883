"""What hostile code achieves, with one mechanism alone and with several: what is to be.

One mark a way to confine, in the order of `sandbox_columns.WAYS`. The table in
`docs/sandbox.md` is made of this.
"""

from __future__ import annotations

REFUSED, OPEN, OPEN_AS_ROOT, OPEN_AS_USER = ".", "x", "r", "u"

EXPECTED = {
    "read a file of the user's own": ".....xux.....x",
    "read /etc/passwd": ".....xxx.....x",
    "list a folder": ".....xxx.....x",
    "open by openat2": ".....xux.....x",
    "learn whether a file exists": "x..xxxxx.xxx.x",
    "learn it by a call like `fstat`": "x.xxxxxxxxxx.x",
    "watch a file for changes": "...xxxxx..xx.x",
    "read a descriptor that was open before": "..............",
    "read the environment of the parent": ".....rux.....x",
    "create a file": "......xx.....x",
    "write to a file": "......x......x",
    "shorten a file by its path": "....x.xx.....x",
    "rename a file": "......xx.....x",
    "remove a file": "......xx.....x",
    "make a folder": "......xx.....x",
    "make a symbolic link": "......xx.....x",
    "make a hard link": "......xx.....x",
    "make a named pipe": "......xx.....x",
    "change a file's mode": "...xx.ux.....x",
    "change a file's times": "...xx.xx.....x",
    "write to a descriptor that was open before": "..............",
    "write to a file that was handed over writable": "..xxxxx......x",
    "change the mode of a file that was handed over": "...xxxux..uu.x",
    "fill memory that looks like a file": "...xxxx......x",
    "write to /proc/self/oom_score_adj": ".......r.....r",
    "connect to a TCP port": "....x.xx.....x",
    "listen on a TCP port": "....xxxx...x.x",
    "send a UDP packet": "...xx.xx.....x",
    "connect to a UNIX socket by its path": "...xxxxx..xx.x",
    "connect to an abstract UNIX socket": "....x.xx.....x",
    "open a netlink socket": "...xxxxx..xx.x",
    "see whether the parent lives, by signal 0": "....xxux...u.x",
    "signal the parent": "....xxux...u.x",
    "signal the parent by its thread": "....xxux...u.x",
    "signal the parent by a descriptor of it": "....xxux...u.x",
    "have the kernel signal the parent": "....xxux...u.x",
    "trace the parent": ".....rux.....x",
    "read the parent's memory": ".....rux.....x",
    "open the parent's memory as a file": ".....rux.....x",
    "take a descriptor out of the parent": ".....rux.....x",
    "lower the parent's limits": "...xxxux..uu.x",
    "change the parent's priority": "...xxxux..uu.x",
    "bind the parent to a processor": "...xxxux..uu.x",
    "start a program": ".....xxx.....x",
    "fork": "...xxxxx..xx.x",
    "fork by clone3": "...xxxxx..xx.x",
    "map 8 GiB of memory": "..xxxxx......x",
    "map 8 GiB of shared memory": "...xxxx......x",
    "make a System V segment of 8 GiB": "...xxxxx..xx.x",
    "compute for ever": "..xxxxx......x",
    "open 10,000 descriptors": "..xxxxx......x",
    "raise a limit": "...xxxx......x",
    "lock memory": "...xxxxr.....x",
    "become root": "...rrr.r.....r",
    "take capabilities": "...rrx.r.....r",
    "make a user namespace": "...xxrxx..rr.x",
    "mount a file system": ".....xxx.....x",
    "change the root": "...rrx.r.....r",
    "store a key": "...xxxxx..xx.x",
    "set up io_uring": "...xxxxr.....x",
    "load a BPF program": "...rrr.r.....r",
    "count events of the processor": "...xxxxx..xx.x",
    "handle page faults": "...xxxxx..xx.x",
    "switch the personality": "...xxxxx..xx.x",
    "call by the numbers of 32-bit programs": "...xxxxx..xx.x",
    "call by x32's numbers": "..............",
}


def is_open(attempt: str, way: int, *, as_root: bool) -> bool:
    """Whether an attempt is to succeed."""
    return EXPECTED[attempt][way] in (OPEN, OPEN_AS_ROOT if as_root else OPEN_AS_USER)
