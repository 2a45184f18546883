"""npm's, yarn's and pnpm's lists."""

from __future__ import annotations

import json

from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages import javascript_locks, npm


def pairs(values) -> list[tuple[str, str]]:
    return [(each.name, each.version) for each in values if isinstance(each, Component)]


def test_a_manifest() -> None:
    manifest = {
        "name": "@kaspersky/thing", "version": "1.0.0",
        "author": "Ann Author <ann@authors.example> (https://ann.example/)",
        "maintainers": [{"name": "M", "email": "m@keepers.example"}],
        "contributors": ["C <c@helpers.example>"],
        "repository": {"type": "git", "url": "git+https://git.example/x.git"},
        "homepage": "https://home.example/",
    }  # fmt: skip
    (one,) = npm.read_manifest(json.dumps(manifest).encode(), "p")
    assert one.purl == "pkg:npm/%40kaspersky/thing@1.0.0"
    assert {trace.value for trace in one.traces} == {
        "npm:@kaspersky/thing", "@kaspersky", "Ann Author", "authors.example", "ann.example", "M",
        "keepers.example", "C", "helpers.example", "git.example", "home.example",
    }  # fmt: skip
    (none,) = npm.read_manifest(b'{"private": true}', "p")
    assert isinstance(none, Skipped)


def test_locks_of_versions_2_and_3() -> None:
    lock = {
        "lockfileVersion": 2,
        "packages": {
            "": {"name": "own", "version": "1.0.0"},
            "node_modules/a": {"version": "1.1.0", "resolved": "https://registry.example/a.tgz"},
            "node_modules/a/node_modules/@s/b": {"version": "2.0.0", "inBundle": True},
            "node_modules/alias": {"name": "real", "version": "3.0.0"},
            "node_modules/linked": {"resolved": "packages/linked", "link": True},
        },
        "dependencies": {"a": {"version": "9.9.9"}},
    }
    found = list(npm.read_lock(json.dumps(lock).encode(), "p"))
    assert pairs(found) == [
        ("own", "1.0.0"), ("a", "1.1.0"), ("@s/b", "2.0.0"), ("real", "3.0.0"),
    ]  # fmt: skip
    assert [each.embedded for each in found] == [None, None, True, None]
    assert "registry.example" in {trace.value for trace in found[1].traces}


def test_locks_of_version_1_are_trees() -> None:
    lock = {"lockfileVersion": 1, "dependencies": {
        "a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0", "bundled": True}}},
        "c": {"version": "npm:@s/d@4.0.0"},
        "e": {"version": "git+ssh://git@git.example/e.git#abc"},
    }}  # fmt: skip
    found = list(npm.read_lock(json.dumps(lock).encode(), "p"))
    assert pairs(found) == [("a", "1.0.0"), ("b", "2.0.0"), ("@s/d", "4.0.0"), ("e", "")]
    assert [each.embedded for each in found] == [None, True, None, None]


def test_a_truncated_lock_gives_what_was_whole() -> None:
    cut = b'{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1"},"node_modules/b":{"v'
    found = list(npm.read_lock(cut, "p"))
    assert pairs(found) == [("a", "1")]
    assert isinstance(found[-1], Skipped)


def test_yarn_in_both_forms() -> None:
    classic = b"""# yarn lockfile v1

"@s/a@^1.0.0", "@s/a@~1.0.1":
  version "1.0.2"
  resolved "https://registry.example/a.tgz#hash"
  dependencies:
    b "^2.0.0"

alias@npm:real@^3.0.0:
  version "3.0.0"
"""
    berry = b"""__metadata:
  version: 6

"@s/a@npm:^1.0.0, @s/a@npm:~1.0.1":
  version: 1.0.2
  resolution: "@s/a@npm:1.0.2"

"own@workspace:.":
  version: 0.0.0-use.local
  resolution: "own@workspace:."
"""
    found = list(javascript_locks.read_yarn(classic, "p"))
    assert pairs(found) == [("@s/a", "1.0.2"), ("real", "3.0.0")]
    assert "registry.example" in {trace.value for trace in found[0].traces}
    assert pairs(javascript_locks.read_yarn(berry, "p")) == [
        ("@s/a", "1.0.2"), ("own", "0.0.0-use.local"),
    ]  # fmt: skip


def test_pnpm_in_its_forms() -> None:
    lock = b"""lockfileVersion: '6.0'
packages:
  /a/1.0.0:
    resolution: {integrity: sha512-x}
  /@s/b/2.0.0_peer@1.0.0:
    resolution: {integrity: sha512-x}
  /@s/c@3.0.0(peer@1.0.0):
    resolution: {integrity: sha512-x}
  '@s/d@4.0.0':
    resolution: {tarball: 'https://files.example/d.tgz'}
  github.com/x/y/abc:
    name: e
    version: 5.0.0
"""
    found = list(javascript_locks.read_pnpm(lock, "p"))
    assert pairs(found) == [
        ("a", "1.0.0"), ("@s/b", "2.0.0"), ("@s/c", "3.0.0"), ("@s/d", "4.0.0"), ("e", "5.0.0"),
    ]  # fmt: skip
    assert "files.example" in {trace.value for trace in found[3].traces}
