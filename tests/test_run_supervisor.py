"""The supervisor with real child processes, which are small Python programs here."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from classifier.embedded import supervisor as supervisor_module
from classifier.embedded.guard import CannotStart
from classifier.embedded.log import Log
from classifier.embedded.processes import Program
from classifier.embedded.supervisor import OWN_NAME, Supervisor

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf'); time.sleep(60)"
)


def python(name: str, code: str, stop_seconds: float = 5, **options: object) -> Program:
    return Program(name, (sys.executable, "-c", code), stop_seconds, **options)


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(log: io.StringIO) -> Iterator[Supervisor]:
    supervisor = Supervisor(Log(log, ("broker", "worker", "web", "models", OWN_NAME)))
    yield supervisor
    supervisor.stop()


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE_SECONDS", 0.01)


def test_every_line_of_a_child_bears_its_name(supervisor: Supervisor, log: io.StringIO) -> None:
    child = supervisor.start(python("web", "print('one'); print('two')"))
    child.wait()
    assert log.getvalue() == "web       | one\nweb       | two\n"


def test_what_a_child_says_on_standard_error_is_in_the_log(
    supervisor: Supervisor, log: io.StringIO
) -> None:
    supervisor.start(python("web", "import sys; sys.stderr.write('no good')")).wait()
    assert "web       | no good\n" in log.getvalue()


def test_names_are_coloured_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    Log(terminal, ["web"]).write("web", "hello")
    assert terminal.getvalue() == "\033[36mweb |\033[0m hello\n"
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Log(plain, ["web"]).write("web", "hello")
    assert plain.getvalue() == "web | hello\n"


def test_a_log_that_nobody_reads_any_more_stops_no_one() -> None:
    stream = io.StringIO()
    log = Log(stream, ["web"])
    stream.close()
    log.write("web", "hello")


def test_children_stop_in_the_reverse_order_of_their_start(
    supervisor: Supervisor, log: io.StringIO
) -> None:
    children = [supervisor.start(python(name, SLEEP)) for name in ("broker", "worker", "web")]
    supervisor.stop()
    assert [line.split("| ")[1] for line in log.getvalue().splitlines()] == [
        "stopping web",
        "stopping worker",
        "stopping broker",
    ]
    assert [child.exit_code for child in children] == [-signal.SIGTERM] * 3


def test_a_child_may_finish_what_it_has_begun(supervisor: Supervisor, log: io.StringIO) -> None:
    finishes = (
        "import signal, time, sys\n"
        "def finish(*_): time.sleep(0.5); print('batch done'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, finish); print('busy'); time.sleep(60)"
    )
    child = supervisor.start(python("worker", finishes))
    wait_until(lambda: "busy" in log.getvalue())
    supervisor.stop()
    assert child.exit_code == 0
    assert "worker    | batch done" in log.getvalue()


def test_a_child_that_does_not_stop_in_time_is_killed(
    supervisor: Supervisor, log: io.StringIO
) -> None:
    child = supervisor.start(python("worker", STUBBORN, stop_seconds=0.2))
    wait_until(lambda: "deaf" in log.getvalue())
    supervisor.stop()
    assert child.exit_code == -signal.SIGKILL
    assert "worker    | killed: it did not stop within 0.2 s" in log.getvalue()


def test_whoever_asks_a_second_time_does_not_wait(supervisor: Supervisor, log: io.StringIO) -> None:
    children = [supervisor.start(python(name, STUBBORN, 60)) for name in ("broker", "worker")]
    wait_until(lambda: log.getvalue().count("deaf") == 2)
    signal.signal(signal.SIGUSR1, signal.default_int_handler)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    supervisor.stop()
    assert "sightline | killing what still runs" in log.getvalue()
    assert [child.wait() for child in children] == [-signal.SIGKILL] * 2


def test_a_child_is_in_a_process_group_of_its_own(supervisor: Supervisor) -> None:
    child = supervisor.start(python("web", SLEEP))
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)


def test_waiting_ends_when_the_child_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    supervisor.start(python("web", f"open({str(mark)!r}, 'w'); {SLEEP}"))
    supervisor.wait_until_ready(mark.exists, "web", seconds=10)


def test_waiting_fails_when_any_child_dies_and_tells_its_last_words(
    supervisor: Supervisor,
) -> None:
    supervisor.start(python("web", SLEEP))
    supervisor.start(python("worker", "print('out of memory'); raise SystemExit(3)"))
    with pytest.raises(CannotStart, match=r"worker stopped \(exit code 3\).*out of memory"):
        supervisor.wait_until_ready(lambda: False, "web", seconds=10)


def test_what_a_killed_child_said_last_is_not_given_as_the_reason(supervisor: Supervisor) -> None:
    child = supervisor.start(python("worker", f"print('all is well', flush=True); {SLEEP}"))
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(CannotStart, match=r"^worker was killed$"):
        supervisor.wait_until_ready(lambda: False, "worker", seconds=10)


def test_waiting_fails_when_it_takes_too_long(supervisor: Supervisor, log: io.StringIO) -> None:
    supervisor.start(python("web", f"print('loading'); {SLEEP}"))
    wait_until(lambda: "loading" in log.getvalue())
    with pytest.raises(CannotStart, match=r"web was not ready within 0\.3 s.*loading"):
        supervisor.wait_until_ready(lambda: False, "web", seconds=0.3)


@pytest.mark.usefixtures("no_pause")
def test_a_child_that_dies_is_started_again(supervisor: Supervisor, log: io.StringIO) -> None:
    first = supervisor.start(python("web", f"print('serving'); {SLEEP}"))
    wait_until(lambda: "serving" in log.getvalue())
    first.kill()
    first.wait()

    def serves_again() -> bool:
        supervisor.keep_up()
        return log.getvalue().count("serving") == 2

    wait_until(serves_again)
    assert "sightline | web was killed; starting it again in" in log.getvalue()


@pytest.mark.usefixtures("no_pause")
def test_a_child_that_dies_again_and_again_is_never_given_up(
    supervisor: Supervisor, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "LONGEST_PAUSE_SECONDS", 0.02)
    other = supervisor.start(python("web", SLEEP))
    supervisor.start(python("worker", "raise SystemExit(7)"))
    wait_until(
        lambda: supervisor.keep_up() or log.getvalue().count("worker stopped (exit code 7)") == 8
    )
    assert other.exit_code is None


def test_pauses_before_a_new_start_grow(supervisor: Supervisor, log: io.StringIO) -> None:
    supervisor.start(python("worker", "raise SystemExit(7)")).wait()
    supervisor.keep_up()
    assert "starting it again in 1 s" in log.getvalue()
    wait_until(lambda: supervisor.keep_up() or "again in 2 s" in log.getvalue())


def test_a_pause_is_a_minute_at_most(
    supervisor: Supervisor, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE_SECONDS", 90.0)
    supervisor.start(python("worker", "raise SystemExit(7)")).wait()
    supervisor.keep_up()
    assert "starting it again in 60 s" in log.getvalue()


def test_an_errand_is_reported_when_it_ends_and_not_started_again(supervisor: Supervisor) -> None:
    codes: list[int] = []
    supervisor.start_errand(python("models", "raise SystemExit(4)"), codes.append)
    wait_until(lambda: supervisor.keep_up() or bool(codes))
    supervisor.keep_up()
    assert codes == [4]


def test_an_errand_is_stopped_with_the_rest(supervisor: Supervisor) -> None:
    supervisor.start_errand(python("models", SLEEP), lambda code: None)
    begun = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - begun < 5


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's only")
def test_no_child_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from classifier.embedded.log import Log\n"
        "from classifier.embedded.processes import Child, Program\n"
        "log = Log(sys.stdout, ['web'])\n"
        f"child = Child(Program('web', (sys.executable, '-c', {STUBBORN!r})), log)\n"
        "print(child.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_until(lambda: not _is_alive(child))


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
