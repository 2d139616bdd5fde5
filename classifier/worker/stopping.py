"""Whether this process has been asked to stop."""

from celery.worker import state


def stopping() -> bool:
    """Celery keeps the exit code here once a shutdown is asked for, and that code may be 0."""
    return state.should_stop is not None and state.should_stop is not False
