"""One well-formed line, or several, of every language; the readers' tests start from these."""

from __future__ import annotations

from tocsin.signatures.records import Kind

MD5 = "44d88612fea8a8f36de82e1278abb02f"
SHA1 = "3395856ce81f2b7382dee72602f798b642f14140"
SHA256 = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"

WELL_FORMED: dict[Kind, tuple[str, ...]] = {
    Kind.FILE_DIGEST: (
        f"{MD5}:68:Test.Md5",
        f"{SHA1}:*:Test.Sha1:73",
        f"{SHA256}:68:Test.Sha256:73:255",
    ),
    Kind.SECTION_DIGEST: (f"4096:{MD5}:Test.Section", f"*:{SHA256}:Test.Any:73"),
    Kind.IMPORT_DIGEST: (f"{MD5}:*:Test.Imports", f"{MD5}:120:Test.Imports:73"),
    Kind.ALLOW_DIGEST: (f"{MD5}:68:Test.Good",),
    Kind.BODY: (
        "Test.Plain:0:*:6162636465",
        "Test.Gaps:1:EP+0,40:4d5a??9?{4-20}6162*(6364|6566)7172[2-4]73:51:255",
        "Test.Masks:2:EOF-200:d0cf11e0(B)616263!(61|62)0a0d(L)",
        "Test.Macro:0:$3$:61626364",
        "Test.Sections:1:S2+100,30:61626364",
    ),
    Kind.LOGICAL: (
        "Test.And;Engine:51-255,Target:1;0&1&2;61626364;EP+0:4d5a90;SL+2,8:6162::i",
        "Test.Or;Engine:81-255,Target:0,FileSize:1-99,Container:CL_TYPE_ZIP;(0|1)>2,2;6162;6364",
        "Test.Pcre;Engine:81-255,Target:0;0&1;61626364;0/a;b[^/]+c/gi",
        "Test.Bytes;Engine:81-255,Target:0;0&1;61626364;0(>>26#ib2#>512,<1024)",
        "Test.Macro;Engine:51-255,Target:0;0&1;61626364;${6-40}3$",
        "Test.Icon;Engine:51-255,Target:1,IconGroup1:A;0;61626364",
        "Test.Image;Engine:150-255,Target:5;0;fuzzy_img#af2ad01ed42993c7#0",
    ),
    Kind.CONTAINER: (
        r"Test.Member:CL_TYPE_ZIP:*:\.exe$:10-200:*:1:1:*:*",
        "Test.Crc:*:0-500:*:*:12:0:2-9:1a2b3c4d:*:51:255",
    ),
    Kind.IGNORE: ("Test.Name", f"Test.Name:{MD5}", "repo:17:Test.Name"),
    Kind.FILE_TYPE: (
        "0:0:4d5a:DOS executable:CL_TYPE_ANY:CL_TYPE_MSEXE",
        "1:0,200:3c21{0-9}68746d6c:HTML:CL_TYPE_ANY:CL_TYPE_HTML:51:255",
    ),
    Kind.PASSWORD: (
        "Test.Password;Engine:81-255,Target:0;0;infected",
        "Test.Hex;Engine:81-255,Target:0,Container:CL_TYPE_ZIP;1;696e",
    ),
    Kind.SETTING: ("PE:0xffff:21:255",),
    Kind.METADATA: ('["Test.Name", {"level": "test", "why": "a line end \\n inside"}]',),
    Kind.YARA: ('rule Test_Rule : tag { strings: $a = "abc" condition: $a }\n',),
    Kind.UNEVALUATED: ("Test.Bytecode:anything",),
}
"""Texts by kind that the readers take and that are meant for this engine."""

LINES = [(kind, line) for kind, lines in WELL_FORMED.items() for line in lines]
