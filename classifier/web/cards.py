"""A prediction as a page draws it, and how a page asks what has changed since."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from classifier.models import Prediction, Status
from classifier.queries.queue import places


@dataclass(frozen=True)
class Card:
    """A prediction and its place in the queue: from 1, None if it does not wait or is far back."""

    prediction: Prediction
    place: int | None

    @property
    def state(self) -> str:
        """A token that differs whenever the card would look different."""
        return f"{self.prediction.id}.{self.prediction.status}.{self.place or ''}"


def draw(predictions: Iterable[Prediction]) -> list[Card]:
    """One card a prediction, with one query for all places in the queue."""
    drawn = list(predictions)
    where = places() if any(row.status == Status.QUEUED for row in drawn) else {}
    return [Card(row, where.get(row.id)) for row in drawn]


def parse_states(states: Iterable[str]) -> dict[uuid.UUID, str]:
    """The states that a page says it shows, by prediction; what is none is passed over."""
    seen = {}
    for state in states:
        try:
            seen[uuid.UUID(state.partition(".")[0])] = state
        except ValueError:
            continue
    return seen


def any_pending(cards: Iterable[Card]) -> bool:
    return any(card.prediction.is_pending for card in cards)
