"""The container files, held against the compose schema and against what they name.

No container engine is needed: each service's command runs as a local process instead, as it is
written, with the containers' names of database and broker replaced by real local ones.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import yaml
from django.conf import settings

from tests.factories import image_bytes
from tests.person import Person, prediction_ids
from tests.scratch import scratch_services

ROOT = Path(settings.BASE_DIR)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name in SERVICES if name not in {"postgres", "redis"}]
PASSWORD = "only for this test"


def stages() -> dict[str, str]:
    """The Dockerfile's stages by name."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[1::3], parts[2::3], strict=True))


def installed_by(stage: str) -> str:
    """The requirements of the stage that a target takes its packages from."""
    source = re.search(r"--from=(\S+-packages)", stages()[stage])
    assert source
    return source[1].removesuffix("-packages")


def test_the_compose_file_follows_the_published_schema() -> None:
    folder = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)


def test_every_file_that_an_image_copies_is_there_and_reaches_the_builder() -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert copied
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}" in sent, source


def test_the_web_image_has_no_torch_and_the_worker_image_has() -> None:
    def packages(name: str) -> set[str]:
        lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
        return {re.split(r"[=\[; ]", line)[0] for line in lines}

    assert not {"torch", "torchvision"} & packages(installed_by("web"))
    assert {"torch", "torchvision"} <= packages(installed_by("worker"))


@pytest.mark.parametrize("given", ["", "requirements/openvino.txt"])
def test_the_worker_image_has_what_else_is_asked_for(given: str) -> None:
    stage = stages()["worker-packages"]
    command = re.search(r"^RUN pip ((?:.*\\\n)*.*)$", stage, re.MULTILINE)
    assert command
    said = subprocess.check_output(
        ["sh", "-c", f"echo {command[1]}"], env={"EXTRA_REQUIREMENTS": given}, text=True
    )
    files = re.findall(r"--requirement (\S+)", said)
    assert files == ["requirements/worker.txt", *([given] if given else [])]
    assert set(files) <= set(re.findall(r"requirements/\S+\.txt", stage))
    for name in ("worker", "worker-gpu"):
        asked = SERVICES[name]["build"]["args"]
        assert asked == {"EXTRA_REQUIREMENTS": "${EXTRA_REQUIREMENTS:-}"}
    assert "ARG EXTRA_REQUIREMENTS=" in stage


def test_no_image_runs_as_root() -> None:
    assert re.search(r"^FROM app AS (web|worker)$", DOCKERFILE, re.MULTILINE)
    assert "USER sightline" in stages()["app"]
    assert "USER root" not in DOCKERFILE


@pytest.mark.parametrize("name", ["web", "worker"])
def test_an_image_by_itself_runs_what_its_service_runs(name: str) -> None:
    command = re.search(r"^CMD (\[.*\])$", stages()[name], re.MULTILINE)
    assert command
    assert json.loads(command[1]) == SERVICES[name]["command"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_names_a_target_a_program_and_files_that_exist(name: str) -> None:
    service = SERVICES[name]
    assert service["build"]["target"] in stages()
    program, *arguments = service["command"]
    assert (Path(sys.executable).parent / program).exists()
    for argument in arguments:
        if argument.endswith(".py"):
            assert (ROOT / argument).is_file()


@pytest.mark.parametrize("name", OURS)
def test_a_service_writes_only_so_much_into_memory(name: str) -> None:
    assert SERVICES[name]["read_only"]
    assert all(re.search(r":size=\d+[mg]$", place) for place in SERVICES[name]["tmpfs"])


def test_the_gpu_worker_runs_the_same_as_the_cpu_worker() -> None:
    assert SERVICES["worker-gpu"]["command"] == SERVICES["worker"]["command"]
    assert SERVICES["worker"]["profiles"] == ["cpu"]
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]


def test_secrets_reach_containers_as_files_only() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|DATABASE_URL", variable):
                assert variable.endswith("_FILE"), (name, variable)
                assert Path(value).name in service["secrets"]


def test_secrets_are_made_once_and_agree(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "make-secrets"
    script.parent.mkdir()
    shutil.copy(ROOT / "scripts" / "make-secrets", script)
    subprocess.run([script], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert f":{made['database_password']}@postgres:" in made["database_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    subprocess.run([script], check=True, capture_output=True)
    assert (tmp_path / "secrets" / "secret_key").read_text() == made["secret_key"]


@pytest.mark.skipif(
    not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")),
    reason="DATABASE_URL and REDIS_URL name no PostgreSQL and Redis",
)
@pytest.mark.timeout(400)
def test_the_services_commands_together_classify_an_image(tmp_path: Path, free_port: int) -> None:
    with scratch_services() as services, ExitStack() as running:
        for name in ("secret_key", "database_url"):
            (tmp_path / name).write_text(services["DATABASE_URL"] if "url" in name else "s" * 50)
        images = image_environment(tmp_path, free_port)
        own = {name: images | service_environment(name, tmp_path, services) for name in OURS}
        run_to_end(SERVICES["migrate"]["command"], own["migrate"])
        run_to_end(["python", "manage.py", "collectstatic", "--no-input"], own["web"])
        create_superuser = ["python", "manage.py", "createsuperuser", "--no-input"]
        person = {"DJANGO_SUPERUSER_USERNAME": "ada", "DJANGO_SUPERUSER_EMAIL": "ada@example.org"}
        run_to_end(create_superuser, own["web"] | person | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD})
        for name in ("web", "worker", "chores", "beat"):
            running.enter_context(service(name, own[name], tmp_path))
        for name in ("web", "worker", "chores"):
            wait_until_healthy(name, own[name])

        ada = Person(f"http://127.0.0.1:{free_port}")
        ada.sign_in("ada", PASSWORD)
        status, page = ada.upload(("teal.png", image_bytes()))
        assert status == 200
        wait_until_succeeded(ada, prediction_ids(page)[0])


def image_environment(folder: Path, port: int) -> dict[str, str]:
    """What the Dockerfile sets, with its places moved into a folder of this test."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONUNBUFFERED": "1",
        "SIGHTLINE_BIND": "127.0.0.1",
        "PORT": str(port),
        "SIGHTLINE_DATA_DIR": str(folder / "data"),
        "SIGHTLINE_STATIC_DIR": str(folder / "static"),
    }


def service_environment(name: str, folder: Path, services: dict[str, str]) -> dict[str, str]:
    """A service's own environment, as written, with defaults filled in and hosts translated."""
    translated = {}
    for variable, value in SERVICES[name]["environment"].items():
        text = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value))
        text = text.replace("/run/secrets", str(folder))
        translated[variable] = text.replace("redis://redis:6379/0", services["REDIS_URL"])
    return translated


def run_to_end(command: list[str], env: dict[str, str]) -> None:
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@contextmanager
def service(name: str, env: dict[str, str], folder: Path) -> Iterator[None]:
    """A service's command as a local process, told to stop as an engine tells it."""
    command = [
        part.replace("/tmp/beat-schedule", str(folder / "beat-schedule"))
        for part in SERVICES[name]["command"]
    ]
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        yield
        assert process.poll() is None, (folder / f"{name}.log").read_text()
    finally:
        process.terminate()
        assert process.wait(60) == 0, (folder / f"{name}.log").read_text()


def wait_until_healthy(name: str, env: dict[str, str], seconds: float = 120) -> None:
    """Run the service's own health check until it passes."""
    kind, *command = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    deadline = time.monotonic() + seconds
    while (result := subprocess.run(command, cwd=ROOT, env=env, capture_output=True)).returncode:
        assert time.monotonic() < deadline, f"{name} never became healthy: {result.stderr!r}"
        time.sleep(0.5)


def wait_until_succeeded(person: Person, key: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        status, page = person.get(f"/predictions/{key}/")
        assert status == 200
        if "answer-label" in page:
            return
        assert time.monotonic() < deadline, page
        time.sleep(0.3)
