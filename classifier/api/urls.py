"""The addresses of the REST API."""

from django.urls import URLPattern, URLResolver, include, path

from classifier.api.views import (
    batches,
    deliveries,
    docs,
    me,
    models,
    pictures,
    predictions,
    problems,
    root,
    verbs,
    webhooks,
)
from classifier.api.views.predict import Predict

app_name = "api"

v1: list[URLPattern] = [
    path("predictions/", predictions.Predictions.as_view(), name="predictions"),
    path("predictions/<uuid:key>/", predictions.PredictionDetail.as_view(), name="prediction"),
    path(
        "predictions/<uuid:key>/image/",
        pictures.PredictionImage.as_view(),
        name="prediction_image",
    ),
    path("predictions/<uuid:key>/cancel/", verbs.Cancel.as_view(), name="cancel"),
    path("predictions/<uuid:key>/rerun/", verbs.Rerun.as_view(), name="rerun"),
    path("predictions/<uuid:key>/review/", verbs.Review.as_view(), name="review"),
    path("batches/", batches.Batches.as_view(), name="batches"),
    path("batches/<uuid:key>/", batches.BatchDetail.as_view(), name="batch"),
    path("batches/<uuid:key>/results/", batches.BatchResults.as_view(), name="batch_results"),
    path("batches/<uuid:key>/cancel/", batches.CancelBatch.as_view(), name="cancel_batch"),
    path("models/", models.Models.as_view(), name="models"),
    path("models/<slug:name>/", models.Model.as_view(), name="model"),
    path("models/<slug:name>/versions/<int:version>/", models.Version.as_view(), name="version"),
    path("webhooks/", webhooks.Webhooks.as_view(), name="webhooks"),
    path("webhooks/default/", webhooks.DefaultWebhook.as_view(), name="webhook_default"),
    path("webhooks/<uuid:key>/", webhooks.WebhookDetail.as_view(), name="webhook"),
    path("webhooks/<uuid:key>/secret/", webhooks.WebhookSecret.as_view(), name="webhook_secret"),
    path("webhooks/<uuid:key>/rotate/", webhooks.RotateSecret.as_view(), name="webhook_rotate"),
    path("webhooks/<uuid:key>/test/", deliveries.SendTest.as_view(), name="webhook_test"),
    path("webhooks/<uuid:key>/deliveries/", deliveries.Deliveries.as_view(), name="deliveries"),
    path(
        "webhooks/<uuid:key>/deliveries/<uuid:delivery_key>/",
        deliveries.DeliveryDetail.as_view(),
        name="delivery",
    ),
    path(
        "webhooks/<uuid:key>/deliveries/<uuid:delivery_key>/redeliver/",
        deliveries.Redeliver.as_view(),
        name="redeliver",
    ),
    path("me/", me.Me.as_view(), name="me"),
    path("schema/", docs.Schema.as_view(), name="schema"),
    path("docs/", docs.docs, name="docs"),
]
resources = [str(address.name) for address in v1 if str(address.pattern).count("/") == 1]

urlpatterns: list[URLPattern | URLResolver] = [
    path("predict", Predict.as_view(), name="predict"),
    path("api/v1/", root.Sightline.as_view(names=resources), name="root"),
    path("api/v1/", include(v1)),
    path("api/problems/", problems.index, name="problems"),
    path("api/problems/<slug:slug>/", problems.problem, name="problem"),
]
