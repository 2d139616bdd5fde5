"""Every example of docs/api.md, run against a whole installation."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.installation import Running

PAGE = (settings.BASE_DIR / "docs" / "api.md").read_text()
SAMPLE = settings.BASE_DIR / "classifier" / "bundled" / "samples" / "airplane.jpg"

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(400)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(
    installation: Running, api_token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """What the page takes for granted: a photo, a file that is none, the address and a token."""
    (tmp_path / "photo.jpg").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "notes.txt").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGHTLINE_ADDRESS", installation.address)
    monkeypatch.setenv("SIGHTLINE_TOKEN", api_token)
    return tmp_path


def test_every_curl_example_answers_without_a_problem(folder):
    environment = dict(os.environ)
    for block in blocks("sh"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, block + done.stderr
        assert "/problems/" not in done.stdout, block + done.stdout
        environment |= ids_in(done.stdout)
        environment.setdefault("SEEN", environment.get("ID", ""))  # the first, which was waited for


def ids_in(text: str) -> dict[str, str]:
    """What the page calls $ID and $BATCH: the prediction or the batch that was answered with."""
    try:
        answer, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return {}
    if not isinstance(answer, dict):
        return {}
    names = {"input": "ID", "items": "BATCH"}
    return {name: answer["id"] for field, name in names.items() if field in answer}


def test_every_python_example_runs(folder, capsys):
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "docs/api.md", "exec"), names)
    assert capsys.readouterr().out.startswith("airplane\n")


def test_the_prediction_that_the_page_shows_has_the_fields_of_a_real_one(folder):
    [curl] = blocks("sh")[:1]
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
    [shown] = [json.loads(block) for block in blocks("json")]
    assert shape(json.loads(done.stdout)) == shape(shown)


def shape(value: object) -> object:
    """The fields of an object, without their values; of a list, its first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None
