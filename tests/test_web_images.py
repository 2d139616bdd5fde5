"""Pictures are for their owner and staff, as copies without metadata."""

import io
import uuid

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from PIL import Image as PillowImage

from classifier.models import Image, User
from tests.factories import ImageFactory


def url(image: Image, kind: str = "thumbnail") -> str:
    return reverse("image", args=[image.id, kind])


@pytest.mark.parametrize("kind", ["thumbnail", "picture"])
def test_the_owner_gets_a_webp_copy(signed_in: Client, user: User, kind: str) -> None:
    response = signed_in.get(url(ImageFactory(owner=user), kind))
    assert response["Content-Type"] == "image/webp"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"].startswith("private, max-age=")
    with PillowImage.open(io.BytesIO(response.content)) as picture:
        assert picture.size == (64, 48)


def test_a_copy_that_is_known_is_not_sent_again(signed_in: Client, user: User) -> None:
    image = ImageFactory(owner=user)
    etag = signed_in.get(url(image))["ETag"]
    response = signed_in.get(url(image), headers={"If-None-Match": etag})
    assert response.status_code == 304
    assert not response.content


def test_staff_see_everybodys_pictures(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert client.get(url(ImageFactory())).status_code == 200


def test_other_peoples_pictures_are_not_there(signed_in: Client) -> None:
    assert signed_in.get(url(ImageFactory())).status_code == 404


def test_what_does_not_exist_is_not_there(signed_in: Client, user: User) -> None:
    image = ImageFactory(owner=user)
    assert signed_in.get(url(image, "original")).status_code == 404
    assert signed_in.get(reverse("image", args=[uuid.uuid4(), "picture"])).status_code == 404
    default_storage.delete(image.file.name)
    assert signed_in.get(url(image, "picture")).status_code == 404
