"""Which of two versions is the later: one file a family of rules.

A rule makes of a version a key that sorts as its ecosystem does; it raises ValueError for what is
no version there.
"""
