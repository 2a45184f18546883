"""What is started at certain times: cron, anacron and at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.protect.startup.place import Kind, Place, User
from tocsin.protect.startup.tree import Tree

_ASSIGNMENT = re.compile(r"\s*[A-Za-z_]\w*\s*=")
_SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/var/spool/cron/tabs")
_AT_SPOOLS = ("/var/spool/cron/atjobs", "/var/spool/at", "/var/spool/atjobs")
_PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")


def timed_places(tree: Tree, users: Sequence[User]) -> Iterator[Place]:
    """Tables of cron and anacron, scripts of their folders, jobs of at."""
    for path in ("/etc/crontab", "/etc/anacrontab", *tree.files("/etc/cron.d")):
        yield Place(path, Kind.CRON, text=tree.text(path))
    for path in tree.files(*(f"/etc/cron.{period}" for period in _PERIODS)):
        yield Place(path, Kind.CRON, text=tree.text(path))
    uids = {user.name: user.uid for user in users}
    for path in tree.files(*_SPOOLS):
        uid = uids.get(path.rpartition("/")[2], 0)
        yield Place(path, Kind.CRON, uid, text=tree.text(path))
    for path in tree.files(*_AT_SPOOLS):
        status = tree.status(path)
        yield Place(path, Kind.AT, status.st_uid if status else 0, text=tree.text(path))


def cron_commands(path: str, text: str) -> Iterator[str]:
    """The commands in a table; all of a file that is none."""
    if re.match(r"/etc/cron\.(?!d/)", path):
        yield text
        return
    anacron = path.endswith("anacrontab")
    with_user = path == "/etc/crontab" or path.startswith("/etc/cron.d/")
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if _ASSIGNMENT.match(stripped):
            yield stripped.partition("=")[2].strip().strip("\"'")
            continue
        before = (1 if stripped.startswith("@") else 5) + with_user
        fields = stripped.split(None, 3 if anacron else before)
        if len(fields) == (4 if anacron else before + 1):
            yield fields[-1]
