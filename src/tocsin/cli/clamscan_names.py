"""Which detections `clamscan`'s options leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tocsin.cli.clamscan_arguments import Arguments
from tocsin.cli.clamscan_settings import Refusal

if TYPE_CHECKING:
    from tocsin.engine.report import Detection

_PHISHING = ("HTML.Phishing", "Email.Phishing")


def wanted(arguments: Arguments) -> Callable[[Detection], bool]:
    """Which detections the options leave."""
    from tocsin.engine.report import Level

    excluded = frozenset(arguments.texts("exclude-pua"))
    included = frozenset(arguments.texts("include-pua"))
    phishing = arguments.is_on("phishing-sigs", default=True)
    if excluded and included and arguments.is_on("detect-pua"):
        raise Refusal("--exclude-pua and --include-pua cannot be used at the same time")

    def keep(found: Detection) -> bool:
        if not phishing and found.name.startswith(_PHISHING):
            return False
        if found.level is not Level.UNWANTED or found.yara or not (excluded or included):
            return True
        first, _, rest = found.name.partition(".")
        category = rest.partition(".")[0]
        if first != "PUA" or not category:
            return False
        return category in included if included else category not in excluded

    return keep
