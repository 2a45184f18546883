"""What a supplier writes down of a withdrawal: every act, every act withheld, what customers said.

Acts that devices cause day after day are millions; they are columns of numbers. All others are
entries. The checker reads these and nothing else.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tocsin.jurisdiction.vocabulary import Operation, Product


class Kind(StrEnum):
    """What an entry is about."""

    PUBLISH = "publish"
    SELL = "sell"
    RENEW = "renew"
    DOWNLOAD = "download"
    TRANSFER = "transfer"
    OPT_IN = "opt-in"
    REVOKE = "revoke"
    MOVE = "move"
    NOTICE = "notice"
    NOT_REACHED = "not-reached"
    REFUND_ASKED = "refund-asked"
    REFUND = "refund"
    OWED = "owed"
    EXPORT_ASKED = "export-asked"
    EXPORT = "export"
    DELETE_ASKED = "delete-asked"
    DELETE = "delete"
    UNINSTALL_ASKED = "uninstall-asked"
    UNINSTALL = "uninstall"


OPERATION_OF = {
    Kind.SELL: Operation.SELL,
    Kind.RENEW: Operation.RENEW,
    Kind.DOWNLOAD: Operation.DOWNLOAD,
    Kind.TRANSFER: Operation.TRANSFER_LICENCE,
    Kind.EXPORT: Operation.EXPORT_DATA,
    Kind.DELETE: Operation.DELETE_DATA,
    Kind.UNINSTALL: Operation.UNINSTALL,
}
"""What the rules are asked for an entry; the others are no supply: nothing is asked for them."""

ANSWERS = {
    Kind.EXPORT_ASKED: Kind.EXPORT,
    Kind.DELETE_ASKED: Kind.DELETE,
    Kind.UNINSTALL_ASKED: Kind.UNINSTALL,
}
"""What is owed to a customer who asks, always."""

SERVICES = (
    Operation.SIGNATURE_UPDATE,
    Operation.SOFTWARE_UPDATE,
    Operation.COLLECT_STATISTICS,
    Operation.LOOK_UP_REPUTATION,
    Operation.PROVIDE_THREAT_INTELLIGENCE,
    Operation.PROVIDE_TRAINING,
)
NETWORK = frozenset({Operation.COLLECT_STATISTICS, Operation.LOOK_UP_REPUTATION})
SERVICE_OF = {
    Product.ANTIVIRUS: Operation.SIGNATURE_UPDATE,
    Product.VPN: Operation.SOFTWARE_UPDATE,
    Product.PASSWORD_MANAGER: Operation.SOFTWARE_UPDATE,
    Product.THREAT_INTELLIGENCE: Operation.PROVIDE_THREAT_INTELLIGENCE,
    Product.TRAINING: Operation.PROVIDE_TRAINING,
}
"""What a product is paid for."""


def product_of(operation: Operation, product: Product) -> Product:
    """The class of product that an act is about, of a customer with a product."""
    return Product.SECURITY_NETWORK if operation in NETWORK else product


class Entry(NamedTuple):
    """An act, an act withheld, or a word of a customer.

    Attributes:
        at: when, in seconds since 1970.
        customer: number; -1: nobody in particular.
        kind: what it is about.
        done: False: it was withheld, or did not succeed.
        detail: successor, way of a notice, what an act was about.
        proof: of a notice's delivery; empty: there is none.
        cents: that were paid, or are owed.
        days: of a new term, or that a refund is for.
        why: rules or the plan's margin by which it was withheld.
    """

    at: int
    customer: int
    kind: Kind
    done: bool = True
    detail: str = ""
    proof: str = ""
    cents: int = 0
    days: int = 0
    why: str = ""


class Row(NamedTuple):
    """One act that a device caused.

    Attributes:
        at: when, in seconds since 1970.
        customer: number.
        device: of the customer's.
        operation: what.
        issue: of the database, for a signature update, counted from 1.
        why: rules by which it was withheld; empty: it was done.
    """

    at: int
    customer: int
    device: int
    operation: Operation
    issue: int
    why: str


class Service:
    """Acts that devices caused, in columns.

    Attributes:
        at: seconds since 1970.
        customer: numbers.
        device: of the customer's.
        what: place in `SERVICES`.
        issue: of the database.
        why: place in `reasons`; 0: it was done.
        reasons: each as words.
    """

    def __init__(self) -> None:
        self.at = array("q")
        self.customer = array("I")
        self.device = array("B")
        self.what = array("B")
        self.issue = array("H")
        self.why = array("H")
        self.reasons: list[str] = [""]
        self._places = {"": 0}

    def __len__(self) -> int:
        return len(self.at)

    def reason(self, text: str) -> int:
        """The place of a reason, which is new if it was not there."""
        if text not in self._places:
            self._places[text] = len(self.reasons)
            self.reasons.append(text)
        return self._places[text]

    def add(self, at: int, customer: int, device: int, what: int, issue: int, why: int) -> None:
        """Write one act down; `what` and `why` are places."""
        self.at.append(at)
        self.customer.append(customer)
        self.device.append(device)
        self.what.append(what)
        self.issue.append(issue)
        self.why.append(why)

    def row(self, number: int) -> Row:
        """One act."""
        return Row(
            self.at[number],
            self.customer[number],
            self.device[number],
            SERVICES[self.what[number]],
            self.issue[number],
            self.reasons[self.why[number]],
        )

    def remove(self, number: int) -> None:
        """Lose an act; for trials of the checker."""
        for column in (self.at, self.customer, self.device, self.what, self.issue, self.why):
            del column[number]

    def __iter__(self) -> Iterator[Row]:
        return map(self.row, range(len(self)))


class Journal(NamedTuple):
    """Everything that was written down.

    Attributes:
        begins: of the period, in seconds since 1970.
        ends: of the period; not in it.
        entries: in the order of time.
        service: acts that devices caused, in the order of time.
    """

    begins: int
    ends: int
    entries: list[Entry]
    service: Service
