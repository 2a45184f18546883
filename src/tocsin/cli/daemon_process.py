"""The daemon's first process, begun anew without what only a command line needs.

All of them are forks of it, and a page that one of them writes to is its own: what the command
line had imported would be in memory six times in part.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tocsin.cli.printable import printable
from tocsin.errors import InvalidSettings, TocsinError


def main(arguments: list[str]) -> int:
    """Run the daemon.

    Args:
        arguments: the settings file, or none for the usual place.

    Returns:
        An exit status: 0 it was told to end, 2 it could not start or go on.
    """
    config = Path(arguments[0]) if arguments else None
    try:
        from tocsin.app.daemon import run_daemon
        from tocsin.app.settings import load_settings
        from tocsin.protect.daemon.supervisor import name_process

        name_process("tocsin")
        return run_daemon(load_settings(config).settings, config)
    except InvalidSettings as error:
        for line in error.lines():
            _say(line)
    except TocsinError as error:
        _say(str(error))
    except KeyboardInterrupt:
        _say("stopped")
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        _say(what + (error.strerror or str(error)))
    except Exception as error:
        if os.environ.get("TOCSIN_DEBUG"):
            raise
        _say(f"a defect of this program: {type(error).__name__}: {error}")
        print("Set TOCSIN_DEBUG=1 to see where, and please report it.", file=sys.stderr)
    return 2


def _say(text: str) -> None:
    print(f"tocsin: {printable(text)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
