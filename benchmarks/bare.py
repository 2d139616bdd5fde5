"""What the API's uploads are measured against: a Django view that saves a file and inserts a row.

No middleware, no sign-in, no check of what the file is: `gunicorn benchmarks.bare:application`.
"""

import os
import secrets

import django
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = __name__
settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

from classifier.models import Image, User  # noqa: E402 - once the settings are there


def save(request: HttpRequest) -> JsonResponse:
    file = request.FILES["image"]
    name = default_storage.save(f"images/{secrets.token_hex(16)}.jpg", file)
    image = Image.objects.create(
        owner_id=OWNER,
        file=name,
        sha256=secrets.token_hex(32),
        format="JPEG",
        width=640,
        height=480,
        bytes=file.size,
        original_name=file.name,
    )
    return JsonResponse({"id": str(image.id)}, status=201)


urlpatterns = [path("", save)]
application = WSGIHandler()
OWNER = User.objects.values_list("id", flat=True).first()
connection.close()  # gunicorn forks after this
