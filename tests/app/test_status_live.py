"""What follows from several looks at the daemon, and what its processes use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from tocsin.app.live import Live, Look
from tocsin.app.process_usage import ProcessUsage


def said(objects: int, events: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "jobs": 2,
        "scanned": {"objects": objects, "bytes": objects * 1000, "worker_seconds": objects * 0.01},
        "guard": {"events": events, "remembered": events // 4, "looks": events // 4},
        "paths": True,
        **more,
    }


def test_rates_are_of_the_last_few_looks() -> None:
    live = Live()
    for second in range(11):
        live.take(Look(float(second), 0.0, said(100 * second, 40 * second)))
    assert live.rates.objects == pytest.approx(100)
    assert live.rates.bytes == pytest.approx(100_000)
    assert live.rates.busy == pytest.approx(0.5)
    assert live.rates.openings == pytest.approx(40)
    assert live.rates.guarded == pytest.approx(20)
    assert live.rates.remembered == pytest.approx(0.5)
    for second in range(11, 16):  # nothing more happens
        live.take(Look(float(second), 0.0, said(1000, 400)))
    assert live.rates.objects == 0
    assert list(live.objects)[-16:][1:4] == [pytest.approx(100)] * 3


def test_a_restart_makes_no_rate_negative_and_no_peak() -> None:
    live = Live()
    for second, objects in enumerate([0, 1000, 2000, 5, 10, 15]):
        live.take(Look(float(second), 0.0, said(objects)))
    assert min(live.objects) == 0
    assert max(live.objects) == pytest.approx(1000)
    assert live.rates.objects == pytest.approx(5)


def test_what_was_known_stays_while_the_daemon_is_away() -> None:
    live = Live()
    event = {"time": 1.0, "message": "found", "path": "/x"}
    live.take(Look(0.0, 0.0, said(5, recent=[event])))
    live.take(Look(1.0, 0.0, None, "gone"))
    assert live.rates.objects == 0
    assert live.known["scanned"]["objects"] == 5
    live.take(Look(2.0, 0.0, said(900_000, recent=[{**event, "time": 2.0}])))
    assert live.rates.objects == 0  # nobody knows when that was
    assert [found["time"] for found in live.findings] == [2.0, 1.0]


def test_findings_are_told_once_and_not_without_end() -> None:
    live = Live()
    for second in range(30):
        recent = [{"time": float(second * 10 + n), "message": "found"} for n in range(20)]
        live.take(Look(float(second), 0.0, said(0, recent=recent)))
    times = [found["time"] for found in live.findings]
    assert times == sorted(set(times), reverse=True)
    assert len(times) == 200


def test_the_slowest_of_clients_and_of_the_guard() -> None:
    live = Live()
    state = said(1)
    state["scanned"]["slowest"] = [
        {"seconds": 2.0, "name": "a", "size": 5},
        {"seconds": 1.0, "name": "b", "size": 6},
    ]
    state["guard"]["slowest"] = {"seconds": 1.5, "path": "g"}
    live.take(Look(0.0, 0.0, state))
    assert [name for _, name, _ in live.slowest()] == ["a", "g", "b"]


def test_processes_and_their_children_with_what_they_use() -> None:
    program = (
        "import os, sys, time\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    end = time.time() + 60\n"
        "    while time.time() < end: pass\n"
        "    os._exit(0)\n"
        "print(child, flush=True)\n"
        "sys.stdin.read()\n"
        "os.kill(child, 9)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        child = int(parent.stdout.readline())
        usage = ProcessUsage()
        first = usage.look(os.getpid(), {"host": parent.pid})
        assert {use.cpu for use in first} == {None}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.1)
            found = {use.pid: use for use in usage.look(os.getpid(), {"host": parent.pid})}
            if (found[child].cpu or 0) > 0.05:
                break
        assert found[os.getpid()].role == "supervisor"
        assert found[parent.pid].role == "host"
        assert found[child].role == "worker"
        assert (found[child].cpu or 0) > 0.05
        assert (found[parent.pid].cpu or 0) <= (found[child].cpu or 0)
        assert found[parent.pid].memory > 1 << 20
        assert found[parent.pid].shared
    finally:
        parent.stdin.close()
        parent.wait(20)
        parent.stdout.close()
    assert child not in {use.pid for use in usage.look(os.getpid(), {})}
    assert usage.look((1 << 22) - 1, {}) == []
