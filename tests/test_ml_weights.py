"""Weights are read without running anything in them, and only where they fit."""

import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from classifier.ml import weights as weights_module
from classifier.ml.architectures import UnknownArchitecture
from classifier.ml.weights import (
    DigestMismatch,
    UnusableWeights,
    as_safetensors,
    check_sha256,
    load_network,
    sha256_of,
    write_weights,
)
from tests.models_on_disk import REAL, SMALL, state_dict


@pytest.fixture
def fitting(tmp_path):
    path = tmp_path / "fitting.safetensors"
    write_weights(state_dict(), path)
    return path


def saved(tmp_path, content, name="weights.pth"):
    path = tmp_path / name
    torch.save(content, path)
    return path


def test_float16_weights_become_a_float32_network(tmp_path):
    half = {n: t.half() if t.is_floating_point() else t for n, t in state_dict().items()}
    write_weights(half, tmp_path / "half.safetensors")
    network = load_network("compact_cnn", tmp_path / "half.safetensors", SMALL)
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_a_pickled_state_dict_is_read_by_a_child_process(tmp_path, fitting):
    converted = as_safetensors(saved(tmp_path, state_dict()), tmp_path)
    assert converted.suffix == ".safetensors"
    assert load_file(converted).keys() == load_file(fitting).keys()


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1"])
def test_real_pickled_weights_fit_their_network(tmp_path, name):
    source = REAL / "weights" / f"{name}.pth"
    if not source.exists():
        pytest.skip(f"needs {source}")
    spec = replace(SMALL, labels=tuple(str(i) for i in range(1000)))
    load_network(name, as_safetensors(source, tmp_path), spec)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_a_pickle_is_not_run(tmp_path):
    target = tmp_path / "was-here"
    with pytest.raises(UnusableWeights, match=r"more than tensors; save .*state_dict"):
        as_safetensors(saved(tmp_path, {"weight": Hostile(target)}), tmp_path)
    assert not target.exists()


def test_a_pickle_that_takes_far_more_memory_than_its_size_is_refused(tmp_path):
    bomb = torch.zeros(1).expand(4 << 30)  # four bytes that stand for 16 GiB
    with pytest.raises(UnusableWeights, match="far more memory"):
        as_safetensors(saved(tmp_path, {"weight": bomb}), tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"epoch": 3, "state_dict": {"weight": torch.zeros(1)}}, "'epoch' in it is no tensor"),
        ({"state_dict": {"weight": torch.zeros(1)}}, "save the state_dict in its 'state_dict'"),
        ([torch.zeros(1)], "it holds a list, not a state_dict"),
    ],
    ids=["mixed", "checkpoint", "list"],
)
def test_a_pickle_of_something_else_is_refused_with_what_to_save(tmp_path, content, reason):
    with pytest.raises(UnusableWeights, match=reason):
        as_safetensors(saved(tmp_path, content), tmp_path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_a_torchscript_archive_is_refused_by_its_name(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "script.pt")
    with pytest.raises(UnusableWeights, match="TorchScript"):
        as_safetensors(tmp_path / "script.pt", tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"\x00" * 100)
    with pytest.raises(UnusableWeights, match=r"damaged, or not a file that torch\.save wrote"):
        as_safetensors(tmp_path / "weights.pth", tmp_path)
    (tmp_path / "weights.onnx").write_bytes(pickle.dumps({}))
    with pytest.raises(UnusableWeights, match=r"must end in \.safetensors"):
        as_safetensors(tmp_path / "weights.onnx", tmp_path)
    with pytest.raises(UnusableWeights, match="there is no file"):
        as_safetensors(tmp_path / "none.pth", tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"no")
    with pytest.raises(UnusableWeights, match="not a safetensors file"):
        load_network("compact_cnn", tmp_path / "weights.safetensors", SMALL)


def test_a_pickle_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_module, "READ_SECONDS", 0.01)
    with pytest.raises(UnusableWeights, match="could not be read within"):
        as_safetensors(saved(tmp_path, state_dict()), tmp_path)


def test_weights_of_another_network_are_refused_with_names(fitting):
    spec = replace(SMALL, resize=224, crop=224)
    with pytest.raises(UnusableWeights, match=r"not those of resnet18: they lack .* and \d+ more"):
        load_network("resnet18", fitting, spec)


def test_a_wrong_number_of_classes_is_told_with_both_numbers(fitting):
    spec = replace(SMALL, labels=("cat", "dog"))
    with pytest.raises(UnusableWeights, match="have 3 classes, but there are 2 labels"):
        load_network("compact_cnn", fitting, spec)


def test_a_wrong_shape_is_told_by_its_name(tmp_path):
    state = state_dict() | {"whiten.weight": torch.zeros(24, 3, 3, 3)}
    write_weights(state, tmp_path / "w.safetensors")
    with pytest.raises(UnusableWeights, match=r"whiten\.weight has the shape"):
        load_network("compact_cnn", tmp_path / "w.safetensors", SMALL)


def test_values_that_are_no_numbers_are_refused(tmp_path):
    state = state_dict()
    state["head.bias"][1] = float("nan")
    write_weights(state, tmp_path / "w.safetensors")
    with pytest.raises(UnusableWeights, match=r"no finite numbers, in head\.bias"):
        load_network("compact_cnn", tmp_path / "w.safetensors", SMALL)


def test_old_weights_without_counters_of_batches_are_taken(tmp_path):
    state = {n: t for n, t in state_dict().items() if not n.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "old.safetensors")
    load_network("compact_cnn", tmp_path / "old.safetensors", SMALL)


def test_an_unknown_architecture_is_refused(fitting):
    with pytest.raises(UnknownArchitecture, match="resnet5"):
        load_network("resnet5", fitting, SMALL)


def test_a_damaged_file_does_not_have_its_digest(fitting):
    digest = sha256_of(fitting)
    check_sha256(fitting, digest)
    fitting.write_bytes(fitting.read_bytes()[:-1])
    with pytest.raises(DigestMismatch, match="install the model again"):
        check_sha256(fitting, digest)
