"""Weights: files with a digest, read without running anything in them, that fit their network."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from classifier.ml.architectures import build_network
from classifier.ml.children import RefusedByChild, ask_child
from classifier.ml.network import ONNX
from classifier.ml.read_pth import MOST_TENSORS
from classifier.ml.refusal import Refusal, some
from classifier.ml.spec import ModelSpec

PICKLES = {".pth", ".pt", ".bin"}
READ_SECONDS = 300  # for a child to read a pickle; the largest official file takes a few
MOST_BYTES = 8 << 30  # the largest official file has 2.6 GB

State = Mapping[str, torch.Tensor]


class UnusableWeights(Refusal):
    """The file holds no weights, or not those of this network."""


class DigestMismatch(UnusableWeights):
    """The file is not the one that was installed."""


def sha256_of(path: Path) -> str:
    """The SHA-256 digest of a file of any size, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Raise DigestMismatch unless the file has this SHA-256."""
    actual = sha256_of(path)
    if actual != expected:
        raise DigestMismatch(
            f"{path} is damaged: its SHA-256 is {actual}, not {expected}; install the model again"
        )


def write_weights(state: State, path: Path) -> None:
    """Write a safetensors file, beside `path` first, so that a kill leaves no half of it."""
    partial = path.with_suffix(".partial")
    save_file(dict(state), partial)
    partial.chmod(0o644)  # safetensors lets the owner alone read it
    partial.replace(path)


def as_safetensors(path: Path, folder: Path) -> Path:
    """The weights as a safetensors file: the given one, or a pickled state_dict's copy in `folder`.

    A pickle is read by a child process with limits on time and memory, never by this one.

    Raises:
        UnusableWeights: if the file is neither, no state_dict, or too large.
    """
    check_size(path)
    if path.suffix == ".safetensors":
        _check_count(path)
        return path
    if path.suffix not in PICKLES:
        raise UnusableWeights(f"{path} must end in .safetensors, or in .pth for a state_dict")
    target = folder.resolve() / f"{path.stem}.safetensors"
    try:
        ask_child("classifier.ml.read_pth", path.resolve(), target, seconds=READ_SECONDS)
    except RefusedByChild as error:
        raise UnusableWeights(f"{path}: {error}") from error
    return target


def check_size(path: Path) -> None:
    """Raise UnusableWeights unless there is such a file, and no larger than weights may be."""
    if not path.is_file():
        raise UnusableWeights(f"there is no file {path}")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise UnusableWeights(f"{path} has {size} bytes; weights may have {MOST_BYTES} at most")


def load_network(architecture: str, weights: Path, spec: ModelSpec) -> nn.Module:
    """Build a network of float32 and load a safetensors file into it, all or nothing.

    Raises:
        UnknownArchitecture: if there is no such architecture.
        UnusableWeights: if the weights do not fit it or hold values that are no numbers.
    """
    if weights.suffix == ONNX:
        raise UnusableWeights("what was imported as ONNX can be computed, and not be changed")
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise UnusableWeights(f"{weights} is not a safetensors file: {error}") from error
    network = build_network(architecture, len(spec.labels), spec.crop)
    _check_names(architecture, network.state_dict(), state)
    _check_shapes(architecture, network.state_dict(), state, len(spec.labels))
    _check_finite(state)
    network.load_state_dict(state)
    return network


def _check_count(path: Path) -> None:
    try:
        with safe_open(path, framework="pt") as file:
            count = len(file.keys())
    except (OSError, SafetensorError) as error:
        raise UnusableWeights(f"{path} is not a safetensors file: {error}") from error
    if count > MOST_TENSORS:
        raise UnusableWeights(f"{path} holds {count} tensors; {MOST_TENSORS} are the most")


def _check_names(architecture: str, expected: State, state: State) -> None:
    # Counters of batches, which old files lack, serve training alone.
    missing = {n for n in expected if not n.endswith("num_batches_tracked")} - state.keys()
    unexpected = state.keys() - expected.keys()
    if not missing and not unexpected:
        return
    found = [
        f"{what} {some(sorted(names), most=3)}"
        for what, names in (("lack", missing), ("have the unexpected", unexpected))
        if names
    ]
    raise UnusableWeights(
        f"the weights are not those of {architecture}: they {' and '.join(found)}; "
        "name their architecture with --architecture"
    )


def _check_shapes(architecture: str, expected: State, state: State, classes: int) -> None:
    wrong = [name for name, tensor in state.items() if tensor.shape != expected[name].shape]
    if not wrong:
        return
    outputs = {len(state[name]) for name in wrong if len(expected[name]) == classes}
    only_outputs = all(state[n].shape[1:] == expected[n].shape[1:] for n in wrong)
    if only_outputs and len(outputs) == 1:
        raise UnusableWeights(
            f"the weights have {outputs.pop()} classes, but there are {classes} labels; "
            "give a file with a line for each class with --labels"
        )
    name = wrong[0]
    raise UnusableWeights(
        f"the weights are not those of {architecture}: {name} has the shape "
        f"{tuple(state[name].shape)}, not {tuple(expected[name].shape)}; "
        "name their architecture with --architecture"
    )


def _check_finite(state: State) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UnusableWeights(
                f"the weights hold values that are no finite numbers, in {name}; "
                "take an earlier checkpoint of the training"
            )
