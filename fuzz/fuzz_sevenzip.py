"""What stands between us and 7-Zip's library: whatever it makes of the bytes, the contract holds.

The first byte chooses the kind. The library itself may crash on bytes that nobody has tried
yet; that is a finding for its authors, and a worker process lost for us.
"""

from __future__ import annotations

import fuzz_support

# isort: split
import archive_samples as samples
from archive_blobs import unfold
from unpack_contract import check_contract

BODIES = {
    **{name.upper(): unfold(name) for name in ("7z", "rar", "arj", "rpm", "wim", "ext", "fat")},
    **{name.upper(): unfold(name) for name in ("squashfs", "cramfs", "compress_z")},
    "MSCAB": unfold("cab"),
    "LHA_LZH": unfold("lzh"),
    "CPIO_NEWC": samples.cpio(),
    "AR": samples.ar(),
    "XAR": samples.xar(),
    "DMG": samples.dmg(),
    "UEFI": samples.uefi(),
    "GPT": samples.gpt(),
}
KINDS = tuple(BODIES)
SEEDS = [
    *(bytes([number]) + BODIES[kind] for number, kind in enumerate(KINDS)),
    *(bytes([KINDS.index("RAR")]) + unfold(name) for name in ("rar4", "rar_solid", "rar_locked")),
    *(bytes([KINDS.index("7Z")]) + unfold(name) for name in ("7z_locked", "7z_encrypted")),
]


def check(data: bytes) -> None:
    """Unpack; only the contract's errors come out."""
    if data:
        check_contract(KINDS[data[0] % len(KINDS)], data[1:])


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
