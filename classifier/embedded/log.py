"""One readable log of several processes: every line begins with the name of who wrote it."""

import itertools
import os
import threading
from collections.abc import Iterable
from typing import TextIO

COLOURS = ("36", "33", "32", "35", "34", "31")


class Log:
    """Writes whole lines of many threads to one stream; in colours where a person watches."""

    def __init__(self, stream: TextIO, names: Iterable[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        names = tuple(names)
        width = max(map(len, names))
        coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self._prefixes = {
            name: f"\033[{colour}m{name:<{width}} |\033[0m " if coloured else f"{name:<{width}} | "
            for name, colour in zip(names, itertools.cycle(COLOURS), strict=False)
        }

    def write(self, name: str, text: str) -> None:
        """Write each line of `text` under the name of a process."""
        prefix = self._prefixes[name]
        with self._lock:
            try:
                self._stream.writelines(f"{prefix}{line}\n" for line in text.splitlines())
                self._stream.flush()
            except (OSError, ValueError):
                pass  # nobody reads any more: no reason to stop serving
