"""Honest scores, and what is said of images that there is doubt about."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from classifier.ml.bundle import SHIPPED, read_bundle
from classifier.ml.calibration import (
    AMBIGUOUS,
    UNFAMILIAR,
    Calibration,
    InvalidCalibration,
    best_temperature,
    familiarity,
    fit,
    judge,
)
from classifier.ml.engines import load_engine
from classifier.ml.preprocess import preprocess
from classifier.ml.probabilities import softmax
from classifier.ml.reliability import expected_calibration_error, reliability_bins
from classifier.ml.verification import auroc, tell_apart, verify
from tests.answers import answers
from tests.archives import members
from tests.models_on_disk import REAL

CIFAR, TRASH = REAL / "cifar10.tar.gz", REAL / "trashnet.tar"

PLAIN = Calibration(1.0, 0.9, 0.5, 0.0, free_labels=1, most_labels=1, least_familiar=None)


@pytest.mark.parametrize("temperature", [0.4, 1, 2.5])
def test_the_temperature_that_scores_were_made_with_is_found(temperature):
    logits, truth = answers(10_000, temperature=temperature)
    assert best_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_is_the_one_of_the_greatest_likelihood():
    logits, truth = answers(500, temperature=2)

    def loss(temperature):
        chances = softmax(logits.astype(float) / temperature)[np.arange(500), truth]
        return -np.log(chances).mean()

    found = best_temperature(logits, truth)
    assert loss(found) < min(loss(found * 1.05), loss(found / 1.05))


def test_answers_that_are_all_right_do_not_become_certain():
    logits = 5 * np.eye(10)[np.arange(100) % 10]
    assert 0.5 < best_temperature(logits, np.arange(100) % 10) < 1


def test_scores_become_honest_on_other_images_and_the_answers_stay():
    logits, truth = answers(8000, temperature=2.5)
    calibration = fit(logits[:4000], truth[:4000])
    found = verify(logits[4000:], truth[4000:], calibration)
    assert found.ece_before > 0.1
    assert found.ece_after < 0.03
    best = judge(logits, calibration).probabilities.argmax(axis=1)
    assert best.tolist() == logits.argmax(axis=1).tolist()


def test_what_is_said_of_an_image_does_not_depend_on_the_others():
    logits, truth = answers(500, classes=30, temperature=2)
    calibration = fit(logits, truth)
    together = judge(logits, calibration)
    for i in range(0, 500, 7):
        alone = judge(logits[i : i + 1], calibration)
        assert alone.probabilities[0].tobytes() == together.probabilities[i].tobytes()
        assert alone.label_sets == together.label_sets[i : i + 1]
        assert alone.familiarity[0] == together.familiarity[i]
        assert alone.doubts == together.doubts[i : i + 1]


def test_every_set_begins_with_the_best_label():
    logits, truth = answers(500, signal=10)
    judged = judge(logits, replace(fit(logits, truth), threshold=0.0))
    assert [labels[0] for labels in judged.label_sets] == logits.argmax(axis=1).tolist()


def judged(*scores, **changed):
    """What is said of an image with these scores by PLAIN, its values changed."""
    found = judge(np.log([scores]), replace(PLAIN, **changed))
    return found.label_sets[0], found.doubts[0]


def test_labels_are_taken_until_the_likelier_ones_are_enough():
    assert judged(0.2, 0.7, 0.1) == ((1,), "")
    assert judged(0.4, 0.15, 0.45) == ((2, 0), AMBIGUOUS)
    assert judged(0.4, 0.15, 0.45, most_labels=2) == ((2, 0), "")
    assert judged(0.4, 0.15, 0.45, threshold=0.9) == ((2, 0, 1), AMBIGUOUS)


def test_what_is_unlike_all_that_was_fitted_on_is_unfamiliar_whatever_else_it_is():
    assert judged(0.2, 0.7, 0.1, least_familiar=-0.1) == ((1,), "")
    assert judged(0.2, 0.7, 0.1, least_familiar=0.1) == ((1,), UNFAMILIAR)
    assert judged(0.4, 0.15, 0.45, least_familiar=0.1) == ((2, 0), UNFAMILIAR)


def test_one_in_twenty_of_the_images_fitted_on_is_unfamiliar():
    logits, truth = answers(2000)
    assert verify(logits, truth, fit(logits, truth)).unfamiliar == 0.05


def test_familiarity_is_the_negative_energy_however_large_the_logits_are():
    logits, _ = answers(5)
    expected = np.log(np.exp(logits.astype(float)).sum(axis=1))
    assert familiarity(logits) == pytest.approx(expected)
    assert familiarity(logits + np.float32(1000)) == pytest.approx(expected + 1000, abs=1e-3)


def test_as_many_labels_are_free_as_hold_the_truth_that_often():
    logits, truth = answers(2000, signal=2)
    ranks = (logits > logits[np.arange(2000), truth][:, None]).sum(axis=1)
    free = fit(logits, truth, coverage=0.9).free_labels
    assert (ranks < free).mean() >= 0.9 > (ranks < free - 1).mean()


def test_how_many_labels_are_too_many_can_be_chosen():
    logits, truth = answers(2000, signal=2)
    strict, lenient = (
        verify(logits, truth, fit(logits, truth, most_labels=most)).ambiguous for most in (1, 3)
    )
    assert strict > lenient > 0


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 90, math.nan])
def test_a_coverage_that_makes_no_sense_is_refused(coverage):
    with pytest.raises(InvalidCalibration, match="between 0 and 1"):
        fit(*answers(100), coverage=coverage)


@pytest.mark.parametrize(("images", "coverage", "needed"), [(49, 0.9, 50), (98, 0.99, 99)])
def test_too_few_images_are_refused(images, coverage, needed):
    with pytest.raises(InvalidCalibration, match=rf"{images} images are too few .* {needed}$"):
        fit(*answers(images), coverage=coverage)
    fit(*answers(needed), coverage=coverage)


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_that_the_network_does_not_have_is_refused(label):
    logits, truth = answers(100)
    truth[3] = label
    with pytest.raises(InvalidCalibration, match=f"is {label}, but the network's are 0 to 9"):
        fit(logits, truth)


def test_answers_that_are_none_are_refused():
    logits, truth = answers(100)
    with pytest.raises(InvalidCalibration, match="its right label"):
        fit(logits, truth[1:])
    with pytest.raises(InvalidCalibration, match="there must be images"):
        verify(logits[:0], truth[:0], PLAIN)
    logits[7, 7] = np.nan
    with pytest.raises(InvalidCalibration, match="no finite numbers"):
        fit(logits, truth)


def test_a_calibration_is_kept_as_json():
    for calibration in (PLAIN, fit(*answers(100))):
        kept = json.loads(json.dumps(calibration.to_json()))
        assert Calibration.from_json(kept) == calibration
        assert Calibration.from_json(kept | {"fitted_at": "noon"}) == calibration


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        [1.0],
        {name: value for name, value in PLAIN.to_json().items() if name != "penalty"},
        *(
            PLAIN.to_json() | changed
            for changed in (
                {"temperature": 0},
                {"temperature": math.inf},
                {"temperature": "1"},
                {"coverage": 1},
                {"threshold": -0.1},
                {"penalty": None},
                {"free_labels": 0},
                {"most_labels": 1.5},
                {"most_labels": 11},
                {"least_familiar": "low"},
            )
        ),
    ],
)
def test_json_that_is_no_calibration_is_refused(wrong):
    with pytest.raises(InvalidCalibration):
        Calibration.from_json(wrong)


def test_a_report_says_how_often_there_is_doubt():
    logits = np.log([[0.8, 0.2], [0.45, 0.55], [0.6, 0.4], [0.9, 0.1]])
    truth = np.array([0, 0, 0, 1])
    found = verify(logits, truth, replace(PLAIN, threshold=0.58))
    assert (found.images, found.promised) == (4, 0.9)
    assert (found.accuracy, found.coverage) == (0.5, 0.75)
    assert (found.mean_labels, found.ambiguous, found.unfamiliar) == (1.25, 0.25, 0)
    assert found.to_json()["coverage_low"] == found.coverage_low


def test_the_error_is_the_mean_distance_of_the_score_from_what_is_right():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.55, 0.45]])
    truth = np.array([0, 1, 0, 0])
    # 0.9 is right in one of two, and 0.6 and 0.55 share a bin and are both right.
    expected = (2 * 0.4 + 2 * (1 - 0.575)) / 4
    assert expected_calibration_error(scores, truth, bins=5) == pytest.approx(expected)


def test_bins_hold_every_image_once_and_empty_ones_have_no_means():
    scores = np.array([[1, 0], [0.5, 0.5], [0.75, 0.25]])
    low, middle, high = reliability_bins(scores, np.array([0, 1, 0]), bins=4)[1:]
    assert (low.low, low.high, low.count, low.accuracy) == (0.25, 0.5, 1, 0)
    assert (middle.count, middle.confidence) == (1, 0.75)
    assert (high.count, high.confidence, high.accuracy) == (1, 1, 1)
    [empty, *_] = reliability_bins(scores, np.array([0, 1, 0]), bins=4)
    expected = {"low": 0, "high": 0.25, "count": 0, "confidence": None, "accuracy": None}
    assert empty.to_json() == expected


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    for digits in (0, 1, 8):  # with many ties, with some, and with none
        inside, outside = draw.normal(1, 1, 300).round(digits), draw.normal(0, 2, 200).round(digits)
        is_inside = np.repeat([1, 0], [300, 200])
        expected = roc_auc_score(is_inside, np.concatenate([inside, outside]))
        assert auroc(inside, outside) == pytest.approx(expected, abs=1e-12)


def test_what_is_told_apart_wholly_has_an_area_of_one_and_what_is_the_same_of_a_half():
    assert auroc(np.array([3, 4]), np.array([1, 2])) == 1
    assert auroc(np.array([1, 2]), np.array([3, 4])) == 0
    assert auroc(np.ones(3), np.ones(2)) == 0.5


def test_other_things_are_told_apart_by_their_logits():
    inside = np.array([[9.0, 0, 0], [5, 0, 0], [2, 0, 0]])
    outside = np.array([[3.0, 0, 0], [0, 0, 0]])
    found = tell_apart(inside, outside, replace(PLAIN, least_familiar=2.5))
    assert found.images == 2
    assert found.auroc == pytest.approx(5 / 6)
    assert (found.unfamiliar_inside, found.unfamiliar_outside) == (pytest.approx(1 / 3), 0.5)
    never_asked = tell_apart(inside, outside, PLAIN)
    assert never_asked == replace(found, unfamiliar_inside=None, unfamiliar_outside=None)


@pytest.mark.skipif(not CIFAR.exists() or not TRASH.exists(), reason=f"needs the data in {REAL}")
def test_the_everyday_model_knows_what_it_is_worth_on_real_pictures():
    """Four hundred test images of CIFAR-10 by halves, and pictures of waste, which it never saw."""
    bundle = read_bundle(SHIPPED / "everyday")
    engine = load_engine(bundle.network)
    names, contents = zip(*members(CIFAR, "cifar10/test/", most=40), strict=True)
    _, waste = zip(*members(TRASH, "trashnet/", most=15), strict=True)
    logits, outside = (
        engine.logits(np.stack([preprocess(content, bundle.spec) for content in some]))
        for some in (contents, waste)
    )
    truth = np.array([bundle.spec.labels.index(name.split("/")[-2]) for name in names])
    fitted, held_out = slice(0, None, 2), slice(1, None, 2)
    calibration = fit(logits[fitted], truth[fitted], coverage=0.95)
    found = verify(logits[held_out], truth[held_out], calibration)
    assert found.images == 200
    assert found.ece_after < found.ece_before
    assert found.promise_kept
    assert found.coverage <= found.coverage_high
    assert auroc(familiarity(logits[held_out]), familiarity(outside)) > 0.6


def test_how_many_are_unfamiliar_may_be_said():
    logits, truth = answers(2000)
    assert verify(logits, truth, fit(logits, truth, unfamiliar=0.01)).unfamiliar == 0.01
    with pytest.raises(InvalidCalibration, match="share of unfamiliar images"):
        fit(logits, truth, unfamiliar=0)
