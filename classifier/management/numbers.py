"""How commands read numbers, and how they write them."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def share(text: str) -> float:
    """A number; whoever takes it knows its range."""
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a share, such as 0.2") from None


def percent(value: float) -> str:
    """A share from 0 to 1, with one decimal."""
    return f"{100 * value:.1f} %"
