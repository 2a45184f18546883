"""The cases, in the order of the report; each is a function from the bench to its result.

A case that lacks its data raises `Absent`; one that lacks only a peer says so and goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from bench import Bench
from report import CaseResult

from cases import containers, daemon, default, digests, real_sets, tiny, yara

CASES: dict[str, tuple[str, Callable[[Bench, CaseResult], None]]] = {
    "cold-start": ("Five real sets: one small file", real_sets.cold_start),
    "build": ("Five real sets: building", real_sets.build),
    "pe": ("Five real sets: PE files", real_sets.pe_files),
    "system": ("Five real sets: /usr", real_sets.system_files),
    "containers": ("Five real sets: archives and documents", containers.mixed),
    "large-pdf": ("Five real sets: a PDF with many streams", containers.large_pdf),
    "daemon": ("Five real sets: daemons with 200 clients", daemon.run),
    "digests": ("Random digests", digests.run),
    "tiny": ("Three signatures, nothing indexed", tiny.run),
    "yara": ("signature-base's YARA rules: PE files", yara.run),
    "default": ("tocsin's own signatures", default.run),
}
"""By name: the heading in the report, and the case."""
