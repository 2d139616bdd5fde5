"""For whatever watches over the process: is it there, and can it work?"""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from classifier.queries.health import failing


@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers; a failure is a reason to restart it."""
    return JsonResponse({"status": "live"})


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """What requests need is there; 503 names what is not, and is a reason to send none."""
    if missing := failing():
        return JsonResponse({"status": "unavailable", "failing": missing}, status=503)
    return JsonResponse({"status": "ready"})
