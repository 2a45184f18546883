"""The settings file: what is right is taken, what is wrong is named by line and key."""

from __future__ import annotations

import os
import re
import string
import tomllib
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.errors import InvalidSettings, SettingsError
from tocsin.protect.configuration import describe
from tocsin.protect.configuration.load import LARGEST, load_file, load_text
from tocsin.settings import Settings
from tocsin.toml_files.lines import key_lines

HERE = Path("/x/tocsin.toml")


def said(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(InvalidSettings) as caught:
        load_text(text, HERE)
    return [tuple(problem) for problem in caught.value.problems]


def only(text: str) -> tuple[int, str, str]:
    problems = said(text)
    assert len(problems) == 1, problems
    return problems[0]


def test_nothing_stated_is_the_defaults():
    loaded = load_text("", HERE)
    assert loaded.settings == Settings()
    assert loaded.lines == {}


def test_sizes_and_durations_as_people_write_them():
    loaded = load_text(
        '[scan]\nmax_file_size = "1.5G"\nmax_scan_size = 7\ntimeout = "1h30m"\n'
        '[daemon]\nidle_timeout = 5\ncommand_timeout = "500ms"\n[database]\ncheck_every = "7d"\n',
        HERE,
    )
    assert loaded.settings.scan.max_file_size == 3 << 29
    assert loaded.settings.scan.max_scan_size == 7
    assert loaded.settings.scan.timeout == 5400
    assert loaded.settings.daemon.idle_timeout == 5.0
    assert loaded.settings.daemon.command_timeout == 0.5
    assert loaded.settings.database.check_every == 7 * 86400


def test_all_mistakes_are_named_at_once_in_the_order_of_lines():
    problems = said(
        "[daemon]\n"
        'sokcet = "/x"\n'
        "max_queue = 0\n"
        "\n"
        "[scan] # a comment\n"
        "detect_pua = 1\n"
        '"timeout" = "soon"\n'
        "[[task]]\n"
        "name = 'nightly'\n"
        'kind = "ful"\n'
        "[gaurd]\n"
    )
    assert [(line, key) for line, key, _ in problems] == [
        (2, "[daemon] sokcet"),
        (3, "[daemon] max_queue"),
        (6, "[scan] detect_pua"),
        (7, "[scan] timeout"),
        (10, "[[task]] 1 'nightly': kind"),
        (11, "[gaurd]"),
    ]
    assert "did you mean socket" in problems[0][2]
    assert "from 1 to 1,000,000" in problems[1][2]
    assert "true or false, not 1" in problems[2][2]
    assert "did you mean full?" in problems[4][2]
    assert "did you mean guard?" in problems[5][2]


def test_a_message_names_file_line_and_key():
    with pytest.raises(SettingsError) as caught:
        load_text("[daemon]\ntcp = 5\n", HERE)
    assert str(caught.value) == "/x/tocsin.toml:2: [daemon] tcp: expected text in quotes, not 5"


@pytest.mark.parametrize(
    ("text", "line", "key", "reason"),
    [
        ('[daemon]\ntcp = "0.0.0.0:3310"', 2, "[daemon] tcp", "tcp_anywhere = true"),
        ('[daemon]\nmetrics = "[::]:9"', 2, "[daemon] metrics", "tcp_anywhere"),
        ('[daemon]\ntcp = "localhost"', 2, "[daemon] tcp", "host:port"),
        ('[daemon]\ntcp = "localhost:70000"', 2, "[daemon] tcp", "host:port"),
        ("[daemon]\ntcp_shutdown = true", 2, "[daemon] tcp_shutdown", "without tcp"),
        ('[daemon]\nsocket_mode = "0999"', 2, "[daemon] socket_mode", "octal"),
        ('[daemon]\nsocket = "run/x"', 2, "[daemon] socket", "begin with '/'"),
        ('[daemon]\nsocket = "/run/tocsin/api.sock"\napi_socket = "/run//tocsin/api.sock"', 3,
         "[daemon] api_socket", "its own path"),
        (f'[daemon]\nsocket = "/{"x" * 108}"', 2, "[daemon] socket", "107 bytes"),
        ('[daemon]\nuser = "a b"', 2, "[daemon] user", "account"),
        ("[guard]\nenabled = true", 2, "[guard] enabled", "nothing to guard"),
        ('[guard]\nfolders = ["/a", "b"]', 2, "[guard] folders 2", "begin with '/'"),
        ('[guard]\nfolders = ["/a",\n"/a"]', 3, "[guard] folders 2", "twice"),
        ("[guard]\ndeadline = 0", 2, "[guard] deadline", "from 0.1 to"),
        ('[guard]\nfolders = "/a"', 2, "[guard] folders", "list in brackets"),
        ("[database]\nwarn_after_days = 9", 2, "[database] warn_after_days", "after the alarm"),
        ("[database]\nwith_default = false", 2, "[database] with_default", "nothing else"),
        ("[scan]\ntimeout = nan", 2, "[scan] timeout", "duration"),
        ("[scan]\njobs = 1.0", 2, "[scan] jobs", "whole number"),
        ("[scan]\njobs = true", 2, "[scan] jobs", "not true"),
        ("[scan]\nmax_file_size = -1", 2, "[scan] max_file_size", "from 0 to"),
        (f"[scan]\njobs = {10 ** 30}", 2, "[scan] jobs", "from 0 to 256"),
        ('[scan]\npasswords = ["a", 5]', 2, "[scan] passwords 2", "expected text"),
        ('[[task]]\nname = "a"\nkind = "custom"', 1, "[[task]] 1 'a'", "needs paths"),
        ('[[task]]\nname = "a"\nkind = "full"\npaths = ["/"]', 4, "[[task]] 1 'a': paths",
         "only custom"),
        ('[[task]]\nname = "a"\nkind = "full"\nat = "0 25 * * *"', 4, "[[task]] 1 'a': at",
         "'25' is not a hour"),
        ('[[task]]\nname = "a"\nkind = "full"\nat = "* * *"', 4, "[[task]] 1 'a': at", "five"),
        ('[[task]]\nname = "a"\nkind = "full"\nrandom_delay = 9', 4,
         "[[task]] 1 'a': random_delay", "without at"),
        ('[[task]]\nkind = "full"', 1, "[[task]] 1", "name is missing"),
        ('[[task]]\nname = "a"\nkind = "full"\n[[task]]\nname = "a"\nkind = "full"', 5,
         "[[task]] 2 'a': name", "that name already"),
        ('[task]\nname = "a"', 1, "[task]", "[[task]]"),
        ('task = ["a"]', 1, "[[task]] 1", "expected a table"),
        ('scan = 5', 1, "[scan]", "expected a table, not 5"),
        ('[[forward]]\nname = "a"\nkind = "webhook"\ntarget = "ftp://x/"', 4,
         "[[forward]] 1 'a': target", "https://"),
        ('[[forward]]\nname = "a"\nkind = "webhook"', 1, "[[forward]] 1 'a': target", "https://"),
        ('[[forward]]\nname = "a"\nkind = "ecs"\ntarget = "x.json"', 4,
         "[[forward]] 1 'a': target", "begin with '/'"),
        ('[[forward]]\nname = "a"\nkind = "syslog"\ntarget = "tls://x:1"', 4,
         "[[forward]] 1 'a': target", "udp://"),
        ('[[forward]]\nname = "a"\nkind = "journald"\nkinds = ["scans"]', 4,
         "[[forward]] 1 'a': kinds 1", '"detection"'),
        ('[[forward]]\nname = "a"\nkind = "journald"\nheaders = { A = "b" }', 4,
         "[[forward]] 1 'a': headers", "only webhooks"),
        ('[[forward]]\nname = "a"\nkind = "journald"\nmax_file_size = 5', 4,
         "[[forward]] 1 'a': max_file_size", "only ecs"),
        ('[[forward]]\nname = "a"\nkind = "webhook"\ntarget = "http://x"\n[forward.headers]\n'
         'Host = "b"', 6, "[[forward]] 1 'a': headers.Host", "itself"),
        ('[on_finding]\ncommand = ["sh"]', 2, "[on_finding] command", "without a shell"),
        ('[on_finding]\nsmtp = "mail:0"', 2, "[on_finding] smtp", "host:port"),
        ('[on_finding]\nmail_to = ["a@b\\nBcc: c@d"]', 2, "[on_finding] mail_to 1", "one address"),
        ('[journal]\nfile = "/a/../b"', 2, "[journal] file", "'..'"),
        ('[journal]\nfile = "~/b"', 2, "[journal] file", "write the path out"),
        ('[scan]\nmax_files = 1979-05-27', 2, "[scan] max_files", "date or time"),
    ],
)  # fmt: skip
def test_what_is_refused(text, line, key, reason):
    found = only(text)
    assert found[:2] == (line, key)
    assert reason in found[2]


def test_an_address_for_everybody_is_taken_when_it_is_meant():
    text = '[daemon]\ntcp = "0.0.0.0:3310"\ntcp_anywhere = true\ntcp_scan_paths = true\n'
    assert load_text(text, HERE).settings.daemon.tcp == "0.0.0.0:3310"


@pytest.mark.parametrize(
    "times",
    [
        "* * * * *",
        "*/15 0,12 1-7 jan-mar mon",
        "@daily",
        "59 23 31 12 7",
        "0 3 * * Sun",
        "0 3 L * *",
    ],
)
def test_cron_times_that_are_right(times):
    load_text(f'[[task]]\nname = "a"\nkind = "full"\nat = "{times}"\n', HERE)


@pytest.mark.parametrize(
    "times", ["* * * * * *", "@dayly", "0 0 30 2 *", "5-1 * * * *", "x * * * *"]
)
def test_cron_times_that_are_wrong(times):
    assert only(f'[[task]]\nname = "a"\nkind = "full"\nat = "{times}"\n')[0] == 4


def test_broken_toml_names_line_and_key():
    line, key, reason = only("[daemon]\nsocket = '/x'\n[scan]\njobs = = 3\n")
    assert (line, key) == (4, "[scan] jobs")
    assert "column" in reason
    line, key, reason = only("[scan]\npasswords = [\n'a',")
    assert (line, key) == (3, "[scan] passwords")
    assert "end of the file" in reason


def test_a_secret_is_in_no_message():
    text = '[[forward]]\nname = "a"\nkind = "webhook"\ntarget = "https://h/{0} #"\n' \
           'headers = { A = "{0}\\n" }\n[scan]\npasswords = ["{0}\\u0000"]\n'  # fmt: skip
    text = text.replace("{0}", "hunter2")
    assert len(said(text)) == 3
    assert "hunter2" not in repr(said(text))


def test_a_named_file_must_be_there_and_the_usual_one_need_not(tmp_path):
    assert load_file(tmp_path / "no.toml", needed=False).settings == Settings()
    with pytest.raises(InvalidSettings, match="no such file"):
        load_file(tmp_path / "no.toml", needed=True)
    with pytest.raises(InvalidSettings, match="not a file"):
        load_file(tmp_path, needed=True)


def test_a_fifo_a_flood_and_other_bytes_are_refused(tmp_path):
    place = tmp_path / "t.toml"
    os.mkfifo(place)
    with pytest.raises(InvalidSettings, match="not a file"):
        load_file(place, needed=True)
    place.unlink()
    place.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(InvalidSettings, match="larger"):
        load_file(place, needed=True)
    place.write_bytes(b"[scan]\n# \xff\n")
    with pytest.raises(InvalidSettings, match=r"t\.toml:2: not UTF-8"):
        load_file(place, needed=True)


def test_root_obeys_no_file_that_others_can_write(tmp_path):
    if os.geteuid():
        pytest.skip("needs root")
    place = tmp_path / "t.toml"
    place.write_text("")
    place.chmod(0o646)
    with pytest.raises(InvalidSettings, match="others can write"):
        load_file(place, needed=True)
    place.chmod(0o644)
    load_file(place, needed=True)
    os.chown(place, 1, 1)
    with pytest.raises(InvalidSettings, match="chown root"):
        load_file(place, needed=True)


def test_what_is_probably_not_meant_is_warned_of(tmp_path):
    place = tmp_path / "t.toml"
    place.write_text(
        '[database]\nsources = ["/no/such"]\n[[forward]]\nname = "a"\nkind = "webhook"\n'
        'target = "http://example.org/"\nheaders = { X = "k" }\n'
    )
    place.chmod(0o644)
    warned = load_file(place, needed=True).warnings
    assert [(w.line, w.key) for w in warned] == [
        (0, ""),
        (2, "[database] sources 1"),
        (6, "[[forward]] 1 'a': target"),
    ]
    place.chmod(0o640)
    assert len(load_file(place, needed=True).warnings) == 2


# --- lines --------------------------------------------------------------------------------

TRICKY = '''\
top = """
[scan]
a = "b"
"""   # 1
'quo ted' . b = { c = [ 1,
   2 ], "d" = '#' }  # 5, 6
[ "a.b" . c ]  # 7
x = '\'\'
]'\'\'
y = [ # 10
  [1], "]", # 11
]
[[t]]
[[t]]  # 14
u.v = 1979-05-27 07:32:00
[t.w]
[[t.z]]
k = "\\"#"
'''.replace("\\'", "'")


def test_lines_of_keys():
    tomllib.loads(TRICKY)
    lines = key_lines(TRICKY)
    assert lines["top",] == 1
    assert lines["quo ted",] == lines["quo ted", "b"] == lines["quo ted", "b", "c"] == 5
    assert lines["quo ted", "b", "c", 0] == 5
    assert lines["quo ted", "b", "c", 1] == lines["quo ted", "b", "d"] == 6
    assert lines["a.b", "c"] == 7
    assert lines["a.b", "c", "x"] == 8
    assert lines["a.b", "c", "y"] == 10
    assert lines["a.b", "c", "y", 1] == 11
    assert lines["t", 0] == 13
    assert lines["t", 1] == 14
    assert lines["t", 1, "u", "v"] == 15
    assert lines["t", 1, "w"] == 16
    assert lines["t", 1, "z", 0, "k"] == 18


def paths_of(value, path=()):
    if path:
        yield path
    if isinstance(value, dict):
        for key, held in value.items():
            yield from paths_of(held, (*path, key))
    elif isinstance(value, list):
        for number, held in enumerate(value):
            yield from paths_of(held, (*path, number))


ANY_TEXT = st.text(alphabet=string.ascii_letters + " #[]{}=\"'\\\n\t,.é", max_size=8)
SCALARS = st.booleans() | st.integers(-9, 99) | st.floats(allow_nan=False) | ANY_TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(ANY_TEXT, st.dictionaries(ANY_TEXT, VALUES, max_size=3), max_size=3))
def test_every_key_of_any_file_has_a_line_and_it_holds_the_key(tree):
    text = ""
    for name, table in tree.items():
        text += f"[{describe.toml_value(name)}]\n"
        for key, value in table.items():
            text += f"{describe.toml_value(key)} = {describe.toml_value(value)}\n"
    lines = key_lines(text)
    assert set(lines) == set(paths_of(tomllib.loads(text)))
    rows = text.split("\n")
    for path, line in lines.items():
        if len(path) == 2:
            assert rows[line - 1].startswith(describe.toml_value(path[1]))


# --- whatever it is given -----------------------------------------------------------------

KNOWN = sorted({key.name for table in describe.tables() for key in table.keys})
NAMES = st.sampled_from([*KNOWN, *(t.name for t in describe.tables()), "x"])
LIKELY = st.sampled_from(
    ["/a", "a", "5m", "100M", "1e3", "", "0666", "0.0.0.0:1", "udp://h:1", "full", "webhook",
     "* * * * *", "\0", "\ud7ff", "http://[", "https://h:99999/", "a@b", "detection"]
)  # fmt: skip
LEAVES = LIKELY | SCALARS | st.integers() | st.sampled_from([float("inf"), float("nan")])


@settings(max_examples=300)
@given(
    st.dictionaries(
        NAMES,
        st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, max_size=3), max_size=6)
        | st.lists(
            st.dictionaries(NAMES, LEAVES | st.dictionaries(ANY_TEXT, LIKELY), max_size=6),
            max_size=3,
        )
        | LEAVES,
        max_size=5,
    )
)
def test_likely_files_raise_nothing_but_settings_errors(tree):
    text = "\n".join(f"{name} = {describe.toml_value(value)}" for name, value in tree.items())
    try:
        loaded = load_text(text, HERE)
    except InvalidSettings as error:
        caught = error
    else:
        assert msgspec.convert(msgspec.to_builtins(loaded.settings), Settings) == loaded.settings
        return
    assert caught.problems
    assert all(p.line and p.key for p in caught.problems)


@settings(max_examples=200)
@given(st.text(max_size=80) | st.text(alphabet="[]{}=.,\"'\\#\n ab1-_:", max_size=60))
def test_any_text_raises_nothing_but_settings_errors(text):
    with suppress(SettingsError):
        load_text(text, HERE)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000 + "]" * 5000, "a = " + "{a=" * 3000, "a = " + "9" * 5000,
     "a" + ".a" * 3000 + " = 1", "[" + "a." * 5000 + "a]", "a = 1e999999999", "\ufeff[scan]",
     "a = 99999-01-01", '"\\ud800" = 1', "[scan]\r\njobs = 1\r\n[scan]"],
)  # fmt: skip
def test_hostile_files_raise_nothing_but_settings_errors(text):
    with pytest.raises(SettingsError):
        load_text(text, HERE)


# --- what is described --------------------------------------------------------------------


def test_every_key_is_explained():
    unexplained = [
        f"{table.name}.{key.name}"
        for table in describe.tables()
        for key in table.keys
        if not key.meaning or not table.meaning
    ]
    assert unexplained == []


def test_the_template_is_right_and_uncommented_it_is_the_defaults():
    template = describe.template()
    assert load_text(template, HERE).settings == Settings()
    alone = template[: template.index("#[[forward]]")]
    stated = re.sub(r"^#(\w+ = )", r"\1", alone, flags=re.M).replace("max_size = 0", "max_size=0")
    loaded = load_text(stated, HERE)
    assert loaded.settings == Settings()
    assert len(loaded.lines) > 60


def test_what_is_in_force_names_its_origin_and_hides_secrets():
    text = (
        '[scan]\ntimeout = "5m"\npasswords = ["hunter2"]\n[[forward]]\nname = "a"\n'
        'kind = "webhook"\ntarget = "https://u:hunter2@h:8/hunter2?k=hunter2"\n'
        'headers = { Authorization = "hunter2" }\n'
    )
    loaded = load_text(text, HERE)
    rows = {(row.table, row.key.name): row for row in describe.in_force(loaded)}
    assert (rows["[scan]", "timeout"].line, rows["[scan]", "timeout"].value) == (2, 300.0)
    assert rows["[scan]", "jobs"].line == 0
    assert rows["[[forward]] 1", "kind"].line == 6
    assert rows["[[forward]] 1", "headers"].value == {"Authorization": "…"}
    assert rows["[[forward]] 1", "target"].value == "https://…@h:8/…"
    assert "hunter2" not in repr([row.value for row in rows.values()])
    total = sum(len(table.keys) for table in describe.tables() if table.name != "task")
    assert len(rows) == total
