"""Small wheels that can be installed, made at run time."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *requires: str,
    stated: str = "",
    tag: str = "py3-none-any",
    python: str = "",
    files: Mapping[str, str | bytes] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> Path:
    """Write a wheel.

    Args:
        folder: where to.
        name: of the project, as in the file's name.
        version: of it.
        requires: lines of Requires-Dist.
        stated: name in the metadata, when it is another one.
        tag: what it is for.
        python: Requires-Python.
        files: what is in it, by path; None for a package of one file.
        scripts: console scripts, by name.
    """
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {stated or name}", f"Version: {version}"]
    lines += [f"Requires-Python: {python}"] * bool(python)
    lines += [f"Requires-Dist: {one}" for one in requires]
    extras = sorted(set(re.findall(r"""extra == ["'](\w+)""", " ".join(requires))))
    lines += [f"Provides-Extra: {one}" for one in extras]
    held = dict(files if files is not None else {f"{name}/__init__.py": "x = 1\n" * 100})
    held[f"{info}/METADATA"] = "\n".join(lines) + "\n\n"
    pure = "true" if tag.endswith("-any") else "false"
    held[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    if scripts:
        lines = ["[console_scripts]", *(f"{each} = {aim}" for each, aim in scripts.items())]
        held[f"{info}/entry_points.txt"] = "\n".join(lines) + "\n"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in held.items():
            data = content.encode() if isinstance(content, str) else content
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{member},sha256={digest},{len(data)}")
            archive.writestr(_at_no_time(member), data)
        archive.writestr(
            _at_no_time(f"{info}/RECORD"), "\n".join([*record, f"{info}/RECORD,,", ""])
        )
    return path


def _at_no_time(member: str) -> zipfile.ZipInfo:
    """So that the same wheel has the same bytes whenever it is made."""
    made = zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0))
    made.compress_type = zipfile.ZIP_DEFLATED
    return made
