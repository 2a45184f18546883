"""What is loaded or run for the machine's own sake: loader, kernel, devices, network, packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.protect.startup.place import Kind, Place, User
from tocsin.protect.startup.tree import Tree

_RULE = re.compile(r'\b(?:RUN(?:\{program\})?|PROGRAM|IMPORT\{program\})\s*[+:]?=+\s*"([^"]+)"')
_MODPROBE = re.compile(r"^[ \t]*(?:install|remove)[ \t]+\S+[ \t]+(.+)$", re.M)
_QUOTED = re.compile(r'"([^"\n]+)"')
_APT_KEY = re.compile(r"Invoke|Pre-Install-Pkgs|Post-Install-Pkgs|Proxy-Auto-Detect|::Method", re.I)
_UDEV = tuple(f"{base}/udev/rules.d" for base in ("/etc", "/run", "/usr/local/lib", "/usr/lib"))
_NETWORK = (
    *("/etc/network/if-up.d", "/etc/network/if-down.d", "/etc/network/if-pre-up.d"),
    *("/etc/network/if-post-down.d", "/etc/NetworkManager/dispatcher.d"),
    *("/etc/dhcp/dhclient-enter-hooks.d", "/etc/dhcp/dhclient-exit-hooks.d"),
    *("/etc/ppp/ip-up.d", "/etc/ppp/ip-down.d", "/etc/networkd-dispatcher"),
    *("/usr/lib/networkd-dispatcher", "/etc/resolvconf/update.d"),
)
_PYTHON = (
    *("/usr/lib/python3*", "/usr/lib/python3/dist-packages", "/etc/python3*"),
    *("/usr/lib/python3*/site-packages", "/usr/lib64/python3*/site-packages"),
    *("/usr/local/lib/python3*/dist-packages", "/usr/local/lib/python3*/site-packages"),
)
_OWN_PYTHON = ".local/lib/python3*/site-packages"


def loader_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """What the dynamic loader is told."""
    del users
    text = tree.text("/etc/ld.so.preload")
    yield Place("/etc/ld.so.preload", Kind.LOADER, text=text)
    for word in re.split(r"[\s:]+", re.sub(r"#.*", "", text)):
        if word.startswith("/"):
            yield Place(word, Kind.LOADER, named_by="/etc/ld.so.preload")
    for path in ("/etc/ld.so.conf", *tree.files("/etc/ld.so.conf.d")):
        yield Place(path, Kind.LOADER, text=tree.text(path))


def kernel_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Kernel modules that are loaded or will be, and what says so."""
    del users
    known = _module_files(tree)
    for line in tree.text("/proc/modules").splitlines():
        name = line.split(" ", 1)[0].replace("-", "_")
        if name in known:
            yield Place(known[name], Kind.MODULE, note="loaded")
        elif known:
            yield Place(f"kernel module {name}", Kind.MODULE, note="loaded, and no file is known")
    yield Place("/etc/modules", Kind.MODULE, text=tree.text("/etc/modules"))
    for base in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"):
        for folder in ("modules-load.d", "modprobe.d"):
            for path in tree.files(f"{base}/{folder}"):
                yield Place(path, Kind.MODULE, text=tree.text(path))
    for path in ("/etc/dkms/framework.conf", *tree.files("/etc/dkms/framework.conf.d")):
        yield Place(path, Kind.MODULE, text=tree.text(path))
    for path in tree.matching("/var/lib/dkms/*/*/source/dkms.conf", "/usr/src/*/dkms.conf"):
        yield Place(path, Kind.MODULE, text=tree.text(path))
    for folder in ("updates", "extra", "weak-updates"):
        for path in tree.below(f"/lib/modules/{tree.release}/{folder}"):
            yield Place(path, Kind.MODULE)


def device_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Rules for devices, and what is run when a network comes or goes."""
    del users
    for path in tree.files(*_UDEV, "/lib/udev/rules.d", ends=".rules"):
        yield Place(path, Kind.UDEV, text=tree.text(path))
    for folder in _NETWORK:
        for path in tree.below(folder, depth=2):
            yield Place(path, Kind.NETWORK, text=tree.text(path))


def package_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Hooks of package managers, of git and of Python's start."""
    for path in ("/etc/apt/apt.conf", *tree.files("/etc/apt/apt.conf.d", "/etc/dpkg/dpkg.cfg.d")):
        yield Place(path, Kind.PACKAGES, text=tree.text(path))
    for path in tree.files("/etc/dnf/plugins", "/etc/yum/pluginconf.d", "/etc/pacman.d/hooks"):
        yield Place(path, Kind.PACKAGES, text=tree.text(path))
    yield Place("/etc/gitconfig", Kind.GIT, text=tree.text("/etc/gitconfig"))
    for user in users:
        for name in (".gitconfig", ".config/git/config"):
            path = f"{user.home}/{name}"
            yield Place(path, Kind.GIT, user.uid, text=tree.text(path))
    folders = [(folder, 0) for folder in tree.matching(*_PYTHON)]
    for user in users:
        own = tree.matching(f"{_escaped(user.home)}/{_OWN_PYTHON}")
        folders += [(folder, user.uid) for folder in own]
    for folder, uid in folders:
        for name in tree.names(folder):
            if name.endswith(".pth") or name in ("sitecustomize.py", "usercustomize.py"):
                yield Place(f"{folder}/{name}", Kind.PYTHON, uid)


def rule_commands(text: str) -> list[str]:
    """What rules of udev would run; a name without a folder is one of udev's own."""
    found = []
    for match in _RULE.findall(text):
        own = not match.startswith(("/", "$", "%"))
        found.append(f"/lib/udev/{match}" if own else match)
    return found


def modprobe_commands(text: str) -> list[str]:
    """What is run in the place of loading or unloading a module."""
    return [match.strip() for match in _MODPROBE.findall(text)]


def apt_commands(text: str) -> list[str]:
    """What APT's hooks would run."""
    plain = re.sub(r"^[ \t]*(?://|#).*$", "", text, flags=re.M)
    return _QUOTED.findall(plain) if _APT_KEY.search(plain) else []


def git_commands(text: str) -> Iterator[str]:
    """What a file of git's settings would run."""
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        name = key.strip().lower()
        value = value.strip().strip('"')
        if not equals or name.startswith(("#", ";")):
            continue
        if value.startswith("!"):
            yield value[1:]
        elif name in ("fsmonitor", "sshcommand", "pager", "editor", "program", "helper", "askpass"):
            yield value
        elif name == "hookspath":
            yield f"{value.rstrip('/')}/"


def _module_files(tree: Tree) -> dict[str, str]:
    """Files of the running kernel's modules, by name."""
    folder = f"/lib/modules/{tree.release}"
    found = {}
    for line in tree.text(f"{folder}/modules.dep").splitlines():
        path = line.partition(":")[0]
        name = path.rpartition("/")[2].partition(".")[0].replace("-", "_")
        found[name] = path if path.startswith("/") else f"{folder}/{path}"
    return found


def _escaped(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)
