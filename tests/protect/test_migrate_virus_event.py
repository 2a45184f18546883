"""A command that a finding starts gets names as arguments, never as text of a shell."""

from __future__ import annotations

import os
import subprocess

import pytest

from tocsin.protect.migrate.virus_event import command_of


def find(name):
    return {"mail": "/usr/bin/mail"}.get(name)


def test_a_plain_command_needs_no_shell():
    assert command_of("/opt/alert --name %v", find) == (["/opt/alert", "--name", "%v"], "")
    assert command_of("mail root", find)[0] == ["/usr/bin/mail", "root"]
    assert command_of("nosuch root", find)[0] is None
    assert command_of("echo 'x", find) == (None, "its quotation marks do not match")
    assert command_of("   ", find)[0] is None


HOSTILE = "x'; touch owned; echo \"$(touch owned)`touch owned`"


@pytest.mark.parametrize(
    "text",
    ["echo V %v | cat", 'echo "V %v" | cat', "echo 'V '%v | cat", "echo 'V %v' | cat",
     r"echo V\ %v | cat", 'echo "$(echo "V %v")"'],
)  # fmt: skip
def test_a_shell_command_prints_the_name_and_runs_nothing_of_it(text, tmp_path):
    command, _ = command_of(text, find)
    assert command[:2] == ["/bin/sh", "-c"]
    filled = [word.replace("%v", HOSTILE).replace("%f", "/a b") for word in command]
    assert filled[2] == command[2]  # the daemon finds nothing to fill in in the shell's text
    done = subprocess.run(
        filled, capture_output=True, text=True, cwd=tmp_path, env={"PATH": os.environ["PATH"]},
        check=False,
    )  # fmt: skip
    assert done.stdout == f"V {HOSTILE}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_path_comes_as_an_argument_too():
    command, remark = command_of("logger found: %f; true", find)
    assert command == ["/bin/sh", "-c", 'logger found: "$2"; true', "sh", "%v", "%f"]
    assert "%f" in remark
