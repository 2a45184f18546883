"""Customers who do not exist, made from a seed: whom a plan is tried on.

Every figure here is chosen, none is measured; they are such that each case that a rule tells apart
occurs. Customer number n is the same in a population of any size.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from random import Random
from typing import NamedTuple

from tocsin.jurisdiction.places import UNKNOWN
from tocsin.jurisdiction.question import Person, Question, ask
from tocsin.jurisdiction.vocabulary import Addressee, Operation, PersonTie, Product

DAY = 86_400
SUCCESSORS = ("Aldgate Antivirus", "Brook Defence", "Cinder Shield")
"""Products of makers who have nothing to do with the supplier; invented, as everything here."""

_ELSEWHERE = ("DE", "CA", "GB", "MX", "FR", "IN", "US", "PL")
_PRODUCTS = (Product.ANTIVIRUS, Product.VPN, Product.PASSWORD_MANAGER,
             Product.THREAT_INTELLIGENCE, Product.TRAINING)  # fmt: skip
_PRODUCT_WEIGHTS = (84, 4, 3, 5, 4)
_OFFERS = ((30, 499), (365, 3999), (730, 6999))
"""Terms in days, and what they cost in cents."""


class Profile(NamedTuple):
    """What is known of a customer, as the rules ask for it.

    Attributes:
        place: code of where they live or have their seat, or `unknown`.
        persons: their ties to countries.
        systems: where each device stands.
        addressees: what they are; None: unknown.
    """

    place: str
    persons: tuple[Person, ...]
    systems: tuple[str, ...]
    addressees: frozenset[Addressee] | None

    def question(
        self,
        operation: Operation,
        product: Product,
        supplier: str,
        at: datetime,
        device: int | None = None,
    ) -> Question:
        """What the rules are asked about an act for this customer.

        Args:
            operation: the act.
            product: class of product.
            supplier: whose.
            at: when.
            device: that it is about; None: the customer with all of them.
        """
        systems = self.systems if device is None else (self.systems[device],)
        return ask(
            operation,
            product,
            supplier,
            at,
            places=(self.place,),
            persons=self.persons,
            systems=systems,
            addressees=self.addressees,
        )


class Licence(NamedTuple):
    """An agreement: from when on (seconds since 1970), for how many days, for how many cents."""

    begins: int
    days: int
    cents: int

    @property
    def ends(self) -> int:
        """The first second that it does not cover."""
        return self.begins + self.days * DAY


class Wish(NamedTuple):
    """What a customer wants at an instant, in seconds since 1970.

    Attributes:
        at: when.
        what: `buy`, `opt-in`, `revoke`, `refund`, `export`, `delete`, `uninstall`.
        detail: for an opt-in the successor.
        carry: for an opt-in: whether what is left of the licence is to go there.
    """

    at: int
    what: str
    detail: str = ""
    carry: bool = False


class Device(NamedTuple):
    """When a device asks for updates.

    Attributes:
        second: of the day, in UTC.
        drift: seconds later every day.
        rhythm: it is on every so many days.
        phase: on which of them.
    """

    second: int
    drift: int
    rhythm: int
    phase: int

    def contact(self, day_begins: int) -> int | None:
        """When it asks on a day, in seconds since 1970; None: it is off."""
        day = day_begins // DAY
        if (day + self.phase) % self.rhythm:
            return None
        return day_begins + (self.second + self.drift * day) % DAY


class Customer(NamedTuple):
    """One of a population; instants in seconds since 1970.

    Attributes:
        number: from 0 on.
        product: class of what they have.
        episodes: what is known of them from an instant on; the first holds since ever.
        licence: at the beginning; None: they have none yet.
        renews: whether it is to be prolonged by itself.
        wants: for which term and price they buy or renew.
        statistics: whether they agreed to the security network.
        devices: each.
        has_email: whether the address is valid.
        sees_app: whether a message in the product is seen, and confirmed.
        has_address: whether a letter reaches them.
        account_open: whether money can be paid to them.
        wishes: in the order of time.
    """

    number: int
    product: Product
    episodes: tuple[tuple[int, Profile], ...]
    licence: Licence | None
    renews: bool
    wants: tuple[int, int]
    statistics: bool
    devices: tuple[Device, ...]
    has_email: bool
    sees_app: bool
    has_address: bool
    account_open: bool
    wishes: tuple[Wish, ...]

    def profile(self, at: int) -> Profile:
        """What is known of them at an instant."""
        return next(each for begins, each in reversed(self.episodes) if begins <= at)


class Scene(NamedTuple):
    """When and where a population lives; instants in seconds since 1970.

    Attributes:
        place: code of the place that is left.
        begins: of the period.
        ends: of the period; not in it.
        opens: from when on customers can choose a successor or ask for a refund.
        cutoff: when updates end, if they do: some devices ask at that very second.
        sales_end: when sales end, if they do.
    """

    place: str
    begins: int
    ends: int
    opens: int
    cutoff: int | None
    sales_end: int | None


def make_population(size: int, seed: int, scene: Scene) -> tuple[Customer, ...]:
    """Make customers: the same for the same arguments, on every machine."""
    return tuple(_Maker(number, seed, scene).customer for number in range(size))


class _Maker:
    def __init__(self, number: int, seed: int, scene: Scene) -> None:
        self._number = number
        self._scene = scene
        self._random = Random(f"{seed}/{number}")  # noqa: S311  # synthetic, not secret

    def _one_in(self, percent: float) -> bool:
        return self._random.random() * 100 < percent

    def _moment(self, first: int | None = None, last: int | None = None) -> int:
        first = self._scene.begins if first is None else first
        last = self._scene.ends if last is None else last
        return self._random.randrange(first, max(last, first + 1))

    @cached_property
    def customer(self) -> Customer:
        pick = self._random
        product = pick.choices(_PRODUCTS, _PRODUCT_WEIGHTS)[0]
        episodes = self._episodes(product)
        days, cents = pick.choices(_OFFERS, (15, 65, 20))[0]
        is_new = self._one_in(8)
        left = pick.randrange(1, days * DAY)
        licence = None if is_new else Licence(self._scene.begins + left - days * DAY, days, cents)
        return Customer(
            number=self._number,
            product=product,
            episodes=episodes,
            licence=licence,
            renews=self._one_in(70),
            wants=(days, cents),
            statistics=self._one_in(60),
            devices=tuple(self._device() for _ in episodes[0][1].systems),
            has_email=self._one_in(88),
            sees_app=self._one_in(70),
            has_address=self._one_in(60),
            account_open=self._one_in(98),
            wishes=tuple(sorted(self._wishes(is_new=is_new))),
        )

    def _device(self) -> Device:
        rhythm = self._random.choices((1, 2, 4, 9), (78, 12, 6, 4))[0]
        phase = self._random.randrange(rhythm)
        if self._scene.cutoff is not None and self._one_in(2):
            second = (self._scene.cutoff + self._random.choice((-2, -1, 0, 1))) % DAY
            return Device(second, 0, rhythm, phase)
        return Device(self._random.randrange(DAY), self._random.randrange(900), rhythm, phase)

    def _episodes(self, product: Product) -> tuple[tuple[int, Profile], ...]:
        pick, home = self._random, self._scene.place
        others = tuple(code for code in _ELSEWHERE if code != home)
        residence = home if self._one_in(75) else pick.choice(others)
        systems = [residence if not self._one_in(4) else pick.choice((home, *others))]
        if self._one_in(15):
            systems.append(residence if not self._one_in(10) else pick.choice((home, *others)))
        if product in (Product.THREAT_INTELLIGENCE, Product.TRAINING):
            persons: tuple[Person, ...] = (Person(PersonTie.ORGANISED, residence),)
            addressees = frozenset({Addressee.BUSINESS})
        else:
            nations = [residence if not self._one_in(14) else pick.choice((home, *others))]
            if self._one_in(6):
                nations.append(pick.choice((home, *others)))
            persons = (
                Person(PersonTie.RESIDENT, residence),
                *(Person(PersonTie.CITIZEN, nation) for nation in dict.fromkeys(nations)),
            )
            addressees = frozenset({Addressee.PRIVATE})
        known = Profile(residence, persons, tuple(systems), addressees)
        if self._one_in(3):
            return self._known_later(known)
        if self._one_in(7):
            return self._travels(known, home if residence != home else pick.choice(others))
        return ((0, known),)

    def _known_later(self, known: Profile) -> tuple[tuple[int, Profile], ...]:
        """Somebody of whom a fact is unknown, and who may state it some day."""
        missing = self._random.randrange(4)
        less = known
        if missing == 0:
            nobody = Person(known.persons[-1].tie, UNKNOWN)
            less = known._replace(persons=(*known.persons[:-1], nobody))
        elif missing == 1:
            less = known._replace(systems=(UNKNOWN,) * len(known.systems))
        elif missing == 2:
            less = known._replace(addressees=None)
        else:
            less = known._replace(place=UNKNOWN)
        stated = self._moment()
        return ((0, less), (stated, known)) if self._one_in(50) else ((0, less),)

    def _travels(self, known: Profile, there: str) -> tuple[tuple[int, Profile], ...]:
        """Somebody who takes the devices to another country for some weeks."""
        scene = self._scene
        leaves = self._moment()
        if scene.cutoff is not None and self._one_in(40):
            leaves = scene.cutoff - self._random.randrange(-10 * DAY, 30 * DAY)
        returns = leaves + self._random.randrange(3 * DAY, 40 * DAY)
        away = known._replace(systems=(there,) * len(known.systems))
        return ((0, known), (leaves, away), (returns, known))

    def _wishes(self, *, is_new: bool) -> list[Wish]:
        scene, found = self._scene, []
        if is_new:
            at = self._moment()
            if scene.sales_end is not None and self._one_in(10):
                at = scene.sales_end + self._random.choice((-DAY - 1, -DAY, -1, 0))
            found.append(Wish(at, "buy"))
        if self._one_in(30):
            return found  # reads nothing, wants nothing
        if self._one_in(34):
            at = self._moment(scene.opens)
            carry = self._one_in(50)
            found.append(Wish(at, "opt-in", self._random.choice(SUCCESSORS), carry))
            if self._one_in(6):
                found.append(Wish(at + self._random.randrange(1, 3 * DAY), "revoke"))
        elif self._one_in(22):
            found.append(Wish(self._moment(scene.opens), "refund"))
        if self._one_in(6):
            found.append(Wish(self._moment(), "export"))
        if self._one_in(2):
            found.append(Wish(self._moment(), "delete"))
        elif self._one_in(8):
            found.append(Wish(self._moment(), "uninstall"))
        return [wish for wish in found if scene.begins <= wish.at < scene.ends]
