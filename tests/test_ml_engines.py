import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from classifier.ml.engines import UnknownEngine, load_engine, max_batch
from classifier.ml.engines import torch as torch_engine
from classifier.ml.inference import classify_files, top_labels
from classifier.ml.preprocess import UndecodableImage
from tests.factories import image_bytes
from tests.models_on_disk import SMALL, write_bundle

TASKS = Path("/proc/self/task")  # has an entry for every thread of this process


@pytest.fixture
def engine(tmp_path):
    bundle = write_bundle(tmp_path)
    return load_engine("torch", bundle.architecture, bundle.weights, bundle.spec)


def test_probabilities_are_float32_on_the_cpu_and_sum_to_one(engine):
    scores = engine.predict(torch.rand(5, 3, 32, 32))
    assert scores.shape == (5, 3)
    assert scores.dtype == torch.float32
    assert scores.device.type == "cpu"
    assert torch.allclose(scores.sum(dim=1), torch.ones(5))


def test_an_image_scores_the_same_alone_and_in_a_batch(engine):
    images = torch.rand(8, 3, 32, 32)
    alone = torch.cat([engine.predict(image[None]) for image in images])
    assert torch.allclose(engine.predict(images), alone, atol=1e-5)


def test_an_engine_names_its_device_and_batch_and_warms_up(engine):
    assert engine.device in {"cpu", "cuda"}
    assert engine.max_batch == max_batch()
    engine.warm_up()


def test_an_unknown_engine_is_refused_with_those_that_exist(tmp_path):
    with pytest.raises(UnknownEngine, match=r"'tensorflow'; known are: .*torch"):
        load_engine("tensorflow", "compact_cnn", tmp_path, SMALL)


@pytest.mark.skipif(not TASKS.is_dir(), reason="counts threads as Linux shows them")
def test_on_request_every_calling_thread_computes_alone(engine, monkeypatch):
    monkeypatch.setattr(torch_engine, "_one_thread", threading.Event())
    monkeypatch.setattr(torch_engine, "_limited", threading.local())
    torch_engine.use_one_thread_per_call()
    counts = []

    def call():
        before = len(list(TASKS.iterdir()))
        engine.predict(torch.rand(8, 3, 32, 32))
        counts.append((len(list(TASKS.iterdir())) - before, torch.get_num_threads()))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert counts == [(0, 1)]


def test_top_labels_are_best_first_and_no_more_than_there_are():
    scores = torch.tensor([0.2, 0.7, 0.1])
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
