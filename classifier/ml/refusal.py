"""What `ml` refuses to do, and how it says so."""

from collections.abc import Iterable


class Refusal(ValueError):
    """What was asked for cannot be done; the message names what was wrong and what would be right.

    Commands print it as their one line of error.
    """


def some(names: Iterable[object], most: int = 5) -> str:
    """Some of the names, and how many more there are."""
    texts = [str(name) for name in names]
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown
