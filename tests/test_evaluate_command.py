"""`manage.py evaluate`: how good a model is on labelled images, kept as an evaluation."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from classifier.actions.calibrate import calibrate
from classifier.actions.evaluations import claim_evaluation, request_evaluation
from classifier.actions.review import review
from classifier.management.installing import install_bundle
from classifier.ml.calibration import Calibration
from classifier.models import Evaluation, Status
from tests.factories import PredictionFactory
from tests.models_on_disk import write_bundle
from tests.noise import write_noise

pytestmark = pytest.mark.django_db


@pytest.fixture
def toy(tmp_path):
    return install_bundle(write_bundle(tmp_path / "bundle"), activate=True)


@pytest.fixture
def data(tmp_path):
    """Noise, which the toy's random network answers somehow: cat, dog or ship."""
    write_noise(tmp_path / "noise" / "cat", 8)
    write_noise(tmp_path / "noise" / "ship", 6, seed=1)
    return tmp_path / "noise"


def evaluate(*arguments):
    out = io.StringIO()
    call_command("evaluate", *map(str, arguments), stdout=out)
    return out.getvalue()


def refusal(*arguments):
    with pytest.raises(CommandError) as refused:
        evaluate(*arguments)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_report_is_told_and_kept_with_every_answer(toy, data):
    told = evaluate("toy", "--data", data)
    kept = Evaluation.objects.get()
    assert (kept.model_version, kept.dataset, kept.status) == (toy, "noise", Status.SUCCEEDED)
    assert kept.variant == "torch fp32"
    assert len(kept.answers) == kept.total == 14
    right = sum(truth == guess for _, truth, guess, _ in kept.answers)
    assert kept.report["accuracy"]["value"] == right / 14
    assert f"{100 * right / 14:.1f} % of 14 held-out images" in told
    assert [row["support"] for row in kept.report["per_class"]] == [8, 0, 6]


def test_the_worst_mistakes_are_kept_as_pictures_surest_first(toy, data):
    evaluate("toy", "--data", data)
    mistakes = Evaluation.objects.get().report["mistakes"]
    assert mistakes
    assert all(one["truth"] != one["guess"] for one in mistakes)
    scores = [one["score"] for one in mistakes]
    assert scores == sorted(scores, reverse=True)


def test_the_report_is_one_object_on_request(toy, data):
    report = json.loads(evaluate("toy", "--data", data, "--json"))
    assert report["images"] == 14
    assert report["labels"] == ["cat", "dog", "ship"]
    assert (report["model"], report["variant"]) == ("toy@1", "torch fp32")
    assert report["dataset"] == "noise"
    assert report["fingerprint"] == Evaluation.objects.get().fingerprint
    assert report["calibration"] is None


def test_the_object_tells_the_calibration_too(toy, many):
    report = json.loads(evaluate("toy", "--data", many, "--json", "--calibrate"))
    toy.refresh_from_db()
    assert report["calibration"]["verified"]["images"] == 90
    assert report["calibration"].items() <= toy.calibration.items()


def test_the_same_images_have_the_same_fingerprint_for_every_model(toy, data, tmp_path):
    install_bundle(write_bundle(tmp_path / "other", name="other"), activate=False)
    evaluate("toy", "--data", data)
    evaluate("other", "--data", data)
    first, second = Evaluation.objects.all()
    assert first.fingerprint == second.fingerprint
    assert {row[0] for row in first.answers} == {row[0] for row in second.answers}


def test_labels_that_the_model_does_not_know_are_refused(toy, data):
    (data / "cat").rename(data / "emu")
    assert "does not know the label emu; its labels are cat, dog, ship" in refusal(
        "toy", "--data", data
    )
    assert not Evaluation.objects.exists()


def test_files_that_are_no_images_are_refused_by_name(toy, data):
    (data / "cat" / "broken.png").write_bytes(b"nothing")
    assert "broken.png" in refusal("toy", "--data", data)


def test_a_folder_that_is_not_there_is_refused(toy, tmp_path):
    assert "neither a folder nor a CSV file" in refusal("toy", "--data", tmp_path / "none")


def reviewed(version, staff, count):
    for _ in range(count):
        review(PredictionFactory(model_version=version, succeeded=True), staff, "ship")


def test_reviewed_pictures_are_a_data_set_too(toy, staff):
    reviewed(toy, staff, 12)
    evaluate("toy", "--reviewed")
    kept = Evaluation.objects.get()
    assert (kept.dataset, kept.total) == ("reviewed", 12)
    assert kept.location == ""
    assert {truth for _, truth, *_ in kept.answers} == {"ship"}


def test_too_few_reviewed_pictures_are_refused_with_what_to_do(toy, staff):
    reviewed(toy, staff, 3)
    assert "3 pictures are reviewed" in refusal("toy", "--reviewed")


@pytest.fixture
def many(tmp_path):
    for number, label in enumerate(("cat", "dog", "ship")):
        write_noise(tmp_path / "many" / label, 60, seed=number)
    return tmp_path / "many"


def test_a_calibrated_version_is_judged_by_the_scores_that_it_serves(toy, data):
    evaluate("toy", "--data", data)
    calibrate(toy, Calibration(4.0, 0.9, 0.5, 0.0, 1, 1, None).to_json())
    evaluate("toy", "--data", data)
    plain, calibrated = Evaluation.objects.order_by("id")
    for before, after in zip(plain.answers, calibrated.answers, strict=True):
        assert before[:3] == after[:3]
        assert 1 / 3 <= after[3] < before[3]
    assert calibrated.report["mistakes"][0]["score"] < plain.report["mistakes"][0]["score"]
    for figure in ("calibration_error", "log_loss", "reliability"):
        assert plain.report[figure] != calibrated.report[figure]


def test_a_calibration_is_fitted_on_what_the_network_says_itself(toy, many):
    evaluate("toy", "--data", many, "--calibrate")
    toy.refresh_from_db()
    first = toy.calibration["temperature"]
    evaluate("toy", "--data", many, "--calibrate")
    toy.refresh_from_db()
    assert toy.calibration["temperature"] == first


def test_a_calibration_is_fitted_on_one_half_and_verified_on_the_other(toy, many):
    told = evaluate("toy", "--data", many, "--calibrate", "--coverage", "0.8")
    toy.refresh_from_db()
    assert toy.calibration["coverage"] == 0.8
    assert toy.calibration["verified"]["images"] == 90
    assert toy.calibration["variant"] == toy.computed_by
    assert "(80.0 % promised" in told


def test_how_many_labels_a_set_may_have_is_chosen(toy, many):
    told = evaluate("toy", "--data", many, "--calibrate", "--most-labels", 3)
    toy.refresh_from_db()
    assert toy.calibration["most_labels"] == 3
    assert toy.calibration["verified"]["mean_labels"] > 1
    assert "0.0 % could be several things" in told


def test_a_set_of_more_labels_than_are_kept_is_refused(toy, many):
    with pytest.raises(CommandError, match="invalid choice: 11"):
        evaluate("toy", "--data", many, "--calibrate", "--most-labels", 11)


def test_pictures_of_other_things_are_told_apart_by_how_familiar_they_are(toy, data, tmp_path):
    write_noise(tmp_path / "things" / "of" / "all" / "kinds", 5, seed=7)
    told = evaluate("toy", "--data", data, "--outside", tmp_path / "things")
    outside = Evaluation.objects.get().report["outside"]
    assert outside["images"] == 5
    assert f"an AUROC of {outside['auroc']:.2f}" in told
    assert outside["unfamiliar_outside"] is None
    assert "unfamiliar" not in told


def test_the_same_pictures_are_not_told_apart(toy, data):
    evaluate("toy", "--data", data, "--outside", data)
    assert Evaluation.objects.get().report["outside"]["auroc"] == 0.5


def test_a_calibrated_version_says_how_many_of_each_it_finds_unfamiliar(toy, data):
    calibrate(toy, Calibration(1.0, 0.9, 0.5, 0.0, 1, 1, least_familiar=1000.0).to_json())
    told = evaluate("toy", "--data", data, "--outside", data / "cat")
    outside = Evaluation.objects.get().report["outside"]
    assert (outside["unfamiliar_inside"], outside["unfamiliar_outside"]) == (1, 1)
    assert "It finds 100.0 % of them unfamiliar, and 100.0 % of these." in told


def test_a_folder_without_pictures_holds_nothing_to_tell_apart(toy, data, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no image" in refusal("toy", "--data", data, "--outside", tmp_path / "empty")
    assert not Evaluation.objects.exists()


def test_too_few_images_calibrate_nothing_and_the_report_is_kept(toy, data):
    assert "images" in refusal("toy", "--data", data, "--calibrate")
    toy.refresh_from_db()
    assert toy.calibration == {}
    assert Evaluation.objects.count() == 1


def test_the_row_that_asks_for_it_gets_the_report(toy, data):
    asked = request_evaluation(toy, "noise", str(data), None)
    claimed = claim_evaluation()
    evaluate("toy", "--data", data, "--lease", claimed.lease)
    asked.refresh_from_db()
    assert asked.status == Status.SUCCEEDED
    assert asked.report["images"] == 14
    assert Evaluation.objects.count() == 1
