"""Make a version of an uploaded file of weights, which a child process reads, never this one."""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from classifier.actions.install import NewModel, install
from classifier.models import ModelVersion

logger = logging.getLogger(__name__)

SECONDS = 180  # for the child; whoever uploaded waits for it
REFUSED = 2  # the exit code of a command that says why in one line


class NotRegistered(ValueError):
    """The file is no model, or could not be looked at; the message says why."""


def can_register() -> bool:
    """Whether this machine has what reads weights; where only the web runs, it has not."""
    return find_spec("torch") is not None


def register(file: Path, source: str, labels: str, options: Mapping[str, str]) -> ModelVersion:
    """Make a file the next version of a name, as `manage.py models import` with these options.

    `source` is what the file was called, `labels` has one a line, or nothing. The file is moved
    away from where it is.

    Raises:
        NotRegistered: if the command refuses it.
        ValidationError: if a value does not fit its field, such as a name that is no slug.
    """
    with tempfile.TemporaryDirectory(dir=file.parent, prefix="sightline-") as parent:
        folder = Path(parent)  # where nothing lies beside the file that could tell of it
        arguments = [f"--{name}={value}" for name, value in options.items() if value]
        if labels.strip():
            (folder / "labels").write_text(labels, encoding="utf-8")
            arguments.append(f"--labels={folder / 'labels'}")
        weights = file.rename(folder / f"model{file.suffix.lower()}")
        _import(weights, folder / "checked", arguments)
        facts = json.loads((folder / "checked" / "model.json").read_text(encoding="utf-8"))
        [weights] = (path for path in (folder / "checked").iterdir() if path.suffix != ".json")
        return install(NewModel(weights=weights, **facts | {"source": source}))


def _import(weights: Path, target: Path, arguments: list[str]) -> None:
    """Let a child check the weights and write what is to be installed."""
    command = ["models", "import", str(weights), f"--bundle={target}", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own command, and each argument by itself
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # what it starts in turn ends with it
    ) as child:
        try:
            _, errors = child.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise NotRegistered(f"It takes more than {SECONDS} seconds to check.") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    if child.returncode == REFUSED:
        line = (errors.strip().splitlines() or [""])[-1]
        raise NotRegistered(re.sub(r"^(CommandError|.* error): ", "", line))
    if child.returncode:
        logger.error("models import ended with %d: %s", child.returncode, errors)
        raise NotRegistered("It could not be checked; the log has the reason.")
