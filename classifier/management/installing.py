"""From a bundle, which `ml` knows, to a row, which it does not."""

from classifier.actions.install import NewModel, install
from classifier.ml.bundle import Bundle
from classifier.models import ModelVersion


def install_bundle(bundle: Bundle, *, activate: bool) -> ModelVersion:
    """Install the model that the bundle holds; see `install`.

    Raises:
        ValidationError: if its name is no slug.
    """
    new = NewModel(
        name=bundle.name,
        architecture=bundle.architecture,
        weights=bundle.weights,
        spec=bundle.spec.to_json(),
        metrics=bundle.metrics,
        training=bundle.training,
        calibration=bundle.calibration,
        source=bundle.source,
        licence=bundle.licence,
    )
    return install(new, activate=activate)
