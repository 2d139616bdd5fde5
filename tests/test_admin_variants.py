"""Staff see the ways to compute a model version; who may, chooses one of those that passed."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from classifier.actions.variants import serve_by
from classifier.models import ModelVersion, Prediction, Variant
from tests.factories import ModelVersionFactory
from tests.receipts import measure, measure_some
from tests.test_admin import person_who_may


@pytest.fixture
def variants(serving: ModelVersion) -> dict[str, Variant]:
    return measure_some(serving)


def page_of(client: Client, version: ModelVersion) -> str:
    url = reverse("admin:classifier_modelversion_change", args=[version.pk])
    return client.get(url).content.decode()


def choose(client: Client, version: ModelVersion, variant: object):
    url = reverse("admin:classifier_modelversion_compute", args=[version.pk])
    return client.post(url, {"variant": variant}, follow=True)


def test_a_model_version_shows_its_ways_with_receipts(boss: Client, serving, variants):
    page = page_of(boss, serving)
    for shown in (
        *("onnxruntime int8", "131", "95.8", "A quick processor", "agreement_confident"),
        *("Did not pass", "agrees on 86.7 % of all images; 93.0 % are needed"),
    ):
        assert shown in page
    assert "Compute by openvino int8" in page


def test_neither_what_serves_nor_what_failed_is_offered(boss: Client, serving, variants):
    page = page_of(boss, serving)
    for name in ("torch fp32", "openvino int8 pruned-0.3", "torch bf16"):
        assert name in page
        assert f"Compute by {name}\n" not in page


def test_a_variant_is_chosen_and_the_choice_is_logged(boss: Client, serving, variants):
    response = choose(boss, serving, variants["openvino int8"].pk)
    assert "is computed by openvino int8 from now on." in response.content.decode()
    serving.refresh_from_db()
    assert serving.variant == variants["openvino int8"]
    assert "openvino int8" in LogEntry.objects.get().change_message


def test_the_reference_can_take_over_again(boss: Client, serving, variants):
    serve_by(variants["openvino int8"])
    assert "Compute by torch fp32" in page_of(boss, serving)
    choose(boss, serving, "")
    serving.refresh_from_db()
    assert serving.variant is None


def test_a_variant_that_failed_cannot_be_chosen(boss: Client, serving, variants):
    response = choose(boss, serving, variants["torch bf16"].pk)
    assert "It is computed as before: torch bf16 has not passed" in response.content.decode()
    serving.refresh_from_db()
    assert serving.variant is None
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("key", ["0", "9" * 30, "x", "{other}"])
def test_what_is_no_variant_of_this_version_is_not_there(boss: Client, serving, key):
    other = measure(ModelVersionFactory(), "onnxruntime", "int8")
    assert choose(boss, serving, key.format(other=other.pk)).status_code == 404


def test_choosing_takes_the_permission_to_change_model_versions(serving, variants):
    viewer = person_who_may("view_modelversion")
    page = page_of(viewer, serving)
    assert "openvino int8" in page
    assert "Compute by openvino" not in page
    assert choose(viewer, serving, variants["openvino int8"].pk).status_code == 403
    chooser = person_who_may("view_modelversion", "change_modelversion")
    choose(chooser, serving, variants["openvino int8"].pk)
    serving.refresh_from_db()
    assert serving.variant == variants["openvino int8"]


def test_choosing_needs_a_post_and_staff(client: Client, user, staff, serving, variants):
    url = reverse("admin:classifier_modelversion_compute", args=[serving.pk])
    client.force_login(user)
    assert client.post(url, {"variant": ""}).status_code == 302
    client.force_login(staff)
    assert client.get(url).status_code == 405


def test_the_list_names_what_computes_each_version(boss: Client, serving, variants):
    serve_by(variants["openvino int8"])
    page = boss.get(reverse("admin:classifier_modelversion_changelist")).content.decode()
    assert "openvino int8" in page


def test_a_receipt_is_text_and_never_code(boss: Client, serving):
    evil = "<script>alert(1)</script>"
    measure(serving, "onnxruntime", "int8", reason=evil, cpu=evil)
    assert evil not in page_of(boss, serving)


def test_a_prediction_tells_what_computed_it_and_whether_it_was_recalled(
    boss: Client, answered: Prediction
):
    Prediction.objects.update(variant="openvino int8", cached=True)
    url = reverse("admin:classifier_prediction_change", args=[answered.pk])
    page = boss.get(url).content.decode()
    assert "openvino int8" in page
    assert 'alt="True"' in page
