"""Whether a child is of use yet, not only alive."""

import http.client
from collections.abc import Callable

from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError


def web_answers(host: str, port: int) -> bool:
    """Whether GET /health/ready answers 200: pages, database and broker are there."""
    client = http.client.HTTPConnection(host, port, timeout=5)
    try:
        client.request("GET", "/health/ready", headers={"Host": _allowed_host()})
        return client.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def node_answers(app: Celery, node: str) -> Callable[[], bool]:
    """A question to a Celery worker by its node name: does it take messages?"""

    def answers() -> bool:
        try:
            return bool(app.control.ping(destination=[node], timeout=0.5))
        except OperationalError:
            return False

    return answers


def _allowed_host() -> str:
    first: str = (settings.ALLOWED_HOSTS or ["localhost"])[0]
    return "localhost" if first == "*" else first.lstrip(".")
