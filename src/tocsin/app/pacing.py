"""Driving a pool of workers that may have to wait, without losing what it is at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tocsin.engine.jobs import Job
from tocsin.engine.messages import Final
from tocsin.engine.report import Report
from tocsin.engine.workers import WorkerPool

_PATIENCE = 1.0


def paced(
    pool: WorkerPool, work: Iterator[Job | Report], may_go_on: Callable[[], bool]
) -> Iterator[Report | Final]:
    """Do every job; begin none while it must wait, but hear of those that were begun.

    Args:
        pool: the workers.
        work: jobs, and finished reports among them.
        may_go_on: whether another may be begun now; asked about once a second at least. What it
            raises ends everything.

    Raises:
        SandboxUnavailable: workers cannot be confined as the options demand.
    """
    exhausted = False
    try:
        while not exhausted or pool.busy:
            goes_on = may_go_on()
            while goes_on and not exhausted and pool.vacant:
                item = next(work, None)
                if item is None:
                    exhausted = True
                elif isinstance(item, Report):
                    yield item
                else:
                    pool.give(item)
                goes_on = may_go_on()
            if not exhausted or pool.busy:
                for done in pool.collect(_PATIENCE):
                    yield done.result
    finally:
        pool.abandon()
