"""A program that runs a task and writes down, at once, every path that it reports on.

task_runner.py SETTINGS NAME LOG [SECONDS_PER_REPORT]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import tocsin.app.tasks as tasks
from tocsin.app.settings import load_settings
from tocsin.engine.report import Report


def main(settings: str, name: str, log: str, seconds: str = "0") -> int:
    tasks.CHECKPOINT_EVERY = tasks.PROGRESS_EVERY = 0.05
    loaded = load_settings(Path(settings)).settings
    run = tasks.TaskRun(loaded, tasks.task_named(loaded, name))
    with open(log, "a", buffering=1, encoding="utf-8", errors="surrogateescape") as file:

        def heard(report: Report) -> None:
            file.write(f"{report.path}\n")
            time.sleep(float(seconds))

        progress = run.run(heard=heard)
    for trouble in run.trouble:
        print(trouble, file=sys.stderr)
    return tasks.exit_status(progress)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
