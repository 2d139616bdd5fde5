"""In how many threads a call may compute."""

import threading

_one_thread = threading.Event()


def use_one_thread_per_call() -> None:
    """Let every engine that is loaded from now on compute in as many threads as call it.

    For processes that call from several threads at once: on a CPU, one compute thread in each of
    several callers beats several compute threads for each. Call it once, before the first engine
    is loaded.
    """
    _one_thread.set()


def one_thread_per_call() -> bool:
    """Whether the process asked for it."""
    return _one_thread.is_set()
