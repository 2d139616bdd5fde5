"""The whole of it: `manage.py run` with a real web server, broker and worker, and a person.

On PostgreSQL and Redis where DATABASE_URL and REDIS_URL are set, embedded otherwise.
"""

import os
import re
import signal
import time

import pytest
from django.conf import settings

from tests.factories import image_bytes
from tests.installation import PASSWORD, running
from tests.person import Person, prediction_ids

SAMPLES = sorted((settings.BASE_DIR / "classifier" / "bundled" / "samples").glob("*.jpg"))
PENDING = re.compile(r"state-(queued|running)")


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
