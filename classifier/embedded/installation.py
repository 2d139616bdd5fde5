"""The processes of one machine, put together: what each runs, and in which order they come up."""

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.db import connection

from classifier.embedded import better_model, first_start
from classifier.embedded.broker import answers, forget_url, plan_broker
from classifier.embedded.guard import CannotStart
from classifier.embedded.log import Log
from classifier.embedded.prepare import prepare_database, prepare_model, prepare_static_files
from classifier.embedded.processes import Program
from classifier.embedded.readiness import node_answers, web_answers
from classifier.embedded.supervisor import OWN_NAME, Supervisor
from config.celery import app

NAMES = ("web", "worker", "chores", "beat", "broker", "models", OWN_NAME)
BATCH_SECONDS = 60.0  # what a worker may take to finish its batch before it is killed
SENDING_SECONDS = 20.0  # what chores may take to finish the messages under way
GPU = Path("/dev/nvidia0")
# Celery warns root of pickled messages, at length; ours are JSON.
QUIET_AS_ROOT = {"PYTHONWARNINGS": "ignore::UserWarning:celery.platforms"}


class Installation:
    """Sightline on one machine: everything starts, stays up and stops together."""

    def __init__(self, listener: socket.socket, stream: TextIO) -> None:
        self._listener = listener
        self._address: tuple[str, int] = listener.getsockname()[:2]
        self._data_dir = Path(settings.DATA_DIR)
        self._supervisor = Supervisor(Log(stream, NAMES))

    def start(self) -> None:
        """Prepare the data folder, start every process, and return once all are ready.

        Raises:
            CannotStart: saying what is missing.
        """
        self._start_broker()
        prepare_database()
        prepare_static_files()
        prepare_model()
        self._start_processes()
        how_to_sign_in = first_start.create_first_administrator()
        try:
            first_start.classify_samples(self._supervisor.say)
            self._supervisor.say(f"Sightline is ready at {self._url}")
        finally:  # no later start knows the password
            for line in how_to_sign_in:
                self._supervisor.say(line)
        self._supervisor.say("Ctrl-C stops everything")
        self._fetch_better_model()
        connection.close()  # for hours there is nothing to ask

    def keep_up(self, asked_to_stop: Callable[[], object]) -> None:
        """Watch over the processes until a signal comes, or came where nothing can be raised."""
        while not asked_to_stop():
            self._supervisor.keep_up()
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop web, worker, chores and broker, in this order."""
        self._listener.close()  # from now on a connection is refused instead of left waiting
        self._supervisor.stop()
        if settings.EMBEDDED_BROKER:
            forget_url(self._data_dir)
        self._supervisor.say("stopped")

    def _start_broker(self) -> None:
        if not settings.EMBEDDED_BROKER:
            if not answers(settings.REDIS_URL):
                raise CannotStart("the Redis of REDIS_URL does not answer; start it, or unset it")
            return
        broker = plan_broker(self._data_dir)
        # These settings were read before the broker had an address; the children read it anew.
        settings.REDIS_URL = settings.CELERY_BROKER_URL = broker.url
        self._supervisor.start(broker.program)
        self._supervisor.wait_until_ready(broker.is_ready, "broker", seconds=20)

    def _start_processes(self) -> None:
        here = f"{socket.gethostname()}-{os.getpid()}"
        chores, worker = f"chores@{here}", f"worker@{here}"
        for program in (_chores(chores), _beat(self._data_dir), _worker(worker), self._web()):
            self._supervisor.start(program)
        wait = self._supervisor.wait_until_ready
        wait(lambda: web_answers(*self._address, settings.ALLOWED_HOSTS), "web")
        wait(lambda: node_answers(app, chores), "chores")
        wait(lambda: node_answers(app, worker), "worker")

    def _web(self) -> Program:
        handle = self._listener.fileno()
        configuration = str(settings.BASE_DIR / "deploy" / "gunicorn.conf.py")
        gunicorn = (sys.executable, "-m", "gunicorn", "-c", configuration)
        return Program(
            "web",
            (*gunicorn, "--bind", f"fd://{handle}", "config.wsgi"),
            stop_seconds=35,  # longer than gunicorn's own graceful_timeout
            pass_fds=(handle,),
        )

    @property
    def _url(self) -> str:
        host, port = self._address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def _fetch_better_model(self) -> None:
        if not better_model.is_wanted():
            return
        say = self._supervisor.say
        say(f"fetching the weights of {settings.BETTER_MODEL} in the background")
        command = (sys.executable, "manage.py", *better_model.INSTALL)
        self._supervisor.start_errand(
            Program("models", command, niceness=10),
            lambda exit_code: say(better_model.after_fetching(exit_code)),
        )


def _celery(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "-A", "config", "--quiet", *arguments)


def _celery_worker(node: str, tasks: str, queues: str, *arguments: str) -> tuple[str, ...]:
    """Threads, never prefork; and no gossip, which only costs where nobody listens."""
    silent = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return _celery(
        *("worker", "-n", node, "-P", "threads", "-I", tasks, "-Q", queues, *silent, *arguments)
    )


def _chores(node: str) -> Program:
    tasks = "classifier.worker.sweep,classifier.worker.deliver"
    # Delivering takes one of the two threads at most, so that the sweep always has the other.
    command = _celery_worker(node, tasks, "chores,deliver", "-c", "2")
    return Program("chores", command, SENDING_SECONDS, QUIET_AS_ROOT)


def _beat(data_dir: Path) -> Program:
    """A process of its own: within chores (`--beat`) nobody would see it die."""
    return Program("beat", _celery("beat", "-s", str(data_dir / "beat-schedule"), "--pidfile="))


def _worker(node: str) -> Program:
    # Each thread of the worker computes on one core.
    environment = QUIET_AS_ROOT | {"OMP_NUM_THREADS": "1"}
    if GPU.exists() and not settings.WORKER_THREADS:
        environment["SIGHTLINE_WORKER_THREADS"] = "2"  # one batch decodes, the other computes
    tasks = "classifier.worker.classify,classifier.worker.evaluate"
    command = _celery_worker(node, tasks, "classify,evaluate")
    return Program("worker", command, BATCH_SECONDS, environment)
