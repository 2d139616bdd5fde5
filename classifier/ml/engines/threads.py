"""In how many threads a call may compute."""

_callers = 0


def share_cores(callers: int) -> None:
    """Let every engine that is loaded from now on compute in a share of the cores.

    For processes that call from several threads at once: on a CPU, one compute thread in each of
    several callers beats several compute threads for each. Call it once, before the first engine
    is loaded, with the number of those threads.
    """
    global _callers
    _callers = callers


def callers() -> int:
    """How many threads call at once, as the process told; 0 where it did not."""
    return _callers
