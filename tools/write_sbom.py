"""Write the bill of materials of the environment that runs this, as CycloneDX 1.6.

python tools/write_sbom.py > tocsin.cdx.json
python tools/write_sbom.py --output tocsin.cdx.json
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
from pathlib import Path

from tocsin.audit.sbom.cyclonedx_write import bill_of
from tocsin.durable import write_file
from tocsin.errors import TocsinError


def main() -> int:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, help="write here instead of standard output")
    parser.add_argument("--subject", default="tocsin", help="the distribution it is about")
    stated = parser.parse_args()
    folders = list(dict.fromkeys(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")))
    try:
        bill = bill_of(folders, stated.subject)
    except TocsinError as error:
        print(f"write_sbom: {error}", file=sys.stderr)
        return 2
    if stated.output is not None:
        write_file(stated.output, bill)
    else:
        sys.stdout.buffer.write(bill)
    return 0


if __name__ == "__main__":
    sys.exit(main())
