"""Bills of materials that others publish as examples: read, and counted as their own libraries do.

They come from source packages of PyPI, which are fetched once and kept in pytest's cache.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.audit.model import Component, Skipped
from tocsin.audit.recognise import recognise
from tocsin.audit.sbom import interface as bills

SOURCES = ("cyclonedx-python-lib", "spdx-tools", "cyclonedx-bom")
BROKEN_ON_PURPOSE = ("invalid", "expected_tag_value")


@pytest.fixture(scope="module")
def examples(request: pytest.FixtureRequest) -> Iterator[Path]:
    kept = request.config.cache.mkdir("sbom-examples")
    if not list(kept.glob("*.tar.gz")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--no-binary", ",".join(SOURCES)]
        try:
            done = subprocess.run(
                [*command, "--dest", str(kept), *SOURCES],
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
        except subprocess.TimeoutExpired:
            pytest.skip("source packages could not be fetched from PyPI in four minutes")
        if done.returncode:
            pytest.skip(f"source packages cannot be had from PyPI: {done.stderr[-200:]}")
    with tempfile.TemporaryDirectory() as folder:
        for archive in kept.glob("*.tar.gz"):
            with tarfile.open(archive) as opened:
                opened.extractall(folder, [e for e in opened if "/tests/" in e.name])
        yield Path(folder)


def bills_in(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "tests" in path.parts and path.suffix != ".py":
            yield path, path.read_bytes()


def test_every_example_is_recognised_and_read(examples: Path) -> None:
    counts: dict[str, int] = {}
    skipped = []
    for path, data in bills_in(examples):
        form = recognise(data, path.name)
        if form is None or not form.is_bill:
            continue
        counts[form.name] = counts.get(form.name, 0) + 1
        if not any(word in path.name for word in BROKEN_ON_PURPOSE):
            skipped += [each for each in form.read(data, path.name) if isinstance(each, Skipped)]
        else:
            list(form.read(data, path.name))
    assert skipped == []
    assert counts[bills.CYCLONEDX_JSON.name] > 100
    assert counts[bills.CYCLONEDX_XML.name] > 100
    assert {bills.SPDX_JSON.name, bills.SPDX_RDF.name, bills.SPDX_TAG_VALUE.name} <= set(counts)
    assert {bills.SPDX_XML.name, bills.SPDX_YAML.name} <= set(counts)


def test_cyclonedx_components_are_as_many_as_its_library_finds(examples: Path) -> None:
    pytest.importorskip("cyclonedx")
    import json

    from cyclonedx.model.bom import Bom

    compared = 0
    for path in sorted(examples.rglob("schemaTestData/1.[56]/valid-*.json")):
        try:
            bom = Bom.from_json(json.loads(path.read_bytes()))
        except Exception:  # its own limits; no oracle for this one
            continue
        expected = sorted(_named(bom.components))
        if bom.metadata.component is not None:
            expected = sorted([*expected, *_named([bom.metadata.component])])
        values = bills.CYCLONEDX_JSON.read(path.read_bytes(), path.name)
        others = ("service", "product")  # a product that only its supplier is told of
        found = [e for e in values if isinstance(e, Component) and e.kind not in others]
        assert len(found) >= len(expected), path.name  # the library takes equal ones for one
        assert {(e.name.rpartition("/")[2].rpartition(":")[2], e.version) for e in found} == set(
            expected
        ), path.name
        compared += 1
    assert compared > 50


def _named(components) -> Iterator[tuple[str, str]]:
    for each in components:
        yield each.name.rpartition("/")[2].rpartition(":")[2], each.version or ""
        yield from _named(each.components)


def test_spdx_packages_are_those_that_its_library_finds(examples: Path) -> None:
    pytest.importorskip("spdx_tools")
    from spdx_tools.spdx.parser.parse_anything import parse_file

    compared = 0
    for path in sorted(examples.rglob("tests/spdx/data/SPDX*v2.3*")):
        expected = sorted((e.name, e.version or "") for e in parse_file(str(path)).packages)
        form = recognise(path.read_bytes(), path.name)
        assert form is not None
        found = [e for e in form.read(path.read_bytes(), "x") if isinstance(e, Component)]
        assert sorted((e.name, e.version) for e in found) == expected
        compared += 1
    assert compared >= 5


def test_a_declaration_that_contradicts_the_byte_order_mark_is_not_believed(
    examples: Path,
) -> None:
    paths = sorted(examples.rglob("*UTF-16*"))
    assert paths
    for path in paths:
        form = recognise(path.read_bytes(), path.name)
        assert form is not None
        values = list(form.read(path.read_bytes(), "x"))
        assert len(values) == 4
        assert all(isinstance(each, Component) for each in values)
