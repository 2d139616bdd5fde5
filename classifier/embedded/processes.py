"""Child processes that end when they are told to, and never outlive their parent."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from classifier.embedded.log import Log

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Program:
    """What a child runs, and how long (s) it may take to stop before it is killed."""

    name: str
    command: tuple[str, ...]
    stop_seconds: float = 10.0
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    pass_fds: tuple[int, ...] = ()
    niceness: int = 0
    quiet: bool = False  # its output matters only if it dies


class Child:
    """A running program, whose output goes line by line to the log.

    It has a process group of its own, so that the Ctrl-C of a terminal does not reach it: its
    parent stops it when its turn comes. Start it from the main thread: on Linux the kernel kills
    it when the thread that started it ends.
    """

    def __init__(self, program: Program, log: Log) -> None:
        self.program = program
        self.started_at = time.monotonic()
        self.last_lines: deque[str] = deque(maxlen=3)
        self._log = log
        self._process = subprocess.Popen(  # noqa: S603 - our own command lines
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environment},
            pass_fds=program.pass_fds,
            process_group=0,
            preexec_fn=_before_exec(os.getpid(), program.niceness),
        )
        self._send(program.stdin)
        self._pump = threading.Thread(target=self._copy_output, daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    @property
    def lifetime(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started_at

    def wait(self) -> int:
        """Wait for its end and for the last line of its output."""
        code = self._process.wait()
        self._pump.join(timeout=1)
        return code

    def stop(self) -> None:
        """Ask it to finish and stop; kill it and its own children if it takes too long."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(self.program.stop_seconds)
            except subprocess.TimeoutExpired:
                seconds = self.program.stop_seconds
                self._log.write(self.program.name, f"killed: it did not stop within {seconds:g} s")
                self.kill()
        self.wait()

    def kill(self) -> None:
        """End it and its own children at once."""
        if self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)

    def _send(self, content: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(content)
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once: whoever watches it finds that out

    def _copy_output(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if line:
                self.last_lines.append(line)
                if not self.program.quiet:
                    self._log.write(self.program.name, line)


def _before_exec(parent: int, niceness: int) -> Callable[[], None]:
    """What the child does between fork and exec: as little as can be, for its memory is a copy."""

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before the line above
                os._exit(1)
        if niceness:
            os.nice(niceness)

    return prepare
