"""Every example of docs/compatibility.md, run against a whole installation."""

import io
import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from django.conf import settings

from tests.installation import Running

PAGE = (settings.BASE_DIR / "docs" / "compatibility.md").read_text()
SAMPLE = settings.BASE_DIR / "classifier" / "bundled" / "samples" / "airplane.jpg"

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(400)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def block_with(language: str, text: str) -> str:
    [found] = [block for block in blocks(language) if text in block]
    return found


@pytest.fixture
def folder(
    installation: Running, api_token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """What the page takes for granted: a photo, the address and a token."""
    (tmp_path / "photo.jpg").write_bytes(SAMPLE.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGHTLINE_ADDRESS", installation.address)
    monkeypatch.setenv("SIGHTLINE_TOKEN", api_token)
    return tmp_path


def curl(block: str) -> object:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def python_output() -> dict[str, str]:
    """What each block prints, by its text; they are one program."""
    names: dict[str, object] = {}
    printed = {}
    for block in blocks("python"):
        with redirect_stdout(io.StringIO()) as out:
            exec(compile(block, "docs/compatibility.md", "exec"), names)
        printed[block] = out.getvalue()
    return printed


def test_every_curl_example_is_answered(folder):
    predict, hugging_face, protocol = [curl(block) for block in blocks("sh")]
    assert predict["class"] == "airplane"
    assert hugging_face[0]["label"] == "airplane"
    assert protocol["id"] == "42"
    assert protocol["outputs"][0]["data"][0].endswith(":airplane")


def test_the_answer_that_the_page_shows_has_the_members_of_a_real_one(folder):
    [shown] = [json.loads(block) for block in blocks("json")]
    answer = curl(blocks("sh")[0])
    assert list(answer) == list(shown)
    for name, value in shown.items():
        assert type(answer[name]) is type(value), name
    assert answer["predictions"][0].keys() == shown["predictions"][0].keys()
    assert next(iter(answer["probabilities"])) == "airplane"
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_every_python_example_finds_what_it_reads(folder):
    printed = python_output()
    assert printed[block_with("python", "class_name")] == "0 airplane\n"
    keras = printed[block_with("python", "enumerate")].splitlines()
    assert re.fullmatch(r"1\. airplane: [01]\.\d{4}", keras[0])
    assert len(keras) == 5
    assert re.fullmatch(r"airplane \(\d+%\)\n", printed[block_with("python", "confidence")])
    flat, rows = printed[block_with("python", "28")].splitlines()
    assert flat == rows != ""
    assert printed[block_with("python", "b64encode")] == "airplane\n"
    assert printed[block_with("python", "data=photo")].startswith("airplane ")
    assert printed[block_with("python", "top_k")] == "airplane\n"
    assert "airplane" in printed[block_with("python", "tritonclient")]


def test_the_numbers_that_the_page_gives_are_the_settings(folder):
    assert f"({settings.ANSWER_SECONDS})" in PAGE
    assert f"at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES} images" in PAGE
    a_third_longer = settings.UPLOAD_MAX_BYTES * 4 // 3
    assert 0 <= settings.API_MAX_BODY_BYTES - a_third_longer <= 1024 * 1024


def test_the_examples_need_no_more_than_the_environment(folder):
    assert not re.search(r"slt_|127\.0\.0\.1|localhost", "".join(blocks("python") + blocks("sh")))
    assert os.environ["SIGHTLINE_TOKEN"].startswith("slt_")
