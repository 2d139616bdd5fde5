"""Where `models install` takes models from, apart from those that ship with the project."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.files.storage import default_storage

from classifier.actions.install import file_on_disk
from classifier.management.refusals import suggestion
from classifier.ml.architectures import OWN, UnknownArchitecture, architecture_names
from classifier.ml.bundle import Bundle, is_bundle, read_bundle, shipped_bundles
from classifier.ml.catalogue import download, official
from classifier.ml.facts import read_labels
from classifier.ml.importing import unproven
from classifier.ml.weights import as_safetensors, load_network
from classifier.models import ModelVersion


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    name: str
    weights: Path | None = None
    labels: Path | None = None
    architecture: str | None = None


@contextmanager
def ready_to_install(wanted: Wanted, timeout: float) -> Iterator[Bundle]:
    """The model that is wanted, its weights as a local safetensors file that was tried out.

    The file may be a temporary one, which is there for the length of the context.

    Raises:
        Refusal: if there is no such model, or a file is not what it should be.
        Unreachable: if the weights cannot be downloaded; known after `timeout` seconds.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sightline-")))
        if wanted.weights:
            bundle = _described(wanted, source=wanted.weights.name)
            bundle = replace(bundle, weights=as_safetensors(wanted.weights, folder))
        elif is_bundle(Path(wanted.name)):
            bundle = unproven(read_bundle(Path(wanted.name)))
        else:
            bundle = _official(wanted.name)
            weights = stack.enter_context(_downloaded(bundle.source, folder, timeout))
            bundle = replace(bundle, weights=weights)
        load_network(bundle.architecture, bundle.weights, bundle.spec)
        yield bundle


@contextmanager
def _downloaded(source: str, folder: Path, timeout: float) -> Iterator[Path]:
    """The weights from that address, or from the store where they were downloaded before."""
    for version in ModelVersion.objects.filter(source=source):
        if default_storage.exists(str(version.weights)):
            with file_on_disk(version.weights) as path:
                yield path
            return
    yield download(source, folder, timeout, progress=sys.stderr.isatty())


def _described(wanted: Wanted, source: str) -> Bundle:
    """The facts about a file of weights: its architecture's official preprocessing and labels."""
    template = _official(wanted.architecture or wanted.name)
    labels = read_labels(wanted.labels) if wanted.labels else template.spec.labels
    return Bundle(
        name=wanted.name,
        architecture=template.architecture,
        weights=template.weights,
        spec=replace(template.spec, labels=labels),
        source=source,
    )


def _official(name: str) -> Bundle:
    if name in OWN:
        raise UnknownArchitecture(
            f"{name} has no official weights or preprocessing; "
            "install the folder that `train` wrote instead"
        )
    try:
        return official(name)
    except UnknownArchitecture as error:
        known = [*shipped_bundles(), *architecture_names()]
        raise UnknownArchitecture(
            f"there is no model {name!r} to install.{suggestion(name, known)} "
            f"Known are {', '.join(shipped_bundles())}, torchvision's networks such as resnet50, "
            "and folders that `train` wrote."
        ) from error
