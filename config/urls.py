"""The URLs of every interface."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("classifier.web.urls")),
    path("admin/", admin.site.urls),
]
handler400 = "classifier.web.views.errors.bad_request"
