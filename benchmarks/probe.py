"""Looks at a Python API from inside a fresh process; prints one JSON object.

Run by the cases in a process of its own, so that its figures hold nothing of the driver:

    probe.py open FOLDER [FILE]         tocsin.open_database, then a scan of FILE if given
    probe.py yarax-compile FOLDER OUT   compile a folder of rules with YARA-X's Python API
    probe.py yarax-scan RULES FOLDER    scan a folder with what `yarax-compile` wrote
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def resident_kib() -> int:
    """Resident memory of this process now."""
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def open_database(folder: str, file: str = "") -> dict[str, float]:
    """Import, open, and look at time and memory after each."""
    bare = resident_kib()
    began = time.perf_counter()
    import tocsin
    from tocsin import Scanner
    from tocsin import open_database as opener

    imported = time.perf_counter()
    after_import = resident_kib()
    database = opener(folder)
    opened = time.perf_counter()
    after_open = resident_kib()
    answer: dict[str, float] = {
        "import_s": imported - began,
        "open_s": opened - imported,
        "bare_kib": bare,
        "import_kib": after_import,
        "open_kib": after_open,
    }
    if file:
        report = Scanner(database).scan_file(file)
        answer["scan_s"] = time.perf_counter() - opened
        answer["scan_kib"] = resident_kib()
        answer["found"] = len(report.detections)
    del tocsin
    return answer


def yarax_compile(folder: str, out: str, variables: str) -> dict[str, float]:
    """Compile every rule file of a folder, each in a name space of its own."""
    import yara_x

    began = time.perf_counter()
    compiler = yara_x.Compiler(relaxed_re_syntax=True, includes_enabled=False)
    for variable in filter(None, variables.split(",")):
        compiler.define_global(variable, "")
    for place, path in enumerate(sorted(Path(folder).iterdir())):
        compiler.new_namespace(f"n{place}")
        compiler.add_source(path.read_text("utf-8", "replace"))
    rules = compiler.build()
    spent = time.perf_counter() - began
    with open(out, "wb") as file:
        rules.serialize_into(file)
    return {"compile_s": spent}


def yarax_scan(rules: str, folder: str) -> dict[str, float]:
    """Scan the files of a folder; count those in which a rule matched."""
    import yara_x

    began = time.perf_counter()
    with open(rules, "rb") as file:
        scanner = yara_x.Scanner(yara_x.Rules.deserialize_from(file))
    loaded = time.perf_counter()
    found = sum(
        bool(scanner.scan(path.read_bytes()).matching_rules)
        for path in sorted(Path(folder).iterdir())
    )
    return {
        "load_s": loaded - began,
        "scan_s": time.perf_counter() - loaded,
        "found": found,
    }


def main(action: str, *arguments: str) -> None:
    """Do what is asked and print the answer."""
    if action == "open":
        answer = open_database(*arguments)
    elif action == "yarax-compile":
        answer = yarax_compile(*arguments)
    else:
        answer = yarax_scan(*arguments)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
