"""The addresses of the pages."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path
from django.views.i18n import set_language

from classifier.web.views import (
    about,
    account,
    draw,
    evaluations,
    health,
    images,
    models,
    predictions,
    tokens,
    upload,
    webhooks,
)

urlpatterns: list[URLPattern] = [
    path("", upload.upload, name="upload"),
    path("draw/", draw.draw, name="draw"),
    path("predictions/", predictions.history, name="history"),
    path("predictions/status/", predictions.status, name="status"),
    path("predictions/<uuid:key>/", predictions.prediction, name="prediction"),
    path("predictions/<uuid:key>/cancel/", predictions.cancel, name="cancel"),
    path("predictions/<uuid:key>/rerun/", predictions.rerun, name="rerun"),
    path("predictions/<uuid:key>/delete/", predictions.delete, name="delete"),
    path("images/<uuid:key>/<slug:kind>/", images.image, name="image"),
    path("models/", models.models, name="models"),
    path("models/<slug:name>@<int:version>/", models.model, name="model"),
    path("models/<slug:name>@<int:version>/evaluate/", evaluations.evaluate, name="evaluate"),
    path("evaluations/<uuid:key>/", evaluations.evaluation, name="evaluation"),
    path("evaluations/<uuid:key>/delete/", evaluations.delete, name="evaluation_delete"),
    path("evaluations/<uuid:key>/mistakes/<int:number>/", evaluations.mistake, name="mistake"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<uuid:key>/rotate/", tokens.rotate, name="token_rotate"),
    path("tokens/<uuid:key>/revoke/", tokens.revoke, name="token_revoke"),
    path("webhooks/", webhooks.webhooks, name="webhooks"),
    path("webhooks/default/", webhooks.of_requests, name="webhook_of_requests"),
    path("webhooks/<uuid:key>/", webhooks.webhook, name="webhook"),
    path("webhooks/<uuid:key>/edit/", webhooks.edit, name="webhook_edit"),
    path("webhooks/<uuid:key>/pause/", webhooks.pause, name="webhook_pause"),
    path("webhooks/<uuid:key>/resume/", webhooks.resume, name="webhook_resume"),
    path("webhooks/<uuid:key>/rotate/", webhooks.rotate, name="webhook_rotate"),
    path("webhooks/<uuid:key>/test/", webhooks.test, name="webhook_test"),
    path("webhooks/<uuid:key>/delete/", webhooks.delete, name="webhook_delete"),
    path(
        "webhooks/<uuid:key>/deliveries/<uuid:delivery_key>/redeliver/",
        webhooks.redeliver,
        name="webhook_redeliver",
    ),
    path("about/", about.about, name="about"),
    path("login/", account.login, name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("register/", account.register, name="register"),
    path("password/", account.PasswordChange.as_view(), name="password_change"),
    path("password/done/", account.password_changed, name="password_change_done"),
    path("language/", login_not_required(set_language), name="set_language"),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
]
