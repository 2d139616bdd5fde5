"""`manage.py optimize`: the ways to compute a model are measured, judged, kept, and one serves."""

import io
import json
import os
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from classifier.actions.variants import NewVariant, keep_variant, serve_by
from classifier.management.commands import optimize as command
from classifier.management.evidence import decode, pictures_in
from classifier.management.installing import install_bundle
from classifier.management.optimizing import Bench, Outcome, Plan, fastest
from classifier.ml import probing, pruning
from classifier.ml.augmentation import Augmentation
from classifier.ml.network import Network
from classifier.ml.probing import UnfitVariant
from classifier.ml.pruning import FineTuning
from classifier.ml.variant import REFERENCE, Variant
from classifier.ml.weights import UnusableWeights
from classifier.models import ModelVersion
from classifier.models import Variant as Kept
from tests.models_on_disk import SMALL, write_bundle
from tests.noise import write_noise
from tests.receipts import passing
from tests.test_ml_probing import DIES_OF_AMX, script

pytestmark = pytest.mark.django_db


@pytest.fixture
def toy(tmp_path):
    return install_bundle(write_bundle(tmp_path / "bundle"), activate=True)


@pytest.fixture(autouse=True)
def _brief(monkeypatch, settings, tmp_path):
    """Nobody reads these figures; and nothing is known from other tests."""
    monkeypatch.setattr(probing, "CALIBRATION_SECONDS", 0.2)
    monkeypatch.setattr(probing, "REFERENCE_SECONDS", 0.2)
    settings.CACHE_DIR = tmp_path / "cache"


@pytest.fixture
def labelled(tmp_path):
    """Enough images to judge by, in a folder for each of two labels."""
    write_noise(tmp_path / "data" / "cat", 40)
    write_noise(tmp_path / "data" / "ship", 40, seed=1)
    return tmp_path / "data"


def optimize(*arguments):
    out = io.StringIO()
    call_command("optimize", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refusal(*arguments):
    """The one line with which the command refuses, and exits with 2."""
    with pytest.raises(CommandError) as refused:
        optimize(*arguments)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    assert not Kept.objects.exists()
    return str(refused.value)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(probing, "CALIBRATION_SECONDS", 0.2)


def plan(variant, build=None):
    return Plan(variant, build or (lambda: variant))


def try_only(monkeypatch, *plans):
    """Let the command try these after the reference, whatever this machine could."""
    monkeypatch.setattr(Bench, "plans", lambda *_: [plan(REFERENCE), *plans])


def test_the_fastest_that_passed_serves_and_each_has_its_receipt(toy, labelled):
    out = optimize("toy", "--data", labelled, "--engines", "onnxruntime")
    about, heading, *rows, conclusion = out.splitlines()
    assert about == ("Judging by 54 images with labels (folder data); 26 others calibrate int8.")
    assert heading.split()[:3] == ["VARIANT", "IMAGES/S", "LATENCY"]
    assert [row.split("  ")[0] for row in rows] == [
        *("torch fp32", "onnxruntime fp32", "onnxruntime int8"),
    ]
    kept = list(Kept.objects.all())
    assert [str(variant) for variant in kept] == [row.split("  ")[0] for row in rows]
    exported = kept[1]
    assert exported.passed
    assert exported.measured["agreement"] == 1
    assert exported.measured["accuracy_loss"] == {"value": 0, "low": 0, "high": 0}
    assert exported.measured["file_bytes"] == exported.file.size
    assert exported.receipt["sha256"] == exported.sha256
    assert exported.receipt["model"] == {"name": "toy@1", "sha256": toy.sha256}
    assert exported.receipt["data"]["labelled"] is True
    assert exported.receipt["machine"]["cores"] > 0
    assert exported.receipt["gate"]["thresholds"]["most_accuracy_loss"] == 0.005
    best = max((v for v in kept if v.passed), key=lambda v: v.measured["images_per_second"])
    toy.refresh_from_db()
    assert toy.computed_by == str(best)
    assert f"toy@1 is computed by {best}" in conclusion


def test_nothing_but_the_reference_serves_where_images_are_too_few(toy, tmp_path, monkeypatch):
    write_noise(tmp_path / "few", 20)
    try_only(monkeypatch, plan(Variant("torch", recipe="again")))
    out = optimize("toy", "--data", tmp_path / "few")
    assert "not passed: 14 images are too few to judge by; 50 are needed" in out
    assert out.endswith("toy@1 serves as before.\n")
    assert [variant.passed for variant in Kept.objects.all()] == [True, False]
    toy.refresh_from_db()
    assert toy.variant is None


@pytest.mark.parametrize("few", [False, True], ids=["on request", "with too few images"])
def test_what_serves_is_left_alone(few, toy, labelled, tmp_path, monkeypatch):
    again = Variant("torch", recipe="again")
    new = NewVariant("torch", "fp32", "again", None, passing(toy), passed=True)
    serving = keep_variant(toy, new)
    serve_by(serving)
    write_noise(tmp_path / "few", 20)
    try_only(monkeypatch, plan(again))
    given = ["--data", tmp_path / "few"] if few else ["--data", labelled, "--no-activate"]
    assert "toy@1 serves as before" in optimize("toy", *given)
    toy.refresh_from_db()
    assert toy.variant == serving


def test_a_faster_variant_that_was_not_tried_serves_on(toy, labelled, monkeypatch):
    receipt = passing(toy, measured={"images_per_second": 1e9})
    serving = keep_variant(toy, NewVariant("openvino", "int8", "", None, receipt, passed=True))
    serve_by(serving)
    try_only(monkeypatch)
    assert "by openvino int8 as before" in optimize("toy", "--data", labelled)
    toy.refresh_from_db()
    assert toy.variant == serving


def test_one_that_fails_is_a_line_and_the_rest_goes_on(toy, labelled, monkeypatch):
    def fail():
        raise UnfitVariant("it ended the process that tried it: SIGILL")

    try_only(monkeypatch, plan(Variant("abacus"), fail), plan(Variant("torch", recipe="again")))
    out = optimize("toy", "--data", labelled, "--no-activate")
    assert "failed: it ended the process that tried it: SIGILL" in out
    assert "toy@1 serves as before" in out
    assert [str(variant) for variant in Kept.objects.all()] == ["torch fp32", "torch fp32 again"]
    toy.refresh_from_db()
    assert toy.variant is None


def test_one_that_works_in_another_environment_only_is_kept(toy, labelled, monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(DIES_OF_AMX))
    try_only(monkeypatch, plan(Variant("torch", recipe="again")))
    optimize("toy", "--data", labelled)
    kept = Kept.objects.get(recipe="again")
    assert kept.passed
    assert kept.measured["agreement"] == 1
    assert "ONEDNN_MAX_CPU_ISA" not in os.environ, "what is tried next is not to inherit it"


def test_the_lines_for_programs_are_json_and_nothing_else(toy, labelled, monkeypatch):
    try_only(monkeypatch)
    [line] = optimize("toy", "--data", labelled, "--json").splitlines()
    found = json.loads(line)
    assert (found["variant"], found["passed"], found["reason"]) == (
        *("torch fp32", True, "the reference"),
    )
    assert found["measured"]["agreement"] == 1


def test_a_stop_keeps_what_was_measured_and_activates_nothing(toy, labelled, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    try_only(monkeypatch, plan(Variant("torch", recipe="again"), stop))
    with pytest.raises(CommandError, match="1 of 2 variants are measured and kept") as stopped:
        optimize("toy", "--data", labelled)
    assert stopped.value.returncode == 130
    assert str(Kept.objects.get()) == "torch fp32"


def outcome(name, speed, passed):
    measured = {"measured": {"images_per_second": speed}}
    return Outcome(name, "", Kept(engine=name, receipt=measured, passed=passed))


def test_what_did_not_pass_is_never_the_fastest():
    rest = [outcome("c", 999, False), Outcome("d", "failed")]
    assert fastest([outcome("a", 10, True), outcome("b", 20, True), *rest]).name == "b"


def test_a_variant_that_serves_steps_down_when_the_reference_is_faster(toy, labelled, monkeypatch):
    try_only(monkeypatch, plan(Variant("torch", recipe="again")))
    monkeypatch.setattr(command, "fastest", lambda outcomes: outcomes[1])
    optimize("toy", "--data", labelled)
    toy.refresh_from_db()
    assert str(toy.variant) == "torch fp32 again"
    monkeypatch.setattr(command, "fastest", lambda outcomes: outcomes[0])
    optimize("toy", "--data", labelled)
    toy.refresh_from_db()
    assert toy.variant is None


def test_where_the_reference_fails_there_is_nothing_to_compare_with(toy, labelled):
    evidence = decode(pictures_in(labelled, SMALL.labels), SMALL, 10, after_image=lambda: None)
    network = Network("squeezenet1_1", Path(toy.weights.path), SMALL)
    with pytest.raises(UnusableWeights, match="not those of squeezenet1_1"):
        Bench(toy, network, evidence).try_out(plan(REFERENCE))


def test_a_model_that_is_not_there_is_refused(toy, labelled):
    assert "Did you mean toy@1?" in refusal("toys", "--data", labelled)


def test_folders_that_do_not_fit_are_refused(toy, tmp_path):
    assert "is not a folder" in refusal("toy", "--data", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "there is no image in" in refusal("toy", "--data", tmp_path / "empty")
    write_noise(tmp_path / "strange" / "unicorn", 3)
    assert "unicorn is none of them" in refusal("toy", "--data", tmp_path / "strange")
    write_noise(tmp_path / "broken", 3)
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    assert "a.png: " in refusal("toy", "--data", tmp_path / "broken")


def test_without_a_folder_and_without_predictions_the_remedy_is_told(toy):
    assert "give a folder with --data, best with a sub-folder" in refusal("toy")


def test_an_unknown_engine_is_refused(toy, labelled):
    assert "Did you mean openvino?" in refusal("toy", "--engines", "openvin", "--data", labelled)


def test_pruning_without_training_images_is_refused(toy, labelled):
    assert "train/<label>" in refusal("toy", "--data", labelled, "--prune", "0.3")


def test_damaged_weights_are_refused(toy, labelled):
    with open(toy.weights.path, "ab") as file:  # noqa: PTH123
        file.write(b"!")
    assert "is damaged" in refusal("toy", "--data", labelled)


def test_a_pruned_network_is_trained_on_as_the_whole_one_was(toy, tmp_path, monkeypatch):
    for half in ("train", "test"):
        for label in ("cat", "ship"):
            write_noise(tmp_path / "whole" / half / label, 6, seed=len(half + label))
    toy.training = {"recipe": {"augmentation": {"flip": False, "zoom": [0.9, 1.1]}}}
    toy.save()
    recipes = []

    def fine_tune(*how, after_step):
        recipes.append(how[-1])
        pruning.fine_tune(*how, after_step=after_step)

    monkeypatch.setattr(command, "fine_tune", fine_tune)
    try_only(monkeypatch)
    how = ["--prune", "0.3", "--epochs", "1", "--engines", "onnxruntime"]
    out = optimize("toy", "--data", tmp_path / "whole", *how)
    assert recipes == [FineTuning(epochs=1, augmentation=Augmentation(flip=False, zoom=[0.9, 1.1]))]
    names = [str(variant) for variant in Kept.objects.all()]
    assert names == ["torch fp32", "onnxruntime fp32 pruned-0.3", "onnxruntime int8 pruned-0.3"]
    assert "failed" not in out


def test_a_senseless_share_to_prune_is_refused(toy, tmp_path):
    for half in ("train", "test"):
        write_noise(tmp_path / "whole" / half / "cat", 3, seed=len(half))
    line = refusal("toy", "--data", tmp_path / "whole", "--prune", "1.5")
    assert "1.5 is no share to prune" in line
    assert ModelVersion.objects.get() == toy
