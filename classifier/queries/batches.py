"""How far batches are."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.db.models import Count

from classifier.models import Batch, Prediction, Status
from classifier.queries.queue import Turn, places, turn_at


@dataclass
class Progress:
    """How many predictions are in which state, and the turn of the last one that waits."""

    statuses: Counter[str] = field(default_factory=Counter)
    last_turn: Turn | None = None


def progress_of(batches: Iterable[Batch]) -> dict[uuid.UUID, Progress]:
    """How far each is, with one query for all, and two more if anything waits."""
    found = {batch.id: Progress() for batch in batches}
    predictions = Prediction.objects.filter(batch__in=found).order_by()
    for key, status, count in predictions.values_list("batch", "status").annotate(Count("id")):
        found[key].statuses[status] = count
    waiting = [key for key, progress in found.items() if progress.statuses[Status.QUEUED]]
    for key, at in _places_within(waiting).items():
        is_near = len(at) == found[key].statuses[Status.QUEUED]
        found[key].last_turn = turn_at(max(at) if is_near else None)
    return found


def _places_within(batches: Collection[uuid.UUID]) -> dict[uuid.UUID, list[int]]:
    """The places in the queue that the rows of each batch have, as far as places are counted."""
    found: defaultdict[uuid.UUID, list[int]] = defaultdict(list)
    if batches:
        where = places()
        rows = Prediction.objects.filter(id__in=where, batch__in=batches)
        for batch, key in rows.values_list("batch", "id"):
            found[batch].append(where[key])
    return found
