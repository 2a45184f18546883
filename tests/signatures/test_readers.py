"""Each reader on well-formed and malformed text, table by table."""

from __future__ import annotations

import pytest
from signature_samples import MD5, SHA1, SHA256

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.body import Alternatives, Boundary, Gap, Masked, Nearby, parse_body
from tocsin.signatures.clamav.byte_compare import parse_byte_compare
from tocsin.signatures.clamav.container import parse_container
from tocsin.signatures.clamav.digests import parse_file_digest, parse_section_digest
from tocsin.signatures.clamav.expression import Branch, Count, Leaf, parse_expression
from tocsin.signatures.clamav.extended import from_plain, parse_extended
from tocsin.signatures.clamav.lists import (
    parse_file_type,
    parse_ignore,
    parse_password,
    parse_setting,
)
from tocsin.signatures.clamav.logical import Content, FuzzyImage, Macro, parse_logical
from tocsin.signatures.clamav.offset import Anchor, parse_offset
from tocsin.signatures.clamav.pcre import Pcre
from tocsin.signatures.digest_lists import looks_like_digest_list, parse_list_line
from tocsin.signatures.metadata import parse_metadata, read_metadata_lines
from tocsin.signatures.parse import signature_name
from tocsin.signatures.records import Kind


def refused(function, *arguments):
    with pytest.raises(SignatureError):
        function(*arguments)


# --- digests ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "algorithm", "size"),
    [
        (f"{MD5}:68:A", "md5", 68),
        (f"{MD5.upper()}:68:A", "md5", 68),
        (f"{SHA1}:1:A", "sha1", 1),
        (f"{SHA256}:4294967294:A", "sha256", 4294967294),
        (f"{MD5}:*:A:73", "md5", None),
        (f"{MD5}:68:A:1:255", "md5", 68),
    ],
)
def test_file_digests(line, algorithm, size):
    value = parse_file_digest(line)
    assert (value.algorithm, value.size, value.name) == (algorithm, size, "A")
    assert value.digest.hex() == line.partition(":")[0].lower()


@pytest.mark.parametrize(
    "line",
    [
        "",
        MD5,
        f"{MD5}:68",
        f"{MD5}:68:",
        f"{MD5[:-1]}:68:A",
        f"{MD5[:-1]}g:68:A",
        f"{MD5[:-2]} 0:68:A",
        f"{MD5}:0:A",
        f"{MD5}:-1:A",
        f"{MD5}:4294967295:A",
        f"{MD5}:x:A",
        f"{MD5}:*:A",
        f"{MD5}:*:A:72",
        f"{MD5}:68:A:1:2:3",
        "d41d8cd98f00b204e9800998ecf8427e00:0:A",
    ],
)
def test_malformed_file_digests(line):
    refused(parse_file_digest, line)


@pytest.mark.parametrize("line", [f"{MD5}:68:A:217", f"{MD5}:68:A:1:215", f"{MD5}:*:A:300"])
def test_digests_for_another_engine(line):
    assert parse_file_digest(line) is None


def test_section_and_import_digests():
    assert parse_section_digest(f"4096:{MD5}:A").size == 4096
    assert parse_file_digest(f"{MD5}:*:A", any_size_free=True).size is None
    refused(parse_section_digest, f"{MD5}:4096:A")


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (MD5, f"{MD5}:*:list.{MD5[:12]}:73"),
        (f"{SHA256}  a file.exe", f"{SHA256}:*:a_file.exe:73"),
        (f"{SHA1} *b.bin", f"{SHA1}:*:b.bin:73"),
        (f"{MD5},Family", f"{MD5}:*:Family:73"),
        (f'{MD5};"Family X"', f"{MD5}:*:Family_X:73"),
        (MD5.upper(), f"{MD5}:*:list.{MD5[:12]}:73"),
    ],
)
def test_digest_lists(line, record):
    assert parse_list_line(line, "list") == record
    assert parse_file_digest(record)
    assert looks_like_digest_list(f"# comment\n\n{line}\n")


@pytest.mark.parametrize("line", ["", "x", MD5[:-1], MD5 + "0", f"{MD5}:68:A", f"x {MD5}"])
def test_no_digest_lists(line):
    refused(parse_list_line, line, "list")
    assert not looks_like_digest_list(line)


# --- body patterns ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "parts", "gaps"),
    [
        ("616263", [(b"abc",)], []),
        ("6162??63", [(b"ab", Masked(0, 0), b"c")], []),
        ("61626?", [(b"ab", Masked(0x60, 0xF0))], []),
        ("6162?3", [(b"ab", Masked(0x03, 0x0F))], []),
        ("6162*6364", [(b"ab",), (b"cd",)], [Gap(0, None)]),
        ("6162{2-4}6364", [(b"ab",), (b"cd",)], [Gap(2, 4)]),
        ("6162{2-}6364", [(b"ab",), (b"cd",)], [Gap(2, None)]),
        ("6162{-4}6364", [(b"ab",), (b"cd",)], [Gap(0, 4)]),
        ("6162{2}6364", [(b"ab", Masked(0, 0), Masked(0, 0), b"cd")], []),
        ("6162{200}6364", [(b"ab",), (b"cd",)], [Gap(200, 200)]),
        ("61[2-4]6263", [(Nearby(2, 4, b"a", True), b"bc")], []),
        ("6162[2-4]63", [(b"ab", Nearby(2, 4, b"c", False))], []),
        ("6162(B)6364", [(b"ab", Boundary("B", False), b"cd")], []),
        ("6162!(L)", [(b"ab", Boundary("L", True))], []),
        ("6162(63|64)", [(b"ab", Alternatives(((b"c",), (b"d",)), False))], []),
        ("6162!(63|64)", [(b"ab", Alternatives(((b"c",), (b"d",)), True))], []),
    ],
)
def test_body_patterns(pattern, parts, gaps):
    (form,) = parse_body(pattern).forms
    assert list(form.parts) == parts
    assert list(form.gaps) == gaps


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "6",
        "616",
        "61",
        "6g",
        "61 62",
        "*6162",
        "6162*",
        "6162**6364",
        "6162{}6364x",
        "6162{a-b}6364",
        "6162(6364",
        "6162)6364",
        "6162(63*64)",
        "6162()",
        "6162(|63)",
        "6162!(63|6465)",
        "6162!(6?|64)",
        "6162[4-2]63",
        "6162[2-33]63",
        "6162*??",
        "6162(" * 20 + "61" + ")" * 20,
    ],
)
def test_malformed_body_patterns(pattern):
    refused(parse_body, pattern)


@pytest.mark.parametrize(
    ("modifiers", "literals", "nocase", "fullword"),
    [
        ("", [b"ab"], False, False),
        ("i", [b"ab"], True, False),
        ("f", [b"ab"], False, True),
        ("a", [b"ab"], False, False),
        ("w", [b"a\0b\0"], False, False),
        ("wa", [b"a\0b\0", b"ab"], False, False),
        ("iwfa", [b"a\0b\0", b"ab"], True, True),
    ],
)
def test_modifiers(modifiers, literals, nocase, fullword):
    body = parse_body("6162", modifiers)
    found = [[e for e in form.parts[0] if isinstance(e, bytes)] for form in body.forms]
    assert found == [[literal] for literal in literals]
    assert (body.nocase, body.fullword) == (nocase, fullword)


def test_malformed_modifiers():
    refused(parse_body, "6162", "x")
    refused(parse_body, "6162!(63|64)", "i")


# --- offsets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "anchor", "distance", "number", "shift"),
    [
        ("*", Anchor.ANY, 0, 0, 0),
        ("10", Anchor.START, 10, 0, 0),
        ("10,5", Anchor.START, 10, 0, 5),
        ("EOF-10", Anchor.END, -10, 0, 0),
        ("EP+10", Anchor.ENTRY_POINT, 10, 0, 0),
        ("EP-10,3", Anchor.ENTRY_POINT, -10, 0, 3),
        ("S2+10", Anchor.SECTION, 10, 2, 0),
        ("SL+10", Anchor.LAST_SECTION, 10, 0, 0),
        ("SE3", Anchor.WITHIN_SECTION, 0, 3, 0),
        ("VI", Anchor.VERSION_INFO, 0, 0, 0),
        ("$31$", Anchor.MACRO, 0, 31, 0),
    ],
)
def test_offsets(text, anchor, distance, number, shift):
    assert tuple(parse_offset(text, 1)) == (anchor, distance, number, shift)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("x", 1),
        ("-1", 1),
        ("EOF+1", 1),
        ("EOF", 1),
        ("EP", 1),
        ("S+1", 1),
        ("S1", 1),
        ("$32$", 1),
        ("$1$,4", 1),
        ("EP+0", 0),
        ("S1+0", 2),
        ("SL+0", 10),
        ("VI", 0),
        ("10,x", 0),
        ("1 ", 0),
        ("1\n", 0),
    ],
)
def test_malformed_offsets(text, target):
    refused(parse_offset, text, target)


# --- expressions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("0", Leaf(0)),
        ("0&1", Branch("&", Leaf(0), Leaf(1))),
        ("0|1&2", Branch("|", Leaf(0), Branch("&", Leaf(1), Leaf(2)))),
        ("(0|1&2)", Branch("&", Branch("|", Leaf(0), Leaf(1)), Leaf(2))),
        ("0=2", Leaf(0, Count("=", 2))),
        ("0>2", Leaf(0, Count(">", 2))),
        ("0<2", Leaf(0, Count("<", 2))),
        ("(0|1)>2", Branch("|", Leaf(0), Leaf(1), Count(">", 2))),
        ("(0|1)>2,2", Branch("|", Leaf(0), Leaf(1), Count(">", 2, 2))),
        ("(0|1)&2", Branch("&", Branch("|", Leaf(0), Leaf(1)), Leaf(2))),
    ],
)
def test_expressions(text, expression):
    assert parse_expression(text, 3) == expression


@pytest.mark.parametrize(
    "text", ["", "x", "3", "0&", "&0", "0&&1", "(0", "0)", "()", "0=x", "(0|1)>", "-1", "0|(1"]
)
def test_malformed_expressions(text):
    refused(parse_expression, text, 3)


# --- extended, logical --------------------------------------------------------------------


def test_extended():
    value = parse_extended("A:1:EP+0:61626364:51:255")
    assert (value.name, value.target, value.offset.anchor) == ("A", 1, Anchor.ENTRY_POINT)


@pytest.mark.parametrize(
    "line", ["", "A", "A:0:*", ":0:*:616263", "A:x:*:616263", "A:0:*:6162", "A:0:*:616263:1:2:3"]
)
def test_malformed_extended(line):
    refused(parse_extended, line)


@pytest.mark.parametrize("line", ["A:0:*:616263:217", "A:0:*:616263:1:100", "A:99:*:616263"])
def test_extended_for_another_engine(line):
    assert parse_extended(line) is None


def test_plain():
    assert from_plain("A=616263") == "A:0:*:616263"
    for line in ("", "A", "=616263"):
        refused(from_plain, line)


def test_logical():
    value = parse_logical(
        "A;Engine:81-255,Target:5,FileSize:1-9,Container:CL_TYPE_ZIP;0&1&2&3&4;"
        "61626364::iw;0,5:6162;${1-2}3$;0/a;b/i;fuzzy_img#af2ad01ed42993c7#0"
    )
    assert value.name == "A"
    assert value.conditions.file_size == (1, 9)
    assert value.conditions.container == "ZIP"
    kinds = [type(sub) for sub in value.subsignatures]
    assert kinds == [Content, Content, Macro, Pcre, FuzzyImage]
    assert value.subsignatures[3].regex == "a;b"
    assert value.unevaluated == "image hashes"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "A",
        "A;Target:0",
        "A;Target:0;0",
        ";Target:0;0;6162",
        "A;;0;6162",
        "A;Engine:51-255;0;6162",
        "A;Target:x;0;6162",
        "A;Target:0,Engine:51-255;0;6162",
        "A;Target:0,FileSize:1-2;0;6162",
        "A;Engine:51-255,Target:0,FileSize:1;0;6162",
        "A;Engine:51-255,Target:0,EntryPoint:1-2;0;6162",
        "A;Engine:51-255,Target:0,IconGroup1:A;0;6162",
        "A;Target:0;1;6162",
        "A;Target:0;0;6162;6364",
        "A;Target:0;0&1;6162;${1-2}32$",
        "A;Target:0;0&1;6162;$x$",
        "A;Target:0;0&1;6162;0/(/",
        "A;Target:0;0&1;6162;0/a/q",
        "A;Target:0;0&1;6162;1/a/",
        "A;Target:0;0;6162::x",
        "A;Target:0;0;$1$:6162",
        "A;Target:5;0;fuzzy_img#12",
        "A;Target:0;0;" + "6162;" * 65,
    ],
)
def test_malformed_logical(line):
    refused(parse_logical, line)


@pytest.mark.parametrize(
    "line",
    [
        "A;Engine:217-255,Target:0;0;6162",
        "A;Target:99;0;6162",
        "A;Target:0,Unheard:1;0;6162",
        "A;Engine:51-255,Target:0,Container:ZIP;0;6162",
    ],
)
def test_logical_for_another_engine(line):
    assert parse_logical(line) is None


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0(>>26#ib2#>512)", (0, 26, "i", False, True, 2, ((">", 512),))),
        ("1(<<4#hl4#=0x1f)", (1, -4, "h", True, False, 4, (("=", 31),))),
        ("2(>>0#de3#>1,<9)", (2, 0, "d", False, True, 3, ((">", 1), ("<", 9)))),
        ("0(>>0#ae8#=010)", (0, 0, "", False, True, 8, (("=", 8),))),
    ],
)
def test_byte_comparisons(text, fields):
    assert tuple(parse_byte_compare(text)) == fields


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0()",
        "0(>>1#ib3#=1)",
        "0(>>1#ib0#=1)",
        "0(>>1#hb19#=1)",
        "0(>>1#hd2#=1)",
        "0(>>1#ilb2#=1)",
        "0(>>1#dl2#=1)",
        "0(>>1#ib2#1)",
        "0(>>1#ib2#=1,=2,=3)",
        "0(>>09#ib2#=1)",
        "65(>>1#ib2#=1)",
    ],
)
def test_malformed_byte_comparisons(text):
    refused(parse_byte_compare, text)


# --- containers and the small lists -------------------------------------------------------


def test_container():
    value = parse_container(r"A:CL_TYPE_ZIP:10-20:\.exe$:*:0-5:1:3:1a2b:*")
    assert value.container == "ZIP"
    assert value.container_size == (10, 20)
    assert value.packed_size is None
    assert value.size == (0, 5)
    assert value.position == (3, 3)
    assert value.encrypted is True
    assert value.crc == 0x1A2B


@pytest.mark.parametrize(
    "line",
    [
        "A:CL_TYPE_ZIP:*:x:*:*:1:*:*",
        ":*:*:x:*:*:*:*:*:*",
        "A:ZIP:*:x:*:*:*:*:*:*",
        "A:*:x:x:*:*:*:*:*:*",
        "A:*:-:x:*:*:*:*:*:*",
        "A:*:*:x:*:*:2:*:*:*",
        "A:*:*:x:*:*:*:*:xyz:*",
    ],
)
def test_malformed_containers(line):
    refused(parse_container, line)


def test_ignored_names():
    assert parse_ignore("A") == ("A", "")
    assert parse_ignore(f"A:{MD5.upper()}") == ("A", MD5)
    assert parse_ignore("repo:1:A").name == "A"
    for line in ("", ":", "A:x", "a:b:"):
        refused(parse_ignore, line)


def test_file_types():
    value = parse_file_type("0:4:4d5a:DOS:CL_TYPE_ANY:CL_TYPE_MSEXE")
    assert (value.fixed, value.required, value.result) == (True, "ANY", "MSEXE")
    assert parse_file_type("4:0:4d5a:Disk:CL_TYPE_ANY:CL_TYPE_MBR") is None
    for line in (
        "",
        "2:0:4d5a:D:CL_TYPE_ANY:CL_TYPE_X",
        "0:0:4d5:D:CL_TYPE_ANY:CL_TYPE_X",
        "0:0:4d5a:D:ANY:CL_TYPE_X",
        "0:x:4d5a:D:CL_TYPE_ANY:CL_TYPE_X",
    ):
        refused(parse_file_type, line)


def test_passwords():
    assert parse_password("A;Engine:81-255,Target:0;0;a;b").password == b"a;b"
    assert parse_password("A;Engine:81-255,Target:0;1;6162").password == b"ab"
    assert parse_password("A;Engine:300-400,Target:0;0;x") is None
    for line in ("", "A;Target:0;0", "A;Target:0;2;x", "A;Target:0;1;xyz", ";Target:0;0;x"):
        refused(parse_password, line)


def test_settings():
    assert tuple(parse_setting("PE:0x10:1:255")) == ("PE", 16, 1, 255)
    for line in ("", "PE:1:2", "XX:1:2:3", "PE:z:1:2", "PE:1:a:2"):
        refused(parse_setting, line)


def test_metadata():
    (line,) = read_metadata_lines('["A.B"]\nwhy = "x\\ny"\nlevel = "test"\n')
    assert parse_metadata(line) == ("A.B", {"why": "x\ny", "level": "test"})
    for text in ("[", "A = 1", '"A" = "x"'):
        refused(lambda text=text: list(read_metadata_lines(text)))
    for line in ("", "{}", "[]", '["A"]', '["A", 5]', "5", "null"):
        refused(parse_metadata, line)


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        (Kind.FILE_DIGEST, f"{MD5}:68:A", "A"),
        (Kind.SECTION_DIGEST, f"68:{MD5}:A", "A"),
        (Kind.BODY, "A:0:*:616263", "A"),
        (Kind.LOGICAL, "A;Target:0;0;6162", "A"),
        (Kind.CONTAINER, "A:*:*:x:*:*:*:*:*:*", "A"),
        (Kind.IGNORE, f"A:{MD5}", "A"),
        (Kind.IGNORE, "r:1:A", "A"),
        (Kind.FILE_TYPE, "0:4:4d5a:A:CL_TYPE_ANY:CL_TYPE_MSEXE", "A"),
        (Kind.PASSWORD, "A;Target:0;0;x", "A"),
        (Kind.METADATA, '["A", {}]', "A"),
        (Kind.YARA, "rule A { condition: true }", ""),
    ],
)
def test_names(kind, text, name):
    assert signature_name(kind, text) == name
