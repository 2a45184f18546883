"""What is run when somebody logs in: shells, environments, PAM, SSH, messages, desktops."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.protect.startup.place import Kind, Place, User
from tocsin.protect.startup.tree import Tree

_SYSTEM_SHELL = (
    *("/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/bash.bash_logout"),
    *("/etc/zshenv", "/etc/zshrc", "/etc/zprofile", "/etc/zlogin", "/etc/zlogout"),
    *("/etc/csh.cshrc", "/etc/csh.login", "/etc/csh.logout", "/etc/ksh.kshrc", "/etc/mkshrc"),
)
_SHELL_FOLDERS = ("/etc/profile.d", "/etc/zsh", "/etc/fish", "/etc/fish/conf.d", "/etc/csh")
_OWN_SHELL = (
    *(".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile"),
    *(".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".config/fish/config.fish"),
    *(".kshrc", ".mkshrc", ".cshrc", ".tcshrc", ".login", ".logout"),
    *(".xprofile", ".xinitrc", ".xsession", ".xsessionrc"),
)
_OWN_SHELL_FOLDERS = (".config/fish/conf.d", ".config/fish/functions", ".bashrc.d", ".zshrc.d")
_ENVIRONMENT = ("/etc/environment", "/etc/security/pam_env.conf", "/etc/default/locale")
_PRELOAD = re.compile(r"\bLD_(?:PRELOAD|AUDIT)\s*=\s*[\"']?([^\"'\n;]+)")
_KEY_COMMAND = re.compile(r'\bcommand="((?:[^"\\]|\\.)*)"')
_LONGEST_LINE = 4096
_SSH_COMMAND = re.compile(
    r"^[ \t]*(?:AuthorizedKeysCommand|AuthorizedPrincipalsCommand|ForceCommand|ProxyCommand|"
    r"LocalCommand|KnownHostsCommand|Subsystem[ \t]+\S+|Match[ \t].*?exec)[ \t]+(.+)$",
    re.I | re.M,
)
_PAM_MODULE = re.compile(r"(?<!\S)(\S+\.so)\b(.*)")
_PAM_FOLDERS = (
    *("/lib/security", "/lib64/security", "/usr/lib/security", "/usr/lib64/security"),
    *("/lib/*/security", "/usr/lib/*/security"),
)


def shell_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Start-up files of shells and sessions, and files that set the environment."""
    for path in (*_SYSTEM_SHELL, *tree.files(*_SHELL_FOLDERS)):
        yield Place(path, Kind.SHELL, text=tree.text(path))
    for path in (*_ENVIRONMENT, *tree.files("/etc/environment.d", "/usr/lib/environment.d")):
        yield Place(path, Kind.ENVIRONMENT, text=tree.text(path))
    for user in users:
        own = [f"{user.home}/{name}" for name in _OWN_SHELL]
        own += tree.files(*(f"{user.home}/{name}" for name in _OWN_SHELL_FOLDERS))
        for path in own:
            yield Place(path, Kind.SHELL, user.uid, text=tree.text(path))
        own = [f"{user.home}/.pam_environment"]
        own += tree.files(f"{user.home}/.config/environment.d")
        for path in own:
            yield Place(path, Kind.ENVIRONMENT, user.uid, text=tree.text(path))


def login_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """PAM, SSH and what prints the login message."""
    for path in ("/etc/pam.conf", *tree.files("/etc/pam.d", "/usr/lib/pam.d")):
        yield Place(path, Kind.PAM, text=tree.text(path))
    for path in ("/etc/ssh/sshd_config", "/etc/ssh/ssh_config", "/etc/ssh/sshrc"):
        yield Place(path, Kind.SSH, text=tree.text(path))
    for path in tree.files("/etc/ssh/sshd_config.d", "/etc/ssh/ssh_config.d"):
        yield Place(path, Kind.SSH, text=tree.text(path))
    for user in users:
        for name in ("authorized_keys", "authorized_keys2", "config", "rc", "environment"):
            path = f"{user.home}/.ssh/{name}"
            yield Place(path, Kind.SSH, user.uid, text=tree.text(path))
    for path in tree.files("/etc/update-motd.d"):
        yield Place(path, Kind.MOTD, text=tree.text(path))


def desktop_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """What desktops start with a session."""
    for path in tree.files("/etc/xdg/autostart", "/usr/share/gdm/greeter/autostart"):
        yield Place(path, Kind.AUTOSTART, text=tree.text(path))
    for path in tree.files("/etc/X11/Xsession.d", "/etc/X11/xinit/xinitrc.d", "/etc/X11/xinit"):
        yield Place(path, Kind.AUTOSTART, text=tree.text(path))
    for user in users:
        own = [f"{user.home}/.config/{name}" for name in ("autostart", "autostart-scripts")]
        own += [f"{user.home}/.config/plasma-workspace/{name}" for name in ("env", "shutdown")]
        for path in tree.files(*own):
            yield Place(path, Kind.AUTOSTART, user.uid, text=tree.text(path))


def stated_lines(text: str) -> Iterator[str]:
    """Lines that are no comments, of bounded length: patterns take their time on long ones."""
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield line[:_LONGEST_LINE]


def preloaded_libraries(text: str) -> list[str]:
    """Libraries that a text has loaded into every program, by a variable of the loader."""
    return [
        word
        for line in stated_lines(text)
        for match in _PRELOAD.finditer(line)
        for word in re.split(r"[\s:]+", match[1])
        if word.startswith("/")
    ]


def forced_commands(text: str) -> list[str]:
    """What keys of a list of SSH's are bound to."""
    return [
        match.replace('\\"', '"')
        for line in stated_lines(text)
        for match in _KEY_COMMAND.findall(line)
    ]


def ssh_commands(text: str) -> list[str]:
    """Commands in settings of SSH and in lists of keys."""
    set_up = [m.strip() for line in stated_lines(text) for m in _SSH_COMMAND.findall(line)]
    return [*forced_commands(text), *set_up]


def pam_files(tree: Tree, text: str) -> Iterator[str]:
    """Modules that a file of PAM names, and absolute paths that they are given."""
    for line in text.splitlines():
        match = _PAM_MODULE.search(line.partition("#")[0])
        if match is None:
            continue
        if match[1].startswith("/"):
            yield match[1]
        else:
            yield from tree.matching(*(f"{folder}/{match[1]}" for folder in _PAM_FOLDERS))
        if "pam_exec" in match[1] or "pam_script" in match[1]:
            yield from (word for word in match[2].split() if word.startswith("/"))
