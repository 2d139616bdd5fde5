"""Labelled images on disk, in the two ways in which people have them.

A folder for each class, `DATA/<label>/*.jpg`; or a CSV file with the columns `file` and `label`,
whose paths are relative to it. Either may say which images are for what: by the folders `train`,
`validation` and `test` around those of the classes, or by a third column, `part`.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from classifier.ml.refusal import Refusal, some

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"}
TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")
COLUMNS = ("file", "label")

Item = tuple[Path, int]
Decoded = TypeVar("Decoded")


class InvalidDataset(Refusal):
    """There are no usable labelled images; the message says what is missing."""


@dataclass(frozen=True)
class LabelledFiles:
    """Image files, each with the index of its label."""

    labels: tuple[str, ...]
    files: tuple[Item, ...]

    def with_labels_of(self, labels: Sequence[str]) -> "LabelledFiles":
        """The same files for a model, by its labels, of which a data set may have only some.

        Raises:
            InvalidDataset: if the data set has a label that the model does not know.
        """
        index = {label: i for i, label in enumerate(labels)}
        if strange := [label for label in self.labels if label not in index]:
            raise InvalidDataset(
                f"the model does not know the label {some(strange)}; its labels are {some(labels)}"
            )
        files = ((path, index[self.labels[label]]) for path, label in self.files)
        return LabelledFiles(tuple(labels), tuple(files))


def read_parts(data: Path) -> dict[str, LabelledFiles]:
    """A data set by its parts; all of it under "" where it says nothing of parts.

    The parts share the labels of them all, sorted.

    Raises:
        InvalidDataset: if there is nothing of the kind, fewer than two classes, or an empty one.
    """
    found = _of_csv(data) if data.suffix.lower() == ".csv" else _of_folders(data)
    labels = tuple(sorted({label for part in found.values() for label, _ in part}))
    if len(labels) < 2:
        raise InvalidDataset(f"{data} has images of {len(labels)} class; at least two are needed")
    index = {label: i for i, label in enumerate(labels)}
    return {
        name: LabelledFiles(labels, tuple((path, index[label]) for label, path in part))
        for name, part in found.items()
    }


def read_all(data: Path, part: str = TEST) -> LabelledFiles:
    """The images to judge a model by: those of one part, or all where there are no parts.

    Raises:
        InvalidDataset: as `read_parts`; or if there are parts, but not this one.
    """
    parts = read_parts(data)
    if "" in parts:
        return parts[""]
    if part not in parts:
        raise InvalidDataset(f"{data} has the parts {some(list(parts))}, and no {part}")
    return parts[part]


def read_pictures(folder: Path) -> list[Path]:
    """The images in a folder and in those below it, whatever they show, sorted.

    Raises:
        InvalidDataset: if there is none, or no such folder.
    """
    images = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not images:
        raise InvalidDataset(f"{folder} holds no image ({', '.join(sorted(SUFFIXES))})")
    return images


def digests(files: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of each file.

    Raises:
        InvalidDataset: naming the files that cannot be read.
    """
    return dict(_each(list(files), _digest, "read"))


def fingerprint(data: LabelledFiles, digest_of: Mapping[Path, str]) -> str:
    """A digest of what a data set holds, wherever it lies: its images and their labels."""
    lines = sorted(f"{digest_of[path]} {data.labels[label]}" for path, label in data.files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def decode_each(
    files: Sequence[Path],
    decode: Callable[[Path], Decoded],
    after_image: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Path, Decoded]]:
    """What `decode` makes of each file, in order, by several threads.

    Raises:
        InvalidDataset: at the end, naming all that failed.
    """
    return _each(files, decode, "decoded", after_image)


def _of_folders(data: Path) -> dict[str, list[tuple[str, Path]]]:
    if not data.is_dir():
        raise InvalidDataset(f"{data} is neither a folder nor a CSV file")
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    parts = [path for path in folders if path.name in PARTS and _has_folders(path)]
    if not parts:
        return {"": _classes(data)}
    by_part = {path.name: _classes(path) for path in parts}
    labels = {name: {label for label, _ in part} for name, part in by_part.items()}
    for name, known in labels.items():
        if known != labels[parts[0].name]:
            different = sorted(known ^ labels[parts[0].name])
            raise InvalidDataset(
                f"{parts[0].name} and {name} must have the same folders; not in both are "
                f"{some(different)}"
            )
    return by_part


def _has_folders(path: Path) -> bool:
    """A class may well be called "train"; its folder holds images, though."""
    return any(inner.is_dir() for inner in path.iterdir())


def _classes(folder: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for label in sorted(path for path in folder.iterdir() if path.is_dir()):
        found += [(label.name, path) for path in read_pictures(label)]
    if not found:
        raise InvalidDataset(f"{folder} needs a sub-folder for each of at least two classes")
    return found


def _of_csv(data: Path) -> dict[str, list[tuple[str, Path]]]:
    found: dict[str, list[tuple[str, Path]]] = {}
    for number, row in _rows(data):
        part = (row.get("part") or "").strip()
        if part and part not in PARTS:
            raise InvalidDataset(
                f"{data}, line {number}: the part is {part!r}; it must be one of {', '.join(PARTS)}"
            )
        file, label = ((row[name] or "").strip() for name in COLUMNS)
        if not file or not label:
            raise InvalidDataset(f"{data}, line {number}: file and label must both be there")
        found.setdefault(part, []).append((label, data.parent / file))
    if "" in found and len(found) > 1:
        raise InvalidDataset(f"{data} must name the part in every line, or in none")
    return found


def _rows(data: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    try:
        with data.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise InvalidDataset(
                    f"{data} must begin with a line that names the columns file,label"
                )
            yield from enumerate(reader, start=2)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidDataset(f"{data} cannot be read as a CSV file in UTF-8: {error}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _each(
    files: Sequence[Path],
    work: Callable[[Path], Decoded],
    verb: str,
    after_each: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Path, Decoded]]:
    def tried(path: Path) -> Decoded | Exception:
        try:
            return work(path)
        except Exception as error:  # decoders raise whatever they like
            return error

    failed: list[Path] = []
    with ThreadPoolExecutor() as pool:
        for path, result in zip(files, pool.map(tried, files), strict=True):
            if isinstance(result, Exception):
                failed.append(path)
            else:
                yield path, result
            after_each()
    if failed:
        told = "1 file" if len(failed) == 1 else f"{len(failed)} files"
        raise InvalidDataset(f"{told} cannot be {verb}: {some(failed, most=3)}")
