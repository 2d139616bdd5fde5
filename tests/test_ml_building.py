"""From a network to the files that its variants load."""

import numpy as np
import onnx
import onnxruntime
import pytest
from torch import nn

from classifier.ml.building import build, candidates
from classifier.ml.engines import is_installed, load_engine
from classifier.ml.export import NotExportable, export
from classifier.ml.quantization import NotQuantizable, quantize
from classifier.ml.variant import REFERENCE, Variant
from tests.models_on_disk import SMALL, write_bundle

FP32, INT8 = Variant("onnxruntime"), Variant("onnxruntime", "int8")


def noise(count):
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("model")).network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("built")


@pytest.fixture(scope="module")
def fp32(network, folder):
    return build(network, FP32, noise(0), folder).file


@pytest.fixture(scope="module")
def int8(network, folder, fp32):
    return build(network, INT8, noise(16), folder).file


def test_the_reference_comes_first_and_only_installed_engines_are_tried():
    tried = candidates()
    assert tried[0] == REFERENCE
    assert len(set(tried)) == len(tried) > 1
    assert all(is_installed(variant.engine) for variant in tried)


def test_without_a_compiler_nothing_compiled_is_tried(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert not any(variant.recipe for variant in candidates())


def test_torch_needs_no_file(network, folder):
    variant = Variant("torch", "bf16")
    assert build(network, variant, noise(0), folder) == variant


def test_the_file_takes_bytes_of_any_number_of_images_and_gives_logits(fp32):
    session = onnxruntime.InferenceSession(fp32)
    [given], [taken] = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[1:]) == ("pixels", "tensor(uint8)", [32, 32, 3])
    assert (taken.name, taken.type, taken.shape[1:]) == ("logits", "tensor(float)", [3])
    for count in (1, 2, 7):
        [logits] = session.run(None, {"pixels": noise(count)})
        assert logits.shape == (count, 3)


def test_the_file_needs_no_other_beside_it(fp32, tmp_path):
    moved = tmp_path / "alone.onnx"
    moved.write_bytes(fp32.read_bytes())
    onnxruntime.InferenceSession(moved)


def test_what_is_built_is_built_once_and_shared_between_engines(network, folder, fp32, int8):
    built = [
        build(network, FP32, noise(0), folder).file,
        build(network, INT8, noise(16), folder).file,
    ]
    assert built == [fp32, int8]
    assert {path.name for path in folder.iterdir()} == {fp32.name, int8.name}
    if is_installed("openvino"):
        assert build(network, Variant("openvino"), noise(0), folder).file == fp32


def test_other_weights_or_another_calibration_give_another_file(network, folder, int8, tmp_path):
    assert build(network, INT8, noise(8), folder).file != int8
    darker = tmp_path / "other.safetensors"
    content = bytearray(network.weights.read_bytes())
    content[-1] ^= 1
    darker.write_bytes(content)
    other = type(network)(network.architecture, darker, network.spec)
    assert build(other, FP32, noise(0), folder).file != build(network, FP32, noise(0), folder).file


def test_int8_is_smaller_and_leaves_the_first_layer_in_float(fp32, int8):
    assert int8.stat().st_size < 0.4 * fp32.stat().st_size
    graph = onnx.load(int8).graph
    [convolution, *_] = [node for node in graph.node if node.op_type == "Conv"]
    quantized = {
        name for node in graph.node if node.op_type.endswith("Linear") for name in node.output
    }
    assert convolution.input[1] not in quantized


def test_the_same_pixels_give_the_same_file(fp32, int8, tmp_path):
    quantize(fp32, noise(16), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == int8.read_bytes()


def test_building_is_silent(network, tmp_path, capfd):
    build(network, INT8, noise(8), tmp_path)
    assert capfd.readouterr() == ("", "")


def test_without_images_there_is_no_int8(network, folder):
    with pytest.raises(NotQuantizable, match="real images"):
        build(network, INT8, noise(0), folder)


def test_a_file_that_cannot_be_quantised_is_refused_in_one_line(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no network")
    with pytest.raises(NotQuantizable) as refusal:
        quantize(tmp_path / "x.onnx", noise(8), tmp_path / "y.onnx")
    assert "\n" not in str(refusal.value)


class Branching(nn.Module):
    """Does what no graph can hold."""

    def forward(self, images):
        return images[:, :, 0, 0] if images.sum().item() > 0 else images[:, :, 1, 1]


def test_a_network_that_cannot_be_exported_is_refused_in_one_line(tmp_path):
    with pytest.raises(NotExportable) as refusal:
        export(Branching(), SMALL, tmp_path / "x.onnx")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "x.onnx").exists()


def test_onnx_runtime_loads_what_was_built(network, int8):
    engine = load_engine(network, Variant("onnxruntime", "int8", file=int8))
    engine.warm_up()
    assert engine.predict(noise(3)).shape == (3, 3)
