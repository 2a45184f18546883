"""Names of streams in Windows Installer's databases, two letters packed into one character.

Source: measured; the same mapping is documented for msitools and Wine.
"""

from __future__ import annotations

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
_PAIRS = 0x3800
_SINGLES = 0x4800
_TABLE = 0x4840

_LETTERS = {
    **{_PAIRS + code: _DIGITS[code & 63] + _DIGITS[code >> 6] for code in range(64 * 64)},
    **{_SINGLES + code: _DIGITS[code] for code in range(64)},
    _TABLE: "!",
}


def decode_name(name: str) -> str:
    """The name a person knows: `!_StringPool`; other names stay as they are."""
    if not any(ord(letter) in _LETTERS for letter in name):
        return name
    return name.translate(_LETTERS)
