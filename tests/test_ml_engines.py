import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from classifier.ml.building import build
from classifier.ml.bundle import SHIPPED, read_bundle
from classifier.ml.engines import (
    UnknownEngine,
    is_installed,
    load_engine,
    share_cores,
    threads,
)
from classifier.ml.engines import onnxruntime as onnxruntime_engine
from classifier.ml.engines import torch as torch_engine
from classifier.ml.engines.halving import HalvingEngine
from classifier.ml.inference import classify_files, top_labels
from classifier.ml.machine import cores
from classifier.ml.network import Network
from classifier.ml.preprocess import UndecodableImage
from classifier.ml.variant import Variant
from tests.factories import image_bytes
from tests.models_on_disk import SMALL, write_bundle

TASKS = Path("/proc/self/task")  # has an entry for every thread of this process


def noise(count):
    """Pixels of images that show nothing."""
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def engine(tmp_path):
    bundle = write_bundle(tmp_path)
    return load_engine(bundle.network)


def test_probabilities_are_float32_and_sum_to_one(engine):
    scores = engine.predict(noise(5))
    assert scores.shape == (5, 3)
    assert scores.dtype == np.float32
    assert np.allclose(scores.sum(axis=1), 1)


def test_an_image_scores_the_same_alone_and_in_a_batch(engine):
    images = noise(8)
    alone = np.concatenate([engine.predict(image[None]) for image in images])
    assert np.allclose(engine.predict(images), alone, atol=1e-5)


def test_an_engine_names_its_device_and_batch_and_warms_up(engine):
    assert engine.device in {"cpu", "cuda"}
    assert engine.max_batch >= 1
    engine.warm_up()


def test_an_unknown_engine_is_refused_with_those_that_exist(tmp_path):
    with pytest.raises(UnknownEngine, match=r"'tensorflow'; known are: .*torch"):
        load_engine(Network("compact_cnn", tmp_path, SMALL), Variant("tensorflow"))


@pytest.mark.skipif(not TASKS.is_dir(), reason="counts threads as Linux shows them")
def test_on_request_every_calling_thread_computes_alone(engine, monkeypatch):
    monkeypatch.setattr(threads, "_callers", 0)
    monkeypatch.setattr(torch_engine, "_limited", threading.local())
    share_cores(cores())
    counts = []

    def call():
        before = len(list(TASKS.iterdir()))
        engine.predict(noise(8))
        counts.append((len(list(TASKS.iterdir())) - before, torch.get_num_threads()))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert counts == [(0, 1)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A trained network, whose answers differ widely, and a function that builds its variants."""
    folder = tmp_path_factory.mktemp("built")
    network = read_bundle(SHIPPED / "everyday").network

    def variant(*how):
        if not is_installed(how[0]):
            pytest.skip(f"{how[0]} is not installed")
        return build(network, Variant(*how), noise(16), folder)

    return network, variant


EXACT = [("onnxruntime",), ("openvino",)]
ROUNDED = [("torch", "bf16"), ("onnxruntime", "int8"), ("openvino", "int8")]


@pytest.mark.parametrize("how", EXACT, ids=" ".join)
def test_float32_of_every_engine_is_the_reference_s(built, how):
    network, variant = built
    images = noise(5)
    scores = load_engine(network, variant(*how)).predict(images)
    assert scores.dtype == np.float32
    assert np.allclose(scores, load_engine(network).predict(images), atol=1e-5)


@pytest.mark.parametrize("how", ROUNDED, ids=" ".join)
def test_lower_precisions_are_near_the_reference(built, how):
    network, variant = built
    images = noise(5)
    scores = load_engine(network, variant(*how)).predict(images)
    assert scores.dtype == np.float32
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-3)
    assert np.abs(scores - load_engine(network).predict(images)).max() < 0.2


@pytest.mark.parametrize("how", [("torch",), *EXACT], ids=" ".join)
@pytest.mark.parametrize("alone", [False, True], ids=["all cores", "one thread"])
def test_threads_that_share_an_engine_get_their_own_answers(built, how, alone, monkeypatch):
    monkeypatch.setattr(threads, "_callers", 0)
    if alone:
        share_cores(cores())
    network, variant = built
    engine = load_engine(network, variant(*how))
    images = noise(12)
    expected = engine.predict(images)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(engine.predict, [images[i : i + 3] for i in range(0, 12, 3)] * 5))
    assert np.allclose(np.concatenate(answers), np.tile(expected, (5, 1)), atol=1e-5)


@pytest.mark.parametrize(("callers", "each"), [(0, 0), (2, 4), (3, 2), (8, 1), (16, 1)])
def test_callers_share_the_cores(callers, each, monkeypatch):
    monkeypatch.setattr(threads, "_callers", callers)
    monkeypatch.setattr(onnxruntime_engine, "cores", lambda: 8)
    assert onnxruntime_engine._options().intra_op_num_threads == each  # where 0 is for all


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_without_its_file_says_who_builds_it(built, engine):
    if not is_installed(engine):
        pytest.skip(f"{engine} is not installed")
    with pytest.raises(UnknownEngine, match="optimize"):
        load_engine(built[0], Variant(engine))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_damaged_file_is_refused_in_one_line(built, engine, tmp_path):
    if not is_installed(engine):
        pytest.skip(f"{engine} is not installed")
    (tmp_path / "damaged.onnx").write_bytes(b"no network")
    with pytest.raises(UnknownEngine, match=r"damaged\.onnx") as refusal:
        load_engine(built[0], Variant(engine, file=tmp_path / "damaged.onnx"))
    assert "\n" not in str(refusal.value)


def test_a_precision_that_the_device_lacks_is_refused(built, monkeypatch):
    monkeypatch.setattr(torch_engine, "device_name", lambda: "cpu")
    with pytest.raises(UnknownEngine, match="no fp16 on cpu; it knows fp32, bf16"):
        load_engine(built[0], Variant("torch", "fp16"))


def test_compiling_without_a_compiler_is_refused(built, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UnknownEngine, match=r"C\+\+ compiler"):
        load_engine(built[0], Variant("torch", recipe="compiled"))


def test_no_engine_s_library_is_imported_before_it_is_used():
    code = (
        "import sys, classifier.ml.engines;"
        "print({'torch', 'onnxruntime', 'openvino'} & sys.modules.keys())"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout.strip() == "set()", shown.stderr


class Cramped(HalvingEngine):
    """Has memory for three images at once, and says how many it was asked for."""

    def __init__(self, error):
        self.device, self.max_batch, self.side, self.asked = "cpu", 8, 2, []
        self.error = error

    def compute(self, pixels):
        self.asked.append(len(pixels))
        if len(pixels) > 3:
            raise self.error
        return pixels[:, 0, 0, :1].astype(np.float32)


def numbered(count):
    return np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError(
            "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer"
        ),
    ],
)
def test_a_batch_too_large_for_the_memory_goes_in_halves_from_then_on(error):
    engine = Cramped(error)
    assert engine.logits(numbered(8)).ravel().tolist() == list(range(8))
    assert engine.asked == [8, 4, 2, 2, 4, 2, 2]
    assert engine.max_batch == 2


def test_one_image_too_large_for_the_memory_is_an_error():
    engine = Cramped(MemoryError())
    engine.compute = lambda _: (_ for _ in ()).throw(MemoryError())
    with pytest.raises(MemoryError):
        engine.logits(numbered(2))


def test_other_errors_are_not_tried_again():
    engine = Cramped(RuntimeError("shape mismatch"))
    with pytest.raises(RuntimeError, match="shape mismatch"):
        engine.logits(numbered(8))
    assert engine.asked == [8]


def test_top_labels_are_best_first_and_no_more_than_there_are():
    scores = np.array([0.2, 0.7, 0.1], np.float32)
    assert top_labels(scores, SMALL.labels, 2) == [
        {"label": "dog", "score": 0.7},
        {"label": "cat", "score": 0.2},
    ]
    assert len(top_labels(scores, SMALL.labels, 10)) == 3


def test_files_are_classified_in_order_and_a_bad_one_stops_no_other(engine, tmp_path):
    files = [tmp_path / f"{i:02}.png" for i in range(2 * engine.max_batch + 3)]
    for path in files:
        path.write_bytes(image_bytes())
    files[4].write_bytes(b"no image")
    files[9].unlink()
    results = list(classify_files(files, engine, SMALL))
    assert [path for path, _ in results] == files
    errors = {path: str(r) for path, r in results if isinstance(r, UndecodableImage)}
    assert errors.keys() == {files[4], files[9]}
    assert "No such file" in errors[files[9]]


def test_a_batch_of_bad_files_alone_is_told_too(engine, tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    [(_, result)] = classify_files([tmp_path / "x.png"], engine, SMALL)
    assert isinstance(result, UndecodableImage)


def test_vision_transformers_are_built_for_the_specs_size(tmp_path):
    from classifier.ml.architectures import build_network

    spec = replace(SMALL, resize=64, crop=64)
    network = build_network("vit_b_32", 3, spec.crop)
    with torch.inference_mode():
        assert network.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 3)
