"""How much memory programs take, with all that they have started."""

import threading
from collections.abc import Sequence

import psutil

SAMPLE_SECONDS = 0.5


def with_children(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


class PeakMemory:
    """The most that processes had in memory together, in bytes, while the block ran.

    It is the sum of their resident sizes: what several of them share counts for each.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self.bytes = 0
        self._pids = pids
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.bytes = max(self.bytes, sum(map(_resident, self._pids)))
            if self._done.wait(SAMPLE_SECONDS):
                return


def _resident(root: int) -> int:
    total = 0
    for process in with_children(root):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
