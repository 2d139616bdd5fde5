"""The pad: there is one only where a model reads handwriting, and a drawing is an upload to it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.actions.promote import activate
from classifier.models import ModelVersion, Prediction
from tests.factories import SPEC, ModelVersionFactory
from tests.handwriting import CAREFUL, STYLES, as_png, write
from tests.test_web_pages import Page

DIGITS = {**SPEC, "labels": [str(digit) for digit in range(10)], "framing": "ink"}


@pytest.fixture
def digits(serving: ModelVersion) -> ModelVersion:
    """A model that reads digits, beside the one that serves; its weights are not there."""
    version: ModelVersion = ModelVersionFactory(name="digits", spec=DIGITS)
    return version


def test_the_page_of_uploads_leads_to_the_pad(signed_in: Client, digits: ModelVersion) -> None:
    assert f'href="{reverse("draw")}"' in signed_in.get(reverse("upload")).content.decode()


def test_without_a_model_of_handwriting_there_is_no_pad(
    signed_in: Client, serving: ModelVersion
) -> None:
    assert reverse("draw") not in signed_in.get(reverse("upload")).content.decode()
    assert signed_in.get(reverse("draw")).status_code == 404


def test_the_pad_needs_a_login(client: Client, digits: ModelVersion) -> None:
    response = client.get(reverse("draw"))
    assert response.status_code == 302
    assert response.url.startswith(reverse("login"))


def test_the_page_says_what_the_model_knows_and_describes_the_pad(
    signed_in: Client, digits: ModelVersion
) -> None:
    html = signed_in.get(reverse("draw")).content.decode()
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in html
    [pad] = Page(html).all("canvas")
    assert (pad["role"], pad["aria-label"]) == ("img", "Your drawing")
    assert f'id="{pad["aria-describedby"]}"' in html


def test_of_several_versions_the_one_activated_last_reads(
    signed_in: Client, digits: ModelVersion
) -> None:
    activate(digits)
    ModelVersionFactory(name="letters", spec=DIGITS)
    assert str(digits) in signed_in.get(reverse("draw")).content.decode()


def test_both_forms_send_to_the_ordinary_upload_and_name_the_model(
    signed_in: Client, digits: ModelVersion
) -> None:
    page = Page(signed_in.get(reverse("draw")).content.decode())
    forms = [form for form in page.all("form") if form.get("action") == reverse("upload")]
    assert len(forms) == 2
    models = [field["value"] for field in page.all("input") if field.get("name") == "model"]
    assert models == [str(digits.pk)] * 2


def test_without_a_pointer_a_picture_is_chosen_and_leads_to_its_result(
    signed_in: Client, digits: ModelVersion
) -> None:
    content = as_png(write(CAREFUL["7"][0], STYLES["on the pad"]))
    sent = {"model": digits.pk, "image": SimpleUploadedFile("seven.png", content)}
    response = signed_in.post(reverse("upload"), sent)
    prediction = Prediction.objects.get()
    assert prediction.model_version == digits
    assert response.url == reverse("prediction", args=[prediction.id])
