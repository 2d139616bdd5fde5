"""The networks that this process has in memory, and the threads that decode for them."""

import logging
import math
import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from django.conf import settings

from classifier.actions.install import file_on_disk
from classifier.actions.variants import require_passed
from classifier.ml.engines import Engine, load_engine
from classifier.ml.findings import finding_file
from classifier.ml.machine import machine_facts
from classifier.ml.network import Network
from classifier.ml.probing import adopt, probed, remember_batch
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec
from classifier.ml.variant import REFERENCE, Variant
from classifier.ml.weights import check_sha256
from classifier.models import ModelVersion
from classifier.models import Variant as Measured

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 0.25  # of work in one claim: its statements take a hundredth of that
MOST_CLAIMED = 64
RETRY_SECONDS = 600.0  # until a variant is tried again that could not be loaded

decoders = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")


@dataclass(frozen=True)
class LoadedModel:
    """A model version ready to classify, and how it is computed."""

    spec: ModelSpec
    engine: Engine
    variant: str = str(REFERENCE)
    claim_size: int = 8  # images that it is worth to claim at once
    memory: int = 0  # bytes that it takes
    finding: Path | None = None  # where the engine's largest batch is remembered
    stands_in_until: float = math.inf  # by `time.monotonic`, for a variant that is then tried again

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """What the engine makes of pixels (n, crop, crop, 3); it remembers what was too many."""
        before = self.engine.max_batch
        logits = self.engine.logits(pixels)
        if self.finding and self.engine.max_batch < before:
            logger.warning("%s: batches of %d from now on", self.variant, self.engine.max_batch)
            remember_batch(self.finding, self.engine.max_batch)
        return logits


_Key = tuple[int, int | None]  # a model version's, and its variant's
_loaded: OrderedDict[_Key, LoadedModel] = OrderedDict()  # the one used last comes last
_loading = threading.Lock()  # held for seconds
_shelving = threading.Lock()  # held for a moment


def claim_sizes() -> dict[int, int]:
    """How many images to claim at once, for each model version in memory."""
    with _shelving:
        return {version: model.claim_size for (version, _), model in _loaded.items()}


def loaded(version: ModelVersion) -> LoadedModel:
    """The model version in memory, loaded and warmed up on first use.

    Those used longest ago make room first, within the budget of memory. Who uses one that is there
    does not wait while another is loaded; where the version is only to be computed in another way
    from now on, it goes on as before until that is loaded. A variant that cannot be loaded is tried
    again after a while, by one thread, for which the same holds.

    Raises:
        DigestMismatch: if the weights are not the ones that were installed.
    """
    key = (version.pk, version.variant_id)
    if model := _taken_from_shelf(key):
        return model
    if not _loading.acquire(blocking=False):
        if model := _computed_as_before(version):
            return model
        _loading.acquire()
    try:
        model = _taken_from_shelf(key)
        if model is None:
            model = _load(version)
            _put_on_shelf(key, model)
        return model
    finally:
        _loading.release()


def _computed_as_before(version: ModelVersion) -> LoadedModel | None:
    with _shelving:
        return next((model for key, model in _loaded.items() if key[0] == version.pk), None)


def _taken_from_shelf(key: _Key) -> LoadedModel | None:
    with _shelving:
        model = _loaded.get(key)
        if model is None or time.monotonic() > model.stands_in_until:
            return None
        _loaded.move_to_end(key)
        return model


def _put_on_shelf(key: _Key, model: LoadedModel) -> None:
    with _shelving:
        for other in [other for other in _loaded if other[0] == key[0]]:
            del _loaded[other]  # the same version, computed as it is no longer
        _loaded[key] = model


def _make_room(version: ModelVersion, memory: int) -> None:
    """For so many bytes of the version, which goes on as before until it is loaded.

    Whoever still works with one that makes room keeps it until then.
    """
    with _shelving:
        for key in [key for key in _loaded if key[0] != version.pk]:
            if _memory_in_use() + memory <= settings.MODEL_MEMORY_BYTES:
                return
            del _loaded[key]


def _memory_in_use() -> int:
    return sum(model.memory for model in _loaded.values())


def _load(version: ModelVersion) -> LoadedModel:
    with file_on_disk(version.weights) as weights:
        check_sha256(weights, version.sha256)
        network = Network(version.architecture, weights, ModelSpec.from_json(version.spec))
        if version.variant_id is not None:
            try:
                return _load_measured(version, network, version.variant_id)
            except Exception as error:  # the libraries of engines raise whatever they like
                if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                    raise  # the storage does not answer: nothing is wrong with the variant
                logger.warning("%s is computed by %s: %s", version, network.reference, error)
                return _standing_in(version, network)
        return _load_variant(version, network, network.reference)


def _standing_in(version: ModelVersion, network: Network) -> LoadedModel:
    """The reference for a while; it is not loaded again where it stood in before."""
    model = _computed_as_before(version)
    if model is None or model.variant != str(network.reference):
        model = _load_variant(version, network, network.reference)
    return replace(model, stands_in_until=time.monotonic() + RETRY_SECONDS)


def _load_measured(version: ModelVersion, network: Network, variant_id: int) -> LoadedModel:
    """Raises an exception if this way to compute it cannot serve, or not on this machine."""
    measured = Measured.objects.get(id=variant_id)  # unless it was just replaced
    require_passed(measured)
    _require_same_instructions(measured)
    with file_on_disk(measured.file) if measured.file else nullcontext() as file:
        if file:
            check_sha256(file, measured.sha256)
        variant = Variant(measured.engine, measured.precision, measured.recipe, file)
        return _load_variant(version, network, variant)


def _require_same_instructions(measured: Measured) -> None:
    """On a CPU without those for eight bits, a file in int8 may answer plainly worse."""
    there = measured.receipt.get("machine", {}).get("instructions")
    if there and measured.precision == "int8" and there != machine_facts()["instructions"]:
        raise Refusal(f"{measured} was measured on another kind of CPU; run `optimize` on this one")


def _load_variant(version: ModelVersion, network: Network, variant: Variant) -> LoadedModel:
    # What it takes is known once it has been probed, and it takes no less than this.
    _make_room(version, (variant.file or network.weights).stat().st_size)
    finding = finding_file(network, variant, settings.CACHE_DIR)  # of the environment as it is yet
    found = probed(network, variant, settings.CACHE_DIR)
    adopt(variant, found)
    _make_room(version, found.memory_bytes)
    engine = load_engine(network, variant)
    engine.max_batch = found.max_batch
    engine.warm_up()
    claim_size = int(CLAIM_SECONDS / found.seconds_per_image)
    return LoadedModel(
        network.spec,
        engine,
        str(variant),
        claim_size=max(found.max_batch, min(claim_size, MOST_CLAIMED)),
        memory=found.memory_bytes,
        finding=finding,
    )
