"""What this is, for everybody."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.queries.catalogue import serving_version

LABELS_LISTED = 20


@login_not_required
@require_safe
def about(request: HttpRequest) -> HttpResponse:
    context = {"serving": serving_version(), "labels_listed": LABELS_LISTED}
    return render(request, "pages/about.html", context)
