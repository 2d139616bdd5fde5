"""The networks that this process has in memory, and the threads that decode for them."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from classifier.actions.install import weights_on_disk
from classifier.ml.engines import Engine, load_engine
from classifier.ml.spec import ModelSpec
from classifier.ml.weights import check_sha256
from classifier.models import ModelVersion

MOST_LOADED = 4  # versions in memory; the one loaded first makes room

decoders = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")
_loaded: dict[int, "LoadedModel"] = {}
_loading = threading.Lock()


@dataclass(frozen=True)
class LoadedModel:
    """A model version ready to classify."""

    spec: ModelSpec
    engine: Engine


def loaded(version: ModelVersion) -> LoadedModel:
    """The model version in memory, loaded and warmed up on first use.

    Only a few are kept. Who uses one that is there does not wait while another is loaded.

    Raises:
        DigestMismatch: if the weights are not the ones that were installed.
    """
    if model := _loaded.get(version.pk):
        return model
    with _loading:
        if version.pk not in _loaded:
            while len(_loaded) >= MOST_LOADED:
                del _loaded[next(iter(_loaded))]
            _loaded[version.pk] = _load(version)
        return _loaded[version.pk]


def _load(version: ModelVersion) -> LoadedModel:
    spec = ModelSpec.from_json(version.spec)
    with weights_on_disk(version) as weights:
        check_sha256(weights, version.sha256)
        engine = load_engine(version.engine, version.architecture, weights, spec)
    engine.warm_up()
    return LoadedModel(spec, engine)
