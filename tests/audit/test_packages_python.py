"""Python's lists: what is installed, what is pinned, what is asked for; package URLs."""

from __future__ import annotations

import importlib.metadata
import json
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.audit import purl
from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages import python_installed, python_locks, requirements
from tocsin.audit.sbom import cyclonedx_json
from tocsin.audit.sbom.cyclonedx_write import bill_of
from tocsin.errors import UsageError

SITE = Path(sysconfig.get_path("purelib"))


def pairs(values) -> list[tuple[str, str]]:
    return [(each.name, each.version) for each in values if isinstance(each, Component)]


def test_this_environments_distributions_are_those_that_python_lists() -> None:
    found = list(python_installed.read_site_packages(SITE))
    listed = importlib.metadata.distributions(path=[str(SITE)])
    assert sorted(pairs(found)) == sorted((d.metadata["Name"], d.version) for d in listed)
    assert not [each for each in found if isinstance(each, Skipped)]


def test_metadata_tell_who_made_it() -> None:
    metadata = b"""Metadata-Version: 2.1
Name: Some_Thing
Version: 1.0
Author: Ann Author
Author-email: Ann <ann@authors.example>, "B" <b@others.example>
Maintainer-email: m@keepers.example
Home-page: https://home.example/
Project-URL: Source, https://git.example/x

Author: not one
"""
    (one,) = python_installed.read(metadata, "p")
    assert one.purl == "pkg:pypi/some-thing@1.0"
    assert {trace.value for trace in one.traces} == {
        "pypi:some-thing", "Ann Author", "Ann", "B", "authors.example", "others.example",
        "keepers.example", "home.example", "git.example",
    }  # fmt: skip


def test_what_pip_prints() -> None:
    listed = b'[{"name": "a", "version": "1"}, {"name": "b", "version": "2"}, 3]'
    assert pairs(python_installed.read_pip_json(listed, "p")) == [("a", "1"), ("b", "2")]
    inspected = {"version": "1", "pip_version": "23", "installed": [
        {"metadata": {"name": "c", "version": "3", "author_email": "x@y.example"}},
    ]}  # fmt: skip
    (one,) = python_installed.read_pip_json(json.dumps(inspected).encode(), "p")
    assert "y.example" in {trace.value for trace in one.traces}


def test_locks_in_toml_and_one_broken_package_hides_no_other() -> None:
    lock = b"""version = 1
[[package]]
name = "a"
version = "1.0"
source = { registry = "https://index.example/simple" }
[[package]]
name = "broken
[[package]]
name = "b"
version = "2.0"
[package.source]
url = "https://other.example/x"
"""
    found = list(python_locks.read_toml(lock, "uv.lock"))
    assert pairs(found) == [("a", "1.0"), ("b", "2.0")]
    assert [trace.value for trace in found[0].traces] == ["pypi:a", "index.example"]
    assert [trace.value for trace in found[2].traces] == ["pypi:b", "other.example"]
    assert "line 6" in found[1].reason


def test_pipfile_lock() -> None:
    lock = {"_meta": {"hash": {}}, "default": {"a": {"version": "==1.0"}},
            "develop": {"b": {}}, "extra": {"c": {"version": "==3"}}}  # fmt: skip
    found = python_locks.read_pipfile(json.dumps(lock).encode(), "p")
    assert pairs(found) == [("a", "1.0"), ("b", ""), ("c", "3")]


def test_requirements() -> None:
    asked = rb"""# comment
a==1.0  # via x
b[extra] >= 2 ; python_version > "3"
c == 3 \
    --hash=sha256:aa \
    --hash=sha256:bb
d==4.*
e @ https://files.example/e-5.tar.gz
-r other.txt
--index-url https://index.example/
git+https://git.example/x@abc#egg=f
https://files.example/g-7.0-py3-none-any.whl
./folder/h
"""
    found = list(requirements.read(asked, "p"))
    assert pairs(found) == [
        ("a", "1.0"), ("b", ""), ("c", "3"), ("d", ""), ("e", ""), ("f", ""), ("g", "7.0"),
    ]  # fmt: skip
    assert [each.reason for each in found if isinstance(each, Skipped)] == [
        "line 9 names another file, 'other.txt'; audit it too",
        "line 13 is no requirement",
    ]


PARTS = st.text("abz.-_~+:@%& /09é\u20ac", min_size=1, max_size=12).filter(lambda t: t == t.strip())


@given(
    kind=st.sampled_from(["npm", "deb", "rpm", "pypi", "maven", "generic", "golang"]),
    name=PARTS, version=PARTS, namespace=st.text("abc@.-/%é", max_size=8),
)  # fmt: skip
def test_package_urls_are_those_of_packageurl(
    kind: str, name: str, version: str, namespace: str
) -> None:
    library = pytest.importorskip("packageurl")
    name = name.replace("/", "") or "x"  # it writes a slash in a name as it is
    try:
        written = library.PackageURL(kind, namespace or None, name, version or None).to_string()
        theirs = library.PackageURL.from_string(written)
    except (ValueError, TypeError):  # names that it takes for none
        return
    ours = purl.parse(written)
    assert ours is not None
    assert (ours.type, ours.version) == (theirs.type, theirs.version or "")
    # The specification has Debian's names in small letters; the library leaves them.
    assert ours.name.lower() == theirs.name.lower()
    assert ours.namespace.lower() == (theirs.namespace or "").lower()


@given(name=PARTS.filter(lambda n: n.strip("/") == n and "/" not in n), version=PARTS)
def test_package_urls_come_back_as_they_were_written(name: str, version: str) -> None:
    given_qualifiers = (("arch", "amd64"), ("upstream", "x@1 2&3"))
    written = purl.write("generic", name, version, "a/b c", given_qualifiers)
    assert purl.parse(written) == purl.Purl("generic", "a/b c", name, version, given_qualifiers)


def test_this_projects_own_bill_is_valid_and_whole() -> None:
    bill = bill_of([SITE], "tocsin")
    assert bill == bill_of([SITE], "tocsin")
    found = list(cyclonedx_json.read(bill, "own"))
    assert found[0].name == "tocsin"
    installed = {python_installed.normalised(d.metadata["Name"])
                 for d in importlib.metadata.distributions(path=[str(SITE)])}  # fmt: skip
    assert {python_installed.normalised(each.name) for each in found} == installed
    with pytest.raises(UsageError):
        bill_of([SITE], "no-such-thing")
    library = pytest.importorskip("cyclonedx.model.bom")
    read_back = library.Bom.from_json(json.loads(bill))
    assert len(read_back.components) == len(found) - 1
