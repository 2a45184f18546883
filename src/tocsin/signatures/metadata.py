"""What is known of a signature beyond its text: `rules.toml` beside signature files.

ClamAV's languages have no room for a description, a reason or a level. A file of this name
in a folder of signatures has one table a signature, keyed by its name; every value is text.
In a record each is one line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.errors import SignatureError


class Metadata(NamedTuple):
    """Fields of one signature, by name; `level` is `malicious`, `suspicious` or `test`."""

    name: str
    fields: dict[str, str]


def read_metadata_lines(text: str) -> Iterator[str]:
    """Rewrite a `rules.toml` as one canonical line a signature.

    Raises:
        SignatureError: it is not TOML, or not of this form.
    """
    import tomllib

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SignatureError(f"not TOML: {error}") from None
    for name, fields in sorted(tables.items()):
        if not isinstance(fields, dict):
            raise SignatureError(f"{name!r} is not a table of a signature's fields")
        plain = {key: str(value) for key, value in fields.items()}
        yield json.dumps([name, plain], sort_keys=True, ensure_ascii=False)


def parse_metadata(line: str) -> Metadata:
    """Read one canonical line.

    Raises:
        SignatureError: it is not one.
    """
    try:
        name, fields = json.loads(line)
        return Metadata(str(name), {str(key): str(value) for key, value in fields.items()})
    except (ValueError, TypeError, AttributeError):
        raise SignatureError("metadata are [NAME, {FIELD: TEXT}] in JSON") from None
