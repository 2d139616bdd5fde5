"""A database and a Redis of a test's own, for the processes that it starts."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from django.conf import settings


@contextmanager
def scratch_services() -> Iterator[dict[str, str]]:
    """The environment for child processes: DATABASE_URL and REDIS_URL where they are set, empty
    (so embedded) where not. A database is created for the while, and dropped."""
    environment = {"DATABASE_URL": "", "REDIS_URL": ""}
    if not settings.EMBEDDED_BROKER:
        # Another database than the tests', which they empty as they like.
        number = int(urlsplit(settings.REDIS_URL).path.strip("/")) - 6
        environment["REDIS_URL"] = urlsplit(settings.REDIS_URL)._replace(path=f"/{number}").geturl()
    given = os.environ.get("DATABASE_URL")
    if not given:
        del environment["DATABASE_URL"]
        yield environment
        return
    name = f"test_scratch_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield environment | {"DATABASE_URL": urlsplit(given)._replace(path=f"/{name}").geturl()}
    finally:
        with psycopg.connect(given, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
