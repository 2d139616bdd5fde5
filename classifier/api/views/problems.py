"""The public pages that say what a problem means and what to do about it."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.api.problems import PROBLEMS


@login_not_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    by_status = sorted(PROBLEMS.items(), key=lambda item: item[1].status)
    return render(request, "api/problems.html", {"problems": by_status})


@login_not_required
@require_safe
def problem(request: HttpRequest, slug: str) -> HttpResponse:
    if slug not in PROBLEMS:
        raise Http404
    return render(request, "api/problem.html", {"slug": slug, "problem": PROBLEMS[slug]})
