"""Confining a process before it sees a hostile byte.

A worker is forked, calls `confine.confine` and can from then on hardly do more than compute,
read the descriptors it was left and answer through them. Five mechanisms of the kernel stand
behind one another, because each has holes of its own and old kernels lack some
(`docs/sandbox.md` has the table, which the tests measure): Landlock, a seccomp filter,
namespaces, an identity that owns nothing, and resource limits.

What enters: a `policy.Policy` and the descriptors to keep. What leaves: which mechanisms are
in force (`confine.Applied`). `mechanisms.probe` says what a kernel offers. Nothing here knows
what the process will do afterwards, and only `tocsin.errors` is imported.

Everything is Linux's own interface, called through `ctypes`; on other systems nothing is
offered and nothing fails, unless the policy requires it.
"""
