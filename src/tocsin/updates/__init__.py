"""Updates: what a publisher writes, and what a device believes of it.

Publishing makes a folder of static files: TUF metadata, databases with deltas, a log of every one
of them, and the proofs. Receiving trusts no mirror, no network and no single key: it checks the
publisher's threshold, the log's proof and the witnesses the user chose, and keeps what it has
whenever something is wrong. Nothing here knows how a signature matches.
"""
