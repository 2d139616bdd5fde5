"""A worker that takes what waits as the real one does, and answers with what it was told."""

import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection

from classifier.actions.claim import claim
from classifier.actions.settle import Outcome, settle
from classifier.models import Prediction

SCORES = (0.1, 0.7, 0.2)  # cat, dog, ship


@contextmanager
def answering(scores: Sequence[float] = SCORES, failing: str = "") -> Iterator[None]:
    """Answer every prediction within with these scores, or let it fail for this reason.

    For tests that commit (`transaction=True`): it is a thread with a connection of its own.
    """
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.005):
            answer_waiting(scores, failing)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def answer_waiting(
    scores: Sequence[float] = SCORES,
    failing: str = "",
    variant: str = "",
    most: int | None = None,
) -> None:
    """Answer all that waits; an answer has `most` labels."""
    while claimed := claim(8):
        outcomes = [_outcome(row, scores, failing, most) for row in claimed.predictions]
        settle(claimed.lease, outcomes, 0.001, len(outcomes), variant)


def _outcome(row: Prediction, scores: Sequence[float], failing: str, most: int | None) -> Outcome:
    if failing:
        return Outcome(row.id, error_code="undecodable", error_detail=failing)
    pairs = zip(row.model_version.labels, scores, strict=True)
    output = [{"label": label, "score": score} for label, score in pairs]
    output.sort(key=lambda item: -float(item["score"]))
    kept = struct.pack(f"<{len(scores)}f", *scores) if row.keeps_probabilities else None
    return Outcome(row.id, output[:most], probabilities=kept)
