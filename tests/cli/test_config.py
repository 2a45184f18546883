"""`tocsin config` and the global `--config`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tocsin.cli.main import main

WRONG = '[scan]\njobs = "x"\n[daemno]\n'


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("TOCSIN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    (tmp_path / "config").mkdir()


@pytest.fixture
def usual(tmp_path):
    return tmp_path / "config" / "tocsin.toml"


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_without_a_file_the_defaults_hold(usual):
    done = run("config", "check")
    assert (done.exit_code, done.stdout) == (0, f"{usual}: not there; defaults hold\n")


def test_check_says_all_that_is_wrong(usual):
    usual.write_text(WRONG)
    done = run("config", "check")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        f"{usual}:2: [scan] jobs: expected a whole number, not 'x'",
        f"{usual}:3: [daemno]: there is no such table; did you mean daemon?",
    ]
    answer = json.loads(run("config", "check", "--json").stdout)
    assert answer["valid"] is False
    assert [problem["line"] for problem in answer["problems"]] == [2, 3]


def test_warnings_do_not_make_it_wrong(usual):
    usual.write_text('[database]\nsources = ["/no/such/place"]\n')
    done = run("config", "check")
    assert done.exit_code == 0
    assert done.stderr == (
        f"{usual}:2: warning: [database] sources 1: there is no /no/such/place\n"
    )
    assert done.stdout == f"{usual}: right, but with a warning\n"
    assert json.loads(run("config", "check", "--json").stdout)["warnings"][0]["line"] == 2


def test_names_that_nobody_bears_here_are_warned_of(usual, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "there").mkdir()
    usual.write_text(
        '[daemon]\nadmin_group = "no-such-group"\n'
        'user = "nobody"\n'
        '[guard]\nexclude_users = ["no-such-user", "12345", "root"]\n'
        f'exclude_processes = ["/no/such/program", "{sys.executable}"]\n'
        '[on_finding]\nmail_to = ["root", "a@example.org"]\n'
        '[[task]]\nname = "t"\nkind = "custom"\n'
        f'paths = ["/no/such/path", "{tmp_path}/there"]\n'
        f'[[forward]]\nname = "s"\nkind = "ecs"\ntarget = "{out}/e.json"\n'
        f'[[forward]]\nname = "u"\nkind = "ecs"\ntarget = "{tmp_path}/none/e.json"\n'
    )
    done = run("config", "check")
    assert done.exit_code == 0
    assert done.stdout == f"{usual}: right, but with warnings\n"
    for said in (
        "2: warning: [daemon] admin_group: there is no group 'no-such-group'",
        "5: warning: [guard] exclude_users 1: there is no account 'no-such-user'",
        "6: warning: [guard] exclude_processes 1: there is no program /no/such/program",
        "8: warning: [on_finding] mail_to 1: 'root' has no @",
        "12: warning: [[task]] 1 't': paths 1: there is no /no/such/path",
        "20: warning: [[forward]] 2 'u': target",
    ):
        assert f"{usual}:{said}" in done.stderr
    folder_is_closed = f"{out} cannot be written to by nobody" in done.stderr
    assert folder_is_closed == (os.geteuid() == 0)
    assert len(done.stderr.splitlines()) == 6 + folder_is_closed


@pytest.mark.parametrize("key", ["user", "socket_group"])
def test_what_the_daemon_refuses_is_wrong(usual, key):
    usual.write_text(f'[daemon]\n{key} = "no-such-account"\n')
    done = run("config", "check")
    refused = key != "user" or os.geteuid() == 0  # another user's daemon stays that user
    assert done.exit_code == refused
    assert (f"{usual}:2: [daemon] {key}: there is no " in done.stderr) == refused
    assert json.loads(run("config", "check", "--json").stdout)["valid"] is not refused


@pytest.mark.parametrize("how", ["argument", "option", "variable"])
def test_the_ways_to_name_a_file(tmp_path, usual, monkeypatch, how):
    usual.write_text(WRONG)
    mine = tmp_path / "mine.toml"
    mine.write_text("[scan]\njobs = 3\n")
    if how == "variable":
        monkeypatch.setenv("TOCSIN_CONFIG", str(mine))
    arguments = {
        "argument": ["config", "check", str(mine)],
        "option": ["--config", str(mine), "config", "check"],
        "variable": ["config", "check"],
    }[how]
    assert run(*arguments).stdout == f"{mine}: right\n"


def test_a_named_file_that_is_not_there_is_an_error(tmp_path):
    command = [sys.executable, "-m", "tocsin.cli.main", "--config", str(tmp_path / "no")]
    done = subprocess.run([*command, "config", "show"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no: there is no such file" in done.stderr


def test_every_problem_is_printed_by_any_verb(usual):
    usual.write_text(WRONG)
    command = [sys.executable, "-m", "tocsin.cli.main", "events"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == ["[scan] jobs", "[daemno]"]


def test_show_states_what_the_file_does_and_effective_the_rest(usual):
    usual.write_text(
        '[scan]\ntimeout = "5m"\npasswords = ["hunter2"]\n\n[[task]]\nname = "n"\nkind = "full"\n'
    )
    short = run("config", "show").stdout
    assert 'timeout = "5m"' in short
    assert "# line 2" in short
    assert "jobs" not in short
    whole = run("config", "show", "--effective").stdout
    assert "hunter2" not in short + whole
    assert "[[task]]  # 1" in whole
    rows = {line.split(" = ")[0]: line for line in whole.splitlines()}
    assert rows["max_queue"].endswith("# default")
    answer = json.loads(run("config", "show", "--effective", "--json").stdout)
    assert answer["settings"]["scan"]["timeout"] == {"value": 300.0, "from": 2}
    assert answer["settings"]["scan"]["jobs"] == {"value": 0, "from": "default"}
    assert answer["settings"]["task"][0]["name"] == {"value": "n", "from": 6}


def test_the_template_is_right(tmp_path):
    place = tmp_path / "t.toml"
    place.write_text(run("config", "show", "--template").stdout)
    assert run("config", "check", str(place)).exit_code == 0
    assert run("config", "show", "--template", "--json").exit_code == 2
