"""One copy of Sightline for each data folder and each port."""

import errno
import fcntl
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from django.core.checks import run_checks

from classifier.checks import LIMITS


class CannotStart(Exception):
    """Sightline cannot start; the message says why and what to do, in one line."""


def refuse_wrong_limits() -> None:
    """Refuse settings with which nothing could work.

    Raises:
        CannotStart: naming every one of them, and what would be right.
    """
    if wrong := run_checks(tags=[LIMITS]):
        raise CannotStart(" ".join(f"{message.msg} {message.hint}" for message in wrong))


def keep_private(folder: Path) -> None:
    """Let nobody else on this machine read the folder: passwords' hashes and pictures are in it.

    Somebody else's folder is left as it is, and so is one that is there for everybody, as /tmp.
    """
    state = folder.stat()
    if state.st_uid == os.getuid() and not state.st_mode & stat.S_ISVTX:
        with suppress(OSError):  # not every file system knows whose a file is
            folder.chmod(0o700)


def lock_data_folder(folder: Path, port: int) -> TextIO:
    """Take the data folder for this process, for as long as the returned file stays open.

    The kernel drops the lock with the process, however it ends. The file says who holds it.

    Raises:
        CannotStart: naming the process and the port that hold it already.
    """
    try:
        file = (folder / "run.lock").open("a+")
    except OSError as error:
        raise CannotStart(
            f"the data folder {folder} cannot be written ({error.strerror}); "
            "choose another one with SIGHTLINE_DATA_DIR="
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise CannotStart(
            f"Sightline already runs on the data folder {folder} ({holder}); "
            "stop that one, or choose another folder with SIGHTLINE_DATA_DIR="
        ) from error
    file.truncate(0)
    file.write(f"process {os.getpid()}, port {port}\n")
    file.flush()
    return file


def listen(host: str, port: int) -> socket.socket:
    """Open the port that the web process is to serve; 0 takes any free one.

    The socket is held here and handed down, so that nobody else can take the port while the web
    process starts, or starts again: connections wait in the meantime.

    Raises:
        CannotStart: if there is no such port or address, or it is taken or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OverflowError as error:
        raise CannotStart(
            f"PORT is {port}, but ports go from 1 to 65535 (0 takes any free one); "
            "choose another one, for example PORT=8000"
        ) from error
    except (OSError, UnicodeError) as error:  # the latter: no host can have such a name
        raise CannotStart(
            f"port {port} on {host} cannot be opened ({_reason(error)}); {_way_out(error, port)}"
        ) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return str(reason).partition(" (while ")[0]  # what follows is what we tried


def _way_out(error: Exception, port: int) -> str:
    if getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES):
        free = port + 1 if 1024 <= port < 65535 else 8001
        return f"choose another one with PORT=, for example PORT={free}"
    return "choose an address of this machine with SIGHTLINE_BIND=, for example 127.0.0.1"
