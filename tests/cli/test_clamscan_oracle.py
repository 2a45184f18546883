"""Runs clamscan and tocsin-clamscan side by side: same folder, same options, same answers.

Compared are standard output, standard error and exit status. What differs on purpose is masked
here and listed in docs/clamscan.md: the engine's version, amounts of data, times, messages of
LibClamAV, and with -z the repetition of names.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

import ready_process

CLAMSCAN = "clamscan"
OURS = [sys.executable, "-m", "tocsin.cli.clamscan"]
NOBODY = 65534
MASKED = re.compile(rb"^(Engine version|Data scanned|Data read|Time|Start Date|End Date):.*$", re.M)

pytestmark = pytest.mark.skipif(shutil.which(CLAMSCAN) is None, reason="clamscan is not installed")


def fill(root: Path) -> None:
    (root / "db").mkdir()
    (root / "db/a.ndb").write_text("One:0:*:4556494c2d4f4e45\nTwo:0:*:4556494c2d54574f\n")
    (root / "pua.ndu").write_text("PUA.Tool.X:0:*:4556494c\nPlain.Y:0:*:4556494c\n")
    (root / "weak.ndb").write_text("PUA.Weak:0:*:4556494c\nStrong:0:*:4f4e45\n")
    (root / "phish.ndb").write_text(
        "HTML.Phishing.A:0:*:4556494c2d4f4e45\nPhishing.B:0:*:4556494c2d4f4e45\n"
    )
    (root / "bad.ndb").write_text("not a signature\n")
    (root / "empty").mkdir()
    (root / "quarantine").mkdir()
    d = root / "d"
    (d / "sub/deep").mkdir(parents=True)
    (d / "closed").mkdir()
    (d / "a").write_text("EVIL-ONE here\n")
    (d / "b").write_text("nothing here\n")
    (d / "e").write_text("")
    (d / "name with blanks\n").write_text("a line feed in its name\n")
    (d / os.fsdecode(b"\xff\xfe")).write_text("bytes in its name\n")
    (d / "sub/c").write_text("EVIL-TWO EVIL-ONE x\n")
    (d / "sub/deep/f").write_text("all is well\n")
    (d / "l").symlink_to("a")
    (d / "ls").symlink_to("sub")
    (d / "broken").symlink_to("nowhere")
    os.mkfifo(d / "fifo")
    with zipfile.ZipFile(d / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/a", "EVIL-ONE " * 9)
        archive.writestr("in/b", "EVIL-TWO " * 9)
    (root / "list").write_bytes(b"d/a\nd/b\r\n\nd/missing\nd\n -x\nd/e")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    fill(root)
    return root


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return {**os.environ, "TOCSIN_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}


def mask(text: bytes) -> bytes:
    text = MASKED.sub(rb"\1", text).replace(b"tocsin-clamscan", b"clamscan")
    lines = text.split(b"\n")
    return b"\n".join(x for x in lines if not x.startswith((b"LibClamAV", b"tocsin:")))


def call(command, words, root, environment, **others):
    done = subprocess.run(
        [*command, *words], cwd=root, env=environment, capture_output=True, check=False, **others
    )
    return done.returncode, mask(done.stdout), mask(done.stderr)


def call_ours(words, root, environment, given=b""):
    done = ready_process.run("tocsin.cli.clamscan", words, cwd=root, env=environment, input=given)
    return done.returncode, mask(done.stdout), mask(done.stderr)


def both(words, root, environment, given=b""):
    theirs = call([CLAMSCAN], words, root, environment, input=given)
    return theirs, call_ours(words, root, environment, given)


SAME = [
    "d",
    "-r d",
    "--recursive d",
    "--recursive=yes d",
    "--recursive=TRUE d",
    "--recursive=no -r d",
    "-r --recursive=no d",
    "--recurs d",
    "--recursive no d",
    "-ri d",
    "d -r -i",
    "-i d",
    "-o d",
    "-io d",
    "--infected=no -i d/b",
    "-v d/a d/b d/e d",
    "-v -i d",
    "--quiet d/missing d/fifo d/a",
    "--stdout d/missing d/fifo",
    "--verbose --quiet d/a",
    "--suppress-ok-results d",
    "--bell d/a d/b",
    "-a d/a d/b",
    "d/l d/ls d/broken d/fifo d/missing d/e",
    "d/ d// ./d d/. d/sub/..",
    "d//sub ./d/a d/b/ d/ls/ d/ls/c",
    "d/a d/a",
    "/dev/null",
    "/proc/self/status /proc/version",
    "-r /proc/sys/kernel/random",
    "-- -r d/a",
    "-",
    "- d/a",
    "--follow-file-symlinks=0 d/l d/a",
    "--follow-file-symlinks=1 d",
    "--follow-file-symlinks=2 d",
    "--follow-file-symlinks=5 d",
    "--follow-file-symlinks=no d",
    "--follow-dir-symlinks=0 d/ls d",
    "--follow-dir-symlinks=2 -r d",
    "--follow-dir-symlinks=2 d",
    "--follow-dir-symlinks=2 --follow-file-symlinks=2 -r d",
    "--follow-dir-symlinks d/a",
    "--cross-fs=no -r d",
    "--cross-fs=no --no-summary /dev/shm",
    "-f list",
    "-f list d/a",
    "-r -i --file-list=list",
    "-f missing",
    "-f missing d/a",
    "--exclude=a$ d",
    "--exclude=a$ d/a d/l",
    "--exclude=/e$ d",
    "--exclude=/b$|/a$ d",
    "--exclude=/[[:alpha:]]$ d",
    r"--exclude=/[\w]$ d",
    r"--exclude=/\w$ d",
    r"--exclude=/\b$ d",
    "--exclude=/A$ d",
    "--exclude=/a$ -i d",
    "--exclude=. -",
    "--exclude=missing d/missing",
    "--exclude=fifo d/fifo",
    "--exclude=z{1}.zip d",
    "--include=/a$ d",
    "--include=/a$ --exclude=/a$ d",
    "--include=/a$ --include /b$ d",
    "--exclude-dir=sub -r d",
    "--exclude-dir=sub d",
    "--exclude-dir=sub d/sub d/sub/c",
    "--exclude-dir=^d d",
    "--exclude-dir=^sub -r d",
    "--exclude-dir=sub/ -r d",
    "--include-dir=sub -r d",
    "--include-dir=^d -r d",
    "--max-dir-recursion=1 -r d/sub/deep",
    "--max-filesize=100M d/a",
    "--max-filesize 10k d/a",
    "--max-filesize=100 --max-filesize=5 d/a",
    "--max-scantime=100000 --max-files=100 --max-recursion=5 --max-scansize=1M d/z.zip",
    "--max-filesize=10KB d",
    "--max-filesize=-1 d",
    "--max-filesize= d",
    "--max-filesize d/a",
    "--max-filesize",
    "--max-files=1K d/a",
    "--max-scantime=10s d/a",
    "--max-f 3 d/a",
    "--max-filesize=x --max-filesize=3 d",
    "--recursive= d",
    "--bell=maybe d",
    "-r=yes d",
    "-ryes d",
    "-Q d",
    "-d",
    "-f",
    "--database",
    "--nosuchoption d",
    "--wrong=1 d",
    "--exclude= d",
    "-V --foo",
    "--detect-broken --unrar --tgz d/b",
    "-t d/b",
    "--max-ratio=3 d/b",
    "--no-archive d/z.zip",
    "--detect-pua d/a",
    "-d pua.ndu --no-summary d/a",
    "-d pua.ndu --detect-pua d/a",
    "-d pua.ndu --detect-pua --exclude-pua=Tool --no-summary d/a",
    "-d pua.ndu --detect-pua --include-pua=Other --no-summary d/a",
    "-d pua.ndu --detect-pua --include-pua=Tool --no-summary d/a",
    "--detect-pua --exclude-pua=A --include-pua=B --no-summary d/a",
    "-d weak.ndb d/a",
    "-d phish.ndb --no-summary --phishing-sigs=no d/a",
    "-d phish.ndb --phishing-sigs=yes d/a",
    "-d missing d/a",
    "-d missing --stdout d/a",
    "-d missing --quiet d/a",
    "-d bad.ndb d/a",
    "-d empty d/a",
    "--official-db-only d/a",
    "--alert-exceeds-max --max-filesize=5 --no-summary d/a d/b",
    "--block-max --max-filesize=5 --no-summary d/a",
    "--leave-temps --gen-json --tempdir=empty --force-to-disk d/a",
    "--nocerts --dumpcerts --disable-cache --cache-size=5 d/a",
    "--scan-archive=yes --scan-pe --scan-elf=yes --scan-mail=no --scan-pdf=no d/z.zip",
    "--max-embeddedpe=1M --max-htmlnormalize=1M --max-iconspe=3 --max-rechwp3=1 d/a",
    "--pcre-match-limit=100000 --pcre-recmatch-limit=2000 --pcre-max-filesize=100M d/a",
    "--bytecode=no --bytecode-timeout=50 --statistics=none d/a",
    "--move=missing d/b --quiet",
    "-l /nodir/log --quiet d/b",
]
OWN_WORDS = re.compile(
    rb"^(action_setup: .*|ERROR: '.*|ERROR: Failed to open log.*|ERROR: Problem with int.*"
    rb"|WARNING: .* not wholly scanned.*)\n",
    re.M,
)


def without_own_words(answer):
    status, out, err = answer
    return status, OWN_WORDS.sub(b"", out), OWN_WORDS.sub(b"", err)


@pytest.mark.parametrize("line", SAME)
def test_the_same_answer(line, tree, environment):
    words = line.split(" ")
    if not line.startswith("-d") and "--database" not in words:
        words = ["-d", "db", *words]
    data = b"EVIL-ONE by standard input" if "-" in words else b""
    theirs, ours = both(words, tree, environment, data)
    assert without_own_words(ours) == without_own_words(theirs)


def test_without_a_path_the_current_folder_is_scanned(tree, environment):
    words = ["-d", str(tree / "db")]
    theirs, ours = both(words, tree / "d", environment)
    assert ours == theirs
    assert str(tree).encode() in ours[1]


def test_options_end_at_the_first_path_where_posix_is_asked_for(tree, environment):
    theirs, ours = both(
        ["-d", "db", "d/a", "-i", "d/b"], tree, {**environment, "POSIXLY_CORRECT": "1"}
    )
    assert ours == theirs


def test_all_matches_are_the_same_names_each_once(tree, environment):
    words = ["-d", "db", "-z", "--no-summary", "-r", "d"]
    theirs, ours = both(words, tree, environment)
    assert ours[0] == theirs[0]
    assert set(ours[1].split(b"\n")) == set(theirs[1].split(b"\n"))
    found = [line for line in ours[1].split(b"\n") if line.endswith(b"FOUND")]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("extra", [[], ["--quiet"], ["-i"], ["-v"], ["--no-summary"], ["-o"]])
def test_the_log_is_the_same(extra, tree, environment, tmp_path):
    for name in "theirs", "ours":
        for _ in range(2):
            words = ["-d", "db", "-l", str(tmp_path / name), *extra, "-r", "d", "d/missing"]
            if name == "theirs":
                call([CLAMSCAN], words, tree, environment)
            else:
                call_ours(words, tree, environment)
    theirs, ours = (mask((tmp_path / name).read_bytes()) for name in ("theirs", "ours"))
    assert ours == theirs


ACTIONS = [
    "--move=q -r d",
    "--copy=q -r d",
    "--remove -r d",
    "--remove=no d",
    "--remove -i d",
    "--quiet --remove d",
    "--move=q --copy=q d",
    "--remove --copy=q d",
    "--move=q d/l",
    "--remove d/l",
    "--move=d d/a",
    "--copy=d d/a",
    "--move=q d/a d/a",
    "-z --move=q -i d",
    "--move=q -",
    "--move=q --alert-exceeds-max --max-filesize=5 d/sub",
]


def listing(root):
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            mode = stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else 0
            found[str(path.relative_to(root))] = (stat.S_IFMT(status.st_mode), mode, content)
    return found


@pytest.mark.parametrize("line", ACTIONS)
def test_actions_leave_the_same_files(line, environment, tmp_path):
    results = []
    for theirs in True, False:
        root = tmp_path / "root"
        root.mkdir()
        (root / "db").mkdir()
        (root / "db/a.ndb").write_text("One:0:*:4556494c2d4f4e45\nTwo:0:*:4556494c2d54574f\n")
        (root / "q").mkdir()
        (root / "d/sub").mkdir(parents=True)
        (root / "d/a").write_text("EVIL-ONE EVIL-TWO\n")
        (root / "d/b").write_text("nothing here\n")
        (root / "d/l").symlink_to("a")
        (root / "d/sub/a").write_text("EVIL-TWO below\n")
        words = ["-d", "db", "--no-summary", *line.split(" ")]
        status, out, err = (
            call([CLAMSCAN], words, root, environment, input=b"EVIL-ONE xxx")
            if theirs
            else call_ours(words, root, environment, b"EVIL-ONE xxx")
        )
        lines = list(dict.fromkeys(out.split(b"\n")))
        results.append((status, sorted(lines), OWN_WORDS.sub(b"", err), listing(root)))
        shutil.rmtree(root)
    assert results[1] == results[0]


def fill_with_closed(root):
    fill(root)
    (root / "d/secret").write_text("EVIL-ONE")
    for name in "secret", "closed", "e":
        (root / "d" / name).chmod(0)
    return ["-r", "d", "d/secret", "d/closed/x", "d/e"]


EXTRA = [[], ["-i"], ["-o"], ["--quiet"], ["--no-summary"], ["--stdout"]]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("extra", EXTRA)
def test_what_others_may_not_read_is_told_the_same(extra):
    python = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    if not os.access(python, os.X_OK):
        pytest.skip("no interpreter of this version that other users can start")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        root = Path(name)
        words = ["-d", "db", *extra, *fill_with_closed(root)]
        (root / "cache").mkdir()
        os.chown(root / "cache", NOBODY, NOBODY)
        root.chmod(0o755)
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        environment = {
            **os.environ,
            "TOCSIN_CACHE_DIR": str(root / "cache"),
            # where clamscan may not write its copies it calls every file OK and ends with 2
            "TMPDIR": str(root / "cache"),
            "PYTHONPATH": ":".join(sys.path),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        theirs = call([CLAMSCAN], words, root, environment, **who)
        ours = call([python, *OURS[1:]], words, root, environment, **who)
    if b"No module named" in ours[2] or b"PermissionError" in ours[2]:
        pytest.skip("the package is not there for other users")
    assert ours == theirs


@pytest.mark.skipif(os.geteuid() != 0, reason="root is told of it in other words")
@pytest.mark.parametrize("extra", EXTRA)
def test_what_root_may_not_read_is_told_the_same(extra, environment, tmp_path):
    if shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and there is no setpriv")
    words = ["-d", "db", *extra, *fill_with_closed(tmp_path)]
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    theirs = call([*drop, CLAMSCAN], words, tmp_path, environment)
    ours = call([*drop, *OURS], words, tmp_path, environment)
    if b"setpriv" in theirs[2]:
        pytest.skip("setpriv may not drop what it should")
    assert ours == theirs
