"""Databases: records in, a portable database or a machine index out, and both read back.

The portable database (`portable`) is text, canonical and the same on every machine; it is
what is signed, compared and rebuilt. The machine index (`index_build`, `sections`, `index`)
is what is scanned with; it is a cache (`cache`) made from either. Nothing here knows of
files being scanned or of the network.
"""
