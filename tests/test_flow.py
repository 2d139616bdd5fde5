"""The whole of it: `manage.py run` with a real web server, broker and worker, and a person.

On PostgreSQL and Redis where DATABASE_URL and REDIS_URL are set, embedded otherwise.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.factories import image_bytes
from tests.person import Person, prediction_ids
from tests.scratch import scratch_services

PASSWORD = "only for this test"
SAMPLES = sorted((settings.BASE_DIR / "classifier" / "bundled" / "samples").glob("*.jpg"))
PENDING = re.compile(r"state-(queued|running)")


class Running:
    """A running installation and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str], output: Path, address: str) -> None:
        self.process = process
        self.output = output
        self.address = address

    def printed(self) -> str:
        return self.output.read_text()

    def worker_pid(self) -> int:
        """The worker, whoever supervises it: the newest process that names its tasks."""
        listed = subprocess.run(
            ["pgrep", "-n", "-P", str(self.process.pid), "-f", "classifier.worker.classify"],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(listed.stdout)

    def wait_for(self, text: str, seconds: float = 120, times: int = 1) -> None:
        deadline = time.monotonic() + seconds
        while self.printed().count(text) < times:
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.1)


@contextmanager
def running(folder: Path, port: int) -> Iterator[Running]:
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
            yield Running(process, output, f"http://127.0.0.1:{port}")
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_all_ended(person: Person, ids: list[str], seconds: float = 90) -> dict[str, str]:
    """Look at each prediction's page until none is pending. Returns the pages by id."""
    deadline = time.monotonic() + seconds
    ended: dict[str, str] = {}
    while len(ended) < len(ids):
        assert time.monotonic() < deadline, f"{len(ids) - len(ended)} are still pending"
        for key in ids:
            if key not in ended:
                status, page = person.get(f"/predictions/{key}/")
                assert status == 200
                if not PENDING.search(page):
                    ended[key] = page
        time.sleep(0.2)
    return ended


@pytest.mark.timeout(400)
def test_a_person_signs_in_drops_photos_and_sees_what_they_are(tmp_path, free_port):
    with running(tmp_path, free_port) as installation:
        installation.wait_for("is ready at")
        for sample in SAMPLES:
            assert re.search(rf"{sample.name} +{sample.stem} \d+ %", installation.printed())

        person = Person(installation.address)
        person.sign_in("admin", PASSWORD)
        files = [(sample.name, sample.read_bytes()) for sample in SAMPLES]
        status, page = person.upload(*files, ("notes.txt", b"no picture"))
        assert status == 200
        assert "notes.txt" in page, "the refused file is named, the others went on"
        ids = prediction_ids(page)[: len(SAMPLES)]
        pages = wait_until_all_ended(person, ids)
        for key, sample in zip(ids, reversed(SAMPLES), strict=True):
            assert sample.stem in pages[key]

        many = [(f"{i}.png", image_bytes(colour=(i, 90, 90), size=(900, 700))) for i in range(60)]
        status, page = person.upload(*many)
        assert status == 200
        os.kill(installation.worker_pid(), signal.SIGKILL)
        ids = all_ids(person)
        assert len(ids) == len(SAMPLES) * 2 + 60
        pages = wait_until_all_ended(person, ids)
        failed = [key for key, page in pages.items() if "answer-label" not in page]
        assert failed == [], "a worker that is killed loses nothing"

    assert installation.process.returncode == 0
    stopped = re.findall(r"stopping (web|worker|chores|broker)", installation.printed())
    assert stopped[:2] == ["web", "worker"]
    assert stopped[-1] in {"broker", "chores"}


def all_ids(person: Person) -> list[str]:
    """Every prediction in the history, page by page."""
    path, ids = "/predictions/", []
    while path:
        _, page = person.get(path)
        ids += [key for key in prediction_ids(page) if key not in ids]
        older = re.search(r'href="(\?[^"]*before=[^"]+)"', page)
        path = f"/predictions/{older[1].replace('&amp;', '&')}" if older else ""
    return ids
