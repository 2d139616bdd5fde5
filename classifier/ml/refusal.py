"""The one base of everything that `ml` refuses to do."""


class Refusal(ValueError):
    """What was asked for cannot be done; the message names what was wrong and what would be right.

    Commands print it as their one line of error.
    """
