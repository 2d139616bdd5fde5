"""`manage.py models export`: folders that others can use, and that come back as what they were."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image
from torch import nn

from classifier.management.arguments import FORMATS
from classifier.ml.bundle import SHIPPED, WEIGHTS, Bundle, read_bundle
from classifier.ml.core_ml import CONVERTED, export_for_core_ml
from classifier.ml.engines import load_engine
from classifier.ml.export import NotExportable
from classifier.ml.exporting import FORMS, FolderInUse, export_bundle
from classifier.ml.facts import read_beside
from classifier.ml.importing import completed, prepared, told_by, weights_in
from classifier.ml.preprocess import preprocess_exactly
from classifier.ml.probe import default_sample
from classifier.ml.reading import reading_of
from classifier.ml.spec import INK, ModelSpec
from classifier.ml.weights import write_weights
from classifier.models import ModelVersion
from tests.graphs import write_graph
from tests.models_on_disk import SMALL, state_dict, write_bundle
from tests.test_import_command import LIKE_SMALL

PICTURES = sorted((SHIPPED / "samples").glob("*.jpg"))
IMPORTABLE = ("safetensors", "onnx", "coreml-ready-onnx")
TINY = ModelSpec(("cat", "dog", "ship"), 40, 32, "bicubic", (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


@pytest.fixture(scope="module")
def everyday() -> Bundle:
    return read_bundle(SHIPPED / "everyday")


@pytest.fixture(scope="module")
def bundles(everyday, tmp_path_factory) -> dict[str, Bundle]:
    """The everyday model, it again as if for handwriting, and a small network of torchvision's."""
    weights = tmp_path_factory.mktemp("network") / WEIGHTS
    write_weights(state_dict("shufflenet_v2_x0_5"), weights)
    return {
        "everyday": everyday,
        "ink": replace(everyday, spec=replace(everyday.spec, framing=INK)),
        "tiny": Bundle("tiny", "shufflenet_v2_x0_5", weights, TINY),
    }


@pytest.fixture(scope="module")
def exported(bundles, tmp_path_factory):
    """The folder of a model in a form, written once for all tests."""
    base = tmp_path_factory.mktemp("exported")

    def folder(name: str, form: str) -> Path:
        target = base / f"{name}-{form}"
        if not target.exists():
            export_bundle(bundles[name], form, target)
        return target

    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Path]:
    """Photographs, and one of them that fades to nothing."""
    faded = Image.open(PICTURES[0]).convert("RGB")
    faded.putalpha(Image.linear_gradient("L").resize(faded.size))
    path = tmp_path_factory.mktemp("pictures") / "faded.png"
    faded.save(path)
    return [*PICTURES, path]


def scores_of(bundle: Bundle, pictures: list[Path]) -> dict[tuple[str, str], float]:
    """What a worker would answer."""
    spec = bundle.spec
    pixels = np.stack([preprocess_exactly(path.read_bytes(), spec) for path in pictures])
    read = reading_of(bundle.calibration)
    answers = read(load_engine(bundle.network).logits(pixels), spec.labels).probabilities
    return {
        (str(path), label): float(score)
        for path, row in zip(pictures, answers, strict=True)
        for label, score in zip(spec.labels, row, strict=True)
    }


def said_by_script(folder: Path, pictures: list[Path]) -> dict[tuple[str, str], float]:
    done = subprocess.run(
        [sys.executable, "predict.py", *map(str, pictures)],
        cwd=folder,
        env={"PATH": ""},  # without anything of ours
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = {}
    for line in done.stdout.splitlines():
        path, answer = line.rsplit(": ", 1)
        label, score = answer.rsplit(" ", 1)
        said[path, label] = float(score)
    return said


@pytest.mark.parametrize(
    ("name", "form"),
    [*(("everyday", form) for form in FORMATS), ("tiny", "safetensors"), ("ink", "safetensors")],
)
def test_the_script_says_what_a_worker_says(exported, bundles, pictures, name, form):
    bundle = bundles[name]
    assert bool(bundle.calibration) == (name != "tiny")
    expected = scores_of(bundle, pictures)
    said = said_by_script(exported(name, form), pictures)
    assert len(said) == len(pictures) * min(5, len(bundle.spec.labels))
    for key, score in said.items():
        assert abs(score - expected[key]) < 1e-4


def test_the_script_is_short(exported):
    lines = (exported("everyday", "onnx") / "predict.py").read_text().splitlines()
    assert len(lines) <= 25


@pytest.mark.parametrize(
    ("name", "form"), [*(("everyday", form) for form in IMPORTABLE), ("tiny", "onnx")]
)
def test_what_was_exported_comes_back_as_what_it_was(exported, bundles, name, form):
    bundle = bundles[name]
    file = weights_in(exported(name, form))
    facts = read_beside(file).over(told_by(file))
    assert not completed(facts, file).lacking
    sample = default_sample(bundle.spec)
    expected = load_engine(bundle.network).predict(sample)
    with prepared(file, completed(facts, file)) as back:
        assert np.abs(load_engine(back.network).predict(sample) - expected).max() < 1e-4
        assert (back.name, back.spec.labels) == (bundle.name, bundle.spec.labels)
        assert back.metrics == bundle.metrics


def test_a_folder_holds_all_that_is_needed(exported):
    folder = exported("everyday", "onnx")
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.onnx", "model.json", "labels.txt", "README.md", "predict.py"}
    assert (folder / "labels.txt").read_text().split() == json.loads(
        (folder / "model.json").read_text()
    )["spec"]["labels"]


def test_every_format_of_the_command_can_be_written():
    assert {*FORMATS} == {*FORMS}


def test_the_file_for_core_ml_is_what_its_converter_takes(exported):
    model = onnx.load(exported("everyday", "coreml-ready-onnx") / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [used.version for used in model.opset_import] == [10]
    [image], [probabilities] = model.graph.input, model.graph.output
    assert (image.name, probabilities.name) == ("image", "probabilities")
    assert [dim.dim_value for dim in image.type.tensor_type.shape.dim] == [1, 3, 32, 32]
    assert {node.op_type for node in model.graph.node} <= CONVERTED


class Odd(nn.Module):
    """Does what Core ML's converter knows no operator for, or the exporter none of its time."""

    def __init__(self, odd):
        super().__init__()
        self.odd = odd

    def forward(self, images):
        return self.odd(images).float().mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("odd", "reason"),
    [(torch.isnan, "coreml.* no IsNaN"), (lambda x: x.cumsum(1), "cannot be written as ONNX")],
    ids=["operator", "exporter"],
)
def test_a_network_that_core_ml_cannot_take_is_refused(tmp_path, capfd, odd, reason):
    with pytest.raises(NotExportable, match=reason):
        export_for_core_ml(Odd(odd), SMALL, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")


def test_nothing_is_left_of_an_export_that_failed(tmp_path):
    bundle = write_bundle(tmp_path / "toy")
    broken = replace(bundle, architecture="resnet18")
    with pytest.raises(ValueError, match="not those of resnet18"):
        export_bundle(broken, "safetensors", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    bundle = write_bundle(tmp_path / "toy")
    with pytest.raises(FolderInUse):
        export_bundle(bundle, "safetensors", tmp_path / "toy")
    with pytest.raises(FolderInUse):
        export_bundle(bundle, "safetensors", bundle.weights)
    (tmp_path / "empty").mkdir()
    export_bundle(bundle, "safetensors", tmp_path / "empty")
    assert (tmp_path / "empty" / "predict.py").exists()


def run_models(*arguments):
    out = io.StringIO()
    call_command("models", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_writes_a_version_that_can_be_imported_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_models("install", write_bundle(tmp_path / "run").weights.parent)
    out = run_models("export", "toy@1", "--format", "safetensors")
    assert out.startswith("Wrote toy-1-safetensors. To try it: python toy-1-safetensors/predict.py")
    assert run_models("import", "toy-1-safetensors").endswith("toy@1 is there already.\n")
    ModelVersion.objects.update(sha256="0" * 64)
    with pytest.raises(CommandError, match="is damaged"):
        run_models("export", "toy", "--format", "safetensors", "--to", tmp_path / "other")
    with pytest.raises(CommandError, match="There is no model cat"):
        run_models("export", "cat", "--format", "safetensors")


@pytest.mark.django_db
def test_what_was_imported_as_onnx_is_exported_as_onnx_alone(tmp_path):
    (tmp_path / "labels.txt").write_text("cat\ndog\nship\n")
    run_models("import", write_graph(tmp_path / "colours.onnx"), *LIKE_SMALL)
    run_models("export", "colours", "--format", "onnx", "--to", tmp_path / "out")
    said = said_by_script(tmp_path / "out", PICTURES)
    version = ModelVersion.objects.get()
    assert {label for _, label in said} == {*version.labels}
    assert "is there already" in run_models("import", tmp_path / "out")
    with pytest.raises(CommandError, match="it can be exported as onnx alone") as refused:
        run_models("export", "colours", "--format", "torch-export", "--to", tmp_path / "other")
    assert refused.value.returncode == 2
