"""How long before and after: the numbers of days that a withdrawal is planned with, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from tocsin.errors import LawError

_Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]
_Hours = Annotated[int, msgspec.Meta(ge=0, le=8760)]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is chosen, not law; `WHY` gives the reason of each default.

    Attributes:
        notice_days: from the first notice to a customer to the cut-off, at least.
        reminder_days: before the cut-off, of the notices after it.
        first_notice_days: from the announcement to the first notice, at most.
        margin_hours: before the instant, that nothing is sold, renewed or transferred any more.
        last_database_hours: before the cut-off, of the last full database.
        consent_hours: from an opt-in to a successor until it is acted on.
        refund_days: from the day on which supply stopped to the refund, at most.
        keep_days: after the cut-off, that uninstaller, export and deletion stay on offer.
    """

    notice_days: _Days = 60
    reminder_days: tuple[_Days, ...] = (30, 14, 7, 2)
    first_notice_days: _Days = 3
    margin_hours: _Hours = 24
    last_database_hours: _Hours = 48
    consent_hours: _Hours = 24
    refund_days: _Days = 14
    keep_days: _Days = 365

    @property
    def margin(self) -> timedelta:
        """Of sales, renewals and transfers."""
        return timedelta(hours=self.margin_hours)


WHY = {
    "notice_days": "people are away for weeks, and choose and install another product only then; "
    "in the withdrawal of 2024 the mail came 24 days before the cut-off, and 14 before customers "
    "were moved, and that was complained of",
    "reminder_days": "one mail is overlooked; each round reaches some whom the one before did not",
    "first_notice_days": "customers should hear it from the supplier, not from the press",
    "margin_hours": "orders and payments under way settle within a day, also across time zones",
    "last_database_hours": "devices ask at least once a day: each that is on has two chances, and "
    "one version more can follow if this one is found to be bad",
    "consent_hours": "whoever clicked by mistake can take it back before anything happens",
    "refund_days": "the usual time for paying back in law on consumers; a reading of general "
    "knowledge, to be verified for each place",
    "keep_days": "some notice late, and a licence of a year ends in this time",
}


def make_terms(**stated: object) -> Terms:
    """Terms from what is stated; what is None keeps its default.

    Raises:
        LawError: a number that is out of its range.
    """
    given = {key: value for key, value in stated.items() if value is not None}
    try:
        terms = msgspec.convert(given, Terms, strict=True)
    except msgspec.ValidationError as error:
        raise LawError(f"terms of the withdrawal: {error}") from None
    if len(terms.reminder_days) > 50:
        raise LawError("more than 50 reminders; customers stop reading long before")
    return terms
