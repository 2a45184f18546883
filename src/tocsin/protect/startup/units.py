"""What the system's first process starts: systemd units and generators, D-Bus, init scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.protect.startup.place import Kind, Place, User
from tocsin.protect.startup.tree import Tree

_BASES = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
_GENERATORS = (
    *("system-generators", "user-generators", "system-environment-generators"),
    *("user-environment-generators", "system-shutdown", "system-sleep"),
)
_KEYS = re.compile(r"\s*(?:Exec\w*|EnvironmentFile|Exec\[\$\w+\])\s*=\s*[-@:+!|]*(.*)", re.S)
_MODIFIERS = "-@:+!|"


def unit_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Units of the system and of users with their drop-ins, generators, activated services."""
    for base in _BASES:
        for folder in ("system", "system.control", "transient", "user"):
            for path in tree.below(f"{base}/systemd/{folder}", depth=2):
                yield Place(path, Kind.UNIT, text=tree.text(path))
        for folder in _GENERATORS:
            for path in tree.files(f"{base}/systemd/{folder}"):
                yield Place(path, Kind.UNIT)
    for user in users:
        for folder in (".config/systemd/user", ".local/share/systemd/user"):
            for path in tree.below(f"{user.home}/{folder}", depth=2):
                yield Place(path, Kind.UNIT, user.uid, text=tree.text(path))
    for folder in ("system-services", "services"):
        for base in ("/usr/share", "/usr/local/share"):
            for path in tree.files(f"{base}/dbus-1/{folder}", ends=".service"):
                yield Place(path, Kind.BUS, text=tree.text(path))
    for user in users:
        for path in tree.files(f"{user.home}/.local/share/dbus-1/services", ends=".service"):
            yield Place(path, Kind.BUS, user.uid, text=tree.text(path))


def init_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Scripts of the init systems before systemd, and their kin."""
    del users
    for path in ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/inittab", "/etc/inetd.conf"):
        yield Place(path, Kind.INIT, text=tree.text(path))
    for path in tree.files("/etc/init.d", "/etc/rc.d/init.d", "/etc/init", "/etc/xinetd.d"):
        yield Place(path, Kind.INIT, text=tree.text(path))
    for folder in ("/etc/initramfs-tools", "/etc/kernel", "/etc/acpi", "/etc/apm"):
        for path in tree.below(folder, depth=3):
            yield Place(path, Kind.INIT, text=tree.text(path))


def exec_commands(text: str, home: str = "") -> Iterator[str]:
    """What a unit, a desktop entry or a service file would run."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        match = _KEYS.match(line)
        if match is not None and match[1].strip():
            command = match[1].strip().lstrip(_MODIFIERS)
            yield command.replace("%h", home).replace("%%", "%")
