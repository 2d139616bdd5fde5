"""The admin shows everything to staff, edits nothing, and stays quick."""

import pytest
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from classifier.admin.base import BoundedPaginator
from classifier.models import Image, ModelVersion, Prediction, Review, Status
from tests.factories import (
    ImageFactory,
    ModelVersionFactory,
    PredictionFactory,
    UserFactory,
)

PREDICTIONS = "/admin/classifier/prediction/"
LISTS = [
    "/admin/",
    PREDICTIONS,
    "/admin/classifier/image/",
    "/admin/classifier/modelversion/",
    "/admin/classifier/review/",
    "/admin/classifier/user/",
]


def person_who_may(*codenames: str) -> Client:
    """A signed-in member of staff with these permissions only."""
    person = UserFactory(is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(person)
    return client


def select(action: str, *rows: object, **more: str) -> dict[str, object]:
    """What a list's form posts for an action."""
    return {"action": action, "_selected_action": [row.pk for row in rows], **more}


@pytest.mark.parametrize("path", LISTS)
def test_every_list_opens_for_an_administrator(boss: Client, answered: Prediction, path: str):
    assert boss.get(path).status_code == 200


@pytest.mark.parametrize("path", LISTS)
def test_the_admin_is_closed_to_whoever_is_not_staff(signed_in: Client, path: str):
    assert signed_in.get(path).status_code == 302


def test_staff_see_pictures_predictions_reviews_and_models_and_change_nothing(
    answered: Prediction,
):
    anybody = person_who_may()
    seen = {
        "prediction": answered,
        "image": answered.image,
        "modelversion": answered.model_version,
    }
    index = anybody.get("/admin/").content.decode()
    for name, row in seen.items():
        path = reverse(f"admin:classifier_{name}_changelist")
        assert path in index
        assert str(row.pk) in anybody.get(path).content.decode()
        own = reverse(f"admin:classifier_{name}_change", args=[row.pk])
        assert anybody.get(own).status_code == 200
        assert anybody.post(own, {}).status_code == 403
        delete = reverse(f"admin:classifier_{name}_delete", args=[row.pk])
        assert anybody.post(delete, {"post": "yes"}).status_code == 403
    assert reverse("admin:classifier_review_changelist") in index


@pytest.mark.parametrize("name", ["user", "token", "endpoint", "delivery"])
def test_accounts_tokens_and_webhooks_are_not_for_all_staff(db: None, name: str):
    path = reverse(f"admin:classifier_{name}_changelist")
    anybody = person_who_may()
    assert path not in anybody.get("/admin/").content.decode()
    assert anybody.get(path).status_code == 403


def test_a_list_costs_the_same_queries_however_many_rows_it_shows(
    boss: Client, serving: ModelVersion, django_assert_max_num_queries
):
    for prediction in PredictionFactory.create_batch(20, succeeded=True, model_version=serving):
        Review.objects.create(prediction=prediction, verdict="confirmed", label="cat")
    with django_assert_max_num_queries(12):
        boss.get(PREDICTIONS)
    with django_assert_max_num_queries(12):
        boss.get("/admin/classifier/image/")
    with django_assert_max_num_queries(12):
        boss.get("/admin/classifier/review/")


def test_the_list_shows_picture_label_score_status_and_version(boss: Client, answered: Prediction):
    page = boss.get(PREDICTIONS).content.decode()
    thumbnail = reverse("image", args=[answered.image_id, "thumbnail"])
    assert f'src="{thumbnail}"' in page
    for text in (
        "cat",
        "90.0\u00a0%",
        "Succeeded",
        str(answered.model_version),
        answered.owner.username,
    ):
        assert text in page


@pytest.mark.parametrize(
    "query",
    [
        "status__exact=succeeded",
        "review=awaited",
        "source__exact=web",
        "q=PICTURE",
        "q=cat",
        "q={owner}",
        "q={sha256:.10}",
        "q={id}",
        "q={image_id}",
        "created_at__year={year}&created_at__month={month}",
    ],
)
def test_filters_search_and_dates_find_the_prediction(
    boss: Client, answered: Prediction, query: str
):
    PredictionFactory(failed=True, source="command", image__original_name="other.png")
    query = query.format(
        owner=answered.owner.username[:5],
        sha256=answered.image.sha256,
        id=answered.id,
        image_id=answered.image_id,
        year=answered.created_at.year,
        month=answered.created_at.month,
    )
    assert str(answered.pk) in boss.get(f"{PREDICTIONS}?{query}").content.decode()


@pytest.mark.parametrize(
    "query", ["status__exact=failed", "review=confirmed", "source__exact=command", "q=zebra"]
)
def test_what_does_not_match_is_not_listed(boss: Client, answered: Prediction, query: str):
    assert str(answered.pk) not in boss.get(f"{PREDICTIONS}?{query}").content.decode()


def test_the_paginator_counts_no_further_than_its_bound(db, monkeypatch):
    PredictionFactory.create_batch(4)
    monkeypatch.setattr(BoundedPaginator, "MOST", 3)
    paginator = BoundedPaginator(Prediction.objects.all(), per_page=2)
    assert paginator.count == 3
    assert paginator.is_bounded
    assert list(paginator.page(2).object_list) == list(Prediction.objects.all()[2:3])


def test_a_prediction_is_shown_and_cannot_be_edited(boss: Client, answered: Prediction):
    url = reverse("admin:classifier_prediction_change", args=[answered.pk])
    page = boss.get(url).content.decode()
    assert "90.0" in page
    assert 'name="_save"' not in page
    assert boss.post(url, {"status": "failed"}).status_code == 403
    assert boss.get(f"{PREDICTIONS}add/").status_code == 403


def test_waiting_predictions_are_canceled_and_others_left(boss: Client, answered: Prediction):
    waiting = PredictionFactory()
    boss.post(PREDICTIONS, select("cancel_selected", waiting, answered))
    waiting.refresh_from_db()
    answered.refresh_from_db()
    assert (waiting.status, answered.status) == (Status.CANCELED, Status.SUCCEEDED)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", ["prediction", "image", "user"])
def test_deleting_takes_the_files_along(boss: Client, model: str):
    prediction = PredictionFactory(succeeded=True)
    image = prediction.image
    row = {"prediction": prediction, "image": image, "user": prediction.owner}[model]
    boss.get(reverse("image", args=[image.pk, "thumbnail"]))
    boss.post(reverse(f"admin:classifier_{model}_delete", args=[row.pk]), {"post": "yes"})
    assert not Prediction.objects.exists()
    assert not Image.objects.exists()
    assert not default_storage.exists(image.file.name)
    assert not default_storage.exists(image.rendition_name("thumbnail"))


@pytest.mark.django_db(transaction=True)
def test_deleting_selected_predictions_keeps_an_image_that_another_is_of(boss: Client):
    image = ImageFactory()
    gone, kept = PredictionFactory.create_batch(2, image=image)
    alone = PredictionFactory()
    boss.post(PREDICTIONS, select("delete_selected", gone, alone, post="yes"))
    assert list(Prediction.objects.all()) == [kept]
    assert default_storage.exists(image.file.name)
    assert not default_storage.exists(alone.image.file.name)


def test_too_many_rows_at_once_are_refused(boss: Client, monkeypatch):
    monkeypatch.setattr("classifier.admin.base.MOST_AT_ONCE", 2)
    waiting = PredictionFactory.create_batch(3)
    answer = boss.post(
        PREDICTIONS, select("cancel_selected", waiting[0], select_across="1"), follow=True
    )
    assert "More than 2 are selected" in answer.content.decode()
    assert Prediction.objects.waiting().count() == 3


def test_one_model_version_is_activated(boss: Client, serving: ModelVersion):
    other = ModelVersionFactory(name="other")
    boss.post("/admin/classifier/modelversion/", select("activate", other))
    assert ModelVersion.objects.serving() == other
    page = boss.get("/admin/classifier/modelversion/").content.decode()
    assert page.count("Serves by default") == 1


def test_two_model_versions_cannot_be_activated_at_once(boss: Client, serving: ModelVersion):
    other = ModelVersionFactory(name="other")
    path = "/admin/classifier/modelversion/"
    answer = boss.post(path, select("activate", other, serving), follow=True)
    assert "2 are selected" in answer.content.decode()
    assert ModelVersion.objects.serving() == serving


def test_activating_takes_the_permission_to_change_model_versions(serving: ModelVersion):
    other = ModelVersionFactory(name="other")
    viewer = person_who_may("view_modelversion")
    viewer.post("/admin/classifier/modelversion/", select("activate", other))
    assert ModelVersion.objects.serving() == serving


def test_a_model_version_with_predictions_is_not_deleted(boss: Client, answered: Prediction):
    version = answered.model_version
    url = reverse("admin:classifier_modelversion_delete", args=[version.pk])
    page = boss.post(url, {"post": "yes"}, follow=True).content.decode()
    assert f"1 prediction by {version}" in page
    assert ModelVersion.objects.filter(pk=version.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_weights_go_with_the_last_model_version_that_uses_them(boss: Client):
    path = default_storage.save("models/shared.safetensors", ImageFactory().file)
    first, last = ModelVersionFactory.create_batch(2, weights=path)
    for version, there in ((first, True), (last, False)):
        url = reverse("admin:classifier_modelversion_delete", args=[version.pk])
        boss.post(url, {"post": "yes"})
        assert default_storage.exists(path) is there


def test_a_model_version_shows_its_facts(boss: Client, serving: ModelVersion):
    url = reverse("admin:classifier_modelversion_change", args=[serving.pk])
    page = boss.get(url).content.decode()
    for text in ("&quot;crop&quot;: 32", "cat, dog, ship", serving.sha256, "Serves by default"):
        assert text in page
