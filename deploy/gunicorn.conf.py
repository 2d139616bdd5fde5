"""How gunicorn serves the pages; docs/operating.md has the measurements behind the numbers."""

import gc
import os
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

PROBES = ("/health/", "/v2/health/")


class AccessLog(Logger):  # type: ignore[misc]
    """Who asked for what, but not whoever asks every few seconds whether we are well."""

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        if not environ.get("PATH_INFO", "").startswith(PROBES):
            super().access(resp, req, environ, request_time)


def when_ready(_server: Any) -> None:
    """What was imported is there to stay: the workers need neither look through it nor copy it."""
    gc.collect()
    gc.freeze()


def post_fork(_server: Any, _worker: Any) -> None:
    """Look for garbage in cycles once in some requests, not several times in each."""
    gc.set_threshold(10_000, 10, 10)


bind = f"{os.environ.get('SIGHTLINE_BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("SIGHTLINE_WEB_WORKERS", "2"))
threads = int(os.environ.get("SIGHTLINE_WEB_THREADS", "4"))
worker_class = "config.web_worker.PagesFirst"
preload_app = True  # the application is imported once, before the workers are forked
keepalive = 5
limit_request_line = 8190  # plain bytes come with their options in the address
timeout = 60
graceful_timeout = 30
control_socket_disable = True
logger_class = AccessLog
loglevel = "warning"
accesslog = "-"
access_log_format = "%(m)s %(U)s %(s)s, %(B)s bytes in %(M)s ms"
