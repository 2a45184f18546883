"""What waits, by whose it is: whoever has least under way is next.

So nobody waits for all of somebody else's.
"""

from __future__ import annotations

from collections import Counter, deque


class FairQueue:
    """Numbers that wait, each somebody's.

    Attributes:
        under_way: how many of each owner's were taken and not ended.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, deque[int]] = {}
        self._count = 0
        self.under_way: Counter[int] = Counter()

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return any(number in each for each in self._waiting.values())

    def add(self, owner: int, number: int, *, first: bool = False) -> None:
        """Let one wait, behind its owner's others or before them."""
        line = self._waiting.setdefault(owner, deque())
        if first:
            line.appendleft(number)
        else:
            line.append(number)
        self._count += 1

    def take(self) -> int:
        """The next one, which is under way from now on.

        Raises:
            IndexError: none waits.
        """
        if not self._count:
            raise IndexError("nothing waits")
        owner = min(self._waiting, key=self.under_way.__getitem__)  # of equals, the longest here
        line = self._waiting.pop(owner)
        number = line.popleft()
        if line:
            self._waiting[owner] = line  # behind the others
        self._count -= 1
        self.under_way[owner] += 1
        return number

    def ended(self, owner: int) -> None:
        """One that was under way is no more."""
        self.under_way[owner] -= 1
        if self.under_way[owner] <= 0:
            del self.under_way[owner]

    def remove(self, owner: int, number: int) -> bool:
        """Let one wait no more; whether it had."""
        line = self._waiting.get(owner)
        if line is None or number not in line:
            return False
        line.remove(number)
        self._count -= 1
        if not line:
            del self._waiting[owner]
        return True

    def heads(self) -> list[tuple[int, int]]:
        """Owners who wait and have nothing under way, with their first number."""
        return [
            (owner, line[0]) for owner, line in self._waiting.items() if not self.under_way[owner]
        ]

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self.under_way.clear()
        self._count = 0
