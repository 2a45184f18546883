"""What comes out of mails and mailboxes."""

from __future__ import annotations

import base64
import quopri
import time
from collections.abc import Callable

import pytest
from mail_samples import (
    HEAD,
    PROGRAM,
    SAMPLES,
    TEXT_PART,
    file_part,
    message,
    multipart,
    python_mailbox,
    uuencoded,
)
from unpack_contract import Outcome, check_contract

from tocsin.unpack.interface import Limits, Reason, Remark, View

WIDE = Limits(timeout=20)
BASE64 = base64.encodebytes(PROGRAM)


QUOTED = (
    b"Content-Type: application/x\nContent-Transfer-Encoding: quoted-printable\n\n"
    + quopri.encodestring(PROGRAM)
)


def _encoding(name: bytes) -> bytes:
    return b"Content-Transfer-Encoding: " + name + b"\n"


def opened(mail: bytes) -> Outcome:
    outcome = check_contract("MAIL", mail, WIDE)
    assert outcome.error is None
    return outcome


def contents(mail: bytes) -> list[bytes]:
    return [member.data for member in opened(mail).members]


def names(mail: bytes) -> list[str]:
    return [member.name for member in opened(mail).members]


def test_a_usual_mail() -> None:
    outcome = opened(SAMPLES["mail"]())
    assert [(member.name, member.complete) for member in outcome.members] == [
        ("part 1 (text/plain)", True),
        ("part 2 (text/html)", True),
        ("program.exe", True),
        ("größe.bin", True),
    ]
    assert [member.data for member in outcome.members][2:] == [PROGRAM, PROGRAM * 2]
    assert outcome.members[1].data.rstrip() == b"<html><body>see attached\n</body></html>"
    assert not outcome.skipped


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends(line_end: bytes) -> None:
    mail = (HEAD + multipart([TEXT_PART, file_part()])).replace(b"\n", line_end)
    assert contents(mail) == [b"hello there\n", PROGRAM]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"base64", BASE64),
        (b"BASE64 (of a kind)", BASE64),
        (b'"base64"', BASE64),
        (b" base64 ", BASE64.replace(b"\n", b" *\n-\n")),
        (b"base64", BASE64.rstrip(b"\n=")),
        (b"quoted-printable", quopri.encodestring(PROGRAM)),
        (b"x-uuencode", uuencoded()),
        (b"uuencode", uuencoded().replace(b"\n", b"\r\n")),
        (b"8bit", BASE64),
        (b"7bit", BASE64),
    ],
)
def test_transfer_encodings(encoding: bytes, body: bytes) -> None:
    head = HEAD + b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: "
    found = contents(head + encoding + b"\n\n" + body)
    assert found[0].removesuffix(b"\n") == PROGRAM.removesuffix(b"\n")


def test_base64_goes_on_behind_its_padding() -> None:
    body = b"".join(base64.b64encode(PROGRAM[at : at + 10]) for at in range(0, len(PROGRAM), 10))
    head = HEAD + b"Content-Transfer-Encoding: base64\n\n"
    assert contents(head + body)[0] == PROGRAM


def test_binary_bodies_are_exact() -> None:
    part = b"Content-Type: application/x\nContent-Transfer-Encoding: binary\n\n" + PROGRAM
    assert contents(HEAD + multipart([part])) == [PROGRAM]
    part = b"Content-Type: text/plain\n\n" + PROGRAM
    assert contents(HEAD + multipart([part])) == [PROGRAM]


def test_an_attached_text_comes_as_it_is_and_with_plain_line_ends() -> None:
    part = b"Content-Type: text/plain; name=a.js\r\n\r\none\r\ntwo"
    mail = HEAD + multipart([part])
    assert contents(mail) == [b"one\r\ntwo", b"one\ntwo\n"]


def test_two_encodings_are_both_read() -> None:
    quoted = b"Content-Transfer-Encoding: quoted-printable\n"
    found = contents(HEAD + multipart([file_part(header=quoted)]))
    assert PROGRAM in found
    assert len(found) == 2


def test_base64_that_is_none_is_handed_on_too() -> None:
    part = b"Content-Transfer-Encoding: base64\n\nThis is no base64! (Not at all, it is text.)"
    assert any(b"no base64!" in data for data in contents(HEAD + multipart([part])))


# --- structure ----------------------------------------------------------------------------


def test_parts_in_parts() -> None:
    inner = multipart([TEXT_PART, file_part()], b"inner")
    middle = multipart([inner, file_part(b"second " * 20)], b"middle")
    assert contents(HEAD + multipart([middle, TEXT_PART])) == [
        b"hello there\n",
        PROGRAM,
        b"second " * 20,
        b"hello there\n",
    ]


def test_a_message_in_the_message() -> None:
    inner = b"Content-Type: message/rfc822\n\n" + HEAD + multipart([file_part()], b"YY")
    (member,) = opened(HEAD + multipart([inner])).members
    assert member.type_name == "MAIL"
    assert contents(member.data) == [PROGRAM]


def test_a_message_in_base64_and_something_that_only_claims_to_be_one() -> None:
    head = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
    mail = HEAD + multipart([head + base64.encodebytes(HEAD + b"\nhi"), head + BASE64])
    assert [member.type_name for member in opened(mail).members] == ["MAIL", ""]
    assert contents(mail)[1] == PROGRAM


def test_a_multipart_without_parts_is_a_text() -> None:
    bare = multipart([], end=b"short\n")
    assert contents(HEAD + bare) == [b"short\n"]
    assert contents(HEAD + multipart([bare, TEXT_PART], b"YY")) == [
        b"short\n\n",
        b"hello there\n",
    ]
    usual = b"This is a multi-part message in MIME format.\n--XX\n"
    assert contents(HEAD + multipart([TEXT_PART]).replace(b"--XX\n", usual, 1)) == [
        b"hello there\n"
    ]


def test_a_multipart_in_base64() -> None:
    head, _, body = (HEAD + multipart([file_part()])).partition(b"\n\n")
    mail = head + b"\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(body)
    (member,) = opened(mail).members
    assert contents(member.data) == [PROGRAM]


def test_a_mark_of_utf8_before_the_header() -> None:
    assert contents(b"\xef\xbb\xbf" + HEAD + multipart([file_part()])) == [PROGRAM]
    head = b"\xef\xbb\xbfContent-Transfer-Encoding: base64\n\n"
    assert contents(head + BASE64) == [PROGRAM]


def test_a_digest_holds_messages() -> None:
    mail = HEAD + multipart([b"\n" + HEAD + b"\nhi"]).replace(b"/mixed", b"/digest")
    assert [member.type_name for member in opened(mail).members] == ["MAIL"]


@pytest.mark.parametrize(
    "mail",
    [
        HEAD + multipart([TEXT_PART], end=b"--XX--\n\n--XX\n" + file_part() + b"\n--XX--\n"),
        HEAD + multipart([file_part()], end=b""),
        HEAD + multipart([b"Content-Type: text/html"], end=b"--XX\n" + file_part()),
        HEAD + multipart([file_part()]).replace(b"--XX\n", b"--XX \t \n"),
        HEAD + multipart([file_part()]).replace(b"\n--XX\n", b"\n --XX\n"),
        HEAD + multipart([TEXT_PART, file_part()]).replace(b"\n--XX\n", b"\n--xx\n"),
        HEAD + multipart([TEXT_PART, file_part()]).replace(b"\n--XX\n", b"\n--XXmore\n"),
        HEAD + b"Content-Type: text/plain\n" + multipart([file_part()]),
        HEAD + b"Content-Type: multipart/mixed; boundary=no\n" + multipart([file_part()]),
        HEAD + multipart([file_part()]).replace(b"; boundary=XX", b""),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b"boundary=ZZ"),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b'boundary="XX'),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b"boundary*0=X;boundary*1=X"),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b"Boundary = XX ; x=y"),
        HEAD + multipart([file_part()]).replace(b"; boundary", b";\n\t boundary"),
        HEAD + multipart([file_part()]).replace(b"Content-Type:", b"CONTENT-type \t:"),
        HEAD + multipart([file_part(header=b"no field at all\n")]),
        HEAD + multipart([file_part(header=b"X-A: b\n" * 2000)]),
        HEAD + multipart([multipart([file_part()], b"XXY")]),
        HEAD + multipart([multipart([file_part()])]),
        b"\n\n" + HEAD.replace(b"From", b"X-From") + multipart([file_part()]),
        HEAD + b"\nreturned:\n\n" + HEAD + multipart([TEXT_PART, file_part()]),
        HEAD + b"\nreturned:\n\n" + HEAD + file_part(),
        HEAD + multipart([TEXT_PART]).replace(b"XX\n\n", b"XX\n\n" + file_part() + b"\n\n", 1),
        HEAD + multipart([file_part()]).replace(b"mixed;", b"mixed (x; boundary=no) ;"),
        HEAD + multipart([file_part()]).replace(b"multipart/mixed", b'"multipart/mixed"'),
        HEAD + multipart([file_part()]).replace(b"multipart/mixed", b"multipart"),
        HEAD + multipart([file_part()]).replace(b"multipart/mixed", b"text/plain"),
        HEAD + multipart([file_part()]).replace(b"; boundary", b" boundary"),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b"boundary==?us-ascii?q?XX?="),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b"boundary*=us-ascii''%58X"),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b"boundary=YY; boundary=XX"),
        HEAD + multipart([file_part()]).replace(b"boundary=XX", b'boundary="XX "'),
        HEAD + multipart([file_part()], b"").replace(b"boundary=", b'boundary=""'),
        HEAD + multipart([file_part()], b"X\xe4X"),
        HEAD.replace(b"Subject", b"X\0Subject") + multipart([file_part()]),
        HEAD + multipart([file_part(encoding=b"=?us-ascii?q?base64?=")]),
        HEAD + multipart([file_part(encoding=b"x-unknown")]),
        HEAD + multipart([file_part().replace(b"Encoding: base64", b"Encoding :\n\tbase64")]),
        HEAD + multipart([file_part().replace(b"\n\n", b"\n \n", 1)]),
        HEAD + multipart([file_part().replace(b"\n\n", b"\n\n====\n", 1)]),
        HEAD + b"\nsee\n" + uuencoded() + b"bye\n",
        HEAD + multipart([b"Content-Type: text/html\n\n<p>\n" + uuencoded()]),
        HEAD + multipart([b"Content-ID: <a>\n" * 250 + file_part()]),
        HEAD + multipart([b"Content-Location: a\n" * 250 + file_part()]),
        b"".join(b"Subject: %d\n" % number for number in range(250)) + multipart([file_part()]),
        HEAD + multipart([TEXT_PART, file_part()]).replace(b"mixed", b"mixed" + b"; a=b" * 250),
        HEAD
        + multipart([file_part()]).replace(
            b"boundary=XX",
            b"".join(b"boundary=Y%d;" % number for number in range(9)) + b"boundary=XX",
        ),
        HEAD + multipart([b"X-A: b\n" + file_part()], b"B" * 1100),
        HEAD + multipart([b"X-A: b\n" + file_part()], b"B" * 1100).replace(b"boundary=", b"other="),
        HEAD + multipart([b"X-A: b\n" + file_part()], b"B" * 300).replace(b"boundary=", b"other="),
        HEAD
        + multipart([file_part()]).replace(b"boundary=XX\n\n", b"a=b\n\n" + b"words\n" * 20_000),
        HEAD
        + b"".join(_encoding(name) for name in (b"x1", b"x2", b"x3", b"base64"))
        + b"\n"
        + BASE64,
        HEAD + _encoding(b"quoted-printable base64") + b"\n" + BASE64,
        HEAD + _encoding(b"base64 (" + b"quoted " * 200 + b")") + b"\n" + BASE64,
        HEAD + _encoding(b"\n base64") + b"\n" + BASE64,
        HEAD + b"X-Long: " + b"\n ".join([b"a" * 900] * 5000) + b"\n" + multipart([file_part()]),
        HEAD + b"\nreturned:\n\n" + HEAD + _encoding(b"\n base64") + b"\n" + BASE64,
        HEAD + b"\nreturned:\n\n" + HEAD + _encoding(b" " * 1200 + b"base64") + b"\n" + BASE64,
        HEAD + b"\nreturned:\n\n" + b"junk\n" * 12 + _encoding(b"base64") + b"\n" + BASE64,
        HEAD + multipart([b"n" * 300 + b": b\n" + file_part()]),
        HEAD + QUOTED.replace(b"=\n", b"=\r"),
        HEAD + QUOTED.replace(b"=\n", b"=" + b" " * 300 + b"\n"),
        HEAD + b"Content-Type: message/rfc822\n\n" + b"n" * 300 + b": b\n" + file_part(),
    ],
)
def test_nothing_hides_a_file(mail: bytes) -> None:
    found = opened(mail).members
    inside = [
        member.data
        for outer in found
        if outer.type_name == "MAIL"
        for member in opened(outer.data).members
    ]
    assert PROGRAM in [*(member.data for member in found), *inside]


def test_text_around_uuencoded_files_comes_without_them() -> None:
    assert contents(HEAD + b"\nsee\n" + uuencoded() + b"bye\n") == [PROGRAM, b"see\nbye\n"]


def test_a_text_with_a_message_in_it_is_not_opened_again_and_again() -> None:
    """It would be identified as a mail by the fields inside it, and be the same mail again."""
    mail = b"Hi. This is the qmail-send program\n\n" + HEAD + file_part()
    members = opened(mail).members
    assert [member.type_name for member in members] == ["TEXT_UTF8", "MAIL"]


def test_parts_that_are_not_here_and_parts_that_cannot_be_read() -> None:
    body = b"Content-Type: message/external-body; access-type=URL\n\nContent-Type: image/gif\n\nx"
    assert any(isinstance(value, Remark) for value in opened(HEAD + multipart([body])).values)
    body = b"Content-Type: message/partial; id=x; number=1; total=2\n\nFrom: a\n\nhello"
    (skip,) = opened(HEAD + multipart([body])).skipped
    assert skip.reason is Reason.UNSUPPORTED
    body = b"Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\nabc"
    (skip,) = opened(HEAD + multipart([body])).skipped
    assert (skip.reason, skip.encrypted) == (Reason.ENCRYPTED, True)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"Content-Disposition: attachment; filename=a.exe\n", "a.exe"),
        (b'Content-Disposition: attachment; filename="a b;c.exe"\n', "a b;c.exe"),
        (b'Content-Disposition: attachment; filename="a\\"b.exe"\n', 'a"b.exe'),
        (b"Content-Disposition: attachment; filename='a.exe'\n", "a.exe"),
        (b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.exe\n", "€.exe"),
        (b"Content-Disposition: attachment; filename*=iso-8859-1'de'%fc.exe\n", "ü.exe"),
        (b"Content-Disposition: attachment; filename*1=.exe; filename*0=a\n", "a.exe"),
        (b"Content-Disposition: attachment; filename*0*=utf-8''%61; filename*1=.b\n", "a.b"),
        (b'Content-Disposition: attachment; filename="=?utf-8?B?w7wuZXhl?="\n', "ü.exe"),
        (b"Content-Disposition: attachment; filename==?utf-8?q?a_b=2Eexe?=\n", "a b.exe"),
        (b'Content-Disposition: attachment; filename="=?utf-8?q?a?= =?utf-8?q?b?="\n', "ab"),
        (b"Content-Disposition: attachment;\n filename=a.exe\n", "a.exe"),
        (b"Content-Disposition: attachment; filename=../../etc/passwd\n", "../../etc/passwd"),
        (b"Content-Disposition: attachment; filename=\xfc.exe\n", "\udcfc.exe"),
        (b"Content-Disposition: attachment; filename==?zlib?B?YQ==?=\n", "a"),
        (b"Content-Disposition: inline\n", "part 1 (application/octet-stream)"),
    ],
)
def test_names(header: bytes, name: str) -> None:
    assert names(HEAD + multipart([file_part(header=header)])) == [name]


def test_a_mailbox() -> None:
    outcome = opened(python_mailbox())
    assert [(member.name, member.type_name) for member in outcome.members] == [
        ("message 1 (number 0)", "MAIL"),
        ("message 2 (number 1)", "MAIL"),
        ("message 3 (number 2)", "MAIL"),
    ]
    assert contents(outcome.members[1].data)[2] == PROGRAM


def test_a_paragraph_does_not_split_a_mailbox() -> None:
    text = b"Content-Type: text/plain\n\nDear all,\n\nFrom now on it is so.\n"
    mail = b"From a@b Thu Jul 31 13:49:50 2008\n" + HEAD + multipart([text, file_part()])
    assert contents(mail)[1] == PROGRAM


@pytest.mark.parametrize("depth", [24, 25, 26, 60, 300])
def test_any_number_of_parts_in_parts(depth: int) -> None:
    """The innermost is behind fields, so that it is not found as a message in a text either."""
    part = b"X-A: b\n" * 3 + file_part()
    for level in range(depth):
        part = multipart([part], b"b%d" % level)
    found = opened(HEAD + part)
    assert [member.data for member in found.members] == [PROGRAM]
    assert not found.skipped


def test_a_delimiter_that_only_some_take_for_one_deep_inside() -> None:
    inner = multipart([TEXT_PART, file_part()], b"deep").replace(b"\n--deep\n", b"\n--deeper\n")
    for level in range(40):
        inner = multipart([inner], b"b%d" % level)
    assert PROGRAM in contents(HEAD + inner)


def test_a_mail_with_too_many_delimiters_says_so() -> None:
    mail = HEAD
    for length in range(1, 80):
        mail += multipart([], b"b" * length, end=b"--" + b"b" * length + b"\n")
    found = opened(mail + file_part() + b"\n--c\n")
    assert [skip.reason for skip in found.skipped] == [Reason.LIMIT]
    assert PROGRAM in [member.data for member in found.members]


def test_a_mail_in_16_bit_characters() -> None:
    mail = (HEAD + multipart([file_part()])).decode()
    assert contents(mail.encode("utf-16")) == [PROGRAM]
    assert contents(mail.encode("utf-16-be")) == [PROGRAM]
    assert contents(mail.encode("utf-16-le")) == [PROGRAM]


def test_of_a_text_in_which_mail_stands_only_the_mail_comes_out() -> None:
    """The text itself has been matched; handed out it would be opened again and again."""
    text = b"words\n" * 300 + b"\n" + HEAD + file_part()
    (member,) = opened(text).members
    assert member.type_name == "MAIL"
    assert contents(member.data) == [PROGRAM]


def test_what_clamscan_takes_for_a_mail_too_is_matched_as_one() -> None:
    mail = b"X-A: b\nFrom: a@b\nX-C: " + b"a" * 1500 + b"\n" + file_part()
    views = [value for value in opened(mail).values if isinstance(value, View)]
    assert [(view.data, view.type_name) for view in views] == [(mail, "MAIL")]
    assert not any(isinstance(value, View) for value in opened(HEAD + file_part()).values)


# --- passwords ----------------------------------------------------------------------------


def hints(text: str, subtype: str = "plain") -> tuple[bytes, ...]:
    mail = message(("a.zip", PROGRAM), text=text)
    values = opened(mail.as_bytes()).values
    first = values[0]
    return getattr(first, "passwords", ())


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("The password is: Abc!123.\nRegards", b"Abc!123"),
        ("archive pass - 77Zz", b"77Zz"),
        ("PW: 1234", b"1234"),
        ("Das Passwort lautet „geheim“.", b"geheim"),
        ("Mot de passe : toto99", b"toto99"),
        ("contraseña: hola5", b"hola5"),
        ("Пароль к архиву: секрет", "секрет".encode()),
        ("Пароль: секрет", "секрет".encode("cp866")),
        ("密码：abc888", b"abc888"),
        ("Please use the following code to open it: 9-8-7", b"9-8-7"),
        ("It opens with 'two words'.", b"two words"),
        ("Hello,\n\n  Qx7z\n\nbye", b"Qx7z"),
        ("Hello,\n\nZq!kkw\n\nbye", b"Zq!kkw"),
        ("Hello,\n\nsesame\n\nbye", b"sesame"),
        ("one\n" * 40 + "Qx7z\n", b"Qx7z"),
        ("password one two three\n" * 40 + "'four five'\n" * 40 + "\nQx7z\n", b"Qx7z"),
    ],
)
def test_passwords_in_the_text_come_first(text: str, password: bytes) -> None:
    found = hints(text + "\n")
    assert password in found
    assert len(found) <= 64


def test_passwords_in_html() -> None:
    def found(html: bytes, line_end: bytes = b"\n") -> tuple[bytes, ...]:
        mail = HEAD + multipart([b"Content-Type: text/html\n\n" + html, file_part()])
        return getattr(opened(mail.replace(b"\n", line_end)).values[0], "passwords", ())

    assert b"Zq8!kkw" in found(b"<p>Hello</p><p><b>Zq8</b><i>!kkw</i></p><p>bye</p>")
    assert b"Zq8!kkw" in found(b"Hello<br><b style='" + b"x" * 3000 + b"'>Zq8</b>!kkw<br>bye")
    assert b"Zq8!kkw" in found(b"Hello<div>Zq8&#8203;<!-- x -->!kkw</div>")
    assert b"Zq8!kkw" in found(b"Password<b>Zq8!kkw</b>")
    assert b"Zq8!kkw" in found(b"Hello\n\nZq8!kkw\n\nbye", b"\r\n")
    assert not [word for word in found(b"Hello\n\n-----\n\nhttp://a.b/c1\n") if b"-" in word]


def test_a_password_behind_many_texts() -> None:
    texts = [b"\nnothing"] * 20
    mail = HEAD + multipart([*texts, b"\nQx7z\n", file_part()])
    assert b"Qx7z" in getattr(opened(mail).values[0], "passwords", ())


def test_a_mail_without_files_gives_no_passwords() -> None:
    assert contents(HEAD + b"\nThe password is: abc\n") == [b"The password is: abc\n"]
    assert len(opened(HEAD + b"\nThe password is: abc\n").values) == 1


def bounced(data: bytes) -> bytes:
    return b"\n\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(data) + b"\n"


def test_the_last_of_many_parts_in_a_text() -> None:
    text = b"".join(bounced(b"%04d" % number + PROGRAM) for number in range(300))
    inside = [opened(found.data) for found in opened(HEAD + b"\n" + text).members[1:]]
    assert b"0299" + PROGRAM in [member.data for mail in inside for member in mail.members]


def test_a_part_behind_many_megabytes_of_text() -> None:
    mail = HEAD + b"\nnothing to see here\n" * (1 << 20) + bounced(PROGRAM)
    last = opened(mail).members[-1]
    assert contents(last.data) == [PROGRAM]


# --- hostile input ------------------------------------------------------------------------


_MIXED = b"Content-Type: multipart/mixed; boundary="


def _nested(depth: int) -> bytes:
    levels = [multipart([], b"b%d" % level, end=b"--b%d\n" % level) for level in range(depth)]
    return HEAD + b"".join(levels) + file_part()


@pytest.mark.parametrize(
    "mail",
    [
        lambda: _nested(3000),
        lambda: HEAD + multipart([], end=b"--XX\n" * 200_000),
        lambda: HEAD + multipart([], end=b"--X\n" * 300_000),
        lambda: HEAD + multipart([], end=b"x--XX" * 200_000),
        lambda: HEAD + multipart([], end=b"--XXY\n" * 200_000),
        lambda: HEAD + b"Content-Type: text/plain; a=b" + b";boundary=x" * 100_000 + b"\n\n--x\n",
        lambda: HEAD + b"Content-Type: multipart/mixed; " + b"a*0=x;" * 100_000 + b"\n\n--x\n",
        lambda: HEAD + b"X: " + b"(" * 1_000_000 + b"\n\nhello",
        lambda: HEAD + b"Content-Transfer-Encoding: " + b"(" * 500_000 + b"\n\nhello",
        lambda: HEAD + b"\n \n" * 300_000,
        lambda: HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"A=" * 1_000_000,
        lambda: HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"= " * 1_000_000,
        lambda: HEAD + b"\n" + b"\ncontent-type: multipart" * 50_000,
        lambda: HEAD + b"\n" + b"\ncontent-transfer-encoding: base64" * 50_000,
        lambda: HEAD + b"\n" + b"\ncontent-transfer-encoding: base64\n\n" * 50_000,
        lambda: HEAD + b"\n" + b"\n\ncontent-transfer-encoding: base64\n" * 50_000,
        lambda: HEAD + b"\n" + b"begin 644 a\n" * 100_000,
        lambda: HEAD + b"\n" + b"begin 644 a\n#86)C\n" * 50_000,
        lambda: HEAD + multipart([b"\n" + b"password:" * 100_000, file_part()]),
        lambda: HEAD + multipart([b"\n" + b"'a" * 300_000, file_part()]),
        lambda: HEAD + multipart([b"Content-Type: text/html\n\n" + b"<" * 500_000, file_part()]),
        lambda: b"From a 1:00\n" + b"\n\nFrom a 1:00" * 100_000,
        lambda: b"Content-Disposition: x; filename=" + b"=?utf-8?q?a?= " * 20_000 + b"\n\nhello",
        lambda: _nested(20_000),
        lambda: HEAD + _MIXED + b'"a:"\n\n' + b"--a:\n" * 200_000,
        lambda: HEAD + _MIXED + b'"a:"\n\n--a:\n' + b"--b: x\n" * 200_000,
        lambda: HEAD + _MIXED + b"XX\n\n" + b"--\n" * 500_000,
        lambda: (
            HEAD
            + _MIXED
            + b"XX"
            + b"".join(b";boundary=x%d" % n for n in range(20_000))
            + b"\n\n--x7\n"
        ),
        lambda: (
            HEAD + multipart([_MIXED + b"n%d\n\nx" % n for n in range(5000)], end=b"\n" * 9_000_000)
        ),
        lambda: HEAD + b"Content-Type: multipart/mixed\n\n" + b"--a: b\n" * 200_000,
        lambda: HEAD + b"Content-Type: text/plain" + b";" * 1_000_000 + b"\n\nx",
        lambda: HEAD + b"Content-Type: text/plain" + b"; name*%d=x" * 200_000 + b"\n\nx",
        lambda: (
            HEAD + b"".join(b"Content-Type: a/b; name=x%d\n" % n for n in range(50_000)) + b"\nx"
        ),
        lambda: HEAD + b"Subject: a" + b"\n b" * 500_000 + b"\n\nx",
        lambda: HEAD + _encoding(b"quoted-printable") + b"\n" + b"= \r" * 500_000,
        lambda: b"x\n" + (b"MIME-Version: 1.0\n" + _MIXED + b"x\n\n") * 40_000,
        lambda: (
            b"x\n"
            + b"".join(b"MIME-Version: 1.0\n" + _MIXED + b"x%d\n\n" % n for n in range(40_000))
        ),
        lambda: b"X-A: b\n" * 1_000_000,
    ],
    ids=range(38),
)
def test_time_stays_short(mail: Callable[[], bytes]) -> None:
    data = mail()
    start = time.process_time()
    check_contract("MAIL", data, Limits(max_files=2000, timeout=60))
    assert time.process_time() - start < 5
