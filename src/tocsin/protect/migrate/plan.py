"""From what ClamAV's files state to settings, and what became of each option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tocsin.errors import Problem
from tocsin.protect.migrate.clamav_file import ClamavFile, Stated
from tocsin.protect.migrate.draft import Draft, Machine, Row, Value
from tocsin.protect.migrate.handlers import OK_REMARK
from tocsin.protect.migrate.options import Fate, Option
from tocsin.protect.migrate.programs import CLAMD, PROGRAMS, Program, is_retired

_LAST = ("AlertExceedsMax", "TCPAddr")
"""Handled after the others: what they become depends on those."""


class Plan(NamedTuple):
    """What moving over would do.

    Attributes:
        rows: one for each line that states an option.
        values: the settings, by table and key, with where they are from.
        forwards: the `[[forward]]` tables.
        problems: what is wrong in ClamAV's files, by file; nothing is written while there is any.
    """

    rows: tuple[Row, ...]
    values: dict[tuple[str, str], Value]
    forwards: tuple[dict[str, Value], ...]
    problems: tuple[tuple[str, Problem], ...]


def make_plan(files: list[tuple[Program, ClamavFile]], machine: Machine) -> Plan:
    """Say what becomes of each option.

    Args:
        files: what is stated, by the program whose file it is.
        machine: what else matters.
    """
    draft = Draft([file for _, file in files], machine)
    rows: dict[tuple[int, int, int], Row] = {}
    order = [
        (place, program, stated)
        for place, (program, file) in enumerate(files)
        for stated in file.stated
    ]
    ranks = {program.title: rank for rank, program in enumerate(PROGRAMS)}
    order.sort(key=lambda each: (ranks[each[1].title], each[2].option in _LAST))
    for index, (place, program, stated) in enumerate(order):
        rows[place, stated.line, index] = _row(draft, program, stated)
    defaults = list(_unstated(draft)) if any(program is CLAMD for program, _ in files) else []
    if not _is_guarded(draft):
        rows = {key: _unguarded(row) for key, row in rows.items()}
    problems = [(file.name, problem) for _, file in files for problem in file.problems]
    return Plan(
        (*(row for _, row in sorted(rows.items(), key=lambda item: item[0])), *defaults),
        draft.values,
        tuple(draft.forwards),
        tuple(problems),
    )


def _row(draft: Draft, program: Program, stated: Stated) -> Row:
    option = program.by_name.get(stated.option)
    if option is None:
        if is_retired(stated.option):
            return Row(stated, Fate.NOT_NEEDED, "", "does nothing in today's ClamAV either")
        return Row(
            stated, Fate.NO_COUNTERPART, "",
            f"no option of {program.title} in ClamAV 1.4; ClamAV would refuse it", True,
        )  # fmt: skip
    if stated.repeated:
        return Row(stated, Fate.NOT_NEEDED, "", "an earlier line states it, and that one holds")
    handler = program.handlers.get(option.now or option.name)
    if handler is not None:
        return Row(stated, *handler(draft, stated))
    return _without_handler(stated, option)


def _without_handler(stated: Stated, option: Option) -> Row:
    if stated.value in option.same and option.fate is not Fate.NOT_NEEDED:
        return Row(stated, Fate.SAME)
    if option.takes.name == "SWITCH" and not option.same and not stated.value:
        return Row(stated, Fate.NOT_NEEDED, "", "")
    attention = option.fate is Fate.NO_COUNTERPART
    return Row(stated, option.fate, "", option.text.replace("`", ""), attention)


def _unstated(draft: Draft) -> Iterator[Row]:
    """What holds for clamd although no line says it, and is otherwise here."""
    if draft.get("daemon", "on_incomplete") is None:
        yield _default(draft, "AlertExceedsMax", ("daemon", "on_incomplete", "ok"), OK_REMARK)
    if not _is_guarded(draft):
        for key in [key for key in draft.values if key[0] == "guard"]:
            del draft.values[key]
        return
    if draft.first("OnAccessPrevention") is None:
        remark = "as clamonacc, which then refuses nothing; 'auto' refuses"
        yield _default(draft, "OnAccessPrevention", ("guard", "mode", "notify"), remark)
    enabled = draft.machine.clamonacc_enabled
    remark = "clamonacc is switched on"
    if not enabled:
        state = "is not" if enabled is False else "may not be"
        remark = f"clamonacc {state} switched on; to have the folders guarded, write true"
    yield _default(draft, "OnAccessIncludePath", ("guard", "enabled", bool(enabled)), remark)


def _default(draft: Draft, option: str, setting: tuple[str, str, object], remark: str) -> Row:
    """A row, and a value, for what ClamAV does without being told."""
    stated = Stated(option, "(by default)", "", CLAMD.title, 0)
    if option == "OnAccessIncludePath":
        stated = Stated("systemd", "(its units)", "", "clamonacc", 0)
    table, key, value = setting
    said = draft.put(table, key, value, stated, remark)
    return Row(stated, Fate.BECOMES, said, remark, True)


def _is_guarded(draft: Draft) -> bool:
    return bool(draft.get("guard", "folders") or draft.get("guard", "mounts"))


def _unguarded(row: Row) -> Row:
    """A row of on-access scanning where there is nothing to be scanned on access."""
    if not row.becomes.startswith("[guard]"):
        return row
    return Row(row.stated, Fate.NOT_NEEDED, "", "without OnAccessIncludePath nothing is guarded")
