"""The lines that pages offer to copy, run as they stand against a whole installation."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.installation import PASSWORD, Running
from tests.person import Person, prediction_ids

SAMPLE = settings.BASE_DIR / "classifier" / "bundled" / "samples" / "airplane.jpg"

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(400)]


def snippets(page: str) -> list[str]:
    found = re.findall(r"data-copy-source><code>(.*?)</code>", page, re.DOTALL)
    return [html.unescape(text) for text in found]


def run(snippet: str, folder: Path, token: str) -> str:
    """What the lines print where `photo.jpg` lies and the token is in the environment."""
    is_curl = snippet.startswith("curl")
    command = ["sh", "-euc"] if is_curl else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, snippet],
        cwd=folder,
        env={**os.environ, "SIGHTLINE_TOKEN": token},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, snippet + done.stderr
    return done.stdout


@pytest.fixture
def person(installation: Running) -> Person:
    person = Person(installation.address)
    person.sign_in("admin", PASSWORD)
    return person


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(SAMPLE, tmp_path / "photo.jpg")
    return tmp_path


def test_the_token_pages_lines_classify_a_picture(person, folder, api_token):
    by_curl, by_python = snippets(person.get("/tokens/")[1])
    answer = json.loads(run(by_curl, folder, api_token))
    assert answer["status"] == "succeeded"
    assert answer["output"][0]["label"] == "airplane"
    assert run(by_python, folder, api_token).startswith("succeeded [{'label': 'airplane'")


def test_a_results_lines_read_it_and_classify_another(person, folder, api_token):
    _, result = person.upload(("mine.jpg", SAMPLE.read_bytes()))
    [key] = prediction_ids(result)[:1]
    read_by_curl, read_by_python, *classify = snippets(person.get(f"/predictions/{key}/")[1])
    assert json.loads(run(read_by_curl, folder, api_token))["id"] == key
    assert run(read_by_python, folder, api_token).startswith(("succeeded", "running", "queued"))
    assert classify == snippets(person.get("/tokens/")[1])


def test_without_a_token_that_works_they_are_refused(person, folder):
    by_curl, _ = snippets(person.get("/tokens/")[1])
    assert json.loads(run(by_curl, folder, "slt_none"))["status"] == 401
