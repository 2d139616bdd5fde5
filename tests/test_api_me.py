"""`me/` tells who calls, what they may, and what they use."""

import pytest
import redis
from django.test import Client
from django.utils import timezone

from classifier.models import Scope, Token, User
from tests.api import caller
from tests.factories import ImageFactory, PredictionFactory, UserFactory

ME = "/api/v1/me/"


@pytest.fixture
def counting(broker: redis.Redis) -> None:
    """With the broker that counts requests."""


def test_a_token_is_told_its_name_and_what_it_opens(user: User) -> None:
    expires_at = timezone.now() + timezone.timedelta(days=1)
    me = caller(user, Scope.MODELS_READ, expires_at=expires_at, name="camera").get(ME).json()
    token = Token.objects.get()
    assert me["user"] == {"username": "ada", "is_staff": False}
    assert me["token"] == {
        "name": "camera",
        "prefix": token.prefix,
        "scopes": ["models:read"],
        "expires_at": expires_at.isoformat().replace("+00:00", "Z"),
    }


def test_a_session_has_no_token(signed_in: Client) -> None:
    assert signed_in.get(ME).json()["token"] is None


def test_the_limits_are_those_of_the_settings(user: User, settings) -> None:
    settings.API_RATE_PER_USER, settings.API_RATE_PER_TOKEN = 7, 0
    settings.UPLOAD_MAX_BYTES, settings.UPLOAD_MAX_PIXELS = 1000, 2000
    settings.API_MAX_BODY_BYTES, settings.UPLOAD_MAX_REQUEST_BYTES = 3000, 4000
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 5
    assert caller(user).get(ME).json()["limits"] == {
        "requests_per_minute_per_user": 7,
        "requests_per_minute_per_token": 0,
        "image_bytes": 1000,
        "image_pixels": 2000,
        "body_bytes": 3000,
        "form_bytes": 4000,
        "images_per_request": 5,
    }


def test_only_what_is_ones_own_is_counted(user: User) -> None:
    image = ImageFactory(owner=user)
    PredictionFactory(image=image)
    PredictionFactory(image=image, succeeded=True)
    PredictionFactory(image__owner=UserFactory())
    usage = caller(user).get(ME).json()["usage"]
    del usage["requests_this_minute"]
    assert usage == {"predictions": 2, "waiting": 1, "images": 1, "bytes": image.bytes}


def test_who_has_nothing_uses_nothing(user: User) -> None:
    usage = caller(user).get(ME).json()["usage"]
    assert [usage[name] for name in ("predictions", "waiting", "images", "bytes")] == [0, 0, 0, 0]


def test_the_requests_of_this_minute_are_counted_with_this_one(
    user: User, signed_in: Client, counting, settings
) -> None:
    settings.API_RATE_PER_USER = settings.API_RATE_PER_TOKEN = 100
    first, second = caller(user), caller(user)
    first.get(ME)
    signed_in.get(ME)
    usage = second.get(ME).json()["usage"]
    assert usage["requests_this_minute"] == {"user": 3, "token": 1}
    assert signed_in.get(ME).json()["usage"]["requests_this_minute"] == {"user": 4, "token": None}


def test_requests_without_a_limit_are_not_counted(user: User, counting, settings) -> None:
    settings.API_RATE_PER_USER = settings.API_RATE_PER_TOKEN = 0
    usage = caller(user).get(ME).json()["usage"]
    assert usage["requests_this_minute"] == {"user": None, "token": None}
