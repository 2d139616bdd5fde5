"""What can be done with a prediction: cancel it, run it again, review it."""

import functools
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.http import Http404, QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.actions.cancel import cancel_one
from classifier.actions.once import Made
from classifier.actions.review import NotReviewable, review
from classifier.actions.submit import rerun
from classifier.api import bodies, headers
from classifier.api.answers import answer_made
from classifier.api.options import read_options
from classifier.api.orders import made_once, order_of
from classifier.api.parsers import JSONParser
from classifier.api.problems import Problem
from classifier.api.representations import show_prediction, show_review
from classifier.api.requests import SignedInRequest
from classifier.api.schema import refusals
from classifier.api.serializers import PredictionSerializer, ReviewSerializer
from classifier.api.slips import fault, members_of, unknown, wrong
from classifier.api.views.predictions import find, own
from classifier.models import Image, Prediction, Scope, Status

JUDGEMENT = "Exactly one of label, a text, and confirm, which is true, is needed."


class Cancel(APIView):
    """Withdraw a prediction that nobody has begun."""

    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    @extend_schema(request=None, responses={200: PredictionSerializer, **refusals(409)})
    def post(self, request: SignedInRequest, key: UUID) -> Response:
        """Cancel a prediction. To cancel it twice is no error."""
        cancel_one(find(own(request), key))
        row = find(own(request).with_facts(), key)
        if row.status != Status.CANCELED:
            raise Problem("too_late", f"The prediction is {row.status}.")
        return Response(show_prediction(request, row))


class Rerun(APIView):
    """The same picture again."""

    scopes = {"POST": Scope.PREDICTIONS_WRITE}
    parser_classes = [JSONParser]

    @extend_schema(
        parameters=[headers.PREFER, headers.IDEMPOTENCY_KEY, *headers.MADE],
        request=bodies.RERUN,
        responses={201: PredictionSerializer, 202: PredictionSerializer, **refusals(409, 503)},
    )
    def post(self, request: SignedInRequest, key: UUID) -> Response:
        """Classify the picture again, through the model and with the options that the body names.

        Nothing is taken over from the first time but the picture.
        """
        row = find(own(request), key)
        members = _members(request)
        faults = unknown(members, bodies.RERUN_OPTIONS, "pointer")
        known = {name: members[name] for name in bodies.RERUN_OPTIONS if name in members}
        options = read_options(request, known, faults)

        def prepare() -> Callable[[], Made]:
            return functools.partial(rerun, row, order_of(request, options))

        try:
            made, replayed = made_once(request, options, (), prepare)
        except Image.DoesNotExist:
            raise Http404 from None
        return answer_made(request, made, replayed=replayed)


class Review(APIView):
    """A person's verdict, on anybody's prediction."""

    scopes = {"POST": Scope.REVIEW_WRITE}
    parser_classes = [JSONParser]

    @extend_schema(request=bodies.REVIEW, responses={200: ReviewSerializer, **refusals(409)})
    def post(self, request: SignedInRequest, key: UUID) -> Response:
        """Say what a picture shows. Staff only; a second review replaces the first."""
        members = _members(request)
        row = find(Prediction.objects.select_related("model_version"), key)
        if row.status != Status.SUCCEEDED:
            raise Problem("not_answered", f"The prediction is {row.status}.")
        label = _judgement(members, row)
        try:
            return Response(show_review(review(row, request.user, label)))
        except NotReviewable as error:
            close = get_close_matches(label, row.model_version.labels, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise wrong(fault("/label", "unknown", f"{error}{hint}")) from error


def _members(request: SignedInRequest) -> dict[str, Any]:
    """The body; none at all is as good as an empty object."""
    return {} if isinstance(request.data, QueryDict) else members_of(request.data)


def _judgement(members: dict[str, Any], row: Prediction) -> str:
    """The label that the body means."""
    if faults := list(unknown(members, ("label", "confirm"), "pointer")):
        raise wrong(*faults)
    match members:
        case {"label": str(label)} if len(members) == 1 and label:
            return label
        case {"confirm": True} if len(members) == 1:
            return row.top_label
    raise wrong(fault("", "invalid", JUDGEMENT))
