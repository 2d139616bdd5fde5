"""`manage.py models import`: weights from elsewhere become a version, or are refused."""

import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from safetensors.torch import save_file

from classifier.ml import importing, probing
from classifier.ml import weights as weights_module
from classifier.ml.bundle import SHIPPED
from classifier.ml.calibration import Calibration
from classifier.ml.facts import Facts, UnreadableFacts, read_beside
from classifier.ml.probabilities import softmax
from classifier.ml.probe import default_sample
from classifier.ml.read_pth import tensors_in
from classifier.ml.spec import ModelSpec
from classifier.models import ModelVersion, Variant
from classifier.queries.gate import gate
from classifier.worker.runtime import loaded
from tests.graphs import write_graph
from tests.models_on_disk import SMALL, state_dict, write_bundle
from tests.noise import write_noise
from tests.test_ml_onnx_import import expected

pytestmark = pytest.mark.django_db

SAMPLE = SHIPPED / "samples" / "ship.jpg"
LIKE_SMALL = ("--mean", "0.5", "--std", "0.25,0.25,0.25")
CALIBRATION = Calibration(1.5, 0.9, 0.8, 0.03, 1, 1, None).to_json()
TRAINING = {
    "dataset": "pets",
    "fingerprint": "f" * 64,
    "images": {"train": 40, "validation": 5, "test": 15},
    "recipe": {"seed": 3},
    "seconds": 61.0,
    "device": "cpu",
    "epochs": [{"epoch": 1, "loss": 2.0}],
}


def run_import(*arguments):
    out = io.StringIO()
    call_command("models", "import", *map(str, arguments), stdout=out)
    return out.getvalue()


def refusal(*arguments):
    """The one line with which the command refuses, and exits with 2."""
    with pytest.raises(CommandError) as refused:
        run_import(*arguments)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    assert not ModelVersion.objects.exists()
    return str(refused.value)


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "classes"
    path.write_text("cat\ndog\nship\n")
    return path


@pytest.fixture
def squeezed(tmp_path):
    """A network of three classes."""
    path = tmp_path / "waste v2.safetensors"
    save_file(state_dict("squeezenet1_1"), path)
    return path


def test_a_state_dict_gets_its_architectures_official_preprocessing(tmp_path, labels):
    path = tmp_path / "waste v2.pth"
    torch.save(state_dict("squeezenet1_1"), path)
    out = run_import(path, "--arch", "squeezenet1_1", "--labels", labels, "--licence", "MIT")
    assert out.splitlines()[0] == "Installed waste-v2@1."
    version = ModelVersion.objects.get()
    assert (version.architecture, version.engine) == ("squeezenet1_1", "torch")
    assert (version.source, version.licence) == ("waste v2.pth", "MIT")
    assert version.labels == ["cat", "dog", "ship"]
    assert (version.spec["resize"], version.spec["crop"]) == (256, 224)
    assert version.spec["mean"] == [0.485, 0.456, 0.406]


def test_options_say_otherwise_and_a_smaller_picture_is_resized_to_its_size(squeezed, labels):
    run_import(
        *(squeezed, "--arch", "squeezenet1_1", "--labels", labels, "--image-size", 64),
        *(*LIKE_SMALL, "--interpolation", "bicubic", "--name", "mine", "--activate"),
    )
    version = ModelVersion.objects.serving()
    assert str(version) == "mine@1"
    assert version.spec == {
        "labels": ["cat", "dog", "ship"],
        "resize": 64,
        "crop": 64,
        "interpolation": "bicubic",
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
    }


def test_a_file_is_imported_once(squeezed, labels):
    command = (squeezed, "--arch", "squeezenet1_1", "--labels", labels, "--image-size", 32)
    run_import(*command)
    assert run_import(*command) == "waste-v2@1 is there already.\n"


def test_an_onnx_file_serves_by_its_own_engine(tmp_path, labels):
    run_import(write_graph(tmp_path / "colours.onnx"), "--labels", labels, *LIKE_SMALL)
    version = ModelVersion.objects.get()
    assert (str(version), version.engine, version.architecture) == (
        *("colours@1", "onnxruntime", "onnx"),
    )
    assert version.spec == SMALL.to_json()
    model = loaded(version)
    assert model.variant == version.computed_by == "onnxruntime fp32"
    assert np.allclose(softmax(model.logits(default_sample(SMALL))), expected(), atol=1e-6)


def test_an_onnx_file_is_computed_by_the_child_alone(tmp_path, labels, monkeypatch):
    def load_engine(network):
        raise AssertionError("there are no limits here")

    monkeypatch.setattr(importing, "load_engine", load_engine)
    path = write_graph(tmp_path / "colours.onnx")
    assert "Installed" in run_import(path, "--labels", labels, *LIKE_SMALL)


def test_an_imported_onnx_file_classifies_on_the_command_line(tmp_path, labels):
    run_import(write_graph(tmp_path / "colours.onnx"), "--labels", labels, *LIKE_SMALL)
    out = io.StringIO()
    call_command("classify", SAMPLE, "--model", "colours", "--json", stdout=out)
    assert {best["label"] for best in json.loads(out.getvalue())["output"]} == {*SMALL.labels}


def test_what_loads_onnx_optimizes_an_imported_file(tmp_path, labels, monkeypatch, settings):
    monkeypatch.setattr(probing, "CALIBRATION_SECONDS", 0.1)
    monkeypatch.setattr(probing, "REFERENCE_SECONDS", 0.1)
    settings.CACHE_DIR = tmp_path / "cache"
    run_import(write_graph(tmp_path / "colours.onnx"), "--labels", labels, *LIKE_SMALL)
    write_noise(tmp_path / "data" / "cat", 40)
    write_noise(tmp_path / "data" / "dog", 40, seed=1)
    out = io.StringIO()
    call_command(
        *("optimize", "colours", "--data", str(tmp_path / "data"), "--engines", "onnxruntime"),
        stdout=out,
    )
    tried = [str(variant) for variant in Variant.objects.all()]
    assert tried == ["onnxruntime fp32", "onnxruntime int8"]
    assert "the reference" in out.getvalue()


def test_a_folder_of_hugging_face_tells_all_but_the_architecture(tmp_path):
    folder = tmp_path / "birds"
    folder.mkdir()
    save_file(state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(
        json.dumps({"id2label": {"1": "dog", "0": "cat", "2": "x"}})
    )
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "size": {"shortest_edge": 40},
                "crop_size": {"height": 32, "width": 32},
                "image_mean": [0.5] * 3,
                "image_std": [0.25] * 3,
                "resample": 3,
            }
        )
    )
    assert "tell it with --arch" in refusal(folder)
    out = run_import(folder, "--arch", "compact_cnn")
    assert out.splitlines() == [
        "config.json, preprocessor_config.json beside it told of the model.",
        "Installed birds@1.",
        "To let it serve: manage.py models activate birds@1",
    ]
    assert ModelVersion.objects.get().spec == {
        "labels": ["cat", "dog", "x"],
        "resize": 40,
        "crop": 32,
        "interpolation": "bicubic",
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
    }


def test_what_is_missing_is_named_by_its_options(tmp_path):
    save_file(state_dict(), tmp_path / "w.safetensors")
    command = (tmp_path / "w.safetensors", "--mean", "0.5")
    assert refusal(*command).endswith("tell it with --arch, which may tell the rest")
    line = refusal(*command, "--arch", "compact_cnn")
    assert line.endswith("tell it with --labels and --image-size and --std")
    assert refusal(write_graph(tmp_path / "w.onnx")).endswith("--labels and --mean and --std")


class Terminal(io.StringIO):
    """A person who types these lines."""

    def isatty(self):
        return True


def test_a_person_at_a_terminal_is_asked_for_what_is_missing(squeezed, labels, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Terminal("squeezenet\nsqueezenet1_1\n"))
    run_import(squeezed, "--labels", labels, "--image-size", 64)
    assert "Did you mean squeezenet1_1" in capsys.readouterr().err
    version = ModelVersion.objects.get()
    assert (version.architecture, version.labels) == ("squeezenet1_1", ["cat", "dog", "ship"])


def test_nothing_typed_is_the_answer_that_is_shown(tmp_path, labels, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Terminal("\nseven\n\n"))
    path = write_graph(tmp_path / "w.onnx", shape=("n", 3, "h", "w"))
    run_import(path, "--labels", labels, "--image-size", 32)
    told = capsys.readouterr()
    assert "Mean of red, green and blue [0.485,0.456,0.406]: " in told.out
    assert "'seven' is neither one number nor three" in told.err
    assert ModelVersion.objects.get().spec["std"] == [0.229, 0.224, 0.225]


def test_an_end_of_what_is_typed_is_a_refusal(squeezed, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    assert "--arch tells it too" in refusal(squeezed)


def test_a_bundle_is_written_and_nothing_installed(squeezed, labels, tmp_path):
    out = run_import(
        *(squeezed, "--arch", "squeezenet1_1", "--labels", labels),
        *("--image-size", 32, "--bundle", tmp_path / "b"),
    )
    assert out == f"Wrote {tmp_path / 'b'}.\n"
    assert not ModelVersion.objects.exists()
    run_import(tmp_path / "b")
    assert str(ModelVersion.objects.get()) == "waste-v2@1"


def test_weights_that_are_not_the_architectures_are_refused(squeezed, labels):
    command = (squeezed, "--labels", labels, "--arch")
    assert "not those of resnet18" in refusal(*command, "resnet18")
    assert "no network 'squeezenet'" in refusal(*command, "squeezenet")


def test_a_wrong_number_of_labels_is_refused(squeezed, labels):
    labels.write_text("cat\ndog\n")
    line = refusal(squeezed, "--arch", "squeezenet1_1", "--labels", labels)
    assert "have 3 classes, but there are 2 labels" in line


def test_pictures_too_small_for_the_network_are_refused(squeezed, labels):
    command = (squeezed, "--arch", "squeezenet1_1", "--labels", labels, "--image-size", 8)
    assert "cannot compute pictures of 8 pixels" in refusal(*command)


def test_weights_that_are_no_numbers_are_refused(tmp_path, labels):
    state = state_dict("squeezenet1_1")
    state["classifier.1.bias"][0] = float("nan")
    save_file(state, tmp_path / "w.safetensors")
    told = ("--arch", "squeezenet1_1", "--labels", labels)
    assert "no finite numbers" in refusal(tmp_path / "w.safetensors", *told)


def test_onnx_that_is_no_classifier_is_refused(tmp_path, labels):
    path = write_graph(tmp_path / "two.onnx", more_inputs=("mask",))
    assert "two.onnx: its inputs are images, mask" in refusal(path, "--labels", labels)


def test_onnx_of_another_number_of_classes_is_refused(tmp_path, labels):
    labels.write_text("cat\ndog\n")
    path = write_graph(tmp_path / "w.onnx")
    assert "in the shape (8, 2)" in refusal(path, "--labels", labels, *LIKE_SMALL)


def test_files_of_other_kinds_are_refused(tmp_path):
    assert "there is no file" in refusal(tmp_path / "none.pth")
    (tmp_path / "w.pt2").write_bytes(b"")
    assert r"must end in .safetensors, in .onnx, or in .pth" in refusal(tmp_path / "w.pt2")


def test_a_folder_must_hold_one_file_of_weights(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "there is none" in refusal(tmp_path / "empty")
    for name in ("a.onnx", "b.pth"):
        (tmp_path / name).write_bytes(b"")
    assert "there is a.onnx, b.pth" in refusal(tmp_path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(squeezed, monkeypatch):
    monkeypatch.setattr(weights_module, "MOST_BYTES", 1000)
    assert "weights may have 1000 at most" in refusal(squeezed)


def test_more_tensors_than_any_network_has_are_refused(squeezed, labels, monkeypatch):
    monkeypatch.setattr(weights_module, "MOST_TENSORS", 51)
    line = refusal(squeezed, "--arch", "squeezenet1_1", "--labels", labels)
    assert "holds 52 tensors; 51 are the most" in line


def test_a_pickle_of_more_tensors_than_any_network_has_is_refused():
    one = torch.zeros(1)
    with pytest.raises(SystemExit, match="it holds 10001 tensors; 10000 are the most"):
        tensors_in({str(number): one for number in range(10_001)})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.json", '{"name": "x", "favourite": "y"}'),
        ("model.json", '{"metrics": 3}'),
        ("model.json", '{"metrics": {"top1": "nine of ten"}}'),
        ("model.json", '{"metrics": {"top1": NaN}}'),
        ("model.json", '{"training": {"seconds": 1e999}}'),
        ("model.json", '{"metrics": {"robustness": {"corrupted": 0.9}}}'),
        ("model.json", '{"training": {"epochs": [{"loss": "little"}]}}'),
        ("model.json", '{"training": {"dataset": "x"}}'),
        ("model.json", json.dumps({"training": {**TRAINING, "images": {"train": 40}}})),
        ("model.json", json.dumps({"training": {**TRAINING, "recipe": {}}})),
        ("model.json", '{"calibration": {"temperature": 0}}'),
        ("model.json", json.dumps({"calibration": {**CALIBRATION, "free_labels": True}})),
        ("model.json", '{"spec": []}'),
        ("model.json", "[]"),
        ("config.json", '{"id2label": {"a": "b"}}'),
        ("config.json", "{"),
    ],
)
def test_a_file_beside_it_that_is_not_what_it_should_be_is_refused(tmp_path, labels, name, text):
    save_file(state_dict(), tmp_path / "w.safetensors")
    (tmp_path / name).write_text(text)
    told = ("--arch", "compact_cnn", "--labels", labels, "--image-size", 32, *LIKE_SMALL)
    refusal(tmp_path / "w.safetensors", *told)


@pytest.mark.parametrize("verb", ["import", "install"])
def test_what_a_model_claims_to_have_shown_is_not_taken_for_measured_here(
    tmp_path, signed_in, verb
):
    level = [0.9] * 5
    claims = {
        "images": 5000,
        "dataset": "pets",
        "clean": 0.9,
        "corrupted": 0.9,
        "corruptions": {"noise": level, "blur": level},
        "epsilons": [0.1],
        "attacks": {},
    }
    replace(
        write_bundle(tmp_path / "run"),
        metrics={"top1": 0.5, "robustness": claims},
        calibration={**CALIBRATION, "verified": {"ece_after": 0.0}},
    ).write_facts()
    call_command("models", verb, str(tmp_path / "run"), stdout=io.StringIO())
    version = ModelVersion.objects.get()
    assert version.metrics == {"top1": 0.5}
    assert version.calibration == CALIBRATION
    assert not any(line.passed for line in gate(version))
    assert "It is calibrated" in signed_in.get(f"/models/{version}/").content.decode()


@pytest.mark.parametrize("verb", ["import", "install"])
def test_a_calibration_that_is_none_is_refused_by_both_ways(tmp_path, verb):
    bundle = write_bundle(tmp_path / "run")
    replace(bundle, calibration={**CALIBRATION, "temperature": 0}).write_facts()
    with pytest.raises(CommandError, match=r"temperature.* must be above 0"):
        call_command("models", verb, str(tmp_path / "run"))


@pytest.mark.parametrize("training", [{}, TRAINING])
def test_the_page_of_an_imported_model_tells_of_its_training_if_that_is_known(
    tmp_path, signed_in, training
):
    replace(write_bundle(tmp_path / "run"), training=training).write_facts()
    run_import(tmp_path / "run")
    page = signed_in.get("/models/toy@1/")
    assert page.status_code == 200
    assert ("1 min 1 s" in page.content.decode().replace("\N{NO-BREAK SPACE}", " ")) == bool(
        training
    )


def test_labels_and_sizes_are_read_from_what_lies_beside(tmp_path):
    (tmp_path / "labels.txt").write_text("a\n\nb\n")
    (tmp_path / "preprocessor_config.json").write_text(
        '{"size": 32, "do_normalize": false, "do_center_crop": false, "crop_size": 20}'
    )
    found = read_beside(tmp_path / "w.onnx")
    assert found == Facts(
        {
            "labels": ["a", "b"],
            "resize": 32,
            "crop": 32,
            "mean": [0.0] * 3,
            "std": [1.0] * 3,
        },
        files=("labels.txt", "preprocessor_config.json"),
    )
    (tmp_path / "labels.txt").write_text("\n")
    with pytest.raises(UnreadableFacts, match="a line for each class"):
        read_beside(tmp_path / "w.onnx")


def test_a_folder_that_train_wrote_needs_no_options(tmp_path):
    write_bundle(tmp_path / "run")
    assert "Installed toy@1." in run_import(tmp_path / "run")
    assert ModelSpec.from_json(ModelVersion.objects.get().spec) == SMALL
