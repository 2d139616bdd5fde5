"""What the API's uploads are measured against: a view of Django REST framework, as in its tutorial.

It saves a file and inserts a row. No middleware, no sign-in, no throttle, no check of what the file
is, no bell for a worker: `gunicorn benchmarks.bare:application`.
"""

import os
import secrets

import django
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = __name__
settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

from rest_framework.parsers import MultiPartParser  # noqa: E402 - once the settings are there
from rest_framework.renderers import JSONRenderer  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from classifier.models import Image, User  # noqa: E402


class Save(APIView):
    authentication_classes = permission_classes = throttle_classes = ()
    parser_classes = (MultiPartParser,)
    renderer_classes = (JSONRenderer,)

    def post(self, request: Request) -> Response:
        file = request.data["image"]
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
        return Response({"id": str(image.id)}, status=201)


urlpatterns = [path("", Save.as_view())]
application = WSGIHandler()
OWNER = User.objects.values_list("id", flat=True).first()
connection.close()  # gunicorn forks after this
