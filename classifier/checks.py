"""System checks of our own settings. Each says what is wrong and what would be right."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connection

POSITIVE = {
    "LEASE_SECONDS": "SIGHTLINE_LEASE_SECONDS",
    "SWEEP_SECONDS": "SIGHTLINE_SWEEP_SECONDS",
    "UPLOAD_MAX_BYTES": "SIGHTLINE_UPLOAD_MAX_BYTES",
    "UPLOAD_MAX_PIXELS": "SIGHTLINE_UPLOAD_MAX_PIXELS",
    "UPLOAD_MAX_ASPECT_RATIO": "SIGHTLINE_UPLOAD_MAX_ASPECT_RATIO",
    "UPLOAD_MAX_JPEG_SCANS": "SIGHTLINE_UPLOAD_MAX_JPEG_SCANS",
    "UPLOAD_MAX_REQUEST_BYTES": "SIGHTLINE_UPLOAD_MAX_REQUEST_BYTES",
    "MODEL_UPLOAD_MAX_BYTES": "SIGHTLINE_MODEL_UPLOAD_MAX_BYTES",
    "WEB_THREADS": "SIGHTLINE_WEB_THREADS",
    "WEB_WORKERS": "SIGHTLINE_WEB_WORKERS",
}
LIMITS = "limits"  # the tag of what `manage.py run` checks before it starts
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


@register(LIMITS)
def check_limits(**_: Any) -> Iterator[CheckMessage]:
    """Limits and times that would refuse everything, or never let anything end."""
    for name, variable in POSITIVE.items():
        value = getattr(settings, name)
        if value <= 0:
            yield checks.Error(
                f"{variable} is {value}.", hint="Give a number above 0.", id="sightline.E001"
            )
    for name in ("API_RATE_PER_USER", "API_RATE_PER_TOKEN"):
        value = getattr(settings, name)
        if value < 0:
            yield checks.Error(
                f"SIGHTLINE_{name} is {value}.",
                hint="Give a number of requests in a minute, or 0 for as many as come.",
                id="sightline.E003",
            )
    if settings.WORKER_THREADS < 0:
        yield checks.Error(
            f"SIGHTLINE_WORKER_THREADS is {settings.WORKER_THREADS}.",
            hint="Give a number of threads, or 0 for one for each CPU core.",
            id="sightline.E002",
        )


@register(Tags.security, deploy=True)
def check_deployment(**_: Any) -> Iterator[CheckMessage]:
    """What serves one person on one machine, and would fail many."""
    if connection.vendor == "sqlite":
        yield checks.Warning(
            "The database is SQLite, which only processes of one machine can share.",
            hint="Set DATABASE_URL=postgres://user:password@host:5432/name.",
            id="sightline.W001",
        )
    if settings.EMBEDDED_BROKER:
        yield checks.Warning(
            "REDIS_URL is not set; only `manage.py run` starts a broker of its own.",
            hint="Set REDIS_URL=redis://host:6379/0.",
            id="sightline.W002",
        )
    if LOCAL_HOSTS.issuperset(settings.ALLOWED_HOSTS):
        yield checks.Warning(
            "SIGHTLINE_ALLOWED_HOSTS names this machine only, so nobody else gets a page.",
            hint="Set it to the host names that people type, separated by commas.",
            id="sightline.W003",
        )
    if (settings.DATA_DIR / "secret-key").exists():
        yield checks.Warning(
            "The secret key is kept in the data folder, where other machines do not see it.",
            hint="Set SIGHTLINE_SECRET_KEY, or SIGHTLINE_SECRET_KEY_FILE, alike for all processes.",
            id="sightline.W004",
        )
