"""A small fixed database with every language in it, for the targets that scan or open one."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path

from tocsin.database.index import Index
from tocsin.database.index_build import build_index
from tocsin.database.sections import SectionFile

FILES = {
    "a.hdb": "900150983cd24fb0d6963f7d28e17f72:3:Digest.A\n",
    "a.hsb": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad:*:Digest.B:73\n",
    "a.mdb": "512:3ea7d00dedd30bcdf46191358c36ffa4:Section.A\n",
    "a.imp": "98c88d882f01a3f6ac1e5f7dfd761624:39:Import.A\n",
    "a.fp": "0cc175b9c0f1b6a831c399e269772661:1:Allow.A\n",
    "a.ndb": (
        "Body.Plain:0:*:6d616c69636973\n"
        "Body.Entry:1:EP+0,40:5589e5??83\n"
        "Body.Section:1:SL+0:cccccccc\n"
        "Body.Gaps:0:*:7374617274{-20}6d6964646c65*656e646564\n"
        "Body.Group:0:*:(6162|6364)65666768[1-3]7a\n"
        "Body.Edges:0:*:776f726473(B)\n"
        "Body.Version:1:VI:43006f006d00\n"
        "Body.End:0:EOF-8,4:74686520656e64\n"
    ),
    "a.ldb": (
        "Logical.And;Engine:51-255,Target:0;0&1;6f6e65206f6e65;74776f2074776f::i\n"
        "Logical.Count;Engine:51-255,Target:0;(0|1)>3,2;61616161;62626262\n"
        "Logical.Regex;Engine:81-255,Target:0;0&1;7265676578;0/re(g+)ex[0-9]{2,}/gi\n"
        "Logical.Bytes;Engine:51-255,Target:0;0&1;6e756d626572;0(>>6#hl4#>5)\n"
        "Logical.Macro;Engine:51-255,Target:0;0&1;67726f7570;${2-9}4$\n"
        "Logical.Inside;Engine:51-255,Target:0,Container:CL_TYPE_ZIP;0;696e736964657a\n"
    ),
    "a.cdb": "Container.Name:CL_TYPE_ZIP:*:\\.exe$:*:*:*:*:*:\n",
    "a.ftm": "0:0:7a7a7a7a:ours:CL_TYPE_ANY:CL_TYPE_TEXT_ASCII\n",
    "a.pwdb": "Password;Engine:81-255,Target:0;0;infected\n",
    "b.ndb": "Body.Member:0:$4$:6d656d6265726d\n",
    "a.yar": (
        'import "pe"\n'
        'rule Yara_Text { strings: $a = "yara yara" nocase wide ascii condition: $a }\n'
        "rule Yara_Pe { condition: pe.is_pe and pe.number_of_sections > 0 }\n"
        'rule Yara_Name { strings: $a = /ab+c{2,4}d/ condition: #a > 2 and filename != "x" }\n'
    ),
}


@cache
def small_index_bytes() -> bytes:
    """The index of `FILES`."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        places = []
        for name, text in FILES.items():
            place = Path(folder, name)
            place.write_text(text)
            places.append(place)
        buffer = io.BytesIO()
        build_index(places, buffer, lenient=False)
    return buffer.getvalue()


@cache
def small_database() -> Index:
    """The index, opened."""
    with tempfile.TemporaryFile() as file:
        file.write(small_index_bytes())
        file.flush()
        return Index(SectionFile(file.fileno(), "small"), "0" * 40)
