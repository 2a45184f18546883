"""Every option of clamscan 1.4.6 and what becomes of it here.

`OPTIONS` is the one place that says which option is honoured, which is taken because it cannot
change the outcome, and which is refused; `docs/clamscan.md` is made from it.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

PROGRAM = "tocsin-clamscan"


class Kind(Enum):
    """What an option takes."""

    SWITCH = "[=yes/no]"
    NUMBER = "=N"
    SIZE = "=SIZE"
    TEXT = "=TEXT"
    TEXTS = "=TEXT ..."


class Status(Enum):
    """What becomes of an option."""

    HONOURED = "honoured"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Option(NamedTuple):
    """One row of the table.

    Attributes:
        name: the long name.
        short: the letter, or empty.
        kind: what it takes.
        status: what becomes of it.
        text: what it does here, or why it is accepted or refused.
        only: the values that are accepted; others are refused. Empty for all.
        listed: whether `clamscan --help` lists it.
        stands_for: the option whose older name it is, or empty.
    """

    name: str
    short: str
    kind: Kind
    status: Status
    text: str
    only: tuple[str, ...] = ()
    listed: bool = True
    stands_for: str = ""

    @property
    def title(self) -> str:
        """The name as messages show it."""
        return f"--{self.name} (-{self.short})" if self.short else f"--{self.name}"

    @property
    def refuses(self) -> bool:
        """Whether there is any value that is refused."""
        return self.status is Status.REFUSED or bool(self.only)


def _honoured(name: str, short: str, kind: Kind, text: str) -> Option:
    return Option(name, short, kind, Status.HONOURED, text)


def _accepted(name: str, kind: Kind, text: str) -> Option:
    return Option(name, "", kind, Status.ACCEPTED, text)


def _always(name: str, text: str) -> Option:
    """What is always done: `yes` is taken, `no` is refused."""
    return Option(name, "", Kind.SWITCH, Status.ACCEPTED, text, ("yes",))


def _never(name: str, text: str) -> Option:
    """What is not done yet: `no` is taken, `yes` is refused."""
    return Option(name, "", Kind.SWITCH, Status.ACCEPTED, text, ("no",))


def _fixed(name: str, kind: Kind, value: int) -> Option:
    text = f"the bound is {value} and cannot be changed yet"
    return Option(name, "", kind, Status.ACCEPTED, text, (str(value),))


def _refused(name: str, kind: Kind, text: str) -> Option:
    return Option(name, "", kind, Status.REFUSED, text)


def _older(name: str, stands_for: str) -> Option:
    text = f"older name of `--{stands_for}`"
    honoured = ("alert-exceeds-max", "alert-encrypted", "alert-macros")
    status = Status.HONOURED if stands_for in honoured else Status.ACCEPTED
    return Option(
        name,
        "",
        Kind.SWITCH,
        status,
        text,
        () if status is Status.HONOURED else ("no",),
        False,
        stands_for,
    )


_SWITCH, _NUMBER, _SIZE = Kind.SWITCH, Kind.NUMBER, Kind.SIZE
_TEXT, _TEXTS = Kind.TEXT, Kind.TEXTS
_NO_TEMPORARY = "nothing is written to temporary files"
_NO_BYTECODE = "ClamAV bytecode is not run; the need for it is counted by `tocsin db info`"
_NO_STRUCTURED = "only has a meaning with `--detect-structured`"

OPTIONS: tuple[Option, ...] = (
    _honoured("help", "h", _SWITCH, "show the options and what becomes of them"),
    _honoured("version", "V", _SWITCH, "print `ClamAV 1.4.6-compatible tocsin VERSION`"),
    _honoured("verbose", "v", _SWITCH, "name each file before it is scanned"),
    _honoured("archive-verbose", "a", _SWITCH, "name the member that matched, as `FILE!/MEMBER`"),
    _accepted("debug", _SWITCH, "there are no messages of that kind"),
    _honoured("quiet", "", _SWITCH, "print errors only"),
    _honoured("stdout", "", _SWITCH, "print warnings and errors on standard output"),
    _honoured("no-summary", "", _SWITCH, "leave the summary out"),
    _honoured("infected", "i", _SWITCH, "print only files in which something was found"),
    _honoured("suppress-ok-results", "o", _SWITCH, "leave out lines that say OK"),
    _honoured("bell", "", _SWITCH, "ring the terminal's bell at each detection"),
    _accepted("tempdir", _TEXT, _NO_TEMPORARY),
    _accepted("leave-temps", _SWITCH, _NO_TEMPORARY),
    _accepted("force-to-disk", _SWITCH, _NO_TEMPORARY),
    _accepted("gen-json", _SWITCH, "use `tocsin scan --json` for results as JSON"),
    _honoured("database", "d", _TEXTS, "signatures: a file, or a folder of files"),
    _honoured("official-db-only", "", _SWITCH, "of the signatures given, only .cvd and .cld"),
    _refused("fail-if-cvd-older-than", _NUMBER, "a database's age is not judged yet; planned"),
    _honoured("log", "l", _TEXT, "append the results to a file"),
    _honoured("recursive", "r", _SWITCH, "enter folders in folders"),
    _honoured("allmatch", "z", _SWITCH, "print every name, each once for an object"),
    _honoured("cross-fs", "", _SWITCH, "with `no`, stay on the file system of the start"),
    _honoured("follow-dir-symlinks", "", _NUMBER, "0 never, 1 if given as a path, 2 always"),
    _honoured("follow-file-symlinks", "", _NUMBER, "0 never, 1 if given as a path, 2 always"),
    _honoured("file-list", "f", _TEXT, "scan the paths in this file, one a line"),
    _honoured("remove", "", _SWITCH, "remove infected files"),
    _honoured("move", "", _TEXT, "move infected files into this folder"),
    _honoured("copy", "", _TEXT, "copy infected files into this folder"),
    _honoured("exclude", "", _TEXTS, "pass over files whose absolute path matches"),
    _honoured("exclude-dir", "", _TEXTS, "pass over folders whose path as walked matches"),
    _honoured("include", "", _TEXTS, "scan only files whose absolute path matches"),
    _honoured("include-dir", "", _TEXTS, "enter only folders whose path as walked matches"),
    _never("bytecode", _NO_BYTECODE),
    _never("bytecode-unsigned", _NO_BYTECODE),
    _accepted("bytecode-timeout", _NUMBER, "no bytecode is run"),
    Option("statistics", "", _TEXT, Status.ACCEPTED, "statistics are not gathered", ("none",)),
    _honoured("detect-pua", "", _SWITCH, "use signatures of what is merely unwanted"),
    _honoured("exclude-pua", "", _TEXTS, "leave out a category of those"),
    _honoured("include-pua", "", _TEXTS, "use only this category of those"),
    _never("detect-structured", "card and social security numbers are not looked for"),
    _accepted("structured-ssn-format", _NUMBER, _NO_STRUCTURED),
    _accepted("structured-ssn-count", _NUMBER, _NO_STRUCTURED),
    _accepted("structured-cc-count", _NUMBER, _NO_STRUCTURED),
    _accepted("structured-cc-mode", _NUMBER, _NO_STRUCTURED),
    _honoured("scan-mail", "", _SWITCH, "with `no`, mail is scanned as it stands"),
    _honoured("phishing-sigs", "", _SWITCH, "with `no`, drop HTML.Phishing and Email.Phishing"),
    _never("phishing-scan-urls", "addresses in mail are not judged"),
    _never("heuristic-alerts", "there are no heuristics of that kind"),
    _never("heuristic-scan-precedence", "strong names always come first"),
    _honoured("normalize", "", _SWITCH, "with `no`, text is matched as it stands only"),
    _always("scan-pe", "PE files are always read"),
    _always("scan-elf", "ELF files are always read"),
    _honoured("scan-ole2", "", _SWITCH, "with `no`, OLE2 documents are scanned as they stand"),
    _honoured("scan-pdf", "", _SWITCH, "with `no`, PDF is scanned as it stands"),
    _honoured("scan-swf", "", _SWITCH, "with `no`, SWF is scanned as it stands"),
    _honoured("scan-html", "", _SWITCH, "with `no`, HTML is scanned as it stands"),
    _honoured("scan-xmldocs", "", _SWITCH, "with `no`, XML documents are scanned as they stand"),
    _honoured("scan-hwp3", "", _SWITCH, "with `no`, HWP 3 is scanned as it stands"),
    _honoured("scan-onenote", "", _SWITCH, "with `no`, OneNote is scanned as it stands"),
    _honoured("scan-archive", "", _SWITCH, "with `no`, archives are scanned as they stand"),
    _always("scan-image", "pictures are scanned like every file"),
    _never("scan-image-fuzzy-hash", "fuzzy hashes of pictures are not computed; planned"),
    _never("alert-broken", "broken executables are not reported; planned"),
    _never("alert-broken-media", "broken pictures are not reported"),
    _honoured(
        "alert-encrypted",
        "",
        _SWITCH,
        "both of the following",
    ),
    _honoured(
        "alert-encrypted-archive",
        "",
        _SWITCH,
        "report them as Heuristics.Encrypted.*",
    ),
    _honoured("alert-encrypted-doc", "", _SWITCH, "report them as Heuristics.Encrypted.*"),
    _honoured(
        "alert-macros",
        "",
        _SWITCH,
        "report them as Heuristics.OLE2.ContainsMacros.*",
    ),
    _honoured("alert-exceeds-max", "", _SWITCH, "report a limit as Heuristics.Limits.Exceeded.*"),
    _never("alert-phishing-ssl", "addresses in mail are not judged"),
    _never("alert-phishing-cloak", "addresses in mail are not judged"),
    _never("alert-partition-intersection", "overlapping partitions are not looked for"),
    _accepted("nocerts", _SWITCH, "certificates are not looked at"),
    _accepted("dumpcerts", _SWITCH, "only has a meaning with `--debug`"),
    _honoured("max-scantime", "", _NUMBER, "milliseconds for one file; 0 for no bound"),
    _honoured("max-filesize", "", _SIZE, "bytes of a file or member; 0 for 2 GiB - 1"),
    _honoured("max-scansize", "", _SIZE, "bytes taken out of one file; 0 for no bound"),
    _honoured("max-files", "", _NUMBER, "objects in one file; 0 for no bound"),
    _honoured("max-recursion", "", _NUMBER, "layers of containers, 100 at most"),
    _honoured("max-dir-recursion", "", _NUMBER, "layers of folders, 15 unless told"),
    _accepted("max-embeddedpe", _SIZE, "embedded executables are not searched for"),
    _accepted("max-htmlnormalize", _SIZE, "the bound is always 40 MB"),
    _accepted("max-htmlnotags", _SIZE, "the bound is always 8 MB"),
    _accepted("max-scriptnormalize", _SIZE, "the bound is always 20 MB"),
    _accepted("max-ziptypercg", _SIZE, "types are not looked at again"),
    _accepted("max-partitions", _NUMBER, "disk images are not taken apart"),
    _accepted("max-iconspe", _NUMBER, "icons are not looked at"),
    _accepted("max-rechwp3", _NUMBER, "HWP3 is not taken apart"),
    _fixed("pcre-match-limit", _NUMBER, 100_000),
    _fixed("pcre-recmatch-limit", _NUMBER, 2_000),
    _fixed("pcre-max-filesize", _SIZE, 100 << 20),
    _accepted("disable-cache", _SWITCH, "no verdicts are cached"),
    Option(
        "strict",
        "",
        _SWITCH,
        Status.HONOURED,
        "tocsin's own: exit with 2 if anything was not looked at wholly",
        listed=False,
    ),
    _older("block-max", "alert-exceeds-max"),
    _older("block-encrypted", "alert-encrypted"),
    _older("block-macros", "alert-macros"),
    _older("algorithmic-detection", "heuristic-alerts"),
    _older("phishing-ssl", "alert-phishing-ssl"),
    _older("phishing-cloak", "alert-phishing-cloak"),
    _older("partition-intersection", "alert-partition-intersection"),
    _accepted("cache-size", _NUMBER, "no verdicts are cached")._replace(listed=False),
    _refused("bytecode-mode", _TEXT, _NO_BYTECODE)._replace(listed=False),
    _refused("yara-rules", _TEXT, "YARA rules are always loaded")._replace(listed=False),
)
"""Every option, those of `clamscan --help` in its order, then those it does not list."""

DEPRECATED = (
    "bytecode-trust-all",
    "deb",
    "detect-broken",
    "disable-archive",
    "jar",
    "mail-follow-urls",
    "max-ratio",
    "max-space",
    "no-algorithmic",
    "no-archive",
    "no-elf",
    "no-html",
    "no-mail",
    "no-ole2",
    "no-pdf",
    "no-pe",
    "no-phishing-restrictedscan",
    "no-phishing-scan-urls",
    "no-phishing-sigs",
    "tar",
    "tgz",
    "unrar",
    "unzip",
)
"""Names that clamscan takes and ignores with a warning; so does this command."""


BY_NAME = {option.name: option for option in OPTIONS}
BY_LETTER = {option.short: option for option in OPTIONS if option.short}


def outcome(option: Option) -> str:
    """In words what becomes of an option, for help and documentation."""
    if option.only:
        return f"only `{'` or `'.join(option.only)}`"
    return option.status.value


def help_text(version: str) -> str:
    """What `--help` prints."""
    lines = [
        "",
        f"{PROGRAM} {version}: takes clamscan's options, scans with tocsin",
        "",
        f"    {PROGRAM} [options] [file/folder/-]",
        "",
    ]
    for option in OPTIONS:
        if option.status is Status.HONOURED and not option.stands_for:
            letter = f"-{option.short}" if option.short else ""
            name = f"--{option.name}{option.kind.value}"
            lines.append(f"    {name:38} {letter:3} {option.text}")
    others = " ".join(f"--{o.name}" for o in OPTIONS if o.status is not Status.HONOURED)
    lines += ["", "Taken as far as they cannot change the outcome:", f"    {others}", ""]
    lines.append("-: scan standard input.  Exit: 0 nothing found, 1 found, 2 errors.")
    return "\n".join(lines)


def markdown_table() -> str:
    """The table of options in `docs/clamscan.md`."""
    lines = ["| Option | What becomes of it | |", "| --- | --- | --- |"]
    for option in OPTIONS:
        letter = f", `-{option.short}`" if option.short else ""
        lines.append(f"| `--{option.name}`{letter} | {outcome(option)} | {option.text} |")
    return "\n".join(lines)
