"""Checking a publisher: a database is built again from its sources and compared byte for byte.

What enters is a log that was verified and a version; what leaves is whether the same bytes came
out, what differs if not, and, if wanted, an attestation under the rebuilder's own key. Building is
`updates/publish/build.py`, which the publisher uses as well; nothing of the publisher's is needed
besides the log and the sources.
"""
