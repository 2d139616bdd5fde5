"""Start children, wait until they are ready, keep them up, stop them in order."""

import signal
import time
from collections.abc import Callable

from classifier.embedded.guard import CannotStart
from classifier.embedded.log import Log
from classifier.embedded.processes import Child, Program

OWN_NAME = "sightline"
POLL_SECONDS = 0.2
RAPID_SECONDS = 60  # a child that lived longer than this has its deaths forgiven
FIRST_PAUSE_SECONDS = 1.0  # before a start after a death; each pause is twice the one before
LONGEST_PAUSE_SECONDS = 60.0


class Supervisor:
    """A set of children. They stop in the reverse order of their start."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._children: dict[str, Child] = {}
        self._pauses: dict[str, float] = {}  # s, before each child's latest start
        self._start_again_at: dict[str, float] = {}
        self._errands: dict[Child, Callable[[int], None]] = {}

    def say(self, text: str) -> None:
        """Write to the log in the supervisor's own name."""
        self._log.write(OWN_NAME, text)

    def start(self, program: Program) -> Child:
        """Start a program as the last of the children."""
        child = Child(program, self._log)
        self._children[program.name] = child
        return child

    def start_errand(self, program: Program, done: Callable[[int], None]) -> None:
        """Start a program that ends by itself; `keep_up` calls `done` with its exit code."""
        self._errands[Child(program, self._log)] = done

    def wait_until_ready(self, ready: Callable[[], bool], name: str, seconds: float = 180) -> None:
        """Wait for a child to be of use.

        Raises:
            CannotStart: if any child dies meanwhile, or this one takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            for child in self._children.values():
                if child.exit_code is not None:
                    child.wait()
                    raise CannotStart(f"{_describe_end(child)}")
            if time.monotonic() > deadline:
                lines = _last_lines(self._children[name])
                raise CannotStart(f"{name} was not ready within {seconds:g} s{lines}")
            time.sleep(POLL_SECONDS)

    def keep_up(self) -> None:
        """Start again whichever child has died, with growing pauses; hear of finished errands.

        It never gives up: what kills one child may pass, as a picture that is too much for the
        worker does, and the others are of use meanwhile.
        """
        for errand in [errand for errand in self._errands if errand.exit_code is not None]:
            self._errands.pop(errand)(errand.wait())
        for name, child in list(self._children.items()):
            if name in self._start_again_at:
                if time.monotonic() >= self._start_again_at[name]:
                    del self._start_again_at[name]
                    self._children[name] = Child(child.program, self._log)
            elif child.exit_code is not None:
                self._start_again_at[name] = time.monotonic() + self._pause_after_death(child)

    def stop(self) -> None:
        """Stop the child started last first, each with its own time to finish.

        A second Ctrl-C kills what is left.
        """
        try:
            for errand in self._errands:
                errand.stop()
            for child in reversed(self._children.values()):
                self.say(f"stopping {child.program.name}")
                child.stop()
        except KeyboardInterrupt:
            self.say("killing what still runs")
        finally:
            for child in [*self._errands, *self._children.values()]:
                child.kill()

    def _pause_after_death(self, child: Child) -> float:
        name = child.program.name
        child.wait()
        if child.lifetime > RAPID_SECONDS:
            self._pauses.pop(name, None)
        doubled = 2 * self._pauses.get(name, FIRST_PAUSE_SECONDS / 2)
        pause = self._pauses[name] = min(doubled, LONGEST_PAUSE_SECONDS)
        self.say(f"{_describe_end(child)}; starting it again in {pause:.0f} s")
        return pause


def _describe_end(child: Child) -> str:
    if child.exit_code == -signal.SIGKILL:  # so its last words are not the reason
        return f"{child.program.name} was killed"
    return f"{child.program.name} stopped (exit code {child.exit_code}){_last_lines(child)}"


def _last_lines(child: Child) -> str:
    return f", having last said: {' / '.join(child.last_lines)}" if child.last_lines else ""
