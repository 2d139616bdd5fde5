"""Which images a network is trained on, which stop the training, and which it is judged by."""

import csv
import hashlib
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from classifier.ml.datasets import (
    TEST,
    TRAIN,
    VALIDATION,
    InvalidDataset,
    LabelledFiles,
    digests,
    fingerprint,
    read_parts,
)
from classifier.ml.refusal import some


@dataclass(frozen=True)
class Shares:
    """What is set aside of a data set that does not say it itself, as shares of all images."""

    test: float = 0.2
    validation: float = 0.1

    def __post_init__(self) -> None:
        if not (0 < self.test < 1 and 0 <= self.validation < 1 and self.test + self.validation < 1):
            raise InvalidDataset(
                "the shares for testing and validation must be from 0 to 1, and leave something "
                f"to train on; {self.test:g} and {self.validation:g} do not"
            )


@dataclass(frozen=True)
class Split:
    """A data set in parts that share no image, with the digests of all its files."""

    train: LabelledFiles
    validation: LabelledFiles  # may be empty
    test: LabelledFiles
    digest_of: Mapping[Path, str]
    contradictory: tuple[Path, ...] = ()  # left out: the same image is there under another label

    @property
    def labels(self) -> tuple[str, ...]:
        return self.train.labels

    @cached_property
    def fingerprint(self) -> str:
        """Of all images with their labels, whatever part they are in."""
        everything = (*self.train.files, *self.validation.files, *self.test.files)
        return fingerprint(LabelledFiles(self.labels, everything), self.digest_of)

    @cached_property
    def division(self) -> str:
        """Of which images are in which part, too."""
        parts = (self.train, self.validation, self.test)
        known = "\n".join(fingerprint(part, self.digest_of) for part in parts)
        return hashlib.sha256(known.encode()).hexdigest()

    def write(self, target: Path) -> None:
        """Save which image is for what as a CSV file, which can be given as a data set again."""
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "label", "part"))
            for part in (TRAIN, VALIDATION, TEST):
                chosen: LabelledFiles = getattr(self, part)
                for path, label in chosen.files:
                    writer.writerow((path.absolute(), self.labels[label], part))


def split(data: Path, shares: Shares, seed: int = 0) -> Split:
    """Read a data set in parts, and draw those that it does not name: of each label the same share.

    Images with the same bytes stay together; those under two labels, which teach nothing, are left
    out. The same seed draws the same images.

    Raises:
        InvalidDataset: naming what is wrong with it: an empty class, an image in two parts, files
            that cannot be read.
    """
    parts = read_parts(data)
    digest_of = digests(path for part in parts.values() for path, _ in part.files)
    contradictory = _contradictory(parts, digest_of)
    parts = {name: _without(part, set(contradictory)) for name, part in parts.items()}
    _check_labels(parts)
    _check_parts(parts, digest_of)
    drawn = _drawn(data, parts, shares, digest_of, seed)
    return Split(*drawn, digest_of, contradictory)


def _drawn(
    data: Path,
    parts: Mapping[str, LabelledFiles],
    shares: Shares,
    digest_of: Mapping[Path, str],
    seed: int,
) -> tuple[LabelledFiles, LabelledFiles, LabelledFiles]:
    """To train on, to watch and to judge by; what the data set does not name is drawn."""
    if "" in parts:
        test, rest = _draw(parts[""], shares.test, digest_of, seed)
        validation, train = _draw(rest, shares.validation / (1 - shares.test), digest_of, seed + 1)
        return train, validation, test
    for needed in (TRAIN, TEST):
        if needed not in parts:
            raise InvalidDataset(f"{data} has no part {needed}")
    if VALIDATION in parts:
        return parts[TRAIN], parts[VALIDATION], parts[TEST]
    validation, train = _draw(parts[TRAIN], shares.validation, digest_of, seed + 1)
    return train, validation, parts[TEST]


def _draw(
    data: LabelledFiles, share: float, digest_of: Mapping[Path, str], seed: int
) -> tuple[LabelledFiles, LabelledFiles]:
    """A share of the images of each label, at least one of each unless the share is 0; the rest."""
    drawn: set[str] = set()
    by_label: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for path, label in data.files:
        by_label[label][digest_of[path]] = None
    for label in sorted(by_label):
        known = sorted(by_label[label])
        random.Random(f"{seed} {data.labels[label]}").shuffle(known)  # noqa: S311 - no secret
        count = max(1, round(share * len(known))) if share else 0
        if count >= len(known):
            raise InvalidDataset(
                f"{data.labels[label]} has {len(known)} images; "
                "that is too few to train, validate and test with"
            )
        drawn |= set(known[:count])
    chosen = [item for item in data.files if digest_of[item[0]] in drawn]
    others = [item for item in data.files if digest_of[item[0]] not in drawn]
    return LabelledFiles(data.labels, tuple(chosen)), LabelledFiles(data.labels, tuple(others))


def _contradictory(
    parts: Mapping[str, LabelledFiles], digest_of: Mapping[Path, str]
) -> tuple[Path, ...]:
    """The files whose image is there under more than one label."""
    labels: defaultdict[str, set[int]] = defaultdict(set)
    items = [item for part in parts.values() for item in part.files]
    for path, label in items:
        labels[digest_of[path]].add(label)
    return tuple(path for path, _ in items if len(labels[digest_of[path]]) > 1)


def _without(data: LabelledFiles, paths: set[Path]) -> LabelledFiles:
    return LabelledFiles(data.labels, tuple(i for i in data.files if i[0] not in paths))


def _check_labels(parts: Mapping[str, LabelledFiles]) -> None:
    """Every part has images of every label."""
    for name, part in parts.items():
        missing = set(range(len(part.labels))) - {label for _, label in part.files}
        if missing:
            where = f" in {name}" if name else ""
            raise InvalidDataset(f"no image{where} shows {some(part.labels[i] for i in missing)}")


def _check_parts(parts: Mapping[str, LabelledFiles], digest_of: Mapping[Path, str]) -> None:
    """No image is in two parts: the figures would be better than the network."""
    seen: dict[str, tuple[str, Path]] = {}
    for name, part in parts.items():
        shared = [
            (path, seen[digest_of[path]][0])
            for path, _ in part.files
            if seen.setdefault(digest_of[path], (name, path))[0] != name
        ]
        if shared:
            raise InvalidDataset(
                f"{len(shared)} images of {name} are in {shared[0][1]} too; "
                f"remove them from one: {some((path for path, _ in shared), 3)}"
            )


def class_counts(data: LabelledFiles) -> list[int]:
    """How many images there are of each label."""
    counts = [0] * len(data.labels)
    for _, label in data.files:
        counts[label] += 1
    return counts
