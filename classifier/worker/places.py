"""Who may send now, so that nobody is held up by somebody else's slow receiver."""

import random
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator


class Places:
    """So many messages under way at once, only a few of them to one endpoint.

    Whoever has the fewest under way is served first, so that a place that is given back goes to
    those who wait and not to the longest backlog. For the one thread that gives places out.
    """

    def __init__(self, in_all: int, of_one: int) -> None:
        self._in_all = in_all
        self._of_one = of_one
        self._under_way: Counter[uuid.UUID] = Counter()

    @property
    def are_taken(self) -> bool:
        """Whether anything is under way."""
        return self._under_way.total() > 0

    def share_out(self, waiting: Iterable[uuid.UUID]) -> Iterator[tuple[uuid.UUID, int]]:
        """The endpoints that may send, and how much each. Places are taken by `take`."""
        fits = [key for key in waiting if self._under_way[key] < self._of_one]
        random.shuffle(fits)
        fits.sort(key=self._under_way.__getitem__)
        share = max(1, self._free // max(1, len(fits)))
        for key in fits:
            room = min(share, self._of_one - self._under_way[key], self._free)
            if room == 0:
                return
            yield key, room

    def take(self, key: uuid.UUID) -> None:
        self._under_way[key] += 1

    def give_back(self, key: uuid.UUID) -> None:
        self._under_way -= Counter([key])  # forgets those that have none left

    @property
    def _free(self) -> int:
        return self._in_all - self._under_way.total()
