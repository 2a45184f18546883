"""What running processes can execute is found, wherever it hides, and their ending is no error."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine_samples import BODY_RULE, EICAR, isolation, open_files, tocsin
from memory_children import MARKER, from_memory, mapping, own_marker, program, sleeping

from tocsin.database.cache import open_database
from tocsin.database.index import Index
from tocsin.engine.exceptions import NONE, Exceptions
from tocsin.engine.options import Options
from tocsin.engine.report import Report, Verdict
from tocsin.engine.workers import WorkerPool
from tocsin.protect import process_memory
from tocsin.protect.memory_map import pieces
from tocsin.protect.process_memory import OVERLAP, ProcessMemory
from tocsin.protect.processes import family, parse_stat, read_process, running

VALID = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text())
)
YARA = 'rule Yara_Needle { strings: $a = "tocsin-needle-one" condition: $a }'


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    place = tmp_path_factory.mktemp("memory")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in isolation(place).items():
            patch.setenv(name, value)
        yield open_files(place / "signatures", {"a_ndb": BODY_RULE})


def look(memory: ProcessMemory, index: Index) -> list[Report]:
    with WorkerPool(index, Options(), 1) as pool:
        reports = []
        for report in pool.run(memory.items()):
            assert isinstance(report, Report)
            reports += memory.finished(report)
    for report in reports:
        VALID.validate(report.to_dict())
    return reports


def of(*pids: int) -> ProcessMemory:
    return ProcessMemory(NONE, own=(), only=pids)


def found(reports: Collection[Report]) -> list[Report]:
    return [report for report in reports if report.verdict is Verdict.INFECTED]


# --- memory without a file ----------------------------------------------------------------


@pytest.mark.parametrize("rights", ["rwx", "rx"])
def test_memory_that_can_be_run_is_scanned(index: Index, rights: str, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.write_bytes(MARKER.ljust(4096))
    path = "" if "w" in rights else str(hidden)
    with mapping(MARKER, rights=rights, path=path) as child:
        (report,) = found(look(of(child.pid), index))
    (process,) = report.processes
    assert process.pid == child.pid
    assert report.path.startswith(f"process {child.pid} (python")
    if "w" in rights:
        assert process.region
        assert f" {process.region}" in report.path
        assert process.region.endswith(" rwx")
    else:
        assert process.file == str(hidden)


def test_memory_that_cannot_be_run_is_not(index: Index) -> None:
    with mapping(MARKER, rights="rw") as child:
        assert found(look(of(child.pid), index)) == []


@pytest.mark.parametrize("overlap", [OVERLAP, 4096])
def test_what_lies_across_two_pieces_is_found(
    index: Index, overlap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_memory, "OVERLAP", overlap)
    piece = 4 * overlap
    with mapping(MARKER, place=piece - 5, size=4 * piece) as child:
        memory = ProcessMemory(NONE, own=(), only=[child.pid], piece=piece)
        (report,) = found(look(memory, index))
    assert 0 < report.size <= piece


@given(
    start=integers(0, 1 << 20),
    length=integers(1, 1 << 20),
    most=integers(64, 4096),
    part=floats(0, 0.9),
)
def test_pieces_cover_everything_and_overlap(
    start: int, length: int, most: int, part: float
) -> None:
    overlap = int(most * part)
    cut = list(pieces(start, start + length, most, overlap))
    assert cut[0][0] == start
    assert cut[-1][1] == start + length
    assert all(0 < stop - begin <= most for begin, stop in cut)
    assert all(one[1] - two[0] == overlap for one, two in itertools.pairwise(cut))


def test_pages_that_were_never_used_are_not_read(index: Index) -> None:
    with mapping(MARKER, place=200 << 20, size=1 << 30) as child:
        reports = look(of(child.pid), index)
    (report,) = found(reports)
    assert report.size == 4096
    assert sum("memory" in r.path for r in reports) == 1


def test_a_file_changed_in_memory_is_read_from_memory(index: Index, tmp_path: Path) -> None:
    harmless = tmp_path / "harmless"
    harmless.write_bytes(b"nothing at all".ljust(8192))
    with mapping(MARKER, place=100, size=8192, path=str(harmless)) as child:
        (report,) = found(look(of(child.pid), index))
        assert "memory" in report.path
        assert any("changed in memory" in note.detail for note in report.notes)
    with mapping(size=8192, path=str(harmless)) as child:
        reports = look(of(child.pid), index)
    assert [report.path for report in reports if " memory " in report.path] == []


def test_the_test_file_and_yara_rules_are_found_in_memory(tmp_path: Path) -> None:
    for name, value in isolation(tmp_path).items():
        os.environ.setdefault(name, value)
    rules = open_files(tmp_path / "yara", {"a_yar": YARA})
    with mapping(EICAR) as first, mapping(MARKER, place=1000) as second:
        (eicar,) = found(look(of(first.pid), open_database()))
        (yara,) = found(look(of(second.pid), rules))
    assert "EICAR" in eicar.detections[0].name.upper()
    assert yara.detections[0].yara


# --- files --------------------------------------------------------------------------------


def test_a_program_whose_file_was_deleted_is_found(index: Index, tmp_path: Path) -> None:
    path = program(tmp_path)
    with sleeping(path) as child:
        time.sleep(0.05)
        path.unlink()
        (report,) = found(look(of(child.pid), index))
    assert report.path == f"process {child.pid} (sleeper) {path}"
    assert [p.file for p in report.processes] == [""]
    assert any(note.trait == "remarkable" and "deleted" in note.detail for note in report.notes)


def test_a_program_that_never_had_a_file_is_found(index: Index, tmp_path: Path) -> None:
    with from_memory(program(tmp_path)) as child:
        (report,) = found(look(of(child.pid), index))
    assert "/memfd:hidden" in report.path
    assert any(note.trait == "remarkable" and "memfd" in note.detail for note in report.notes)


def test_a_file_that_another_took_the_place_of_is_the_one_that_is_scanned(
    index: Index, tmp_path: Path
) -> None:
    path = program(tmp_path)
    with sleeping(path) as child:
        program(tmp_path, "other", b"").rename(path)
        (report,) = found(look(of(child.pid), index))
    assert any("replaced" in note.detail for note in report.notes)


def test_what_several_processes_have_is_scanned_once_and_names_them_all(
    index: Index, tmp_path: Path
) -> None:
    path = program(tmp_path)
    with sleeping(path) as one, sleeping(path) as two:
        reports = look(of(one.pid, two.pid), index)
    (report,) = found(reports)
    assert {process.pid for process in report.processes} == {one.pid, two.pid}
    assert len({r.path for r in reports}) == len(reports)
    assert sum("libc" in r.path for r in reports) == 1


def test_memory_of_the_same_content_is_scanned_once_and_reported_for_each(index: Index) -> None:
    with mapping(MARKER) as one, mapping(MARKER) as two, mapping(MARKER) as three:
        memory = of(one.pid, two.pid, three.pid)
        reports = found(look(memory, index))
    assert sorted(r.processes[0].pid for r in reports) == sorted([one.pid, two.pid, three.pid])
    assert memory.counts.repeated == 2
    for report in reports:
        assert report.detections[0].object == report.path


def test_what_the_user_excepted_by_path_is_not_scanned(index: Index, tmp_path: Path) -> None:
    path = program(tmp_path)
    with sleeping(path) as child:
        memory = ProcessMemory(Exceptions.of(paths=[str(path)]), own=(), only=[child.pid])
        reports = look(memory, index)
    assert not found(reports)
    assert any(skip.reason == "allowed" for r in reports for skip in r.skipped)


# --- races, and what is left out ----------------------------------------------------------


def test_a_process_that_ends_meanwhile_is_no_error(index: Index, tmp_path: Path) -> None:
    with mapping(MARKER) as child, sleeping(program(tmp_path)) as other:
        memory = of(child.pid, other.pid)
        items = memory.items()
        first = next(items)
        child.end()
        other.end()
        if not isinstance(first, Report):
            os.close(first.descriptor)
        for item in items:
            assert not isinstance(item, Report), item.to_dict()
            os.close(item.descriptor)


def test_a_mapping_that_goes_meanwhile_is_no_error(index: Index) -> None:
    with mapping(MARKER) as child:
        memory = of(child.pid)
        items = memory.items()
        first = next(items)
        os.kill(child.pid, signal.SIGUSR1)
        assert child.said() == b"dropped"
        for item in [first, *items]:
            assert not isinstance(item, Report), item.to_dict()
            assert "memory" not in item.path
            os.close(item.descriptor)


def test_our_own_processes_are_not_looked_at(index: Index) -> None:
    with mapping(MARKER) as child:
        memory = ProcessMemory(NONE, only=[child.pid, os.getpid()])
        assert look(memory, index) == []
        assert memory.counts.own == 2
        memory = ProcessMemory(NONE, own=(), own_sessions=[os.getsid(0)], only=[child.pid])
        assert look(memory, index) == []


def test_without_rights_what_could_not_be_read_is_counted(index: Index) -> None:
    if os.geteuid() != 0:
        pytest.skip("becomes another user, which only root can")
    with mapping(MARKER) as child:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setresuid(65534, 65534, 65534)
            memory = of(child.pid)
            count = len(list(memory.items()))
            os.write(writer, f"{count} {memory.counts.refused} {memory.lines()}".encode())
            os._exit(0)
        os.close(writer)
        with open(reader, encoding="utf-8") as said:
            text = said.read()
        os.waitpid(pid, 0)
    assert text.startswith("0 1 ")
    assert "only root may" in text


@pytest.mark.parametrize("runtime", ["node", "python3"])
def test_own_signatures_say_nothing_of_what_runtimes_generate(runtime: str, tmp_path: Path) -> None:
    command = {
        "node": [
            "node",
            "-e",
            "const f=(a,b)=>a*31+b;let s=0;for(let i=0;i<3e6;i++)s=f(s,i)%1e9;"
            "const w=new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0]));"
            "console.log('ready');setInterval(()=>{},1e6)",
        ],
        "python3": [
            sys.executable,
            "-c",
            "import ctypes, hyperscan, yara_x, signal\n"
            "r = yara_x.compile('rule a { strings: $a = \"abcd\" condition: $a }')\n"
            "r.scan(b'abcd')\nprint('ready', flush=True)\nsignal.pause()",
        ],
    }[runtime]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{runtime} is not installed")
    for name, value in isolation(tmp_path).items():
        os.environ.setdefault(name, value)
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        reports = look(of(process.pid), open_database())
    finally:
        process.kill()
        process.communicate()
    assert any("memory" in report.path for report in reports), "nothing was generated"
    assert [r.to_dict() for r in reports if r.detections or r.errors] == []


# --- the command --------------------------------------------------------------------------


def test_the_command_reports_processes_as_described(tmp_path: Path) -> None:
    rules = tmp_path / "a.ndb"
    with mapping(own_marker(rules)) as child:
        done = tocsin(tmp_path, "scan", "--memory", "--json", "--db", rules)
        text = tocsin(tmp_path, "scan", "--memory", "--db", rules)
    assert done.returncode == text.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        VALID.validate(line)
    (bad,) = [line for line in lines if line["verdict"] == "infected"]
    assert [process["pid"] for process in bad["processes"]] == [child.pid]
    assert f"process {child.pid} (".encode() in text.stdout
    assert b"scanner's own" in text.stdout
    assert b"processes:" in done.stderr


# --- processes ----------------------------------------------------------------------------


def test_a_name_may_hold_anything() -> None:
    line = b"7 (a) R 1 (b c)) S 3 4 5 6 -1 4194304 " + b"0 " * 12 + b"99 0 0\n"
    process = parse_stat(7, line, 0)
    assert (process.name, process.parent, process.session) == ("a) R 1 (b c)", 3, 5)
    assert (process.start, process.kernel) == (99, False)


def test_a_family_is_who_descends() -> None:
    assert read_process(os.getpid()) in list(running())
    with sleeping(Path("/bin/sleep")) as child:
        own = family(running(), [os.getpid()])
        theirs = family(running(), [child.pid])
    assert {os.getpid(), child.pid} <= own
    assert theirs == {child.pid}
    assert os.getppid() not in own
