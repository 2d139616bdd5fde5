"""Corruptions, attacks, and what they leave of a network's accuracy."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image
from torch import nn

from classifier.ml.attacks import adversarial_examples, fgsm, normalising, pgd
from classifier.ml.bundle import SHIPPED
from classifier.ml.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from classifier.ml.engines import load_engine
from classifier.ml.network import Network
from classifier.ml.robustness import measure, passes
from tests.models_on_disk import SMALL, write_bundle

EPSILON = 8 / 255


def photos(side):
    """Pixels (3, side, side, 3) of the sample pictures."""
    opened = [Image.open(path) for path in sorted((SHIPPED / "samples").glob("*.jpg"))]
    return np.stack([np.asarray(image.convert("RGB").resize((side, side))) for image in opened])


def distance(changed, pixels):
    return np.abs(changed.astype(int) - pixels).mean()


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@pytest.mark.parametrize("side", [32, 97])
def test_the_severer_the_farther_from_the_original(corruption, side):
    pixels = photos(side)
    worse = [corrupt(pixels, corruption, severity) for severity in SEVERITIES]
    for changed in worse:
        assert (changed.shape, changed.dtype) == (pixels.shape, np.uint8)
    distances = [distance(changed, pixels) for changed in worse]
    assert distances == sorted(set(distances))
    assert distances[0] > 0.5
    assert np.array_equal(pixels, photos(side))


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_the_same_image_is_corrupted_the_same_way_whatever_follows_it(corruption):
    pixels = photos(32)
    alone, together = corrupt(pixels[:1], corruption, 3), corrupt(pixels, corruption, 3)
    assert np.array_equal(alone[0], together[0])


def test_another_seed_draws_other_noise():
    pixels = photos(32)
    assert not np.array_equal(corrupt(pixels, "noise", 1), corrupt(pixels, "noise", 1, seed=1))


def test_a_turned_picture_has_no_black_corners():
    white = np.full((4, 32, 32, 3), 255, np.uint8)
    assert corrupt(white, "rotation", 5).min() == 255


@pytest.mark.parametrize("corruption", ["blur", "rotation"])
def test_a_larger_picture_is_changed_as_much(corruption):
    small, large = (distance(corrupt(p, corruption, 3), p) for p in (photos(64), photos(192)))
    assert small == pytest.approx(large, rel=0.4)


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small only wait for one another in several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def patterns(count, seed):
    """Images (n, 3, 8, 8) of noise with the pattern of one of three classes, and which it is.

    A few values tell clearly which it is, and many others faintly; together these tell as much.
    """
    draw = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (3, 3, 8, 8), generator=torch.Generator().manual_seed(0)) * 2 - 1
    pattern = 0.025 * signs
    pattern[:, 0, :2] *= 4
    targets = torch.randint(0, 3, (count,), generator=draw)
    noise = 0.1 * torch.randn((count, 3, 8, 8), generator=draw)
    return (0.5 + pattern[targets] + noise).clamp(0, 1), targets


def train(adversarial=None):
    """A small network that knows the patterns."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 3))
    network = normalising(layers, (0.5,) * 3, (0.25,) * 3, torch.device("cpu"))
    optimizer = torch.optim.Adam(layers.parameters(), 1e-2)
    images, targets = patterns(600, seed=1)
    for _ in range(40):
        shown = images
        if adversarial:
            shown = adversarial_examples(network, images, targets, adversarial)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(shown), targets).backward()
        optimizer.step()
    return network


@pytest.fixture
def network():
    return train()


def accuracy(network, images, targets):
    with torch.inference_mode():
        return float((network(images).argmax(dim=1) == targets).float().mean())


def test_an_attack_hurts_more_than_noise_of_its_size_and_pgd_no_less_than_fgsm(network):
    images, targets = patterns(300, seed=2)
    noise = EPSILON * torch.randn(images.shape, generator=torch.Generator().manual_seed(3)).sign()
    clean = accuracy(network, images, targets)
    noisy = accuracy(network, (images + noise).clamp(0, 1), targets)
    by_fgsm = accuracy(network, fgsm(network, images, targets, EPSILON), targets)
    by_pgd = accuracy(network, pgd(network, images, targets, EPSILON), targets)
    assert clean > 0.9
    assert noisy > 0.85
    assert by_fgsm < 0.4
    assert by_pgd <= by_fgsm


@pytest.mark.parametrize("attack", [fgsm, pgd, adversarial_examples])
def test_no_value_changes_by_more_than_epsilon_or_leaves_its_range(network, attack):
    images, targets = patterns(50, seed=2)
    images[:, :, :4] = images[:, :, :4].round()  # values of 0 and 1, which cannot go on
    changed = attack(network, images, targets, EPSILON)
    assert (changed - images).abs().max() == pytest.approx(EPSILON, abs=1e-6)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not changed.requires_grad


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_the_same_attack_gives_the_same_images(network, attack):
    images, targets = patterns(20, seed=2)
    first, second = (attack(network, images, targets, EPSILON) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(attack(network, images, targets, 0), images)


def test_pgd_starts_where_its_seed_says(network):
    images, targets = patterns(20, seed=2)
    starts = [pgd(network, images, targets, EPSILON, steps=0, seed=seed) for seed in (0, 1)]
    assert not torch.equal(*starts)


def test_an_image_is_attacked_the_same_way_whatever_is_beside_it(network):
    images, targets = patterns(20, seed=2)
    together = fgsm(network, images, targets, EPSILON)
    assert torch.equal(fgsm(network, images[:1], targets[:1], EPSILON), together[:1])


def test_an_attack_leaves_the_gradients_of_training_alone():
    layers = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    network = normalising(layers, (0.5,) * 3, (0.25,) * 3, torch.device("cpu"))
    images, targets = patterns(10, seed=2)
    adversarial_examples(network, images, targets, EPSILON)
    assert all(parameter.grad is None for parameter in layers.parameters())


def test_a_network_trained_on_adversarial_examples_withstands_more(network):
    hardened = train(adversarial=EPSILON)
    images, targets = patterns(300, seed=2)
    before, after = (
        accuracy(one, pgd(one, images, targets, EPSILON), targets) for one in (network, hardened)
    )
    assert before < 0.3
    assert after > 0.8


@pytest.fixture
def toy(tmp_path):
    return write_bundle(tmp_path / "bundle").network


def test_a_network_is_measured_under_everything(toy):
    pixels = photos(32)
    truth = load_engine(toy).predict(pixels).argmax(axis=1)
    truth[0] = (truth[0] + 1) % 3
    done = []
    found = measure(toy, pixels, truth, epsilons=(EPSILON,), progress=done.append)
    assert (found.images, found.clean) == (3, 2 / 3)
    assert list(found.corruptions) == list(CORRUPTIONS)
    assert {len(row) for row in found.corruptions.values()} == {len(SEVERITIES)}
    assert {name: len(row) for name, row in found.attacks.items()} == {"fgsm": 1, "pgd": 1}
    assert sum(done) == passes(toy, 3, epsilons=(EPSILON,))
    kept = json.loads(json.dumps(found.to_json()))
    assert kept["corrupted"] == found.corrupted
    shares = [share for row in kept["corruptions"].values() for share in row]
    assert kept["corrupted"] == pytest.approx(sum(shares) / 25)


def test_measuring_again_gives_the_same_figures(toy):
    pixels, truth = photos(32)[:1], np.array([0])
    first, second = (measure(toy, pixels, truth, epsilons=(EPSILON,)) for _ in range(2))
    assert first == second


def write_onnx(path):
    """A network whose logits are the mean of each colour, as an import leaves it."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values"], ["logits"], axes=[1, 2], keepdims=0),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 32, 32, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "colours", [pixels], [logits])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opsets), path)
    return Network("onnx", path, SMALL)


def test_what_was_imported_as_onnx_is_corrupted_and_not_attacked(tmp_path):
    network = write_onnx(tmp_path / "colours.onnx")
    pixels = np.full((3, 32, 32, 3), 50, np.uint8)
    pixels[[0, 1, 2], :, :, [0, 1, 2]] = 200
    done = []
    found = measure(network, pixels, np.array([0, 1, 0]), progress=done.append)
    assert found.clean == found.corrupted == pytest.approx(2 / 3)
    assert (found.epsilons, found.attacks) == ((), {})
    assert sum(done) == passes(network, 3) == 3 * 26
