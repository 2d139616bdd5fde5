"""`python -m deploy.healthcheck web|worker|chores` exits with 0 if that process can work."""

import http.client
import os
import socket
import sys


def web_is_ready() -> bool:
    """Whether /health/ready answers 200, asked under a host name that the settings allow."""
    host = os.environ.get("SIGHTLINE_ALLOWED_HOSTS", "localhost").split(",")[0].strip()
    host = "localhost" if host == "*" else host.lstrip(".")
    client = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
    try:
        client.request("GET", "/health/ready", headers={"Host": host})
        return client.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False


def node_answers(name: str) -> bool:
    """Whether the Celery worker of this container takes messages."""
    from kombu.exceptions import OperationalError  # not for the web, whose check runs often

    from config.celery import app

    try:
        return bool(app.control.ping(destination=[f"{name}@{socket.gethostname()}"], timeout=5))
    except OperationalError:
        return False


if __name__ == "__main__":
    asked = sys.argv[1]
    sys.exit(not (web_is_ready() if asked == "web" else node_answers(asked)))
