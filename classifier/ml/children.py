"""Files from elsewhere are read by child processes, with limits on their time and memory."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from classifier.ml.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]
# Libraries take less than the first part; what is read is held in several copies.
BASE_BYTES = 2 << 30
BYTES_PER_BYTE = 8


class RefusedByChild(Refusal):
    """The child refused the file, or did not survive it; the message says why."""


def ask_child(module: str, *arguments: Path | str, seconds: float, request: str = "") -> str:
    """What `python -m MODULE ARGUMENTS` answers on stdout, in an empty folder: what a file names
    by a relative path is not there. The arguments' own paths are absolute.

    Raises:
        RefusedByChild: with the last line of its stderr.
    """
    search_path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    try:
        with TemporaryDirectory(prefix="sightline-") as folder:
            child = subprocess.run(  # noqa: S603 - our own module, and each argument by itself
                [sys.executable, "-m", module, *map(str, arguments)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": search_path},
                input=request,
                timeout=seconds,
                capture_output=True,
                text=True,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise RefusedByChild(f"it could not be read within {seconds:g} seconds") from error
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise RefusedByChild(
            f"the process that read it died ({name}), as of too much memory or time"
        )
    if child.returncode:
        raise RefusedByChild((child.stderr.strip().splitlines() or ["it cannot be read"])[-1])
    return child.stdout


def limit_this_process(file: Path, seconds: int) -> None:
    """Let this process, a child, take no more than so much time of the CPU, and memory in
    proportion to the file that it reads."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    memory = BASE_BYTES + BYTES_PER_BYTE * file.stat().st_size
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
