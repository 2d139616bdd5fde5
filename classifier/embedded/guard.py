"""One copy of Sightline for each data folder and each port."""

import fcntl
import os
import socket
from pathlib import Path
from typing import TextIO


class CannotStart(Exception):
    """Sightline cannot start; the message says why and what to do, in one line."""


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
        CannotStart: if the port is taken or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotStart(
            f"port {port} on {host} cannot be opened ({os.strerror(error.errno or 0)}); "
            f"choose another one with PORT=, for example PORT={port + 1 if port < 65535 else 8001}"
        ) from error
