"""What on a system comes from a supplier under a rule, or is a package known to be malicious.

Files come in: bills of materials, lists of packages, programs, archives and images. Readers make
`Component`s of them, each with `Trace`s of who made it; `matching` holds those against what is
known of suppliers, and `findings` against the rules of `jurisdiction`. What cannot be read is
`Skipped`, with the reason, and is part of the report. Nothing here fetches anything, and bytes of
files that are looked into are parsed in confined workers.
"""
