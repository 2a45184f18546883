"""The checks of `fuzz/`, fed by hypothesis: they hold without atheris, if less searchingly.

Each target's check is run on its seeds, on seeds with bytes overwritten, cut and joined, and
on anything at all.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
SHARED = {"fuzz_support", "fuzz_database"}
TARGETS = sorted({path.stem for path in FUZZ.glob("fuzz_*.py")} - SHARED)
ODD = [b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x80", b"9" * 5000, b"\xb2", b"(((((", b":;"]


def target(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_keep_the_promise(name: str) -> None:
    module = target(name)
    assert module.SEEDS
    for seed in module.SEEDS:
        module.check(seed)
    module.check(b"")


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_keep_the_promise(name: str) -> None:
    module = target(name)
    seeds = st.sampled_from(module.SEEDS)
    patches = st.lists(
        st.tuples(st.floats(0, 1), st.one_of(st.sampled_from(ODD), st.binary(max_size=4))),
        max_size=4,
    )

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(seeds, patches, st.floats(0, 1), st.booleans(), st.binary(max_size=64))
    def check(
        seed: bytes, changes: list[tuple[float, bytes]], kept: float, cut: bool, tail: bytes
    ) -> None:
        data = bytearray(seed)
        for place, patch in changes:
            at = int(place * len(data))
            data[at : at + (len(patch) if len(patch) < 10 else 0)] = patch
        module.check(bytes(data[: int(kept * len(data))] if cut else data) + tail)

    check()


def test_every_target_is_run_by_the_runner() -> None:
    spec = importlib.util.spec_from_file_location("tocsin_fuzz_runner", FUZZ / "run.py")
    assert spec is not None
    assert spec.loader is not None
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    assert [f"fuzz_{name}" for name in runner.targets()] == TARGETS
