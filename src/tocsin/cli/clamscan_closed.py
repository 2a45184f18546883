"""What clamscan's `--scan-…=no` options keep closed, as kinds of containers."""

from __future__ import annotations

from tocsin.cli.clamscan_arguments import Arguments
from tocsin.unpack.registry import FORMATS

_MODULES: dict[str, frozenset[str]] = {
    "scan-mail": frozenset({"mail", "mbox", "pkcs7", "tnef", "apple"}),
    "scan-ole2": frozenset({"ole2", "hwp", "activemime"}),
    "scan-pdf": frozenset({"pdf", "xdp"}),
    "scan-html": frozenset({"html"}),
    "scan-xmldocs": frozenset({"office_xml"}),
    "scan-hwp3": frozenset({"hwp"}),
    "scan-onenote": frozenset({"onenote"}),
    "scan-archive": frozenset(
        {"zip", "gzip", "bzip2", "xz", "tar", "sevenzip", "zstd", "lz4", "asar", "crx", "oci"}
    ),
    "normalize": frozenset({"text"}),
}
"""By option: modules whose kinds are then not opened. What stands in none is always opened."""

_KINDS: dict[str, frozenset[str]] = {"scan-swf": frozenset({"SWF"})}


def closed_kinds(arguments: Arguments) -> tuple[str, ...]:
    """Kinds that the command line keeps closed."""
    closed: set[str] = set()
    for option, modules in _MODULES.items():
        if not arguments.is_on(option, default=True):
            closed |= {kind for row in FORMATS if row.module in modules for kind in row.kinds}
    for option, kinds in _KINDS.items():
        if not arguments.is_on(option, default=True):
            closed |= kinds
    return tuple(sorted(closed))
