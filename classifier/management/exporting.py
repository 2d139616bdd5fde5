"""From a row to a folder that others can use."""

from pathlib import Path

from classifier.management.networks import network_of
from classifier.ml.bundle import Bundle
from classifier.ml.exporting import export_bundle
from classifier.models import ModelVersion


def export_version(version: ModelVersion, form: str, folder: Path) -> None:
    """Write a model version in one of `FORMATS` to a folder that is not there yet, or empty.

    Raises:
        Refusal: if something is there, the weights are damaged, or the network cannot be written.
    """
    with network_of(version) as network:
        bundle = Bundle(
            name=version.name,
            architecture=version.architecture,
            weights=network.weights,
            spec=network.spec,
            metrics=version.metrics,
            source=version.source,
            licence=version.licence,
            training=version.training,
            calibration=version.calibration,
        )
        export_bundle(bundle, form, folder)
