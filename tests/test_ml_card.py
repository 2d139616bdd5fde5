"""Model cards: facts for programs, and every figure that is known."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from classifier.ml.bundle import Bundle
from classifier.ml.card import FILES, card
from classifier.ml.exporting import FORMS
from tests.models_on_disk import SMALL

KNOWN = Bundle(
    name="birds",
    architecture="resnet18",
    weights=Path("weights.safetensors"),
    spec=SMALL,
    metrics={
        "dataset": "200 held-out images of garden",
        "top1": 0.905,
        "top1_interval": [0.86, 0.94],
        "per_class": {"cat": 0.8, "dog": 1.0},
    },
    source="trained on garden",
    licence="MIT",
    training={"dataset": "garden", "recipe": {"learning_rate": 0.05}, "epochs": [{"loss": 1.25}]},
    calibration={"temperature": 1.375, "coverage": 0.9},
)


def facts_of(text: str) -> dict:
    _, front, _ = text.split("---\n", 2)
    return yaml.safe_load(front)


def test_programs_read_the_facts_in_front_as_hugging_face_wants_them():
    assert facts_of(card(KNOWN, "safetensors")) == {
        "license": "mit",
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "datasets": ["garden"],
        "metrics": ["accuracy"],
        "model-index": [
            {
                "name": "birds",
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {
                            "type": "200-held-out-images-of-garden",
                            "name": "200 held-out images of garden",
                        },
                        "metrics": [{"type": "accuracy", "name": "accuracy", "value": 0.905}],
                    }
                ],
            }
        ],
    }


def test_people_read_the_results_the_training_and_the_calibration():
    text = card(KNOWN, "onnx")
    for line in (
        *("# birds", "| accuracy | 90.5 % |", "between 86.0 % and 94.0 %", "| cat | 80.0 % |"),
        *("| recipe learning rate | 0.05 |", "| temperature | 1.375 |", "## Calibration"),
        *("cat, dog, ship", "| crop | 32 |", "MIT", "trained on garden", "`model.onnx`"),
    ):
        assert line in text
    assert "1.25" not in text  # an epoch's


def test_what_is_not_known_is_left_out():
    bare = Bundle("birds", "resnet18", Path("w.safetensors"), SMALL)
    text = card(bare, "onnx")
    assert facts_of(text) == {
        "license": "unknown",
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
    }
    for heading in ("Results", "Training", "Calibration", "Licence", "Source"):
        assert f"## {heading}" not in text


def test_a_licence_of_ones_own_is_told_by_its_name():
    facts = facts_of(card(replace(KNOWN, licence='CC-BY-NC-4.0 (SWAG): "no" use'), "onnx"))
    assert facts["license"] == "other"
    assert facts["license_name"] == 'CC-BY-NC-4.0 (SWAG): "no" use'


def test_labels_are_text_whatever_they_hold():
    labels = ("a | b", "<img src=x>", "two\nlines")
    metrics = {"top1": 1.0, "per_class": dict.fromkeys(labels, 1.0)}
    text = card(replace(KNOWN, spec=replace(SMALL, labels=labels), metrics=metrics), "onnx")
    assert r"| a \| b | 100.0 % |" in text
    assert "<img" not in text.replace(r"\<img", "")
    assert "| two lines | 100.0 % |" in text


def test_a_thousand_labels_are_not_all_listed():
    labels = tuple(f"label {number}" for number in range(1000))
    metrics = {"top1": 1.0, "per_class": dict.fromkeys(labels, 1.0)}
    text = card(replace(KNOWN, spec=replace(SMALL, labels=labels), metrics=metrics), "onnx")
    assert "1000 labels" in text
    assert "label 49, …" in text
    assert "label 50" not in text


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_described(form):
    assert FILES[form] in card(KNOWN, form)
