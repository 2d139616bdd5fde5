"""The addresses of the Open Inference Protocol, without slashes at their ends, as it has them."""

from django.urls import URLPattern, path

from classifier.oip import views

app_name = "oip"

MODEL = "v2/models/<slug:name>"
VERSION = f"{MODEL}/versions/<slug:version>"

urlpatterns: list[URLPattern] = [
    path("v2", views.Server.as_view(), name="server"),
    path("v2/", views.Server.as_view()),  # so it is in the protocol's OpenAPI document
    path("v2/health/live", views.Live.as_view(), name="live"),
    path("v2/health/ready", views.Ready.as_view(), name="ready"),
    path(MODEL, views.Model.as_view(), name="model"),
    path(VERSION, views.Model.as_view(), name="model_version"),
    path(f"{MODEL}/ready", views.ModelReady.as_view(), name="model_ready"),
    path(f"{VERSION}/ready", views.ModelReady.as_view(), name="model_version_ready"),
    path(f"{MODEL}/infer", views.Infer.as_view(), name="infer"),
    path(f"{VERSION}/infer", views.Infer.as_view(), name="infer_version"),
]
