"""What ONNX files from elsewhere must be, and that adapted ones answer as they did before."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from classifier.ml.onnx_import import UnusableGraph, adapt, input_of
from classifier.ml.probabilities import softmax
from classifier.ml.probe import default_sample
from classifier.ml.read_onnx import answers_of, open_session, read_graph, try_out
from tests.graphs import WEIGHTS, graph, write_graph
from tests.models_on_disk import SMALL, normalised

PIXELS = default_sample(SMALL)


def imported(model: onnx.ModelProto, spec=SMALL) -> np.ndarray:
    """The scores that an adapted graph gives the sample."""
    adapt(model, spec)
    try_out(model, PIXELS, spec)
    onnx.checker.check_model(model, full_check=True)
    return softmax(answers_of(open_session(model), PIXELS))


def expected() -> np.ndarray:
    means = normalised(PIXELS, SMALL).mean(dim=(2, 3)).numpy()
    return softmax(means @ WEIGHTS)


def refusal(model: onnx.ModelProto, spec=SMALL) -> str:
    with pytest.raises(UnusableGraph) as refused:
        imported(model, spec)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("end", ["", "Softmax", "LogSoftmax"])
def test_a_graph_of_normalised_floats_takes_pixels_then_and_gives_logits(end):
    assert np.allclose(imported(graph(end=end)), expected(), atol=1e-6)


def test_logits_are_those_before_the_softmax_at_the_end():
    model = graph(end="Softmax")
    imported(model)
    logits = answers_of(open_session(model), PIXELS)
    assert np.allclose(logits, normalised(PIXELS, SMALL).mean(dim=(2, 3)).numpy() @ WEIGHTS, 1e-4)


def test_probabilities_that_no_softmax_ends_are_recognised_by_their_sums():
    model = graph(end="Softmax")
    model.graph.node[-1].output[0] = "probabilities"
    model.graph.node.append(helper.make_node("Identity", ["probabilities"], ["answers"]))
    assert np.allclose(imported(model), expected(), atol=1e-6)


def test_floats_of_half_the_size_are_taken_too():
    assert np.allclose(imported(graph(type=TensorProto.FLOAT16)), expected(), atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), ("n", 3, "height", "width"), ("n", 3, 32, 32)])
def test_a_number_of_images_that_was_fixed_and_sizes_that_are_not_do_no_harm(shape):
    assert np.allclose(imported(graph(shape=shape)), expected(), atol=1e-6)


def test_what_was_adapted_stays_as_it_is():
    model = graph()
    imported(model)
    before = model.SerializeToString()
    imported(model)
    assert model.SerializeToString() == before


def test_weights_among_the_inputs_as_old_files_have_them_are_no_inputs():
    model = graph(opset=9)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(value)
    assert np.allclose(imported(model), expected(), atol=1e-6)


def test_a_graph_that_can_only_do_one_image_at_once_is_refused_by_its_node_alone():
    model = graph(shape=(1, 3, 32, 32), flattened=(1, 3))
    line = refusal(model)
    assert "cannot compute 8 images at once; it must take any number" in line
    assert "Reshape node" in line
    assert "requested shape" not in line  # it is computed from data


def test_images_that_are_answered_by_those_beside_them_are_refused():
    model = graph()
    first = helper.make_node("ReduceMean", ["images"], ["mixed"], axes=[0], keepdims=1)
    spread = helper.make_node("Add", ["images", "mixed"], ["spread"])
    model.graph.node[0].input[0] = "spread"
    nodes = [first, spread, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert "otherwise for an image alone" in refusal(model)


def test_two_inputs_are_refused_by_their_names():
    assert "its inputs are images, mask" in refusal(graph(more_inputs=("mask",)))


def test_two_outputs_are_refused_by_their_names():
    model = graph(end="Relu")
    model.graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3]))
    assert "its outputs answers, scores" in refusal(model)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (("n", 1, 32, 32), "its input is float (?, 1, 32, 32); it must be"),
        (("n", 3), "its input is float (?, 3)"),
        (("n", 3, 24, 32), "takes pictures of 32 x 24 pixels; they must be square"),
        (("n", 3, 64, 64), "takes pictures of 64 pixels, not of 32"),
    ],
)
def test_an_input_that_is_no_picture_of_the_size_is_refused(shape, reason):
    assert reason in refusal(graph(shape=shape))


def test_whole_numbers_are_refused_unless_they_are_pixels():
    model = graph()
    kind = model.graph.input[0].type.tensor_type
    kind.elem_type = TensorProto.UINT8
    assert "its input is uint8 (?, 3, 32, 32)" in refusal(model)


def test_a_wrong_number_of_classes_is_refused_with_the_right_one():
    line = refusal(graph(), replace(SMALL, labels=("cat", "dog")))
    assert "in the shape (8, 2), a score for each of the labels" in line
    assert "(8, 3)" not in line  # it may be computed from data


def test_scores_of_each_class_by_itself_are_refused():
    assert "Sigmoid" in refusal(graph(end="Sigmoid"))


def test_answers_that_are_no_finite_numbers_are_refused():
    assert "no finite numbers" in refusal(graph(end="Sqrt"))


def test_the_size_of_the_pictures_is_read():
    assert input_of(graph().graph).side == 32
    assert input_of(graph(shape=("n", 3, "h", "w")).graph).side is None


def unreadable(path) -> str:
    with pytest.raises(UnusableGraph) as refused:
        read_graph(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_weights_that_are_no_numbers_are_refused_by_their_name(tmp_path):
    weights = WEIGHTS.copy()
    weights[1, 1] = np.nan
    assert "no numbers, in 'weights'" in unreadable(
        write_graph(tmp_path / "w.onnx", weights=weights)
    )


def test_data_in_another_file_is_refused_whether_it_is_there_or_not(tmp_path):
    path = tmp_path / "w.onnx"
    onnx.save_model(graph(), path, save_as_external_data=True, location="data", size_threshold=0)
    assert "lies in another file" in unreadable(path)
    (tmp_path / "data").unlink()
    assert "lies in another file" in unreadable(path)


def test_data_in_another_file_is_found_in_the_branches_of_a_graph_too(tmp_path):
    inner = graph().graph
    inner.initializer[0].data_location = TensorProto.EXTERNAL
    model = graph()
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["no"], then_branch=inner, else_branch=graph().graph)
    )
    (tmp_path / "w.onnx").write_bytes(model.SerializeToString())
    assert "lies in another file" in unreadable(tmp_path / "w.onnx")


def elsewhere() -> onnx.TensorProto:
    """Three floats that lie in another file."""
    tensor = TensorProto(name="bias", data_type=TensorProto.FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="manage.py")
    return tensor


def of_sparse_constant(model):
    model.graph.node.append(constant(sparse_value=sparse(elsewhere())))


def of_sparse_constant_in_a_branch(model):
    inner = graph().graph
    inner.node.append(constant(sparse_value=sparse(elsewhere())))
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["no"], then_branch=inner, else_branch=graph().graph)
    )


def of_sparse_initializer(model):
    model.graph.sparse_initializer.append(sparse(elsewhere()))


def of_function(model):
    made = [constant(sparse_value=sparse(elsewhere()))]
    version = helper.make_opsetid("", 17)
    model.functions.append(helper.make_function("ours", "Bias", [], ["bias"], made, [version]))


def of_functions_default(model):
    default = helper.make_attribute("value", elsewhere())
    version = helper.make_opsetid("", 17)
    model.functions.append(
        helper.make_function("ours", "Bias", [], [], [], [version], attribute_protos=[default])
    )


def constant(**value) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["bias"], **value)


def sparse(values: onnx.TensorProto) -> onnx.SparseTensorProto:
    indices = numpy_helper.from_array(np.arange(3, dtype=np.int64), "indices")
    return helper.make_sparse_tensor(values, indices, [3])


@pytest.mark.parametrize(
    "hide",
    [
        of_sparse_constant,
        of_sparse_constant_in_a_branch,
        of_sparse_initializer,
        of_function,
        of_functions_default,
    ],
)
def test_data_in_another_file_is_found_wherever_a_graph_may_name_it(tmp_path, hide):
    model = graph()
    hide(model)
    (tmp_path / "w.onnx").write_bytes(model.SerializeToString())
    assert "'bias' lies in another file" in unreadable(tmp_path / "w.onnx")


@pytest.mark.parametrize("opset", [6, 99])
def test_an_opset_that_is_not_understood_is_refused(tmp_path, opset):
    assert f"its opset is {opset}; 7 to" in unreadable(
        write_graph(tmp_path / "w.onnx", opset=opset)
    )


def test_what_is_no_onnx_or_no_valid_one_is_refused(tmp_path):
    path = tmp_path / "w.onnx"
    path.write_bytes(b"no ONNX at all")
    assert "damaged, or no ONNX" in unreadable(path)
    model = graph()
    model.graph.node[0].op_type = "Invented"
    onnx.save(model, path)
    assert "no valid ONNX" in unreadable(path)
