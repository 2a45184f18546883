"""The engine: one object in, one `Report` out.

It identifies an object, looks its digests up, matches patterns and rules, opens containers
and decides a verdict with the evidence for it. It does not know where the object came from
nor what is done with the verdict. `scanner` is its face; from there the way goes through
`tree` (an object and what is inside it), `pattern_match` (atoms to candidates),
`logical_match` (a candidate's expression) and `body_match` (one pattern).
"""
