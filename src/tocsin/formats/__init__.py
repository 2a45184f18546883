"""What a file is: its type by content, and where the parts of an executable lie.

Nothing here knows signatures or scanning; both are built on it.
"""
