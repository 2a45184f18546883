"""tocsin-clamscan by itself: the reader of options, walk, names, limits, streams, documentation.

Nothing here needs clamscan; tests/cli/test_clamscan_oracle.py compares with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from tocsin.cli import clamscan
from tocsin.cli.clamscan_arguments import OptionError, read_arguments
from tocsin.cli.clamscan_options import DEPRECATED, OPTIONS, Kind, Status, markdown_table
from tocsin.cli.clamscan_walk import Event, Rules, Walker, matcher
from tocsin.engine.clamav_names import Names
from tocsin.engine.report import Detection, Report

COMMAND = [sys.executable, "-m", "tocsin.cli.clamscan"]
DOCUMENT = Path(__file__).parents[2] / "docs/clamscan.md"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "a.ndb").write_text("One:0:*:4556494c2d4f4e45\n")
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "d/a").write_text("EVIL-ONE here\n")
    (tmp_path / "d/sub/b").write_text("nothing here\n")
    return tmp_path


def run(capfdbinary, *words):
    status = clamscan.main([*words])
    sys.stdout.flush()
    out, err = capfdbinary.readouterr()
    return status, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")


# --- the table ----------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("clamscan") is None, reason="clamscan is not installed")
def test_every_option_of_clamscan_has_a_row():
    text = subprocess.run(["clamscan", "--help"], capture_output=True, text=True).stdout
    theirs = re.findall(r"^ {4}--([a-z0-9-]+)\S* +(?:-(\w) )?", text, re.M)
    assert len(theirs) > 90
    ours = {option.name: option.short for option in OPTIONS if option.listed}
    assert dict(theirs) == ours


def test_names_are_unique_and_explained():
    names = [option.name for option in OPTIONS] + list(DEPRECATED)
    assert len(names) == len(set(names))
    assert all(option.text for option in OPTIONS)


def test_the_document_has_the_table_of_the_code():
    text = DOCUMENT.read_text()
    begin, end = "<!-- options: made by the code -->", "<!-- end of options -->"
    assert text.partition(begin)[2].partition(end)[0].strip() == markdown_table()


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.refuses], ids=lambda o: o.name)
def test_what_is_not_honoured_is_refused_with_a_reason(option):
    bad = {
        Kind.SWITCH: "no" if option.only == ("yes",) else "yes",
        Kind.NUMBER: "123",
        Kind.SIZE: "123",
        Kind.TEXT: "something",
    }[option.kind]
    with pytest.raises(OptionError, match=f"does not honour --{option.name}={bad}"):
        read_arguments([f"--{option.name}={bad}"])
    for good in option.only:
        read_arguments([f"--{option.name}={good}"])


@pytest.mark.parametrize(
    "option", [o for o in OPTIONS if o.status is Status.HONOURED], ids=lambda o: o.name
)
def test_what_is_honoured_is_asked_for_somewhere(option):
    sources = Path(clamscan.__file__).parent.glob("clamscan*.py")
    text = "".join(p.read_text() for p in sources if p.name != "clamscan_options.py")
    assert f'"{option.stands_for or option.name}"' in text


# --- the reader of command lines ----------------------------------------------------------


def test_options_and_paths_may_be_mixed():
    arguments = read_arguments(
        ["x", "-ri", "y", "--log", "file", "-dz", "--database=w", "--", "-i"]
    )
    assert arguments.paths == ["x", "y", "-i"]
    assert arguments.is_on("recursive")
    assert arguments.is_on("infected")
    assert arguments.text("log") == "file"
    assert arguments.texts("database") == ["z", "w"]


@pytest.mark.parametrize(
    ("word", "size"), [("5", 5), ("5k", 5120), ("5K", 5120), ("2M", 2 << 20), ("1G", 1 << 30)]
)
def test_sizes(word, size):
    assert read_arguments([f"--max-filesize={word}"]).number("max-filesize", 0) == size


@pytest.mark.parametrize("word", ["", "x", "5T", "1.5M", "-5", "5 ", "\u0665"])
def test_malformed_sizes(word):
    with pytest.raises(OptionError, match="Incorrect argument format for option --max-filesize"):
        read_arguments([f"--max-filesize={word}"])


@pytest.mark.parametrize("words", [["--"], ["-"], [""], ["---"], ["--=x"], ["-" * 99], ["-\u00e4"]])
def test_odd_words_do_not_crash_the_reader(words):
    with suppress(OptionError):
        read_arguments(words)


# --- output and exit status ---------------------------------------------------------------


def test_version_begins_as_scripts_expect(tree, capfdbinary):
    status, out, _ = run(capfdbinary, "-V")
    assert status == 0
    assert out.startswith("ClamAV 1.4.6")
    assert "tocsin" in out


def test_help_names_every_option(tree, capfdbinary):
    status, out, _ = run(capfdbinary, "--help")
    assert status == 0
    assert all(f"--{option.name}" in out for option in OPTIONS if not option.stands_for)


def test_a_wrong_option_is_told_without_scanning(tree, capfdbinary):
    status, out, err = run(capfdbinary, "--alert-broken", "d")
    assert (status, out) == (2, "")
    assert "does not honour --alert-broken" in err


def test_found_and_clean(tree, capfdbinary):
    assert run(capfdbinary, "-d", "a.ndb", "--no-summary", "-r", "d")[:2] == (
        1,
        "".join(
            {"a": "d/a: One.UNOFFICIAL FOUND\n", "sub": "d/sub/b: OK\n"}[name]
            for name in os.listdir("d")
        ),
    )
    assert run(capfdbinary, "-d", "a.ndb", "--no-summary", "d/sub") == (0, "d/sub/b: OK\n", "")


def test_without_a_database_named_tocsins_own_is_used(tree, capfdbinary):
    eicar = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    (tree / "eicar").write_text(eicar)
    status, out, _ = run(capfdbinary, "eicar")
    assert status == 1
    assert re.match(r"eicar: \S*Eicar\S*\.UNOFFICIAL FOUND\n\n-+ SCAN SUMMARY -+\n", out, re.I)
    assert re.search(r"^Known viruses: [1-9]", out, re.M)


def test_a_damaged_database_stops_the_scan(tree, capfdbinary):
    (tree / "bad.ndb").write_text("nonsense\n")
    status, out, err = run(capfdbinary, "-d", "bad.ndb", "d/a")
    assert status == 2
    assert "FOUND" not in out
    assert "bad.ndb:1" in err
    assert err.endswith("ERROR: Malformed database\n")


def test_yara_names(tree, capfdbinary):
    (tree / "r.yar").write_text('rule R1 { strings: $a = "EVIL" condition: $a }')
    assert run(capfdbinary, "-d", "r.yar", "--no-summary", "d/a")[1] == (
        "d/a: YARA.R1.UNOFFICIAL FOUND\n"
    )


def test_all_matches_name_each_member_once(tree, capfdbinary):
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "xy":
            archive.writestr(name, "EVIL-ONE " * 20)
    _, out, _ = run(capfdbinary, "-d", "a.ndb", "--no-summary", "-z", "-a", "z.zip")
    assert out == (
        "z.zip: One.UNOFFICIAL FOUND\nz.zip!/x: One.UNOFFICIAL FOUND\n"
        "z.zip: One.UNOFFICIAL FOUND\nz.zip!/y: One.UNOFFICIAL FOUND\n"
    )


def test_bell_rings_on_standard_error(tree, capfdbinary):
    _, out, err = run(capfdbinary, "-d", "a.ndb", "--no-summary", "--bell", "d/a")
    assert "\a" not in out
    assert err == "\a"


# --- limits -------------------------------------------------------------------------------


def test_past_a_limit_it_says_ok_and_warns(tree, capfdbinary):
    words = ["-d", "a.ndb", "--no-summary", "--max-filesize=5", "d/a"]
    status, out, err = run(capfdbinary, *words)
    assert (status, out) == (0, "d/a: OK\n")
    assert err.startswith("WARNING: d/a: not wholly scanned (limit): ")
    assert "--max-filesize" in err
    assert run(capfdbinary, *words, "--strict")[:2] == (2, "d/a: OK\n")
    assert run(capfdbinary, *words, "--quiet") == (0, "", "")


def test_a_folder_too_deep_is_warned_of(tree, capfdbinary):
    words = ["-d", "a.ndb", "--no-summary", "--max-dir-recursion=1", "-r", "d"]
    status, out, err = run(capfdbinary, *words)
    assert (status, out) == (1, "d/a: One.UNOFFICIAL FOUND\n")
    assert err == "WARNING: d/sub: not entered: deeper than 1 folders (--max-dir-recursion)\n"
    (tree / "d/a").unlink()
    assert run(capfdbinary, *words)[0] == 0
    assert run(capfdbinary, *words, "--strict")[0] == 2


def test_more_on_standard_input_than_the_bound(tree, tmp_path):
    for extra, status in ([], 0), (["--strict"], 2):
        done = subprocess.run(
            [*COMMAND, "-d", "a.ndb", "--no-summary", "--max-filesize=5", "-", *extra],
            input=b"EVIL-ONE",
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (status, b"stdin: OK\n")
        assert b"stdin: not scanned" in done.stderr


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--max-filesize=30", "MaxFileSize"),
        ("--max-scansize=30", "MaxScanSize"),
        ("--max-files=2", "MaxFiles"),
        ("--max-recursion=1", "MaxRecursion"),
    ],
)
def test_limits_have_names_when_asked_for(option, name, tree, capfdbinary):
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member in "xyz":
            archive.writestr(member, "nothing " * 20)
    words = ["-d", "a.ndb", "--no-summary", "--alert-exceeds-max", option, "z.zip"]
    status, out, _ = run(capfdbinary, *words)
    assert (status, out) == (1, f"z.zip: Heuristics.Limits.Exceeded.{name} FOUND\n")


def test_what_is_found_takes_the_place_of_a_limits_name(tree, capfdbinary):
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", "EVIL-ONE " * 20)
        archive.writestr("y", "nothing " * 20)
    words = ["-d", "a.ndb", "--no-summary", "--alert-exceeds-max", "--max-files=2", "z.zip"]
    assert run(capfdbinary, *words)[1] == "z.zip: One.UNOFFICIAL FOUND\n"


def test_a_damaged_member_counts_only_when_strict(tree, capfdbinary):
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", "nothing " * 200)
    content = bytearray((tree / "z.zip").read_bytes())
    content[31:45] = b"\xff" * 14
    (tree / "z.zip").write_bytes(content)
    words = ["-d", "a.ndb", "--no-summary", "z.zip"]
    assert run(capfdbinary, *words) == (0, "z.zip: OK\n", "")
    status, out, err = run(capfdbinary, *words, "--strict")
    assert (status, out) == (2, "z.zip: OK\n")
    assert err.startswith("WARNING: z.zip!/x: not wholly scanned (damaged)")


# --- walk ---------------------------------------------------------------------------------


def met(path, **rules):
    return [(item.event, item.path) for item in Walker(Rules(**rules)).visit(path)]


def test_folders_deeper_than_pythons_stack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    depth = 1200
    here = os.open(".", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("x", dir_fd=here)
        below = os.open("x", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert len(met("x", recursive=True, max_depth=10_000)) == depth
    finally:
        subprocess.run(["rm", "-r", "x"], check=True)  # too deep for shutil


def test_a_loop_of_links_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/up").symlink_to("..")
    events = met("d", recursive=True, folder_links=2)
    assert events[-1][0] is Event.TOO_DEEP


@pytest.mark.parametrize("path", ["", "no\0where", "x" * 5000])
def test_paths_that_cannot_be(path):
    assert met(path) == [(Event.MISSING, path)]


@pytest.mark.parametrize(
    ("expression", "path", "matches"),
    [
        ("a$", "/x/a", True),
        ("a$", "/x/a\n", False),
        ("x.a", "/x\na", True),
        (r"\.exe$", "/x.exe", True),
        (r"\.exe$", "/xzexe", False),
        (r"\d", "/5", False),
        (r"\d", "/d", True),
        (r"[\.]x", "/\\x", True),
        (r"[]x]y", "/]y", True),
        (r"[^]]y", "/]y", False),
        ("[[:digit:]]+$", "/12", True),
        ("(a|b)c", "/bc", True),
        ("\udcff", "/\udcff", True),
    ],
)
def test_posix_expressions(expression, path, matches):
    test = matcher([expression], undecided=False)
    assert test is not None
    assert test(path) is matches


def test_an_expression_that_takes_too_long_is_undecided():
    for undecided in True, False:
        test = matcher(["(x+x+)+y\\1"], undecided=undecided)
        assert test is not None
        assert test("x" * 60 + "!") in (undecided, False)


def test_a_wrong_expression_stops_the_scan(tree, capfdbinary):
    status, out, err = run(capfdbinary, "-d", "a.ndb", "--no-summary", "--exclude=(", "d")
    assert (status, out) == (2, "")
    assert err.startswith("ERROR: Can't read the regular expression (")


# --- names --------------------------------------------------------------------------------


def detected(*found):
    report = Report("z")
    for place, name, source, offset in found:
        report.detections.append(Detection(name, source, place, offset))
    return report


def names(report, *, every):
    return [name for _, name in Names(every=every, keep=lambda _: True).of(report)]


def test_members_come_before_their_container():
    report = detected(
        ("z", "Outer", "a.ndb", 3),
        ("z!/m", "Inner", "a.ndb", 0),
        ("z!/m!/n", "Innermost", "a.ndb", 0),
        ("z!/mm", "Other", "a.ndb", 0),
        ("z", "Container", "a.cdb", None),
    )
    expected = ["Innermost", "Inner", "Other", "Outer", "Container"]
    assert names(report, every=True) == [f"{name}.UNOFFICIAL" for name in expected]
    assert names(report, every=False) == ["Innermost.UNOFFICIAL"]


def test_weak_names_come_last_and_once():
    report = detected(
        ("z", "PUA.A", "a.ldb", 0), ("z!/m", "PUA.A", "a.ldb", 0), ("z!/m", "S", "a.ldb", 0)
    )
    assert names(report, every=True) == ["S.UNOFFICIAL", "PUA.A.UNOFFICIAL"]
    assert names(report, every=False) == ["S.UNOFFICIAL"]


# --- streams ------------------------------------------------------------------------------


def test_a_reader_that_goes_away_is_no_crash(tree):
    for number in range(3000):
        (tree / f"d/file-with-a-name-that-fills-the-pipe-{number}").write_text("nothing here")
    command = [*COMMAND, "-d", "a.ndb", "d"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 2


def shell(text):
    return subprocess.run(
        ["sh", "-c", text.replace("COMMAND", " ".join(COMMAND))], capture_output=True, check=False
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_trouble_with_output_is_not_taken_for_a_detection(tree):
    done = shell("COMMAND -d a.ndb d/sub > /dev/full")
    assert (done.returncode, done.stderr) == (2, b"ERROR: No space left on device\n")


def test_closed_streams(tree):
    assert shell("COMMAND -d a.ndb d/a >&-").returncode == 1
    assert shell("COMMAND -d a.ndb d/a 2>&-").returncode == 1
    assert shell("COMMAND -d a.ndb --bell d/a d/missing >&- 2>&-").returncode == 1
    done = shell("COMMAND -d a.ndb - <&-")
    assert (done.returncode, done.stderr) == (2, b"WARNING: stdin: Can't access file\n")


def test_a_defect_of_the_engine_ends_one_file_only(tree, capfdbinary, monkeypatch):
    from tocsin.engine.scanner import Scanner

    original = Scanner.scan_file

    def broken(self, path):
        if path == "d/sub/b":
            raise MemoryError("much")
        return original(self, path)

    monkeypatch.setattr(Scanner, "scan_file", broken)
    status, out, err = run(capfdbinary, "-d", "a.ndb", "--no-summary", "d/sub/b", "d/a")
    assert (status, out) == (1, "d/a: One.UNOFFICIAL FOUND\n")
    assert err == "WARNING: Can't open file d/sub/b: MemoryError: much\n"
    assert run(capfdbinary, "-d", "a.ndb", "--no-summary", "d/sub")[0] == 2


def test_a_defect_of_the_command_is_not_taken_for_a_detection(tree, monkeypatch, capsys):
    def broken(words):
        raise RuntimeError("oh")

    monkeypatch.setattr(clamscan, "main", broken)
    monkeypatch.setattr(clamscan, "_silence_output", lambda: None)
    with pytest.raises(SystemExit) as raised:
        clamscan.run()
    assert raised.value.code == 2
    assert "RuntimeError: oh" in capsys.readouterr().err


def test_starting_needs_no_heavy_modules():
    code = (
        "import sys; import tocsin.cli.clamscan; "
        "heavy = {'argparse', 'click', 'rich', 'hyperscan', 'yara_x', 'pcre2', 'tempfile', "
        "'pathlib', 'tocsin.engine.scanner', 'tocsin.database.index'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(clamscan.__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr


# --- what is opened and what is alarming --------------------------------------------------


def locked(path):
    import pybit7z

    with pybit7z.lib7zip_context() as library:
        writer = pybit7z.BitArchiveWriter(library, pybit7z.FormatZip)
        writer.set_password("a long password that nobody guesses")
        writer.add_file(b"EVIL-ONE", "member")
        path.write_bytes(bytes(writer.compress_to()))


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("--alert-encrypted", True),
        ("--alert-encrypted-archive", True),
        ("--block-encrypted", True),
        ("--alert-encrypted-doc", False),
        ("--alert-encrypted=no", False),
    ],
)
def test_encrypted_archive_is_an_alarm_on_request(tree, capfdbinary, word, found):
    locked(tree / "locked.zip")
    status, out, _ = run(capfdbinary, "-d", "a.ndb", "--no-summary", word, "locked.zip")
    assert ("Heuristics.Encrypted.Zip FOUND" in out) is found
    assert status == int(found)


@pytest.mark.parametrize(("word", "status"), [("--scan-archive=no", 0), ("--scan-archive", 1)])
def test_archives_can_be_left_closed(tree, capfdbinary, word, status):
    with zipfile.ZipFile(tree / "evil.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", "EVIL-ONE " * 20)
    assert run(capfdbinary, "-d", "a.ndb", "--no-summary", word, "evil.zip")[0] == status


@pytest.mark.parametrize(("word", "status"), [("--scan-mail=no", 0), ("--scan-mail=yes", 1)])
def test_mail_can_be_left_closed(tree, capfdbinary, word, status):
    import base64

    body = base64.encodebytes(b"EVIL-ONE and more")
    (tree / "mail").write_bytes(
        b"From: a@b.c\nSubject: x\nMIME-Version: 1.0\nContent-Type: application/octet-stream\n"
        b"Content-Transfer-Encoding: base64\n\n" + body
    )
    assert run(capfdbinary, "-d", "a.ndb", "--no-summary", word, "mail")[0] == status
