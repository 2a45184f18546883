"""Passwords that the field itself uses for samples, and that senders of malware use.

Few, because some formats take a tenth of a second to try each.
"""

from __future__ import annotations

USUAL: tuple[bytes, ...] = (
    b"infected",
    b"virus",
    b"malware",
    b"password",
    b"1234",
    b"12345",
    b"123456",
    b"123",
    b"novirus",
    b"dangerous",
    b"abc123",
    b"admin",
    b"test",
    b"clean",
    b"123456789",
    b"qwerty",
    b"password1",
    b"Infected",
    b"1111",
)
"""Tried after the user's and the database's own, and after what a mail's text gives."""
