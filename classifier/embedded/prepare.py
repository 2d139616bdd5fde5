"""What must be true before the first process starts: database, tables, static files, a model."""

import hashlib
import io
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import OperationalError, connection

from classifier.embedded.guard import CannotStart
from classifier.models import ModelVersion


def prepare_database() -> None:
    """Bring the tables up to date.

    Raises:
        CannotStart: if the database does not answer.
    """
    try:
        connection.ensure_connection()
    except OperationalError as error:
        where = connection.settings_dict
        place = f"{where['HOST'] or 'local'}:{where['PORT'] or '-'}/{where['NAME']}"
        reason = str(error).strip().splitlines()[0]
        raise CannotStart(
            f"the database {place} does not answer ({reason}); check DATABASE_URL"
        ) from error
    call_command("migrate", interactive=False, verbosity=0)


def prepare_model() -> None:
    """Where no model serves, let the bundled one do it; it is installed unless it is there.

    The one for the drawing pad is installed beside it, and answers whoever asks for it.
    """
    if not ModelVersion.objects.filter(name=settings.BUNDLED_FOR_DRAWING).exists():
        _install(settings.BUNDLED_FOR_DRAWING)
    if not ModelVersion.objects.filter(activated_at__isnull=False).exists():
        _install(settings.BUNDLED_MODEL, "--activate")


def _install(name: str, *options: str) -> None:
    call_command("models", "install", name, *options, stdout=io.StringIO())


def prepare_static_files() -> None:
    """Collect the static files, unless those collected last are still the same."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    state = _static_files_state()
    if not stamp.exists() or stamp.read_text() != state:
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(state)


def _static_files_state() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            file = Path(storage.path(path)).stat()
            digest.update(f"{path} {file.st_size} {file.st_mtime_ns}\n".encode())
    return digest.hexdigest()
