"""An audit as others read it: one module a format, each a function from a `Report` to text.

`json_report` is this project's own schema (docs/audit.schema.json), `sarif` what code hosts and
editors show, `cyclonedx` what bills of materials are kept in, `page` one HTML file for people.
The table on a terminal is `cli/audit_output.py`. What stands in files that were looked at is
hostile text: `words` makes it fit to be shown.
"""

from __future__ import annotations

from collections.abc import Callable

from tocsin.audit.report.interface import Format, Report


def writer(form: Format) -> Callable[[Report], str]:
    """The function that writes a format; its module is imported now."""
    if form is Format.JSON:
        from tocsin.audit.report.json_report import to_json

        return to_json
    if form is Format.SARIF:
        from tocsin.audit.report.sarif import to_sarif

        return to_sarif
    if form is Format.CYCLONEDX:
        from tocsin.audit.report.cyclonedx import to_cyclonedx

        return to_cyclonedx
    from tocsin.audit.report.page import to_page

    return to_page
