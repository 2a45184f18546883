"""The steps of a withdrawal: what is done when, by whom, why, and what proves it."""

from __future__ import annotations

from datetime import datetime, timedelta

from tocsin.jurisdiction.vocabulary import Operation
from tocsin.jurisdiction.withdrawal.dating import Calendar

_DELIVERY = "signature-update software-update"
_NETWORK = "collect-statistics look-up-reputation"


def add_steps(calendar: Calendar, cutoff: datetime | None) -> None:
    """Put every step into a calendar that the closings in it make necessary."""
    first_end = min(
        (end for each in Operation if (end := calendar.end_of(each)) is not None), default=None
    )
    if first_end is None:
        return
    _beginning(calendar, first_end)
    _trade(calendar)
    if cutoff is not None:
        _notices(calendar, cutoff)
        _money(calendar, cutoff)
        _last_deliveries(calendar, cutoff)
    _at_the_instants(calendar, cutoff)
    _customers_own(calendar)
    _afterwards(calendar, cutoff or first_end)
    calendar.steps.sort(key=lambda step: step.at)


def _beginning(calendar: Calendar, first_end: datetime) -> None:
    calendar.begin(
        calendar.announced,
        "announce",
        "Announce the withdrawal",
        what="Publish the reason with its citation, every date of this plan with hour and time "
        "zone, what ends and what goes on, and where to ask. The same page stays at the same "
        "address; changes of it are dated.",
        who="management",
        why="whoever hears it late loses days in which to choose",
        proof="the page, archived with its SHA-256 and a time stamp",
    )
    calendar.begin(
        calendar.announced,
        "customers-own",
        "Keep uninstaller, export and deletion of data on offer",
        what="A complete uninstaller that asks nothing and leaves nothing that reinstalls "
        "('tocsin uninstall', with --purge for everything); export of the customer's own data "
        "and settings; deletion of the account. For every customer, also one whose facts are "
        "unknown, whatever else has ended.",
        who="support, privacy",
        why="removing the product and taking or deleting one's own data is always allowed",
        proof="a monthly trial of all three with an account of each class; requests with the time "
        "at which they were fulfilled",
    )
    calendar.before(
        first_end,
        calendar.terms.margin,
        "facts",
        "Know whom the rules are about",
        what="Record for every customer what the rules ask for (nationality, residence or seat, "
        "where each device stands, private or public), as the customer states it, with its day. "
        "An address on the network is no such statement. Whose facts are unknown is asked, "
        "and supplied with nothing until they are known.",
        who="sales, privacy",
        why="the rules go by person and by place; a fact that is unknown never makes a supply "
        "allowed",
        proof="a register with source and day of each fact, and a count of the unknown ones",
        by_rules_on=" ".join(each.value for each in Operation),
    )


def _trade(calendar: Calendar) -> None:
    margin = calendar.terms.margin
    if end := calendar.end_of(Operation.SELL):
        calendar.before(
            end,
            margin,
            "close-shop",
            "Stop sales",
            what="Take the products out of the shop, the stores of others and every form for "
            "quotes; trials, gift codes and upgrades are new agreements as well. Orders under way "
            "are completed before the instant or paid back.",
            who="sales",
            why="no new agreement may be made from the instant on",
            proof="an order tried from the place is refused, recorded with time and screen; the "
            "last order's number and time",
            by_rules_on="sell buy",
        )
    if end := calendar.end_of(Operation.RENEW):
        calendar.before(
            end,
            margin,
            "end-renewal",
            "Switch automatic renewal off",
            what="End every renewal by itself, with the payment processors too, and tell the "
            "customer so in a mail of its own. A renewal whose day falls behind the instant is "
            "not brought forward.",
            who="billing",
            why="a renewal is an agreement",
            proof="the processors' list of subscriptions, with none active in the place; a "
            "charge that is tried fails",
            by_rules_on="renew",
        )
    if end := calendar.end_of(Operation.RESELL, Operation.INTEGRATE, Operation.LICENSE_FOR_RESALE):
        calendar.before(
            end,
            timedelta(days=calendar.terms.notice_days),
            "tell-partners",
            "Tell resellers and integrators",
            what="Write to whoever resells the product or builds it into theirs, under whatever "
            "name, what ends when, and that their own customers are to be told; have it "
            "acknowledged.",
            who="sales",
            why="they are bound too, and need time to replace what they built in",
            proof="an acknowledgement of each partner, or the receipt of a registered letter",
            by_rules_on="resell integrate license-for-resale",
        )
        calendar.before(
            end,
            margin,
            "end-partners",
            "End resale and integration",
            what="Revoke keys and accounts by which partners order, activate or build; stop "
            "licences for resale.",
            who="sales, operations",
            why="no resale, integration or licence for either from the instant on",
            proof="an activation tried with each partner's key is refused",
            by_rules_on="resell integrate license-for-resale",
        )
    if end := calendar.end_of(Operation.DOWNLOAD):
        calendar.before(
            end,
            margin,
            "end-downloads",
            "Stop first downloads",
            what="Installers are no longer handed out in the place. The uninstaller and the "
            "documentation stay.",
            who="operations",
            why="handing the product out for the first time is forbidden from the instant on",
            proof="a download tried from the place is refused by every mirror",
            by_rules_on="download",
        )
    if end := calendar.end_of(Operation.TRANSFER_LICENCE):
        calendar.before(
            end,
            margin,
            "last-transfers",
            "Carry out the last transfers of licences",
            what="What is left of a licence may go to another owner or publisher that the customer "
            "chose, only while that is allowed. What is not through by then is paid back instead.",
            who="billing",
            why="no transfer from the instant on",
            proof="each transfer with the customer's request and its time; the last one's time",
            by_rules_on="transfer-licence",
        )


def _notices(calendar: Calendar, cutoff: datetime) -> None:
    terms = calendar.terms
    demanded = timedelta(days=terms.notice_days)
    soon = calendar.announced + timedelta(days=terms.first_notice_days)
    first = max(calendar.announced, min(soon, cutoff - demanded))
    if cutoff - first < demanded:
        calendar.cautions.append(
            f"Too near: {terms.notice_days} days of notice are demanded, and only "
            f"{max((cutoff - first).days, 0)} are left between the first notice and the cut-off. "
            "Ask the authority for a longer wind-down, write by letter at once as well, and say "
            "openly that the time is short"
        )
    how = (
        "To every customer concerned, by each way there is: e-mail; a message in the product, "
        "which also reaches those without a valid address; a letter to those who confirm "
        "neither. It names in its first lines: the instant with its time zone, what ends, what "
        "goes on, the refund, how to export, delete and remove, and by name each product on "
        "offer as successor, with who makes it and what it costs; that choosing none is fine; and "
        "that nothing is installed, moved or billed without the customer's own recorded yes."
    )
    why = "owed to the customers; in 2024 a mail came late, did not name the replacement, and "
    why += "whoever had no valid address had only a note in the product"
    proof = "for each customer: the receiving server's acceptance, the device's confirmation that "
    proof += "it was shown, or the receipt of the letter; bounces are no proof"
    calendar.begin(
        first,
        "notice-1",
        "First notice to customers",
        what=how,
        who="support",
        why=why,
        proof=proof,
        by_rules_on=f"{_DELIVERY} {_NETWORK}",
    )
    later = sorted({terms.notice_days, *terms.reminder_days}, reverse=True)
    rounds = [cutoff - timedelta(days=days) for days in later]
    for number, time in enumerate((each for each in rounds if each > first), 2):
        days = (cutoff - time).days
        calendar.begin(
            time,
            f"notice-{number}",
            f"Notice again, {days} days before the cut-off",
            what="The same to every customer concerned, with the days that are left, and what "
            "this customer has chosen so far. Whom no way reached yet gets a letter.",
            who="support",
            why="each round reaches some whom the one before did not",
            proof=proof,
            by_rules_on=_DELIVERY,
        )
    if rounds:
        calendar.before(
            cutoff,
            timedelta(days=min(1, *later)),
            "not-reached",
            "List who was not reached",
            what="Whoever has no notice with proof stands on a list, with every attempt. Their "
            "devices show the notice whenever they next ask for anything.",
            who="support",
            why="nobody is left out in silence",
            proof="the list, complete: customers with proof and customers on it add up to all",
        )


def _money(calendar: Calendar, cutoff: datetime) -> None:
    terms = calendar.terms
    notice = next(step.at for step in calendar.steps if step.id == "notice-1")
    calendar.begin(
        notice,
        "opt-in",
        "Open the register of consent to a successor",
        what="A successor, one of several or none, only by the customer's own yes: to a named "
        "product of a named maker, with what data goes there, recorded with wording and time, "
        f"revocable, and acted on {terms.consent_hours} hours later at the earliest. No box "
        "that is ticked "
        "beforehand, nothing bundled, nothing that comes back after removal, no billing that "
        "moves along. Successors of the supplier itself may be bound by the same rules: ask "
        "'tocsin law decide'. For databases of tocsin, another publisher is "
        "agreed to on each device: 'tocsin update consent'.",
        who="privacy, product",
        why="in 2024 a million customers were moved, on Windows by itself",
        proof="the register; each move with the consent that is before it",
    )
    calendar.begin(
        notice,
        "refunds",
        "Offer refunds to the day",
        what="Whoever asks ends the agreement at once and is paid what is unused, to the day: "
        "price "
        "* days left / days of the term.",
        who="billing",
        why="what was paid for is not delivered",
        proof="each payment with its reckoning; their sum",
    )
    calendar.begin(
        cutoff + timedelta(days=terms.refund_days),
        "refund-all",
        "All refunds are paid",
        what="Whose paid time runs behind the cut-off and who neither carried it over nor asked "
        "is paid without asking, reckoned from the day of the cut-off. What cannot be "
        "paid (a closed account) is listed as owed and held for the customer.",
        who="billing",
        why="silence is no waiver",
        proof="payments and the list of what is owed add up to all unused days",
    )


def _last_deliveries(calendar: Calendar, cutoff: datetime) -> None:
    terms = calendar.terms
    hours = timedelta(hours=terms.last_database_hours)
    calendar.before(
        cutoff,
        hours + timedelta(days=7),
        "last-software",
        "Deliver the last release of the software",
        what="A release ('tocsin publish release') that goes on scanning with the database it "
        "has and says in plain words how old that is, stops statistics and reputation at the "
        "instant by itself, and carries the uninstaller.",
        who="release engineering",
        why="no code may be delivered from the instant on",
        proof="its entry in the transparency log, and the share of devices that run it",
        by_rules_on="software-update",
    )
    calendar.before(
        cutoff,
        hours,
        "last-database",
        "Publish the last full database",
        what="Build it whole, not as a delta only, try it and publish it: 'tocsin publish "
        "add', then "
        "'tocsin publish refresh' with the longest expiry that the policy allows; complete "
        "copies for those who serve others: 'tocsin update mirror DIR'. Devices fetch it with "
        "'tocsin update' up to the instant.",
        who="release engineering",
        why="no detections may be delivered from the instant on; scanning with them stays allowed",
        proof="its entry in the transparency log with cosignatures, dated before the cut-off",
        by_rules_on="signature-update",
    )
    calendar.before(
        cutoff,
        hours / 2,
        "bundle",
        "Hand out an offline bundle",
        what="'tocsin update bundle export last.bundle' makes one file that 'tocsin update bundle "
        "import' checks like anything else; offer it with its SHA-256 to whoever has devices "
        "without a network or wants to install anew later. It is in the customers' hands "
        "before the "
        "instant: handing it out later is an update.",
        who="release engineering, support",
        why="a device that was off or is set up anew has the last database at hand",
        proof="the bundle's digest, imported in trial; the log of downloads ends before the "
        "instant",
        by_rules_on="signature-update",
    )


def _at_the_instants(calendar: Calendar, cutoff: datetime | None) -> None:
    if end := calendar.end_of(Operation.COLLECT_STATISTICS, Operation.LOOK_UP_REPUTATION):
        calendar.at(
            end,
            "statistics-off",
            "Statistics and reputation off",
            what="From this second on servers refuse what such devices send and ask, by person and "
            "by place; the products' own switch is the second line, since clocks of devices are "
            "wrong. What arrives all the same is dropped unread.",
            who="operations",
            why="the network may not be operated from the instant on",
            proof="counters of the servers by the second, zero from the instant on; a query tried "
            "on either side of it",
            by_rules_on=_NETWORK,
        )
    if cutoff is not None:
        calendar.at(
            cutoff,
            "updates-off",
            "Updates end",
            what="Origin, content networks and mirrors refuse databases and code from this second "
            "on to whoever the rules are about; a delivery that is under way is broken off. Each "
            "delivery is asked of the rules at its own instant. Scanning goes on with the last "
            "database, and the product says since when it is.",
            who="operations",
            why="no update from the instant on",
            proof="the journal of deliveries, each put to 'tocsin law simulate --requests "
            "FILE': exit "
            "status 0",
            by_rules_on=_DELIVERY,
        )


def _customers_own(calendar: Calendar) -> None:
    if end := calendar.end_of(Operation.USE, Operation.INSTALL):
        calendar.before(
            end,
            timedelta(days=calendar.terms.notice_days),
            "use-ends",
            "Tell customers that their own use ends",
            what="Customers themselves are bound here: tell each by when the product is to be "
            "removed, how ('tocsin uninstall'), and what may replace it.",
            who="support",
            why="using or installing it is forbidden to them from the instant on",
            proof="for each customer a notice with proof of delivery",
            by_rules_on="use install buy",
        )


def _afterwards(calendar: Calendar, end: datetime) -> None:
    calendar.begin(
        end + timedelta(days=7),
        "review",
        "Show that it was kept",
        what="Put every act from the announcement on to the rules again, by somebody who did not "
        "plan it: 'tocsin law simulate --requests FILE --json'. Report what went wrong to the "
        "authority and to "
        "the customers concerned.",
        who="legal, audit",
        why="an independent check finds what the gate overlooked",
        proof="its report, with the digest of the rulebook that it was made with",
    )
    calendar.begin(
        end + timedelta(days=calendar.terms.keep_days),
        "close",
        "Close the books",
        what="Until here uninstaller, export and deletion were on offer. Delete what is "
        "not needed as proof; what is owed and unpaid stays owed.",
        who="privacy, billing",
        why="some notice late",
        proof="a protocol of the deletion",
    )
