"""Settings that live in the data folder, so that all processes of an installation agree."""

import os
import re
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

NEEDED: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
HOST_NAME = re.compile(r"(?=.*[a-z])[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class Environment(environ.FileAwareEnv):  # type: ignore[misc]
    """Variables by type; NAME_FILE=/run/secrets/name stands for NAME. A wrong value is refused."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            needed = NEEDED.get(kwargs.get("cast"), str(error))
            value = os.environ.get(var)
            raise ImproperlyConfigured(f"{var} is {value!r}; {needed} is needed") from error

    def time_zone(self, var: str, default: str) -> str:
        """A time zone by its name, such as Europe/Berlin."""
        name: str = self.str(var, default=default)
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ImproperlyConfigured(
                f"{var} is {name!r}; a time zone such as Europe/Berlin is needed"
            ) from error
        return name

    def log_level(self, var: str, default: str) -> str:
        """One of Python's levels of logging, in any case."""
        level: str = self.str(var, default=default).upper()
        if level not in LOG_LEVELS:
            raise ImproperlyConfigured(
                f"{var} is {level!r}; one of {', '.join(LOG_LEVELS)} is needed"
            )
        return level

    def networks_and_names(self, var: str) -> tuple[IPv4Network | IPv6Network | str, ...]:
        """Networks such as 10.0.0.0/8 and host names, separated by commas; none by default."""
        entries: list[str] = self.list(var, default=[])
        return tuple(_network_or_name(var, entry.strip().lower()) for entry in entries if entry)

    def db(self, var: str, default: str) -> dict[str, Any]:
        """The database of a URL such as postgres://user:password@host:5432/name."""
        scheme = urlsplit(self.str(var, default=default)).scheme
        if scheme not in self.DB_SCHEMES:
            raise ImproperlyConfigured(
                f"{var} begins with {scheme!r}; "
                "postgres://user:password@host:5432/name is understood"
            )
        database: dict[str, Any] = super().db(var, default=default)
        return database


def _network_or_name(var: str, entry: str) -> IPv4Network | IPv6Network | str:
    try:
        return ip_network(entry)
    except ValueError as error:
        if not HOST_NAME.fullmatch(entry):
            raise ImproperlyConfigured(
                f"{var} has {entry!r}; networks such as 10.0.0.0/8 and host names are needed"
            ) from error
    return entry


def make_data_folder(path: Path) -> Path:
    """Make sure that the data folder is there and ours to write; a new one is only ours to read.

    Raises:
        ImproperlyConfigured: if it cannot be made or written.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = "" if os.access(path, os.W_OK | os.X_OK) else "permission denied"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise ImproperlyConfigured(
            f"the data folder {path} cannot be written ({reason}); "
            "choose another one with SIGHTLINE_DATA_DIR="
        )
    return path.resolve()


def read_or_create_secret(path: Path) -> str:
    """Read the secret key, creating it for its owner's eyes only on the first start."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        secret = secrets.token_urlsafe(50)
        file.write(secret)
    return secret


def read_if_present(path: Path, default: str) -> str:
    """The first line of a file, or `default` where there is no such file."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return default


def default_model_memory() -> int:
    """Half of the machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
