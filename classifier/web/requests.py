"""What a view may rely on where the middleware has let only signed-in people through."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from classifier.models import User


class SignedInRequest(HttpRequest):
    user: User
    htmx: HtmxDetails
