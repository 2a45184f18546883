"""Moving, copying and removing: nothing is lost, nothing is written over, nothing else is hit."""

from __future__ import annotations

import os
import stat
import sys
import zipfile

import pytest

from tocsin.cli import clamscan, clamscan_actions
from tocsin.cli.clamscan_actions import Action, ActionError, Held, Quarantine, choose_action


@pytest.fixture
def place(tmp_path):
    (tmp_path / "q").mkdir()
    (tmp_path / "a").write_text("EVIL")
    return tmp_path


def quarantined(place):
    return {path.name: path.read_text() for path in (place / "q").iterdir()}


@pytest.fixture(params=["link", "copy"])
def way(request, monkeypatch):
    """Both ways of moving: a second name on the same file system, a copy elsewhere."""
    if request.param == "copy":
        monkeypatch.setattr(Quarantine, "_link", lambda self, file: "")
    return request.param


def test_move(place, way):
    with Held(str(place / "a")) as held:
        done = Quarantine(str(place / "q"), move=True).act(held)
    assert done == f"moved to '{place}/q/a'"
    assert quarantined(place) == {"a": "EVIL"}
    assert not (place / "a").exists()


def test_names_taken_are_not_written_over(place, way):
    (place / "q/a").write_text("first")
    (place / "q/a.001").symlink_to("nowhere")
    with Held(str(place / "a")) as held:
        done = Quarantine(str(place / "q"), move=True).act(held)
    assert done == f"moved to '{place}/q/a.002'"
    assert (place / "q/a").read_text() == "first"
    assert not (place / "q/nowhere").exists()


def test_too_many_names(place, way, monkeypatch):
    monkeypatch.setattr(clamscan_actions, "MOST_NAMES", 2)
    for name in "a", "a.001":
        (place / "q" / name).write_text("kept")
    with Held(str(place / "a")) as held, pytest.raises(ActionError, match="too many"):
        Quarantine(str(place / "q"), move=True).act(held)
    assert (place / "a").read_text() == "EVIL"
    assert quarantined(place) == {"a": "kept", "a.001": "kept"}


def test_copy_keeps_the_original_and_is_private(place):
    with Held(str(place / "a")) as held:
        done = Quarantine(str(place / "q"), move=False).act(held)
    assert done == f"copied to '{place}/q/a'"
    assert (place / "a").read_text() == "EVIL"
    assert stat.S_IMODE((place / "q/a").stat().st_mode) == 0o600


def swap_for_a_link(place):
    (place / "precious").write_text("do not touch")
    (place / "a").unlink()
    (place / "a").symlink_to("precious")


def swap_for_a_file(place):
    (place / "new").write_text("another")
    os.replace(place / "new", place / "a")


@pytest.mark.parametrize("swap", [swap_for_a_link, swap_for_a_file])
def test_what_was_put_in_its_place_is_left_alone(place, way, swap):
    with Held(str(place / "a")) as held:
        swap(place)
        for action in Quarantine(str(place / "q"), move=True), Action():
            with pytest.raises(ActionError, match="another file stands in its place"):
                action.act(held)
    assert (place / "a").read_text() in ("do not touch", "another")
    assert quarantined(place) == {}


def test_a_folder_swapped_above_it(place):
    (place / "d").mkdir()
    (place / "d/a").write_text("EVIL")
    (place / "other").mkdir()
    (place / "other/a").write_text("precious")
    with Held(str(place / "d/a")) as held:
        (place / "d").rename(place / "gone")
        (place / "d").symlink_to("other")
        with pytest.raises(ActionError):
            Action().act(held)
    assert (place / "other/a").read_text() == "precious"


def test_what_changed_is_not_removed(place):
    with Held(str(place / "a")) as held:
        (place / "a").write_text("something else by now")
        with pytest.raises(ActionError, match="changed"):
            Action().act(held)
    assert (place / "a").exists()


def test_a_copy_that_fails_leaves_nothing(place, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Quarantine, "_link", lambda self, file: "")
    monkeypatch.setattr(clamscan_actions.os, "fsync", full)
    with Held(str(place / "a")) as held, pytest.raises(ActionError, match="No space left"):
        Quarantine(str(place / "q"), move=True).act(held)
    assert (place / "a").read_text() == "EVIL"
    assert quarantined(place) == {}


@pytest.mark.parametrize("folder", ["missing", "a"])
def test_no_folder_to_move_to(place, folder):
    with pytest.raises(ActionError):
        choose_action(move=str(place / folder), copy="", remove=False)


def test_the_held_file_is_what_is_scanned(place, monkeypatch, capfdbinary):
    """A link to something precious, exchanged for an infected file once it was opened."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("TOCSIN_CACHE_DIR", str(place / "cache"))
    (place / "x.ndb").write_text("One:0:*:4556494c\n")
    (place / "infected").write_text("EVIL and more")
    (place / "precious").write_text("do not touch")
    (place / "a").unlink()
    (place / "a").symlink_to("precious")

    class Exchanged(Held):
        def __init__(self, path):
            super().__init__(path)
            os.replace("infected", "a")

    monkeypatch.setattr(clamscan, "Held", Exchanged)
    assert clamscan.main(["-d", "x.ndb", "--no-summary", "--remove", "a"]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"a: OK\n"
    assert (place / "precious").exists()


def test_names_of_members_are_those_of_the_path(place, monkeypatch, capfdbinary):
    monkeypatch.chdir(place)
    monkeypatch.setenv("TOCSIN_CACHE_DIR", str(place / "cache"))
    (place / "x.ndb").write_text("One:0:*:4556494c\n")
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m", "EVIL " * 20)
    assert clamscan.main(["-d", "x.ndb", "--no-summary", "-a", "--copy=q", "z.zip"]) == 1
    sys.stdout.flush()
    assert b"z.zip!/m: One.UNOFFICIAL FOUND\n" in capfdbinary.readouterr().out


def test_a_file_given_twice_is_moved_once(place, monkeypatch, capfdbinary):
    monkeypatch.chdir(place)
    monkeypatch.setenv("TOCSIN_CACHE_DIR", str(place / "cache"))
    (place / "x.ndb").write_text("One:0:*:4556494c\n")
    (place / "a").write_text("EVIL and more")
    words = ["-d", "x.ndb", "--no-summary", "--move=q", "a", "a"]
    assert clamscan.main(words) == 1
    sys.stdout.flush()
    out, err = capfdbinary.readouterr()
    real = os.path.realpath(place)
    assert out.decode() == (
        f"a: One.UNOFFICIAL FOUND\na (real path: '{real}/a'): moved to '{real}/q/a'\n"
    )
    assert err == b"a: No such file or directory\nWARNING: a: Can't access file\n"
