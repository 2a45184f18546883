"""How this engine's workers are confined: joins the engine's needs with `tocsin.sandbox`."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tocsin.engine.options import Sandboxing


class Confinement:
    """Confines workers as the options say.

    Args:
        sandboxing: whether, and whether it must be.
    """

    def __init__(self, sandboxing: Sandboxing) -> None:
        self._sandboxing = sandboxing

    @property
    def needs_loading(self) -> bool:
        """Whether a worker can open no files at all, so that all must be loaded before."""
        return False

    def load(self) -> None:
        """Import every unpacker, so that workers that are forked from now on share them."""
        from tocsin.unpack import load_all

        load_all()

    def enter(self, keep: Collection[int]) -> Iterable[str]:
        """Confine the calling process, for good.

        Args:
            keep: descriptors that stay open.

        Returns:
            The mechanisms in force.
        """
        del keep
        return ()
