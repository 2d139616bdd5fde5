"""What predictions say of a calibrated model: honest scores, sets of labels, and doubt."""

import io
import json

import numpy as np
import pytest
from django.core.management import call_command
from django.urls import reverse

from classifier.actions.calibrate import calibrate
from classifier.actions.claim import claim
from classifier.actions.settle import Outcome, settle
from classifier.actions.submit import Order, submit
from classifier.images import verify
from classifier.management.installing import install_bundle
from classifier.ml.calibration import MOST_LABELS, Calibration, fit
from classifier.ml.reading import reading_of
from classifier.models import Doubt, Prediction
from classifier.worker.classify import classify_waiting
from tests.factories import PredictionFactory, image_bytes
from tests.models_on_disk import write_bundle

LABELS = ("cat", "dog", "ship")
SURE, TORN, STRANGE = [9.0, 0, 0], [7.0, 6.9, 0], [0.2, 0.1, 0]


@pytest.fixture
def calibration() -> dict:
    """Of a network whose logits are too large, and right nine times of ten."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 400)
    guess = np.where(generator.random(400) < 0.9, truth, (truth + 1) % 3)
    return fit(6 * np.eye(3)[guess] + generator.normal(size=(400, 3)), truth, 0.97).to_json()


def said_of(picture):
    call_command("classify", str(picture), "--json", stdout=(out := io.StringIO()))
    return json.loads(out.getvalue())


@pytest.mark.django_db
def test_the_command_line_says_what_a_prediction_says(calibration, tmp_path, user):
    toy = install_bundle(write_bundle(tmp_path / "toy"), activate=True)
    picture = tmp_path / "cat.png"
    picture.write_bytes(image_bytes())
    plain = said_of(picture)
    calibrate(toy, calibration | {"temperature": 0.01})
    prediction = submit(Order(user, toy), verify(picture.read_bytes()), "cat.png")
    classify_waiting()
    prediction.refresh_from_db()
    said = said_of(picture)
    assert said["output"] == [
        {"label": best["label"], "score": pytest.approx(best["score"], abs=1e-5)}
        for best in prediction.output
    ]
    assert (said["label_set"], said["doubt"]) == (prediction.label_set, prediction.doubt or None)
    assert said["output"][0]["score"] > plain["output"][0]["score"]
    assert "label_set" not in plain


@pytest.mark.django_db
def test_the_command_line_marks_what_it_is_not_sure_of(calibration, tmp_path):
    toy = install_bundle(write_bundle(tmp_path / "toy"), activate=True)
    calibrate(toy, calibration | {"least_familiar": 1000.0})
    picture = tmp_path / "cat.png"
    picture.write_bytes(image_bytes())
    call_command("classify", str(picture), stdout=(out := io.StringIO()))
    assert "cat.png  not sure: " in out.getvalue()


def test_without_a_calibration_scores_are_as_they_are_and_nothing_is_doubted():
    read = reading_of({})(np.array([[0.0, 0, 0]], np.float32), LABELS)
    assert np.allclose(read.probabilities, 1 / 3)
    assert (read.label_sets, read.doubts) == ([None], [""])


def test_a_calibration_makes_scores_humbler_and_says_what_is_doubtful(calibration):
    read = reading_of(calibration)(np.array([SURE, TORN, STRANGE], np.float32), LABELS)
    assert read.probabilities.dtype == np.float32
    assert read.probabilities[0, 0] < np.exp(9) / (np.exp(9) + 2)
    assert read.label_sets[0] == ["cat"]
    assert read.label_sets[1][:2] == ["cat", "dog"]
    assert read.doubts == ["", Doubt.AMBIGUOUS, Doubt.UNFAMILIAR]


def test_a_large_set_is_kept_no_further_than_it_says_anything_and_is_in_doubt():
    flat = Calibration(1.0, 0.9, 5.0, 0.0, 1, MOST_LABELS, None)
    read = reading_of(flat.to_json())(np.zeros((1, 50), np.float32), [str(i) for i in range(50)])
    assert len(read.label_sets[0]) == MOST_LABELS
    assert read.doubts == [Doubt.AMBIGUOUS]


@pytest.fixture
def toy(db, tmp_path):
    return install_bundle(write_bundle(tmp_path / "bundle"), activate=True)


def test_the_worker_reads_by_the_calibration_that_the_version_has_now(toy, user, calibration):
    def answered():
        row = submit(Order(user, toy, may_be_cached=False), verify(image_bytes()), "a.png")
        classify_waiting()
        row.refresh_from_db()
        return row

    before = answered()
    calibrate(toy, {**calibration, "least_familiar": 1e6})
    after = answered()
    assert (before.label_set, before.doubt, before.abstained) == (None, "", False)
    assert (after.doubt, after.abstained) == (Doubt.UNFAMILIAR, True)
    assert after.label_set[0] == after.top_label
    calibrate(toy, {})
    assert answered().label_set is None


def test_an_answer_from_before_a_calibration_is_not_recalled(toy, user, calibration):
    def sent():
        return submit(Order(user, toy), verify(image_bytes()), "a.png")

    sent()
    classify_waiting()
    assert sent().cached
    calibrate(toy, calibration)
    toy.refresh_from_db()
    assert not sent().cached
    classify_waiting()
    again = sent()
    assert again.cached
    assert again.label_set is not None


@pytest.fixture
def torn(db, user) -> Prediction:
    """A prediction that is settled in doubt."""
    row = PredictionFactory(image__owner=user)
    output = [{"label": "cat", "score": 0.5}, {"label": "dog", "score": 0.49}]
    outcome = Outcome(row.id, output, label_set=["cat", "dog"], doubt=Doubt.AMBIGUOUS)
    settle(claim(1).lease, [outcome], 0.01, 1)
    return Prediction.objects.get(id=row.id)


def test_the_set_and_the_doubt_are_stored(torn):
    assert (torn.label_set, torn.doubt, torn.abstained) == (["cat", "dog"], "ambiguous", True)


def test_the_page_says_in_plain_words_that_it_is_not_sure(signed_in, torn):
    text = signed_in.get(reverse("prediction", args=[torn.id])).content.decode()
    assert "Not sure" in text
    assert "It could be any of these: cat, dog." in text
    Prediction.objects.update(doubt=Doubt.UNFAMILIAR)
    text = signed_in.get(reverse("prediction", args=[torn.id])).content.decode()
    assert "What comes nearest is cat, but that is a guess." in text
    assert "Not sure" in signed_in.get(reverse("history")).content.decode()


def test_programs_are_told_too(signed_in, torn):
    shown = signed_in.get(f"/api/v1/predictions/{torn.id}/").json()
    assert (shown["label_set"], shown["abstained"], shown["doubt"]) == (
        ["cat", "dog"],
        True,
        "ambiguous",
    )
