"""What people would otherwise put an image classifier behind, as the tutorials have it."""

import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import post
from benchmarks.processes import program, redis_server, wait_until

PYTHON = sys.executable
CELERY = "benchmarks.peers.celery_app"


@dataclass(frozen=True)
class Peer:
    """A server that answers `POST path` with the class of the picture in the form's `file`."""

    name: str
    port: int
    pids: tuple[int, ...]

    def ask(self, connection: http.client.HTTPConnection, picture: bytes) -> float:
        status, text = post(connection, "/predict", "file", picture, {})
        assert status == http.HTTPStatus.OK, text
        assert "label" in json.loads(text), text
        return 0.0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """It runs inside the block only; outside it takes nothing of the CPU."""
        self._tell(signal.SIGCONT)
        try:
            yield
        finally:
            self._tell(signal.SIGSTOP)

    def _tell(self, number: int) -> None:
        for pid in self.pids:
            os.killpg(pid, number)


def write_model(folder: Path, network: Any, variant: Any) -> None:
    """Leave the model where the peers look for it, with the file of the variant, if it has one."""
    folder.mkdir()
    (folder / "weights.safetensors").symlink_to(network.weights)
    file = str(variant.file) if variant.file else None
    facts = {"architecture": network.architecture, **network.spec.to_json(), "file": file}
    (folder / "facts.json").write_text(json.dumps(facts))


@contextmanager
def running_peers(
    folder: Path, first_port: int, engine: str, picture: bytes
) -> Iterator[list[Peer]]:
    """Start all of them, warm, and hold them still.

    Args:
        folder: the model's, as `write_model` left it; their logs go there.
        first_port: the first of as many free ports as there are peers.
        engine: `onnxruntime` or `openvino` for a LitServe with our file; empty for none.
        picture: what they are warmed up with.
    """
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        peers = []
        for port, (name, commands, more) in enumerate(_programs(engine, redis), start=first_port):
            environment = {"PORT": str(port), "PEER_MODEL": str(folder)}
            environment |= {"PEER_REDIS": redis, **more}
            log = folder / f"{name.replace(' ', '-')}.log"
            pids = tuple(
                stack.enter_context(
                    program([word.format(port=port) for word in command], environment, log)
                )
                for command in commands
            )
            peer = Peer(name, port, pids)
            wait_until(lambda peer=peer: _answers(peer, picture), f"{name} ({log})")
            stack.enter_context(_held(peer))
            peers.append(peer)
        yield peers


@contextmanager
def _held(peer: Peer) -> Iterator[None]:
    with peer.at_work():
        pass
    yield


# Two processes whose threads fight for two cores get a tenth done.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def _programs(
    engine: str, redis: str
) -> Iterator[tuple[str, list[tuple[str, ...]], dict[str, str]]]:
    """For each peer its name, the command lines of its processes, and their environment."""
    flask = (PYTHON, "-m", "benchmarks.peers.flask_app")
    yield "Flask", [flask], {}
    gunicorn = (PYTHON, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2")
    # It is held still for longer than gunicorn would wait for a worker's sign of life.
    patient = ("--timeout", "3600", "--log-level", "warning")
    application = "benchmarks.peers.flask_app:app"
    yield "gunicorn, 2 sync workers", [(*gunicorn, *patient, application)], ONE_THREAD
    worker = (PYTHON, "-m", "celery", "-A", f"{CELERY}:celery", "--quiet", "worker")
    prefork = ("--pool", "prefork", "--concurrency", "2")
    yield "Celery, 2 prefork", [(*worker, *prefork), (PYTHON, "-m", CELERY)], ONE_THREAD
    litserve = (PYTHON, "-m", "benchmarks.peers.litserve_app")
    yield "LitServe, batches of 8", [litserve], {}
    if engine:
        yield f"LitServe, our {engine} file", [litserve], {"PEER_ENGINE": engine}


def _answers(peer: Peer, picture: bytes) -> bool:
    """Whether it answers several times, so that every worker of it is warm."""
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=60)
    try:
        for _ in range(8):
            peer.ask(connection, picture)
    except (OSError, http.client.HTTPException):
        return False
    return True
