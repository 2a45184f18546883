"""What Prometheus is told: the front's own counts, as a collector of `prometheus_client`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from tocsin.protect.daemon.scan_service import LATENCY_BOUNDS

if TYPE_CHECKING:
    from tocsin.protect.daemon.front import Front

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The page that Prometheus reads.

    Args:
        front: whose counts.
    """

    def __init__(self, front: Front) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_FrontCollector(front))

    def page(self) -> bytes:
        """The text format, as of now."""
        return generate_latest(self._registry)


class _FrontCollector(Collector):
    def __init__(self, front: Front) -> None:
        self._front = front

    def collect(self) -> Iterator[Metric]:
        front = self._front
        tally = front.service.tally
        objects = CounterMetricFamily(
            "tocsin_scanned_objects", "Objects scanned for clients.", labels=["verdict"]
        )
        for verdict, count in tally.verdicts.items():
            objects.add_metric([verdict], count)
        yield objects
        yield CounterMetricFamily("tocsin_scanned_bytes", "Bytes of them.", value=tally.bytes)
        yield CounterMetricFamily(
            "tocsin_scan_worker_seconds", "Seconds that workers took.", value=tally.seconds
        )
        yield CounterMetricFamily(
            "tocsin_hosts_lost",
            "Engines that ended while something was asked of them.",
            value=tally.hosts_lost,
        )
        yield CounterMetricFamily(
            "tocsin_remembered",
            "Objects that were not looked at again, their content being known as clean.",
            value=front.service.remembered.used,
        )
        total, buckets = 0, []
        for bound, count in zip(
            [*(str(b) for b in LATENCY_BOUNDS), "+Inf"], tally.classes, strict=True
        ):
            total += count
            buckets.append((bound, float(total)))
        histogram = HistogramMetricFamily(
            "tocsin_answer_seconds", "Seconds from a request to its answer."
        )
        histogram.add_metric([], buckets, tally.waited)
        yield histogram
        commands = CounterMetricFamily(
            "tocsin_clamd_commands", "Commands of the clamd protocol.", labels=["command"]
        )
        for name, count in front.clamd.commands.items():
            commands.add_metric([name], count)
        yield commands
        yield GaugeMetricFamily(
            "tocsin_clients", "Connected clients.", value=len(front.clamd.connections)
        )
        yield GaugeMetricFamily(
            "tocsin_pending_objects", "Objects without an answer yet.", value=front.service.pending
        )
        yield GaugeMetricFamily(
            "tocsin_database_signatures", "Signatures in use.", value=front.facts.signatures
        )
        yield GaugeMetricFamily(
            "tocsin_database_age_seconds",
            "Age of the newest source of signatures.",
            value=max(0.0, time.time() - front.facts.newest) if front.facts.newest else 0.0,
        )
        yield GaugeMetricFamily(
            "tocsin_database_generation", "Counts up.", value=front.facts.generation
        )
        yield from _restarts(front.state.get("restarts", {}))
        yield from _guard(front.state.get("guard", {}))
        yield from _journal(front.recorder.state())


def _restarts(restarts: dict[str, int]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "tocsin_process_restarts", "Processes that ended unasked.", labels=["process"]
    )
    for name, count in restarts.items():
        family.add_metric([name], count)
    yield family


def _guard(state: dict[str, Any]) -> Iterator[Metric]:
    """Whatever numbers the guard gives."""
    for name, value in state.get("counts", {}).items():
        if isinstance(value, (int, float)):
            yield CounterMetricFamily(f"tocsin_guard_{name}", f"The guard: {name}.", value=value)


def _journal(state: dict[str, Any]) -> Iterator[Metric]:
    for name, value in state.items():
        if isinstance(value, (int, float)):
            yield GaugeMetricFamily(f"tocsin_journal_{name}", f"The journal: {name}.", value=value)
