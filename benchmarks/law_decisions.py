"""How long decisions take: a hundred thousand, all different or as a day's supply brings them.

    python benchmarks/law_decisions.py [--count 100000] [--json]

`distinct` asks every question once: other places, persons, operations, classes, addressees and
instants each time. `customers` is a publisher's day: as many requests of 500 customers in 20
places, where all but the instant comes again and again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.folder import packaged, read_folder
from tocsin.jurisdiction.places import countries
from tocsin.jurisdiction.question import Person, Question, ask
from tocsin.jurisdiction.vocabulary import (
    Addressee,
    Circumstance,
    Operation,
    PersonTie,
    Product,
)

_NAMED = ("US", "DE", "PL", "AU", "IT", "NL", "LT", "RO", "CA", "GB", "EU")


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    book = read_folder(packaged())
    result = {}
    for name, questions in (
        ("distinct", list(_distinct(asked.count))),
        ("customers", list(_customers(asked.count))),
    ):
        began = time.perf_counter()
        outcomes = Counter(decide(book, question).outcome.value for question in questions)
        seconds = time.perf_counter() - began
        result[name] = {
            "decisions": len(questions),
            "seconds": round(seconds, 2),
            "microseconds_each": round(1e6 * seconds / len(questions), 1),
            "outcomes": dict(outcomes),
        }
    if asked.json:
        print(json.dumps(result))
        return 0
    for name, row in result.items():
        print(
            f"{name:<10} {row['decisions']:,} decisions in {row['seconds']} s, "
            f"{row['microseconds_each']} µs each: {row['outcomes']}"
        )
    return 0


def _distinct(count: int) -> Iterator[Question]:
    chance = random.Random(6)
    everywhere = [*countries(), *_NAMED * 20]
    for _ in range(count):
        yield ask(
            chance.choice(list(Operation)),
            chance.choice(list(Product)),
            "kaspersky",
            _instant(chance),
            places=[chance.choice(everywhere)],
            persons=[Person(chance.choice(list(PersonTie)), chance.choice(everywhere))]
            if chance.random() < 0.5
            else (),
            addressees=chance.sample(list(Addressee), chance.randrange(3)),
            holding=chance.sample(list(Circumstance), chance.randrange(2)),
            embedded=chance.choice((True, False, False, None)),
        )


def _customers(count: int) -> Iterator[Question]:
    chance = random.Random(7)
    places = [*_NAMED[:-1], *chance.sample(list(countries()), 10)]
    customers = [(chance.choice(places), chance.choice(places)) for _ in range(500)]
    for _ in range(count):
        place, home = chance.choice(customers)
        yield ask(
            chance.choice(list(Operation)),
            Product.ANTIVIRUS,
            "kaspersky",
            _instant(chance),
            places=[place],
            persons=[Person(PersonTie.CITIZEN, home)],
        )


def _instant(chance: random.Random) -> datetime:
    first = datetime(2017, 1, 1, tzinfo=UTC)
    return first + timedelta(seconds=chance.randrange(9 * 365 * 86_400))


if __name__ == "__main__":
    sys.exit(main())
