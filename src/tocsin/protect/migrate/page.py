"""`docs/clamav-options.md`: every option of ClamAV and what becomes of it, from the tables."""

from __future__ import annotations

from tocsin.protect.migrate.clamd_options import RETIRED
from tocsin.protect.migrate.clients import CLIENTS
from tocsin.protect.migrate.handlers import NEW_SOCKET
from tocsin.protect.migrate.options import Fate, Option
from tocsin.protect.migrate.programs import PROGRAMS


def page() -> str:
    """The page."""
    count = sum(len(program.options) for program in PROGRAMS)
    rows = [
        "# ClamAV's options, and what becomes of them",
        "",
        f"All {count} options of ClamAV 1.4, as `tocsin migrate clamav` decides by them. This page",
        "is written by `make docs` from the program's own tables (`src/tocsin/protect/migrate/`);",
        "a test holds those against `clamconf`. How to move over: [migrating.md](migrating.md).",
        "",
        "*becomes*: the setting named. *not needed*: it changes nothing here. *no counterpart*: it",
        "cannot be set here; a value in brackets asks for what tocsin does anyway.",
    ]
    for program in PROGRAMS:
        rows += [
            "",
            f"## {program.title}",
            "",
            "| option | what becomes of it | |",
            "|---|---|---|",
        ]
        rows += [_row(option) for option in program.options]
    rows += [
        "",
        "Options of older versions, which ClamAV 1.4 takes or refuses and which do nothing there",
        f"either: {', '.join(f'`{name}`' for name in sorted(RETIRED))}.",
        "",
        "## Clients",
        "",
        "Without `--take-over-socket` each client must be told the new socket. `tocsin migrate",
        "clamav` looks into these files and names the line.",
        "",
        "| client | where | as it must be |",
        "|---|---|---|",
    ]
    for client in CLIENTS:
        files = ", ".join(f"`{file}`" for file in client.files)
        where = f"{client.setting}{f' ({files})' if files else ''}"
        line = client.line.format(socket=NEW_SOCKET)
        rows.append(f"| {client.name} | {_cell(where)} | `{_cell(line)}` |")
    rows += [
        "",
        "Postfix and Sendmail ask clamav-milter or Amavis, never clamd itself, and need no change.",
    ]
    return "\n".join(rows) + "\n"


def _row(option: Option) -> str:
    fate = option.fate.value
    if option.same and option.fate is Fate.NO_COUNTERPART:
        fate += f" (`{_said(option.same[0])}`)"
    return f"| `{option.name}` | {fate} | {_cell(option.text)} |"


def _said(value: bool | int | str) -> str:
    return (
        {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
