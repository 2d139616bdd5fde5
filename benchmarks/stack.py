"""All of Sightline as it is installed: from the upload over HTTP to the settled result."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.end_to_end import ROOT, throw_away_installation
from benchmarks.load import exchange, post
from benchmarks.memory import PeakMemory, with_children
from benchmarks.processes import wait_until
from benchmarks.results import Backlog

PATH = "/api/v1/predictions/"
UPLOADERS = 8
# The number of clients who wait at once is what is measured, so that each finds a thread and a
# seat; an installation as shipped lets those wait again whom it has no seat for.
WAITERS = {"SIGHTLINE_WEB_THREADS": "24", "SIGHTLINE_WAITING_SEATS": "20"}


@contextmanager
def installation(port: int) -> Iterator["Sightline"]:
    """A throw-away installation on SQLite with a broker of its own, all of it on this machine."""
    os.environ.update(WAITERS)
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    with throw_away_installation(port) as process:
        import django

        django.setup()
        yield Sightline(port, process.pid, _new_token())


def manage(*arguments: str | Path) -> str:
    """What a management command prints. Raises SystemExit with what it said if it fails."""
    command = [sys.executable, "manage.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _new_token() -> str:
    return manage("token", "create", "--user", "admin", "--name", "benchmark").strip()


class Sightline:
    """The installation, as its clients and its administrator see it."""

    def __init__(self, port: int, pid: int, token: str) -> None:
        self.port = port
        self.pids = (pid,)
        self._headers = {"Authorization": f"Bearer {token}"}

    def install(self, name: str, weights: Path | None, pictures: Path, engines: str) -> None:
        """Let a model serve, by the fastest variant that `optimize` finds among these engines."""
        if weights is None:
            version = f"{name}@1"  # ships with the project
            manage("models", "activate", version)
        else:
            manage("models", "install", name, "--weights", weights, "--activate")
        chosen = ("--engines", engines) if engines else ()
        print(manage("optimize", name, "--data", pictures, *chosen))

    def ask(self, connection: http.client.HTTPConnection, picture: bytes) -> float:
        """Upload and wait for the classes. Returns the seconds that the network took."""
        return float(self._metrics(connection, picture)["predict_time"])

    def wait_for(self, variant: str, supply: Iterator[bytes]) -> None:
        """Until the worker has loaded what is to compute from now on: it goes on as before so
        long."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        wait_until(
            lambda: self._metrics(connection, next(supply))["variant"] == variant,
            f"an answer by {variant}",
        )
        connection.close()

    def _metrics(self, connection: http.client.HTTPConnection, picture: bytes) -> dict[str, Any]:
        waiting = self._headers | {"Prefer": "wait"}
        status, text = post(connection, PATH, "image", picture, waiting)
        answer = json.loads(text)
        while status == http.HTTPStatus.ACCEPTED:  # there was no seat to wait in
            time.sleep(0.02)
            address = f"{PATH}{answer['id']}/"
            _, text = exchange(connection, "GET", address, None, waiting)
            answer = json.loads(text)
            status = 200 if answer["status"] in {"succeeded", "failed"} else 202
        assert answer["status"] == "succeeded", answer
        metrics: dict[str, Any] = answer["metrics"]
        assert not metrics["cached"], "a picture was sent twice"
        return metrics

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """It runs all the time: nobody pays for Sightline while nothing is asked of it."""
        yield

    def drain(self, count: int, supply: Iterator[bytes]) -> Backlog:
        """Queue so many pictures while the worker is held still, then let it work."""
        worker = self._worker()
        worker.send_signal(signal.SIGSTOP)
        try:
            self._queue(count, supply)
            cpu = _cpu_seconds(worker)
        finally:
            worker.send_signal(signal.SIGCONT)
        with PeakMemory(self.pids) as memory:
            wait_until(lambda: _pending() == 0, f"a backlog of {count}", 600)
        return _measured(count, _cpu_seconds(worker) - cpu, memory.bytes)

    def _queue(self, count: int, supply: Iterator[bytes]) -> None:
        pictures = [next(supply) for _ in range(count)]

        def send(first: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            for picture in pictures[first::UPLOADERS]:
                post(connection, PATH, "image", picture, self._headers)
            connection.close()

        with ThreadPoolExecutor(UPLOADERS) as pool:
            list(pool.map(send, range(UPLOADERS)))
        assert _pending() == count, f"{_pending()} of {count} pictures wait"

    def _worker(self) -> psutil.Process:
        [worker] = [
            process
            for process in with_children(self.pids[0])
            if "classifier.worker.classify" in " ".join(process.cmdline())
        ]
        return worker


def _pending() -> int:
    from classifier.models import Prediction

    return Prediction.objects.pending().count()


def _measured(count: int, cpu_seconds: float, peak_bytes: int) -> Backlog:
    """From the rows' own timestamps; the backlog are the newest rows."""
    from classifier.models import Prediction

    rows = list(Prediction.objects.order_by("-id")[:count])
    assert {row.status for row in rows} == {"succeeded"}
    ended = max(row.completed_at for row in rows if row.completed_at)
    begun = min(row.started_at for row in rows if row.started_at)
    network = sum((row.inference_seconds or 0) / (row.batch_size or 1) for row in rows)
    return Backlog(count, (ended - begun).total_seconds(), cpu_seconds, network, peak_bytes)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def cache_folder() -> Path:
    """Where engines keep what they measured and compiled."""
    from django.conf import settings

    return Path(settings.CACHE_DIR)


def serving_version() -> Any:
    """The model version that serves, as the database has it now."""
    from classifier.models import ModelVersion

    return ModelVersion.objects.select_related("variant").serving()


def network_and_variant(version: Any) -> tuple[Any, Any]:
    """What serves, for whoever computes it without Sightline."""
    from classifier.ml.network import Network
    from classifier.ml.spec import ModelSpec
    from classifier.ml.variant import REFERENCE, Variant

    spec = ModelSpec.from_json(version.spec)
    network = Network(version.architecture, Path(version.weights.path), spec)
    served = version.variant
    if served is None:
        return network, REFERENCE
    file = Path(served.file.path) if served.file else None
    return network, Variant(served.engine, served.precision, served.recipe, file)


@contextmanager
def by_reference(version: Any) -> Iterator[str]:
    """The reference computes inside the block, which is told its name."""
    from classifier.actions.variants import serve_by, serve_by_reference

    network, _ = network_and_variant(version)
    serve_by_reference(version)
    try:
        yield str(network.reference)
    finally:
        if version.variant:
            serve_by(version.variant)
