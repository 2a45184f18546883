"""Sizes, durations and names as people write and read them."""

from __future__ import annotations

import re

import click

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?\Z", re.I)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes, with an optional unit: `100M`, `1.5G`, `0` for no limit."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read a size."""
        if isinstance(value, int):
            return value
        form = _FORM.match(str(value).strip())
        if form is None:
            self.fail(f"{value!r} is not a size such as 500K, 100M or 2G", param, ctx)
        return int(float(form[1]) * _UNITS[form[2].upper()])


def human_size(count: float) -> str:
    """A number of bytes for people: `1.5 GB` (powers of 1,000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def counted(number: int, thing: str) -> str:
    """A number of things: `1 file`, `1,200 files`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def human_time(seconds: float) -> str:
    """A duration for people: `0.21 s`, `3 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
