"""Extensions of browsers, of every user's profiles, and the programs that extensions may start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from tocsin.protect.startup.place import Kind, Place, User
from tocsin.protect.startup.tree import Tree

_FIREFOX = (
    *(".mozilla/firefox", ".librewolf", ".waterfox", ".thunderbird"),
    *("snap/firefox/common/.mozilla/firefox", "snap/thunderbird/common/.thunderbird"),
    *(".var/app/org.mozilla.firefox/.mozilla/firefox", ".var/app/org.mozilla.firefox/config"),
    *(".var/app/org.mozilla.Thunderbird/.thunderbird",),
    *(".var/app/io.gitlab.librewolf-community/.librewolf", ".config/mozilla/firefox"),
)
_CHROMIUM = (
    *("google-chrome", "google-chrome-beta", "google-chrome-unstable", "chromium"),
    *("BraveSoftware/Brave-Browser", "microsoft-edge", "microsoft-edge-beta", "vivaldi", "opera"),
)
_CHROMIUM_ELSEWHERE = (
    *("snap/chromium/common/chromium", "snap/brave/current/.config/BraveSoftware/Brave-Browser"),
    *(".var/app/com.google.Chrome/config/google-chrome",),
    *(".var/app/org.chromium.Chromium/config/chromium",),
    *(".var/app/com.brave.Browser/config/BraveSoftware/Brave-Browser",),
    *(".var/app/com.microsoft.Edge/config/microsoft-edge",),
    *(".var/app/com.vivaldi.Vivaldi/config/vivaldi",),
)
_SYSTEM = (
    *("/usr/lib/mozilla/extensions", "/usr/share/mozilla/extensions"),
    *("/usr/lib/firefox/distribution/extensions", "/usr/lib/firefox-esr/distribution/extensions"),
    *("/usr/lib64/mozilla/extensions", "/usr/share/chromium/extensions"),
    *("/usr/share/google-chrome/extensions", "/opt/google/chrome/extensions"),
    *("/etc/chromium/policies", "/etc/opt/chrome/policies", "/etc/opt/edge/policies"),
    *("/etc/brave/policies", "/etc/firefox/policies"),
)
_HOSTS = (
    *("/usr/lib/mozilla/native-messaging-hosts", "/usr/lib64/mozilla/native-messaging-hosts"),
    *("/usr/share/mozilla/native-messaging-hosts", "/etc/chromium/native-messaging-hosts"),
    *("/etc/opt/chrome/native-messaging-hosts", "/etc/opt/edge/native-messaging-hosts"),
)


def browser_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Every file of every extension."""
    for folder in _SYSTEM:
        for path in tree.below(folder):
            yield Place(path, Kind.BROWSER)
    for path in tree.files(*_HOSTS, ends=".json"):
        yield Place(path, Kind.BROWSER, text=tree.text(path))
    for user in users:
        for path in _own(tree, user.home):
            text = tree.text(path) if _is_host(path) else ""
            yield Place(path, Kind.BROWSER, user.uid, text=text)


def host_programs(text: str) -> Iterator[str]:
    """The program that a description of a native messaging host names."""
    with suppress(ValueError, RecursionError):
        values = json.loads(text)
        path = values.get("path") if isinstance(values, dict) else None
        if isinstance(path, str) and path.startswith("/"):
            yield path


def _is_host(path: str) -> bool:
    return bool(re.search(r"(?:NativeMessagingHosts|native-messaging-hosts)/[^/]+\.json\Z", path))


def _own(tree: Tree, home: str) -> Iterator[str]:
    for base in _FIREFOX:
        for profile in _folders(tree, f"{home}/{base}"):
            yield from tree.below(f"{profile}/extensions")
            yield from (p for p in (f"{profile}/user.js",) if tree.is_file(p))
    yield from tree.files(f"{home}/.mozilla/native-messaging-hosts", ends=".json")
    roots = [f"{home}/.config/{base}" for base in _CHROMIUM]
    roots += [f"{home}/{base}" for base in _CHROMIUM_ELSEWHERE]
    for root in roots:
        yield from tree.files(f"{root}/NativeMessagingHosts", ends=".json")
        for profile in _folders(tree, root):
            yield from tree.below(f"{profile}/Extensions")


def _folders(tree: Tree, root: str) -> Iterator[str]:
    """Profiles: folders of a browser's own."""
    for name in tree.names(root):
        if name not in ("Crash Reports", "Pending Pings", "NativeMessagingHosts"):
            yield f"{root}/{name}"
