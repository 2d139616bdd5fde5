"""The model and the pictures that ship with the project."""

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from classifier.ml.bundle import SHIPPED, read_bundle
from classifier.ml.engines import load_engine
from classifier.ml.inference import classify_files, top_labels
from classifier.ml.preprocess import preprocess_exactly
from scripts import draw_samples
from tests.archives import members
from tests.models_on_disk import REAL

CIFAR = REAL / "cifar10.tar.gz"
SAMPLES = sorted((SHIPPED / "samples").glob("*.jpg"))


@pytest.fixture(scope="module")
def everyday():
    return read_bundle(SHIPPED / "everyday")


def test_it_knows_ten_everyday_things(everyday):
    assert " ".join(everyday.spec.labels) == (
        "airplane automobile bird cat deer dog frog horse ship truck"
    )


def test_its_weights_are_small_and_in_half_precision(everyday):
    assert everyday.weights.stat().st_size <= 6_000_000
    tensors = load_file(everyday.weights)
    kinds = {tensor.dtype for name, tensor in tensors.items() if "tracked" not in name}
    assert kinds == {np.dtype("float16")}


def test_it_is_right_on_nine_of_ten_test_images_and_its_card_says_so(everyday):
    assert everyday.metrics["top1"] >= 0.9
    card = (SHIPPED / "everyday" / "README.md").read_text()
    assert f"{100 * everyday.metrics['top1']:.1f} %" in card
    for label, share in everyday.metrics["per_class"].items():
        assert f"| {label} | {100 * share:.1f} % |" in card


@pytest.mark.skipif(not CIFAR.exists(), reason=f"needs {CIFAR}")
def test_its_weights_are_right_on_nearly_nine_of_ten_test_images(everyday):
    """Of the first hundred of each label; the bound leaves to chance what a thousand images do."""
    names, contents = zip(*members(CIFAR, "cifar10/test/", most=100), strict=True)
    truth = np.array([everyday.spec.labels.index(name.split("/")[-2]) for name in names])
    images = np.stack([preprocess_exactly(content, everyday.spec) for content in contents])
    guess = load_engine(everyday.network).logits(images).argmax(axis=1)
    assert len(truth) == 1000
    assert (guess == truth).mean() >= 0.88


def test_each_sample_picture_is_recognised_with_at_least_nine_tenths(everyday):
    engine = load_engine(everyday.network)
    assert len(SAMPLES) == 3
    for path, scores in classify_files(SAMPLES, engine, everyday.spec):
        [best] = top_labels(scores, everyday.spec.labels, 1)
        assert best["label"] == path.stem
        assert best["score"] >= 0.9


def test_the_sample_pictures_are_what_their_script_draws(tmp_path):
    draw_samples.main(tmp_path)
    for path in SAMPLES:
        drawn = np.asarray(Image.open(tmp_path / path.name), dtype=np.int16)
        shipped = np.asarray(Image.open(path), dtype=np.int16)
        assert np.abs(drawn - shipped).mean() < 1  # JPEG encoders differ in the last bit
