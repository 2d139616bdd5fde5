"""A running installation: `manage.py run` with a real web server, broker, worker and chores.

On PostgreSQL and Redis where DATABASE_URL and REDIS_URL are set, embedded otherwise.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from tests.scratch import scratch_services

PASSWORD = "only for this test"


class Running:
    """A running installation and what it has printed so far."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        output: Path,
        address: str,
        environment: dict[str, str],
    ) -> None:
        self.process = process
        self.output = output
        self.address = address
        self.environment = environment

    def printed(self) -> str:
        return self.output.read_text()

    def worker_pid(self) -> int:
        """The child that names the worker's tasks; one that was killed names nothing any more."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        [worker] = [
            child
            for child in children.split()
            if b"classifier.worker.classify" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        return int(worker)

    def manage(self, *command: str) -> str:
        """What a management command prints, run beside the installation."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def wait_for(self, text: str, seconds: float = 120, times: int = 1) -> None:
        deadline = time.monotonic() + seconds
        while self.printed().count(text) < times:
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.1)


@contextmanager
def running(folder: Path, port: int) -> Iterator[Running]:
    """Start `manage.py run` with its data in `folder`; wait for what is needed of it."""
    output = folder / "output"
    with scratch_services() as services, output.open("w") as stream:
        environment = {
            **os.environ,
            **services,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SIGHTLINE_DATA_DIR": str(folder / "data"),
            "SIGHTLINE_ADMIN_PASSWORD": PASSWORD,
            "SIGHTLINE_FETCH_RESNET50": "0",
            "SIGHTLINE_LEASE_SECONDS": "4",
            "SIGHTLINE_SWEEP_SECONDS": "1",
            "PORT": str(port),
        }
        command = [sys.executable, "manage.py", "run"]
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield Running(process, output, f"http://127.0.0.1:{port}", environment)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
