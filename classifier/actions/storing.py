"""Files whose name says what is in them, so that whoever comes second need not store them again."""

import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage


class _Spooled(File):  # type: ignore[type-arg]
    """A file on disk, which a storage on the same disk moves into place: there whole or not."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def store_whole(name: str, source: BinaryIO) -> None:
    """Store under this very name, or leave what a twin has just stored there.

    Nobody ever sees half of the file.
    """
    with tempfile.TemporaryDirectory(dir=settings.MEDIA_ROOT) as folder:
        spool = Path(folder, "spool")
        with spool.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        with spool.open("rb") as file:
            stored = default_storage.save(name, _Spooled(file))
    if stored != name:
        default_storage.delete(stored)
