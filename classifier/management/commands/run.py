"""`manage.py run`: the whole of Sightline on one machine, from one command."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand

from classifier.embedded.guard import CannotStart, listen, lock_data_folder
from classifier.embedded.installation import Installation
from classifier.embedded.supervisor import KeepsDying


class Command(BaseCommand):
    help = (
        "Start the broker, the web process, the worker and the chores, keep them up, and stop them "
        "in order on Ctrl-C. PORT, SIGHTLINE_DATA_DIR and the other settings come from the "
        "environment; docs/operating.md lists them."
    )
    requires_system_checks = []  # `make check` runs them; a start is to be quick

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            with (
                lock_data_folder(Path(settings.DATA_DIR), settings.PORT),
                listen(settings.BIND, settings.PORT) as listener,
            ):
                _serve(Installation(listener, sys.stdout))
        except CannotStart as error:
            self._fail(error, exit_code=2)
        except KeepsDying as error:
            self._fail(error, exit_code=1)

    def _fail(self, error: Exception, exit_code: int) -> NoReturn:
        self.stderr.write(f"Sightline: {error}")
        sys.exit(exit_code)


def _serve(installation: Installation) -> None:
    try:
        installation.start()
        installation.keep_up()
    except KeyboardInterrupt:
        pass
    finally:
        # A second Ctrl-C ends the waiting; whoever else asks again is only impatient.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        installation.stop()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
