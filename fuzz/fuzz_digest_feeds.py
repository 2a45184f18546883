"""Feeds of digests: any bytes are a feed whose records the database takes, or are refused."""

from __future__ import annotations

import io

import fuzz_support

from tocsin.signatures.parse import parse_text
from tocsin.updates.sources.digest_feeds import Feed
from tocsin.updates.sources.errors import SourceRefused

_DIGEST = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SEEDS = [
    b'# Last updated: 2026\n# "sha256_hash","signature"\n"' + _DIGEST + b'", "A ""b"""\n',
    b"# firstseen,md5,sha256,signature\n1,d41d8cd98f00b204e9800998ecf8427e,,None\n",
    _DIGEST + b"  name\n" + _DIGEST[:40] + b"\n# x\n",
    b"sha256,malware\n" + _DIGEST + b",x\n",
    b'"' + _DIGEST + b'\n"' + _DIGEST + b"\n",
    b"\xef\xbb\xbf" + _DIGEST + b";x\r\n",
]


def check(data: bytes) -> None:
    """Read; every record is one that the engine's reader takes."""
    try:
        feed = Feed(io.BytesIO(data), "feed")
        records = list(feed.records())
        feed.require_digests(len({record.text.partition(":")[0] for record in records}))
    except SourceRefused as error:
        fuzz_support.require_words(error)
        return
    for record in records:
        parse_text(record.kind, record.text)
        assert "\n" not in record.text


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
