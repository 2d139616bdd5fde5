"""Whether a process is of use yet, not only alive.

The containers' own checks ask this too, the web's every few seconds, so that little is imported.
"""

import http.client
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery


def web_answers(host: str, port: int, allowed_hosts: Sequence[str]) -> bool:
    """Whether GET /health/ready answers 200: pages, database and broker are there.

    It is asked under the first of the host names that the settings allow.
    """
    client = http.client.HTTPConnection(host, port, timeout=4)
    try:
        client.request("GET", "/health/ready", headers={"Host": _host_name(allowed_hosts)})
        return client.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def node_answers(app: "Celery", node: str, seconds: float = 0.5) -> bool:
    """Whether a Celery worker, by its node name, takes messages: it has `seconds` to say so."""
    from kombu.exceptions import OperationalError  # not for the web

    try:
        return bool(app.control.ping(destination=[node], timeout=seconds))
    except OperationalError:
        return False


def _host_name(allowed_hosts: Sequence[str]) -> str:
    """A name that the first pattern allows: `*` is any, `.example.org` is that domain too."""
    first = next(iter(allowed_hosts), "*").strip()
    return "localhost" if first in ("", "*") else first.lstrip(".")
