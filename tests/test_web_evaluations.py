"""The pages of evaluations: asked for by staff, watched, read by everybody."""

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from classifier.actions.evaluations import (
    Mistake,
    NewReport,
    claim_evaluation,
    fail_evaluation,
    keep_evaluation,
    note_progress,
    request_evaluation,
)
from classifier.ml.report import report
from classifier.models import Evaluation
from classifier.queries.evaluations import HEATS, matrix
from classifier.web import robustness
from tests.factories import ModelVersionFactory
from tests.noise import write_noise

LABELS = ("cat", "dog", "ship")
TRUTH = np.array([0] * 20 + [1] * 20 + [2] * 20)


def found(wrong: int, path=None, labels=LABELS, truth=TRUTH) -> NewReport:
    """A report on sixty images, of which so many cats are taken for dogs."""
    guess = truth.copy()
    guess[:wrong] = 1
    scores = np.full((len(truth), len(labels)), 0.02)
    scores[np.arange(len(truth)), guess] = 1 - 0.02 * (len(labels) - 1)
    answers = [
        [str(i), labels[right], labels[answered], 0.9]
        for i, (right, answered) in enumerate(zip(truth, guess, strict=True))
    ]
    mistakes = [Mistake(path, "cat", "dog", 0.94)] if path else []
    measured = {**report(truth, scores, labels).to_json(), "latency_seconds": 0.01}
    return NewReport("pets", "/pets", "f" * 64, "torch fp32", measured, answers, mistakes)


@pytest.fixture
def version(db):
    return ModelVersionFactory(name="pets", version=1)


@pytest.fixture
def evaluation(version, tmp_path):
    [path] = write_noise(tmp_path, 1)
    return keep_evaluation(version, found(8, path))


@pytest.fixture
def as_staff(client: Client, staff) -> Client:
    client.force_login(staff)
    return client


def page(client: Client, evaluation: Evaluation, **headers: str) -> str:
    response = client.get(reverse("evaluation", args=[evaluation.id]), headers=headers)
    assert response.status_code == 200
    return " ".join(response.content.decode().replace("\N{NO-BREAK SPACE}", " ").split())


def test_the_page_says_how_good_it_is_with_intervals(signed_in, evaluation):
    text = page(signed_in, evaluation)
    assert "86.7 %" in text
    assert " to 95.0 %" in text or " to 93.3 %" in text
    assert "cat taken for dog: 8 times, 40.0 % of its pictures" in text


def test_the_page_says_how_well_other_things_are_told_apart(signed_in, evaluation):
    assert "Other things told apart" not in page(signed_in, evaluation)
    evaluation.report["outside"] = {"images": 40, "auroc": 0.876}
    evaluation.save()
    assert "0.88 <span" in page(signed_in, evaluation)
    assert "by 40 images of them" in page(signed_in, evaluation)


def test_the_confusion_matrix_has_a_row_for_every_label(signed_in, evaluation):
    text = page(signed_in, evaluation)
    assert [f'<th scope="row">{label}</th>' in text for label in LABELS] == [True] * 3
    assert '<td class="figure heat-6 heat-right">12</td>' in text
    assert '<td class="figure heat-4">8</td>' in text


def test_a_matrix_too_large_to_read_shows_what_is_most_often_confused(signed_in, version):
    labels = tuple(f"label-{i}" for i in range(40))
    truth = np.arange(40).repeat(3)[::-1]
    kept = keep_evaluation(version, found(60, None, labels, truth))  # the last twenty as the second
    text = page(signed_in, kept)
    assert "Shown are the 20 labels that most wrong answers are about." in text
    assert "taken for label-1: 3 times" in text
    shown = matrix(kept.report)
    assert {"label-1"} < {row.label for row in shown.rows} < {"label-1", *labels[20:]}
    assert [cell.count for cell in shown.rows[1].cells] == [3] + [0] * 19
    assert (shown.rows[0].cells[0].heat, shown.rows[1].cells[0].heat) == (HEATS, HEATS)


def test_a_large_matrix_of_which_all_is_right_is_left_out(signed_in, version):
    labels = tuple(f"label-{i}" for i in range(30))
    kept = keep_evaluation(version, found(0, None, labels, np.arange(30).repeat(3)))
    assert '<table class="confusion">' not in page(signed_in, kept)


def test_mistakes_are_shown_to_staff_alone(client, signed_in, evaluation, staff):
    picture = reverse("mistake", args=[evaluation.id, 0])
    assert picture not in page(signed_in, evaluation)
    assert signed_in.get(picture).status_code == 403
    signed_in.force_login(staff)
    assert picture in page(signed_in, evaluation)
    assert signed_in.get(picture)["Content-Type"] == "image/webp"
    assert signed_in.get(reverse("mistake", args=[evaluation.id, 1])).status_code == 404


def test_other_models_on_the_same_images_stand_beside_it_with_a_verdict(signed_in, evaluation):
    better = keep_evaluation(ModelVersionFactory(name="better", version=1), found(0))
    same = keep_evaluation(ModelVersionFactory(name="same", version=1), found(7))
    text = page(signed_in, evaluation)
    assert text.index("same@1") < text.index("better@1")
    assert "Worse" in text
    assert "No difference that could not be chance" in text
    assert "Better" in page(signed_in, better)
    assert same.fingerprint == evaluation.fingerprint


def test_one_that_is_worked_on_shows_how_far_it_is_and_looks_again(signed_in, version):
    asked = request_evaluation(version, "pets", "/pets", None)
    assert 'hx-trigger="every 2s"' in page(signed_in, asked)
    note_progress(claim_evaluation().lease, 30, 60)
    text = page(signed_in, asked, **{"HX-Request": "true"})
    assert "30 of 60 images" in text
    assert "<html" not in text


def test_one_that_failed_says_why_and_looks_no_more(signed_in, version):
    asked = request_evaluation(version, "pets", "/pets", None)
    fail_evaluation(claim_evaluation().lease, "there is no such folder")
    text = page(signed_in, asked)
    assert "there is no such folder" in text
    assert "hx-trigger" not in text


def test_staff_ask_for_one_by_a_data_set_that_is_there(as_staff, version, settings, tmp_path):
    settings.DATASETS_DIR = tmp_path
    (tmp_path / "pets").mkdir()
    (tmp_path / "notes.txt").touch()
    model = reverse("model", args=["pets", 1])
    assert '<option value="pets">' in as_staff.get(model).content.decode()
    answer = as_staff.post(reverse("evaluate", args=["pets", 1]), {"images": "pets"}, follow=True)
    asked = Evaluation.objects.get()
    assert (asked.dataset, asked.location) == ("pets", str(tmp_path / "pets"))
    assert asked.requested_by == answer.wsgi_request.user
    assert "pets@1 on pets" in answer.content.decode()


@pytest.mark.parametrize("data", ["../secrets", "notes.txt", ""])
def test_other_places_are_refused(as_staff, version, settings, tmp_path, data):
    settings.DATASETS_DIR = tmp_path
    (tmp_path / "notes.txt").touch()
    answer = as_staff.post(reverse("evaluate", args=["pets", 1]), {"images": data}, follow=True)
    assert "Choose one of the data sets that there are." in answer.content.decode()
    assert not Evaluation.objects.exists()


def test_the_reviewed_pictures_can_be_chosen(as_staff, version):
    as_staff.post(reverse("evaluate", args=["pets", 1]), {"images": "*"})
    asked = Evaluation.objects.get()
    assert (asked.dataset, asked.location) == ("reviewed", "")


def test_people_who_are_no_staff_neither_ask_nor_delete(signed_in, evaluation):
    assert signed_in.post(reverse("evaluate", args=["pets", 1]), {"images": "*"}).status_code == 403
    delete = reverse("evaluation_delete", args=[evaluation.id])
    assert signed_in.post(delete).status_code == 403
    assert Evaluation.objects.count() == 1


def test_staff_delete_one(as_staff, evaluation):
    answer = as_staff.post(reverse("evaluation_delete", args=[evaluation.id]), follow=True)
    assert "The evaluation is deleted." in answer.content.decode()
    assert not Evaluation.objects.exists()


def test_the_models_page_shows_how_robust_it_is(signed_in, version):
    falling = [0.8, 0.7, 0.6, 0.5, 0.4]
    version.metrics["robustness"] = {
        "dataset": "pets",
        "images": 500,
        "clean": 0.9,
        "corrupted": 0.6,
        "corruptions": {"noise": falling, "blur": falling},
        "epsilons": [1 / 255, 8 / 255],
        "attacks": {"fgsm": [0.5, 0.1], "pgd": [0.2, 0.0]},
    }
    version.save()
    text = signed_in.get(reverse("model", args=["pets", 1])).content.decode()
    assert text.count("<polyline") == 4
    assert "60.0" in text
    assert "many steps (PGD)" in text


def test_attacks_are_drawn_by_their_grey_levels_from_the_image_as_it_is():
    found = {
        "dataset": "pets",
        "images": 500,
        "clean": 0.8,
        "corrupted": 0.6,
        "corruptions": {"noise": [0.7, 0.6, 0.5, 0.4, 0.3]},
        "epsilons": [1 / 255, 8 / 255],
        "attacks": {"fgsm": [0.4, 0.0]},
    }
    shown = robustness.shown(found)
    [curve] = shown.attack_plot.curves
    assert curve.points == "0,0 12.5,50 100,100"
    assert [column.value for column in shown.attack_plot.columns] == [0, 2, 4, 6, 8]
    assert robustness.shown({**found, "epsilons": [], "attacks": {}}).attack_plot is None


def test_the_models_page_lists_evaluations_and_shows_the_course_of_the_training(
    signed_in, version, evaluation
):
    version.training = {
        "dataset": "pets",
        "fingerprint": "f" * 64,
        "images": {"train": 40, "validation": 5, "test": 15},
        "recipe": {"seed": 3},
        "seconds": 61.0,
        "device": "cpu",
        "epochs": [
            {"epoch": n, "loss": 2 / n, "validation_loss": 3 / n, "accuracy": n / 5}
            for n in (1, 2, 3)
        ],
    }
    version.save()
    text = signed_in.get(reverse("model", args=["pets", 1])).content.decode()
    assert reverse("evaluation", args=[evaluation.id]) in text
    assert text.count("<polyline") == 3
    assert "40 images to learn from" in text
