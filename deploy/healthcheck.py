"""`python -m deploy.healthcheck web|worker|chores` exits with 0 if that process can work."""

import os
import socket
import sys

from classifier.embedded.readiness import node_answers, web_answers


def web_is_ready() -> bool:
    """Whether the web process of this container answers."""
    hosts = os.environ.get("SIGHTLINE_ALLOWED_HOSTS", "localhost").split(",")
    return web_answers("127.0.0.1", int(os.environ.get("PORT", "8000")), hosts)


def celery_is_ready(name: str) -> bool:
    """Whether the Celery worker of this container takes messages."""
    from config.celery import app  # not for the web, whose check runs often

    return node_answers(app, f"{name}@{socket.gethostname()}", seconds=5)


if __name__ == "__main__":
    asked = sys.argv[1]
    sys.exit(not (web_is_ready() if asked == "web" else celery_is_ready(asked)))
