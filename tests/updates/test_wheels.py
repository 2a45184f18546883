"""Wheels: names, what is in them, which fit, and whether a set is whole."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.tags import Tag

from tocsin.updates import wheels as module
from tocsin.updates.errors import WheelError
from tocsin.updates.wheels import (
    Machine,
    WheelFacts,
    choose_wheels,
    demand_whole,
    machines_of,
    parse_name,
    read_facts,
    this_machine,
)
from updates.wheel_samples import make_wheel

HERE = this_machine()


def facts(path: Path) -> WheelFacts:
    with path.open("rb") as file:
        return read_facts(file, parse_name(path.name))


def whole(folder: Path, wanted: str = "tocsin", machine: Machine = HERE) -> list[str]:
    names = [parse_name(path.name) for path in sorted(folder.glob("*.whl"))]
    chosen = choose_wheels(names, machine)
    read = {project: facts(folder / name.file) for project, name in chosen.items()}
    return [each.name.project for each in demand_whole(read, wanted, machine)]


# --- names --------------------------------------------------------------------------------


def test_a_name_says_what_a_wheel_is_for() -> None:
    name = parse_name("Some_Thing-1.2-3-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    assert (name.project, str(name.version), name.build) == ("some-thing", "1.2", (3, ""))
    assert Tag("cp311", "abi3", "manylinux2014_x86_64") in name.tags


@pytest.mark.parametrize(
    "name",
    [
        "tocsin.whl",
        "tocsin-1.0-py3-none.whl",
        "tocsin-1.0-py3-none-any.zip",
        "../tocsin-1.0-py3-none-any.whl",
        "a/tocsin-1.0-py3-none-any.whl",
        "tocsin-x.y-py3-none-any.whl",
        "töcsin-1.0-py3-none-any.whl",
        f"tocsin-1.0-{'.'.join(['a'] * 40)}-{'.'.join(['b'] * 40)}-any.whl",
        f"tocsin-1.0-py3-none-{'a' * 300}.whl",
        "",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(WheelError):
        parse_name(name)


@given(st.text(max_size=220))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    for name in (text, f"{text}-1.0-py3-none-any.whl", f"a-{text}-py3-none-any.whl"):
        try:
            read = parse_name(name)
        except WheelError:
            continue
        assert read.file == name
        assert "/" not in read.project


def test_the_best_wheel_for_a_machine_is_chosen() -> None:
    tags = (Tag("cp311", "cp311", "p"), Tag("cp311", "abi3", "p"), Tag("py3", "none", "any"))
    machine = Machine("m", {}, tags)
    files = [
        "a-1.0-py3-none-any.whl",
        "a-1.0-cp311-cp311-p.whl",
        "a-1.0-cp311-abi3-p.whl",
        "b-1.0-1-py3-none-any.whl",
        "b-1.0-2-py3-none-any.whl",
        "c-1.0-cp312-cp312-p.whl",
    ]
    for order in (files, files[::-1]):
        chosen = choose_wheels(map(parse_name, order), machine)
        assert {project: name.file for project, name in chosen.items()} == {
            "a": "a-1.0-cp311-cp311-p.whl",
            "b": "b-1.0-2-py3-none-any.whl",
        }


def test_two_versions_of_a_project_are_refused() -> None:
    names = map(parse_name, ["a-1.0-py3-none-any.whl", "a-1.1-py3-none-any.whl"])
    with pytest.raises(WheelError, match="a is there twice"):
        choose_wheels(names, HERE)


# --- what is in one -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"stated": "other"}, "in it is other 1.0"),
        ({"files": {"../x": "1"}}, "no path inside"),
        ({"files": {"/x": "1"}}, "no path inside"),
        ({"files": {"a\\x": "1"}}, "no path inside"),
        ({"files": {"b-1.0.dist-info/METADATA": "Name: b\n"}}, "2 folders of metadata"),
    ],
)
def test_a_wheel_that_is_not_what_it_says(tmp_path: Path, how: dict, match: str) -> None:
    with pytest.raises(WheelError, match=match):
        facts(make_wheel(tmp_path, "a", "1.0", **how))


@pytest.mark.parametrize(
    ("requirement", "match"),
    [
        ("b @ https://example.org/b.whl", "wants b from an address"),
        ("b >>1", "cannot be read"),
        ("b; nonsense == '1'", "cannot be read"),
    ],
)
def test_what_it_needs_must_be_readable(tmp_path: Path, requirement: str, match: str) -> None:
    with pytest.raises(WheelError, match=match):
        facts(make_wheel(tmp_path, "a", "1.0", requirement))


def test_a_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "a", "1.0")
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("a/link")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(WheelError, match="is no file"):
        facts(path)


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "a", "1.0")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a//__init__.py", "x = 2\n")
    with pytest.raises(WheelError, match="is in it twice"):
        facts(path)


def test_how_much_comes_out_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_wheel(tmp_path, "a", "1.0", files={"a.dat": b"\0" * 100_000})
    monkeypatch.setattr(module, "MOST_UNPACKED_BYTES", 99_999)
    with pytest.raises(WheelError, match="unpacked it has more than"):
        facts(path)
    monkeypatch.setattr(module, "_MOST_MEMBERS", 2)
    with pytest.raises(WheelError, match="more than 2 files"):
        facts(path)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_wheel_is_read_or_refused(tmp_path_factory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    whole_data = make_wheel(folder, "a", "1.0", "b>=1").read_bytes()
    changed = bytearray(whole_data)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(changed)))
    name = parse_name("a-1.0-py3-none-any.whl")
    for each in (bytes(changed), whole_data[:cut]):
        try:
            read = read_facts(io.BytesIO(each), name)
        except WheelError:
            continue
        assert read.name is name


# --- whole or not -------------------------------------------------------------------------


def test_what_is_not_needed_is_left_out(tmp_path: Path) -> None:
    make_wheel(tmp_path, "tocsin", "1.0", "b", 'old; python_version < "3"', "c[more]")
    make_wheel(tmp_path, "b", "1.0")
    make_wheel(tmp_path, "old", "1.0")
    make_wheel(tmp_path, "c", "1.0", 'd; extra == "more"', 'e; extra == "less"', "b")
    make_wheel(tmp_path, "d", "1.0", "tocsin")  # a circle
    make_wheel(tmp_path, "e", "1.0")
    assert whole(tmp_path) == ["b", "c", "d", "tocsin"]


def test_everything_that_is_wrong_is_said(tmp_path: Path) -> None:
    make_wheel(tmp_path, "tocsin", "1.0", "b>=2", "absent", 'gone; python_version >= "3"')
    make_wheel(tmp_path, "b", "1.0", python=">=4")
    with pytest.raises(WheelError) as caught:
        whole(tmp_path)
    said = str(caught.value)
    assert "there is no wheel of absent (tocsin-1.0-py3-none-any.whl needs it)" in said
    assert "there is no wheel of gone" in said
    assert "b is 1.0, and tocsin-1.0-py3-none-any.whl needs >=2" in said
    assert "b-1.0-py3-none-any.whl needs Python >=4" in said


def test_a_set_is_for_the_machines_of_its_compiled_wheels(tmp_path: Path) -> None:
    """cp37-abi3 is for later versions too; it does not say that the set is for 3.7."""
    linux, arm = "manylinux_2_17_x86_64", "manylinux_2_28_aarch64"
    for file in (
        f"b-1.0-cp311-cp311-{linux}.whl",
        f"b-1.0-cp312-cp312-{arm}.whl",
        f"c-1.0-cp37-abi3-{linux}.whl",
    ):
        name, version, tag = file.removesuffix(".whl").split("-", 2)
        make_wheel(tmp_path, name, version, tag=tag)
    make_wheel(tmp_path, "tocsin", "1.0", "b", "c")
    names = [parse_name(path.name) for path in tmp_path.glob("*.whl")]
    first, second = machines_of(names, HERE)
    assert first.name == "cpython 3.11 on linux x86_64"
    assert whole(tmp_path, machine=first) == ["b", "c", "tocsin"]
    with pytest.raises(WheelError, match=r"not whole for cpython 3\.12 on linux aarch64: there is"):
        whole(tmp_path, machine=second)
    assert machines_of([], HERE) == [HERE]


CASES = [
    [("tocsin", "1.0", ["b>=2"]), ("b", "1.0", [])],
    [
        ("tocsin", "1.0", ['b; sys_platform == "linux"', 'c; python_version < "3"']),
        ("b", "1rc1", []),
    ],
    [("tocsin", "1.0", ["b[x]"]), ("b", "1.0", ['c; extra == "x"'])],
    [("tocsin", "1.0", ["B.b[x]"]), ("b_b", "1.0", ['c; extra == "x"']), ("c", "2", ["b.b~=1.0"])],
]


def test_pip_says_the_same_of_what_is_whole(tmp_path: Path) -> None:
    """The oracle: pip, that may look nowhere else, in one run for each set."""
    for number, case in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, version, requires in case:
            make_wheel(folder, name, version, *requires)
        command = [sys.executable, "-m", "pip", "--isolated", "install", "--dry-run", "--no-index"]
        command += ["--ignore-installed", "--quiet", "--disable-pip-version-check", "--pre"]
        command += ["--find-links", str(folder), "--report", str(folder / "report"), "tocsin"]
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            ours = whole(folder)
        except WheelError:
            assert done.returncode, case
            continue
        assert done.returncode == 0, (case, done.stderr)
        report = json.loads((folder / "report").read_text())
        theirs = [each["metadata"]["name"].replace("_", "-") for each in report["install"]]
        assert ours == sorted(theirs), case
