"""The URLs of every interface, and what answers where none of them does."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("classifier.api.urls")),  # first: programs ask most often
    path("", include("classifier.oip.urls")),
    path("", include("classifier.web.urls")),
    path("admin/", admin.site.urls),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
