"""`manage.py run`: the whole of Sightline on one machine, from one command."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand

from classifier.embedded.guard import (
    CannotStart,
    keep_private,
    listen,
    lock_data_folder,
    refuse_wrong_limits,
)
from classifier.embedded.installation import Installation


class Command(BaseCommand):
    help = (
        "Start the broker, the web process, the worker and the chores, keep them up, and stop them "
        "in order on Ctrl-C. PORT, SIGHTLINE_DATA_DIR and the other settings come from the "
        "environment; docs/operating.md lists them."
    )
    requires_system_checks = []  # `make check` runs them; those of our limits run below

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)  # what is kept, by us and by our children, is nobody else's to read
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        data_dir = Path(settings.DATA_DIR)
        try:
            refuse_wrong_limits()
            keep_private(data_dir)
            with (
                lock_data_folder(data_dir, settings.PORT),
                listen(settings.BIND, settings.PORT) as listener,
            ):
                _serve(Installation(listener, sys.stdout))
        except CannotStart as error:
            self.stderr.write(f"Sightline: {error}")
            sys.exit(2)


def _serve(installation: Installation) -> None:
    try:
        installation.start()
        installation.keep_up(lambda: _asked)
    except KeyboardInterrupt:
        pass
    finally:
        # A second Ctrl-C ends the waiting; whoever else asks again is only impatient.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        installation.stop()


_asked: list[int] = []  # the signals so far; Python ignores what is raised while it forks


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _asked.append(number)
    raise KeyboardInterrupt
