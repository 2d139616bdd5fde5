"""The gate: each line passes and fails by what was measured, and says so."""

import pytest

from classifier.models import Variant
from classifier.queries.gate import Line, gate
from tests.factories import ModelVersionFactory
from tests.trials import evaluate, worthy

pytestmark = pytest.mark.django_db


def line_of(version, check):
    [line] = [line for line in gate(version) if line.check == check]
    return line


@pytest.mark.parametrize(("right", "passes"), [(180, True), (177, True), (170, False)])
def test_a_loss_of_accuracy_fails_where_chance_does_not_explain_it(champion, right, passes):
    line = line_of(worthy(right), "accuracy")
    assert line.passed == passes
    assert f"points over {champion}" in line.text
    assert "on 200 images" in line.text


def test_a_loss_that_the_settings_allow_passes(champion, settings):
    settings.GATE_ACCURACY_LOSS = 0.05
    assert line_of(worthy(170), "accuracy").passed


def test_few_images_are_not_enough(champion, settings):
    settings.GATE_IMAGES = 201
    line = line_of(worthy(), "accuracy")
    assert not line.passed
    assert "200 images are too few" in line.text


@pytest.mark.parametrize(
    ("check", "setting", "limit", "text"),
    [
        ("recall", "GATE_RECALL", 0.95, "90.0 % of cat, the lowest; 95.0 % at least"),
        ("calibration", "GATE_CALIBRATION", 0.01, "2.0 % error; 1.0 % at most"),
        ("latency", "GATE_LATENCY_SECONDS", 0.02, "30 ms for one image alone; 20 ms at most"),
        ("robustness", "GATE_ROBUSTNESS", 0.7, "60.0 % right under corruptions"),
    ],
)
def test_a_limit_in_the_settings_decides(settings, check, setting, limit, text):
    version = worthy()
    assert line_of(version, check).passed
    setattr(settings, setting, limit)
    line = line_of(version, check)
    assert not line.passed
    assert text in line.text


def test_what_a_calibration_was_verified_with_counts(settings):
    version = worthy(calibration={"verified": {"ece_after": 0.004}})
    settings.GATE_CALIBRATION = 0.01
    assert line_of(version, "calibration").passed


def test_labels_that_no_image_shows_are_named(champion):
    version = worthy()
    evaluation = version.evaluations.get()
    evaluation.report["per_class"] += [
        {"label": f"bird {n}", "recall": 0.0, "support": 0} for n in range(6)
    ]
    evaluation.save()
    line = line_of(version, "recall")
    assert not line.passed
    assert "shows bird 0, bird 1, bird 2, bird 3, bird 4, …." in line.text


def test_robustness_on_few_images_is_not_enough(settings):
    settings.GATE_IMAGES = 201
    line = line_of(worthy(), "robustness")
    assert not line.passed
    assert "200 images are too few" in line.text


@pytest.fixture
def quicker(champion):
    """A worthy version that was calibrated, too, and is computed by another variant since."""
    version = worthy(calibration={"variant": "torch fp32", "verified": {"ece_after": 0.004}})
    version.variant = Variant.objects.create(
        model_version=version, engine="onnxruntime", precision="int8"
    )
    version.save()
    return version


@pytest.mark.parametrize("check", ["accuracy", "recall", "calibration", "latency"])
def test_what_was_measured_of_another_variant_has_not_passed(quicker, check):
    line = line_of(quicker, check)
    assert not line.passed
    assert "not measured as it serves now: `manage.py evaluate`" in line.text


def test_what_was_measured_again_has_passed(quicker):
    evaluate(quicker, 180)
    [failed] = [line for line in gate(quicker) if not line.passed]
    assert "with `--calibrate`" in failed.text
    quicker.calibration["variant"] = quicker.computed_by
    assert all(line.passed for line in gate(quicker))


def test_a_calibration_that_was_not_verified_has_not_passed():
    assert not line_of(worthy(calibration={"temperature": 0.01}), "calibration").passed


def test_what_was_not_measured_has_not_passed():
    lines = gate(ModelVersionFactory())
    assert not any(line.passed for line in lines)
    assert all("was not measured" in line.text for line in lines)


def test_a_line_is_the_same_after_it_was_kept(champion):
    for line in gate(worthy()):
        assert Line.from_json(line.to_json()) == line
