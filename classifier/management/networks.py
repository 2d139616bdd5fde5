"""From a row to what `ml` computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

from classifier.actions.install import file_on_disk
from classifier.ml.network import Network
from classifier.ml.spec import ModelSpec
from classifier.ml.weights import check_sha256
from classifier.models import ModelVersion


@contextmanager
def network_of(version: ModelVersion) -> Iterator[Network]:
    """What is to be computed of a model version; its file may be a temporary one, for the while.

    Raises:
        DigestMismatch: if the weights are not those that were installed.
    """
    with file_on_disk(version.weights) as weights:
        check_sha256(weights, version.sha256)
        yield Network(version.architecture, weights, ModelSpec.from_json(version.spec))
