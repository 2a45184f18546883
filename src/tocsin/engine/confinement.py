"""How this engine's workers are confined: joins the engine's needs with `tocsin.sandbox`.

Where a worker may read the Python runtime, it imports what it needs when it needs it. Where it
can open no file at all (no Landlock, or a runtime that only root may read), a module that is
missing is asked for: the parent imports it, if it is one of those below, and forks a new
worker that has it. So nothing is imported that no object needs, in either way.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from tocsin.database.index import Index
from tocsin.engine.options import Options, Sandboxing
from tocsin.sandbox import confine as entering
from tocsin.sandbox.descriptors import close_all_but
from tocsin.sandbox.policy import Policy, runtime_paths
from tocsin.unpack.interface import Limits

ROOTS = frozenset(
    {
        *("tocsin", "encodings", "hyperscan", "pcre2", "yara_x", "pybit7z", "pikepdf", "lxml"),
        *("lz4", "zstandard", "brotli", "icicle"),
        *("cryptography", "bz2", "lzma", "zlib", "json", "plistlib", "struct", "unicodedata"),
        *("_bz2", "_lzma", "_compression", "email", "html", "xml", "binascii", "stringprep"),
        *("pyexpat", "csv", "sqlite3", "_sqlite3"),
        *("packaging", "tomllib", "yaml", "_yaml", "msgspec"),  # for lists of packages
    }
)
"""Packages of which a worker may ask for a module."""

_ALWAYS = (
    *("tocsin.formats.pe", "tocsin.formats.elf", "tocsin.formats.zip_kind", "encodings.utf_16"),
    "tocsin.unpack.text",
)

_OWN_ROOMS = (
    *("", "database", "engine", "formats", "signatures", "unpack"),
    *("audit", "jurisdiction"),  # for what an audit looks into
)

MOST_REQUESTS = 2000
"""Modules that workers of one pool may ask for."""

_LONGEST_CPU_SECONDS = 3600
_MEMORY = 3 << 30


class NeedsModule(BaseException):
    """A worker that can open no file needs a module; no reader may swallow this.

    Attributes:
        name: the module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _may_be_asked_for(name: str) -> bool:
    """Whether a module is one that reading files can need."""
    root, _, rest = name.partition(".")
    if root not in ROOTS or "__main__" in rest:
        return False
    return root != "tocsin" or rest.partition(".")[0] in _OWN_ROOMS


class _Asking:
    """Stands before all other finders of modules in a worker that can open no file.

    Args:
        absent: modules that the parent could not import either.
    """

    def __init__(self, absent: frozenset[str]) -> None:
        self._absent = absent

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Ask for the module, if it is one that may be asked for."""
        del path, target
        if name not in self._absent and _may_be_asked_for(name):
            raise NeedsModule(name)
        return None


class Confinement:
    """Confines workers as the options say, and fetches the modules they ask for.

    Args:
        options: how to scan.
    """

    def __init__(self, options: Options) -> None:
        self._sandboxing = options.sandbox
        self._policy = Policy(
            readable=runtime_paths(),
            memory=_MEMORY,
            cpu_seconds=_cpu_seconds(options.limits),
            required=options.sandbox is Sandboxing.REQUIRED,
        )
        self._absent: set[str] = set()
        self._requests = 0
        if options.sandbox is not Sandboxing.OFF:
            entering.prepare(self._policy)

    def load_for(self, database: Index) -> None:
        """Import what almost every object needs, when workers will be able to open no file."""
        if self._sandboxing is Sandboxing.OFF or not entering.needs_preload(self._policy):
            return
        wanted = list(_ALWAYS)
        if database.has_yara:
            database.yara_rules()  # reading them takes longer than a fork
        if any(name.startswith("search.") for name in database.file.names()):
            wanted.append("hyperscan")
        for name in wanted:
            importlib.import_module(name)

    def load_all(self) -> None:
        """Import what objects commonly need, for workers that are forked from now on to share."""
        from tocsin.unpack import load_all

        load_all(rare=False)

    def fetch(self, name: str) -> bool:
        """Import a module that a worker asks for.

        Returns:
            Whether it may be asked for, and was not too often.
        """
        self._requests += 1
        if not _may_be_asked_for(name) or name in self._absent:
            return False
        if self._requests > MOST_REQUESTS:
            return False
        try:
            importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException:  # whatever a module does when it is imported out of place
            self._absent.add(name)
        return True

    def enter(self, keep: Collection[int], parent: int) -> list[str]:
        """Confine the calling process, for good.

        Args:
            keep: descriptors that stay open.
            parent: the process that forked this one.

        Returns:
            The mechanisms in force.

        Raises:
            SandboxUnavailable: the options demand more than is to be had.
        """
        if self._sandboxing is Sandboxing.OFF:
            close_all_but({*keep, 0, 1, 2})
            return []
        unreadable = entering.needs_preload(self._policy)
        applied = entering.confine(self._policy, keep, parent)
        if applied.sealed or unreadable:
            sys.meta_path.insert(0, _Asking(frozenset(self._absent)))
        return applied.names


def _cpu_seconds(limits: Limits) -> int:
    """CPU time of one worker's life; one that reaches it is replaced and costs nothing else."""
    if not limits.timeout:
        return 7 * 24 * 3600
    return max(_LONGEST_CPU_SECONDS, 4 * int(limits.timeout))
