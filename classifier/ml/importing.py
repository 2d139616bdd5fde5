"""From a file of weights that comes from elsewhere to a model that can be installed."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from classifier.ml.architectures import COMPACT_CNN, OWN
from classifier.ml.bundle import Bundle
from classifier.ml.calibration import Calibration
from classifier.ml.catalogue import official
from classifier.ml.children import RefusedByChild, ask_child
from classifier.ml.engines import load_engine
from classifier.ml.facts import Facts, UnreadableFacts
from classifier.ml.network import ONNX
from classifier.ml.probe import default_sample
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec
from classifier.ml.weights import PICKLES, UnusableWeights, as_safetensors, check_size

KINDS = {".safetensors", ONNX, *PICKLES}
EVERYBODYS = {"model", "weights", "pytorch_model"}  # names of files that tell nothing
CHILD_SECONDS = 300


def weights_in(path: Path) -> Path:
    """The file itself, or the only file of weights in a folder.

    Raises:
        UnusableWeights: if there is none, several, or one of a kind that is not read.
    """
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in KINDS)
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise UnusableWeights(f"{path} must hold one file of weights; there is {names}")
        return found[0]
    check_size(path)
    if path.suffix not in KINDS:
        raise UnusableWeights(
            f"{path} must end in .safetensors, in .onnx, or in .pth for a state_dict"
        )
    return path


def told_by(file: Path) -> Facts:
    """What a file of weights tells by itself: a name, and of ONNX the size of the pictures.

    Raises:
        UnusableWeights: if it is ONNX that cannot be used.
    """
    name = file.absolute().parent.name if file.stem in EVERYBODYS else file.stem
    name = re.sub(r"[^-\w]+", "-", name, flags=re.ASCII).strip("-")
    others = {"name": name, "source": file.name}
    if file.suffix != ONNX:
        return Facts(others=others)
    found = json.loads(_read_onnx(file))
    spec = {"crop": found["side"]} if found["side"] else {}
    if found["is_pixels"]:  # it normalises them itself
        spec |= {"mean": [0.0] * 3, "std": [1.0] * 3}
    return Facts(spec, {"architecture": "onnx", **others})


def completed(facts: Facts, file: Path) -> Facts:
    """With what follows: the official preprocessing and labels of an architecture, usual values.

    Raises:
        UnknownArchitecture: if there is no such architecture.
    """
    if "crop" in facts.spec:
        facts = facts.over(Facts({"resize": facts.spec["crop"]}))
    architecture = facts.others.get("architecture", COMPACT_CNN)
    if file.suffix != ONNX and architecture not in OWN:
        facts = facts.over(Facts(official(architecture).spec.to_json()))
    return facts.over(Facts({"interpolation": "bilinear"}))


@contextmanager
def prepared(file: Path, facts: Facts) -> Iterator[Bundle]:
    """The model with its weights as an engine loads them, tried out on pictures.

    They may be in a temporary file, which is there for the length of the context.

    Raises:
        Refusal: if the facts or the weights are not what they should be.
    """
    with TemporaryDirectory(prefix="sightline-") as folder:
        bundle = _described(file, facts)
        if file.suffix == ONNX:  # a graph is a program: the child that has limits tried it out
            bundle = replace(bundle, weights=_adapted(file, bundle.spec, Path(folder)))
        else:
            bundle = replace(bundle, weights=as_safetensors(file, Path(folder)))
            _try_out(bundle)
        yield bundle


def _described(file: Path, facts: Facts) -> Bundle:
    spec = ModelSpec.from_json(facts.spec)
    try:
        bundle = Bundle(weights=file, spec=spec, **facts.others)
    except TypeError as error:
        raise UnreadableFacts(f"model.json is not what `export` writes: {error}") from error
    return unproven(bundle)


def unproven(bundle: Bundle) -> Bundle:
    """Without what a model from elsewhere claims to have shown of itself.

    Raises:
        InvalidCalibration: if its calibration is none.
    """
    # The gate takes a robustness report, and what a calibration was verified with, for what was
    # measured here.
    metrics = {name: found for name, found in bundle.metrics.items() if name != "robustness"}
    calibration = Calibration.from_json(bundle.calibration).to_json() if bundle.calibration else {}
    return replace(bundle, metrics=metrics, calibration=calibration)


def _adapted(file: Path, spec: ModelSpec, folder: Path) -> Path:
    target, sample = folder / f"{file.stem}{ONNX}", folder / "sample.npy"
    np.save(sample, default_sample(spec))
    _read_onnx(file, target, sample, request=json.dumps(spec.to_json()))
    return target


def _read_onnx(file: Path, *others: Path, request: str = "") -> str:
    try:
        return ask_child(
            "classifier.ml.read_onnx",
            file.resolve(),
            *others,
            seconds=CHILD_SECONDS,
            request=request,
        )
    except RefusedByChild as error:
        raise UnusableWeights(f"{file}: {error}") from error


def _try_out(bundle: Bundle) -> None:
    """Raise a Refusal unless the network fits, and answers pictures with finite scores."""
    try:
        answers = load_engine(bundle.network).predict(default_sample(bundle.spec))
    except Refusal:
        raise
    except Exception as error:  # a network may stumble over anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnusableWeights(
            f"the network cannot compute pictures of {bundle.spec.crop} pixels: {reason}"
        ) from error
    if not np.isfinite(answers).all():
        raise UnusableWeights("the network answers with values that are no finite numbers")
