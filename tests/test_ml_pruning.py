"""Structured pruning: smaller networks that still answer, and learn again."""

import numpy as np
import onnxruntime
import pytest
import torch

from classifier.ml.architectures import build_network
from classifier.ml.network import Network
from classifier.ml.pruning import FineTuning, NotPrunable, PrunedNetwork, fine_tune, prune
from classifier.ml.variant import Variant
from tests.models_on_disk import SMALL, normalised, write_bundle


def random_network(architecture="compact_cnn"):
    torch.manual_seed(0)
    return build_network(architecture, len(SMALL.labels)).eval()


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    "architecture", ["compact_cnn", "compact_cnn_deep", "resnet18", "squeezenet1_1"]
)
def test_a_share_of_the_channels_goes_and_the_classes_stay(architecture):
    whole = random_network(architecture)
    pruned = prune(whole, 0.3, SMALL)
    assert 0.4 < size(pruned) / size(whole) < 0.62  # fewer inputs and fewer outputs
    assert pruned(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_the_whole_network_and_the_whitening_are_left_alone():
    whole = random_network()
    before = size(whole)
    pruned = prune(whole, 0.3, SMALL)
    assert size(whole) == before
    assert torch.equal(pruned.whiten.weight, whole.whiten.weight)


@pytest.mark.parametrize("share", [0, -0.1, 0.9, 1.5, float("nan")])
def test_a_share_that_makes_no_sense_is_refused(share):
    with pytest.raises(NotPrunable, match=r"between 0 and 0\.9"):
        prune(random_network(), share, SMALL)


def coloured(count):
    """Pixels whose strongest channel is their label."""
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, count)
    pixels = draw.integers(0, 100, (count, 32, 32, 3), np.uint8)
    pixels[np.arange(count), :, :, truth] += 150
    return pixels, truth


def accuracy(network, pixels, truth):
    with torch.inference_mode():
        answers = network(normalised(pixels, SMALL)).argmax(1).numpy()
    return (answers == truth).mean()


def test_it_learns_from_labels():
    whole = random_network()
    pruned = prune(whole, 0.5, SMALL)
    pixels, truth = coloured(64)
    steps = []
    recipe = FineTuning(epochs=5, batch_size=16, learning_rate=5e-3)
    fine_tune(pruned, whole, pixels, truth, SMALL, recipe, after_step=lambda: steps.append(1))
    assert len(steps) == recipe.steps(64) == 20
    assert accuracy(pruned, pixels, truth) > 0.9
    assert not pruned.training


def test_too_few_images_for_a_batch_are_one():
    assert FineTuning(epochs=2, batch_size=64).steps(10) == 2


def test_it_is_trained_once_and_exported_for_each_engine(tmp_path):
    bundle = write_bundle(tmp_path / "bundle")
    trained = []
    network = Network(bundle.architecture, bundle.weights, bundle.spec)
    pruned = PrunedNetwork(network, 0.3, lambda *both: trained.append(both), tmp_path)
    assert not trained
    assert Variant("onnxruntime", "int8", "pruned-0.3") in pruned.candidates()
    pixels, _ = coloured(8)
    built = [
        pruned.build(Variant("onnxruntime", p, "pruned-0.3"), pixels) for p in ("fp32", "int8")
    ]
    [(smaller, _)] = trained
    session = onnxruntime.InferenceSession(built[0].file)
    [answers] = session.run(None, {"pixels": pixels})
    with torch.inference_mode():
        expected = smaller(normalised(pixels, SMALL)).numpy()
    assert np.abs(answers - expected).max() < 1e-4
    assert built[1].file.stat().st_size < built[0].file.stat().st_size / 2
