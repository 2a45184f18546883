"""Who made a program: one module a format, from bytes to `Facts`.

A whole file comes in, facts about whoever made it come out: names in signatures, version
resources, notes and manifests, and words that suppliers are known by. Everything here is parsed
in confined workers, takes any bytes whatever, and raises `FormatError` and nothing else; what
is beyond a bound is said in `Facts.trouble`. Nothing here knows of suppliers or rules.
"""
