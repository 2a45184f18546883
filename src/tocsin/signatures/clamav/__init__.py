"""ClamAV's signature languages, one module each.

Facts were taken from ClamAV's manual and measured with clamscan 1.4.6; what differs is in
docs/compatibility.md.
"""
