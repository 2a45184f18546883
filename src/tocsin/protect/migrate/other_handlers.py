"""What the options of on-access scanning, freshclam and clamav-milter become."""

from __future__ import annotations

from tocsin.protect.configuration import forms
from tocsin.protect.migrate.clamav_file import Stated
from tocsin.protect.migrate.draft import Draft
from tocsin.protect.migrate.handlers import (
    NEW_SOCKET,
    Handler,
    Said,
    database_folder,
    normal_path,
)
from tocsin.protect.migrate.options import Fate

_BIGGEST_STREAM = 100 << 20


def _paths(key: str) -> Handler:
    """Absolute paths for a list of the guard's."""

    def handle(draft: Draft, stated: Stated) -> Said:
        place = stated.text.rstrip("/") or "/"
        wrong = forms.CHECKS["needed-path"](place)
        if wrong:
            return Said(Fate.NO_COUNTERPART, "", wrong, True)
        return Said(Fate.BECOMES, draft.add("guard", key, [place], stated))

    return handle


def _listed(key: str) -> Handler:
    """Paths, one a line of the file that the option names."""

    def handle(draft: Draft, stated: Stated) -> Said:
        lines = draft.machine.read_lines(stated.text)
        if lines is None:
            return Said(Fate.NO_COUNTERPART, "", f"{stated.text} cannot be read", True)
        places = [line.strip().rstrip("/") or "/" for line in lines if line.strip()]
        good = [place for place in places if not forms.CHECKS["needed-path"](place)]
        left = len(places) - len(good)
        remark = f"{left} lines of it are no absolute paths" if left else ""
        if not good:
            return Said(Fate.NO_COUNTERPART, "", remark or f"{stated.text} is empty", True)
        return Said(Fate.BECOMES, draft.add("guard", key, good, stated), remark, bool(left))

    return handle


def _exclude_root(draft: Draft, stated: Stated) -> Said:
    if not stated.value:
        return Said(Fate.SAME)
    return Said(
        Fate.BECOMES,
        draft.add("guard", "exclude_users", ["root"], stated),
        "what root opens, and every service that runs as root, is not looked at",
        True,
    )


def _exclude_user(draft: Draft, stated: Stated) -> Said:
    if stated.value == 0 and stated.option == "OnAccessExcludeUID":
        return Said(Fate.NO_COUNTERPART, "", "0 switches the option off in clamonacc", True)
    wrong = forms.CHECKS["account"](stated.text)
    if wrong:
        return Said(Fate.NO_COUNTERPART, "", wrong, True)
    return Said(Fate.BECOMES, draft.add("guard", "exclude_users", [stated.text], stated))


def _largest(draft: Draft, stated: Stated) -> Said:
    if not stated.value:
        return Said(Fate.SAME, "", "no bound but that of [scan] max_file_size")
    return Said(
        Fate.BECOMES,
        draft.put("guard", "max_file_size", stated.value, stated),
        "larger files are decided by [guard] on_incomplete",
    )


def _prevention(draft: Draft, stated: Stated) -> Said:
    mode = "auto" if stated.value else "notify"
    return Said(Fate.BECOMES, draft.put("guard", "mode", mode, stated))


def _deny_on_error(draft: Draft, stated: Stated) -> Said:
    if not stated.value:
        return Said(Fate.SAME)
    draft.put("guard", "fallback", "deny", stated)
    setting = draft.put("guard", "on_incomplete", "deny", stated)
    return Said(
        Fate.BECOMES,
        f'{setting}, fallback = "deny"',
        "what cannot be looked at in time cannot be opened by anybody",
        True,
    )


def _quarantine(draft: Draft, stated: Stated) -> Said:
    setting = draft.put("guard", "on_infected", "quarantine", stated)
    return Said(Fate.BECOMES, setting, "'tocsin quarantine restore' puts back what was taken away")


def _freshclam_file(draft: Draft, stated: Stated) -> Said:
    file = stated.text.rpartition("/")[2]
    folder = draft.get("database", "sources")
    if folder is None:
        return Said(Fate.NO_COUNTERPART, "", "no folder of signatures is read", True)
    if "." in file and not draft.machine.is_signature_file(file):
        return Said(Fate.NO_COUNTERPART, "", f"{file} is no file of signatures", True)
    return Said(Fate.BECOMES, draft.said("database", "sources", folder), "stays freshclam's")


def _milter_socket(draft: Draft, stated: Stated) -> Said:
    kind, _, place = stated.text.partition(":")
    if kind == "tcp":
        local = place.startswith(("127.", "localhost", "::1", "[::1]"))
        remark = "stays: [daemon] tcp listens there" if local else "another machine's; stays"
        return Said(Fate.NOT_NEEDED, "", remark)
    if draft.get("daemon", "socket") == normal_path(place):
        return Said(Fate.SAME, "", "the daemon listens there")
    return Said(
        Fate.BECOMES,
        f"ClamdSocket unix:{NEW_SOCKET}",
        f"to be changed by hand in {stated.origin}, or take the socket over",
        True,
    )


def _milter_size(draft: Draft, stated: Stated) -> Said:
    most = draft.get("daemon", "stream_max_length") or _BIGGEST_STREAM
    assert isinstance(stated.value, int)
    if 0 < stated.value <= most:
        return Said(Fate.SAME)
    return Said(
        Fate.NO_COUNTERPART, "",
        f"more than [daemon] stream_max_length ({most:,} bytes): such mails fail", True,
    )  # fmt: skip


ON_ACCESS_HANDLERS: dict[str, Handler] = {
    "OnAccessIncludePath": _paths("folders"),
    "OnAccessMountPath": _paths("mounts"),
    "OnAccessExcludePath": _paths("exclude_paths"),
    "OnAccessExcludeRootUID": _exclude_root,
    "OnAccessExcludeUID": _exclude_user,
    "OnAccessExcludeUname": _exclude_user,
    "OnAccessMaxFileSize": _largest,
    "OnAccessPrevention": _prevention,
    "OnAccessDenyOnError": _deny_on_error,
}

CLAMONACC_HANDLERS: dict[str, Handler] = {
    "--move": _quarantine,
    "--remove": _quarantine,
    "--watch-list": _listed("folders"),
    "--exclude-list": _listed("exclude_paths"),
}

FRESHCLAM_HANDLERS: dict[str, Handler] = {
    "DatabaseDirectory": database_folder,
    "DatabaseCustomURL": _freshclam_file,
    "ExtraDatabase": _freshclam_file,
}

MILTER_HANDLERS: dict[str, Handler] = {
    "ClamdSocket": _milter_socket,
    "MaxFileSize": _milter_size,
}
