"""Staff review predictions in the admin, one by one and many at a time."""

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import ModelVersion, Prediction, Review, User, Verdict
from tests.factories import ModelVersionFactory, PredictionFactory
from tests.test_admin import PREDICTIONS, person_who_may, select


def review_url(prediction: Prediction) -> str:
    return reverse("admin:classifier_prediction_review", args=[prediction.pk])


@pytest.mark.parametrize(("label", "verdict"), [("cat", "confirmed"), ("dog", "corrected")])
def test_a_prediction_is_reviewed_on_its_page(
    boss: Client, staff: User, answered: Prediction, label: str, verdict: str
):
    page = boss.post(review_url(answered), {"label": label}, follow=True).content.decode()
    review = Review.objects.get(prediction=answered)
    assert (review.label, review.verdict, review.reviewer) == (label, verdict, staff)
    assert str(review) in page
    assert f"by {staff.username}" in page


def test_a_second_review_replaces_the_first(boss: Client, answered: Prediction):
    boss.post(review_url(answered), {"label": "cat"})
    boss.post(review_url(answered), {"label": "ship"})
    assert Review.objects.get().label == "ship"


def test_a_label_that_the_model_does_not_know_is_refused(boss: Client, answered: Prediction):
    page = boss.post(review_url(answered), {"label": "yeti"}, follow=True).content.decode()
    assert "“yeti” is not a label of" in page
    assert not Review.objects.exists()


def test_a_prediction_without_an_answer_cannot_be_reviewed(boss: Client, serving: ModelVersion):
    waiting = PredictionFactory(model_version=serving)
    page = boss.get(reverse("admin:classifier_prediction_change", args=[waiting.pk]))
    assert review_url(waiting) not in page.content.decode()
    boss.post(review_url(waiting), {"label": "cat"})
    assert not Review.objects.exists()


def test_reviewing_takes_posting(boss: Client, answered: Prediction):
    assert boss.get(review_url(answered)).status_code == 405


def test_whoever_is_staff_can_review(answered: Prediction):
    reviewer = person_who_may()
    page = reviewer.get(reverse("admin:classifier_prediction_change", args=[answered.pk]))
    assert review_url(answered) in page.content.decode()
    assert "confirm_selected" in reviewer.get(PREDICTIONS).content.decode()
    reviewer.post(review_url(answered), {"label": "cat"})
    assert Review.objects.get().verdict == Verdict.CONFIRMED


def test_selected_predictions_are_confirmed_in_bulk(
    boss: Client, staff: User, serving: ModelVersion, django_assert_max_num_queries
):
    many = PredictionFactory.create_batch(30, succeeded=True, model_version=serving)
    waiting = PredictionFactory(model_version=serving)
    with django_assert_max_num_queries(20):
        boss.post(PREDICTIONS, select("confirm_selected", *many, waiting))
    assert Review.objects.filter(verdict="confirmed", label="cat", reviewer=staff).count() == 30


def test_selected_predictions_are_corrected_on_a_page_of_its_own(
    boss: Client, serving: ModelVersion
):
    many = PredictionFactory.create_batch(3, succeeded=True, model_version=serving)
    page = boss.post(PREDICTIONS, select("correct_selected", *many)).content.decode()
    assert "What do the 3 selected pictures truly show?" in page
    assert all(f'<option value="{label}">' in page for label in serving.labels)
    boss.post(PREDICTIONS, select("correct_selected", *many, label="dog"))
    assert Review.objects.filter(verdict="corrected", label="dog").count() == 3


def test_correcting_asks_again_where_no_label_is_chosen(boss: Client, answered: Prediction):
    page = boss.post(PREDICTIONS, select("correct_selected", answered, label="")).content.decode()
    assert "This field is required" in page
    assert not Review.objects.exists()


def test_all_that_match_a_filter_are_corrected(boss: Client, serving: ModelVersion):
    many = PredictionFactory.create_batch(3, succeeded=True, model_version=serving)
    PredictionFactory(succeeded=True, top_label="ship", model_version=serving)
    data = select("correct_selected", many[0], label="dog", select_across="1")
    boss.post(f"{PREDICTIONS}?q=cat", data)
    assert Review.objects.filter(label="dog").count() == 3


def test_a_mix_of_model_versions_is_not_corrected_in_bulk(boss: Client, answered: Prediction):
    other = PredictionFactory(succeeded=True, model_version=ModelVersionFactory(name="other"))
    data = select("correct_selected", answered, other, label="dog")
    page = boss.post(PREDICTIONS, data, follow=True).content.decode()
    assert "Select predictions by one model version" in page
    assert not Review.objects.exists()


def test_a_withdrawn_review_leaves_its_prediction(boss: Client, answered: Prediction):
    boss.post(review_url(answered), {"label": "dog"})
    url = reverse("admin:classifier_review_delete", args=[Review.objects.get().pk])
    boss.post(url, {"post": "yes"})
    assert Prediction.objects.filter(pk=answered.pk).exists()
    assert not Review.objects.exists()
