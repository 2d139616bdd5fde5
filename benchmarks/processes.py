"""Programs that are started to be measured, and that end with us."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def program(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[int]:
    """Run a program in a process group of its own, so that it can be held still as a whole.

    Yields the id of the process and of the group.
    """
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=stream,
            stderr=stream,
            process_group=0,
        )
    try:
        yield process.pid
    finally:
        for number in (signal.SIGCONT, signal.SIGTERM):
            _tell(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        _tell(process.pid, signal.SIGKILL)  # whoever of the group is left
        process.wait()


def stop_on_sigterm() -> None:
    """End as after Ctrl-C, with all that was started and made on the way."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _tell(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 300) -> None:
    """Raises SystemExit if it takes longer."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} was not ready within {seconds:.0f} s")
        time.sleep(0.1)


@contextmanager
def redis_server() -> Iterator[str]:
    """A broker of our own, which keeps nothing; yields its address."""
    from classifier.embedded.broker import answers, plan_broker

    with tempfile.TemporaryDirectory(prefix="sightline-bench-redis-") as folder:
        broker = plan_broker(Path(folder))
        process = subprocess.Popen(
            broker.program.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert process.stdin is not None
        process.stdin.write(broker.program.stdin)
        process.stdin.close()
        try:
            wait_until(lambda: answers(broker.url), "redis-server")
            yield broker.url
        finally:
            process.terminate()
            process.wait()
