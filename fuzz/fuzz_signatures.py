"""Every signature language: a file of any bytes gives signatures or this package's errors.

The first byte chooses the file ending, and so the reader; the rest is the file.
"""

from __future__ import annotations

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.signatures.languages import ARCHIVES, LANGUAGES
from tocsin.signatures.parse import signature_name
from tocsin.signatures.sources import SourceReader

NAMES = [
    *(f"x{ending}" for ending in sorted(LANGUAGES) if ending not in (".yar", ".yara")),
    *(f"x{ending}" for ending in sorted(ARCHIVES)),
    "x.txt",
    "rules.toml",
    "x.cvd.sign",
]
"""YARA rules are left to YARA-X; see `fuzz_scan.py` for what becomes of its results."""

_TEXTS = {
    "x.hdb": "44d88612fea8a8f36de82e1278abb02f:68:A\n44d88612fea8a8f36de82e1278abb02f:*:B:73\n",
    "x.mdb": "45056:3ea7d00dedd30bcdf46191358c36ffa4:A\n",
    "x.imp": "98c88d882f01a3f6ac1e5f7dfd761624:39:A\n",
    "x.fp": "44d88612fea8a8f36de82e1278abb02f:68:A\n",
    "x.ndb": "A:1:EP+0,40:6162??6?{2-5}(61|62)[1-3]63*!(B)64(L)\nB:0:SL+4:aabb{-3}ccdd:51:255\n",
    "x.db": "A=616263646566??*7071\n",
    "x.sdb": "A:0:EOF-20:61626364\n",
    "x.ldb": (
        "A;Engine:51-255,Target:1,FileSize:1-99,EntryPoint:1-9;(0&1)>5,2|2;61626364::iwa;"
        "EP+0,4:6a6b??6c;0/ab(c|d)+/gi;0(>>2#hle4#>5,<9)\n"
        "B;Target:0,Container:CL_TYPE_ZIP;0=2;616161;${6-9}3$\n"
    ),
    "x.cdb": "A:CL_TYPE_ZIP:1-9:\\.exe$:*:5:1:2:0xff::\n",
    "x.ign2": "A.B:44d88612fea8a8f36de82e1278abb02f\n",
    "x.ign": "x:1:A\n",
    "x.ftm": "0:0:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE\n1:*:6162??63:x:CL_TYPE_ANY:CL_TYPE_X:51\n",
    "x.pwdb": "A;Engine:81-255,Container:CL_TYPE_ZIP;1;70617373\nB;Target:0;0;text\n",
    "x.cfg": "PE:0xff:1:90\n",
    "x.txt": "44d88612fea8a8f36de82e1278abb02f  a.exe\n",
    "rules.toml": '["A"]\nlevel = "test"\ndescription = "x"\n',
}
SEEDS = [bytes([NAMES.index(name)]) + text.encode() for name, text in _TEXTS.items()] + [
    bytes([NAMES.index("x.cvd")])
    + b"ClamAV-VDB:07 Jun 2024 05-31 -0400:1:2:90:44d88612fea8a8f36de82e1278abb02f:abc:me:1"
    + b" " * 600
]


def check(data: bytes) -> None:
    """Read strictly and leniently; what is read strictly must be the same leniently."""
    if not data:
        return
    name = NAMES[data[0] % len(NAMES)]
    lenient = SourceReader(lenient=True)
    try:
        tolerated = list(lenient.read_bytes(data[1:], name))
    except TocsinError as error:
        tolerated = None
        fuzz_support.require_words(error)
    for problem in lenient.problems:
        assert problem.line >= 1
        assert problem.reason
    try:
        strict = list(SourceReader().read_bytes(data[1:], name))
    except TocsinError as error:
        fuzz_support.require_words(error)
        return
    assert strict == tolerated
    for parsed in strict:
        signature_name(parsed.record.kind, parsed.record.text)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
