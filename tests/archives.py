"""Real pictures, read from the archives that they come in."""

import gzip
import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path


def members(archive: Path, folder: str, most: int) -> Iterator[tuple[str, bytes]]:
    """The name and content of files below a folder, at most so many of each inner folder."""
    content = archive.read_bytes()
    if archive.suffix == ".gz":
        content = gzip.decompress(content)
    # A member's name begins its header; to read the headers of all before it takes seconds.
    begun = io.BytesIO(content[content.index(folder.encode()) :])
    taken: Counter[str] = Counter()
    with tarfile.open(fileobj=begun) as opened:
        for member in opened:
            inner = member.name.rpartition("/")[0]
            file = opened.extractfile(member) if member.name.startswith(folder) else None
            if file and taken[inner] < most:
                taken[inner] += 1
                yield member.name, file.read()
