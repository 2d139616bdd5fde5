"""A few lines for programs to begin with: they work as they stand, at the address that was asked.

They read the token from the environment, so that nobody pastes it into a file or a command.
"""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from classifier.models import Prediction

CLASSIFY_BY_CURL = """\
curl -H "Authorization: Bearer $SIGHTLINE_TOKEN" \\
     -H "Prefer: wait" -F image=@photo.jpg \\
     "{address}"
"""

READ_BY_CURL = """\
curl -H "Authorization: Bearer $SIGHTLINE_TOKEN" \\
     "{address}"
"""

CLASSIFY_BY_PYTHON = """\
import json
import os
from pathlib import Path
from urllib.request import Request, urlopen

request = Request(
    "{address}",
    data=Path("photo.jpg").read_bytes(),
    headers={{
        "Authorization": "Bearer " + os.environ["SIGHTLINE_TOKEN"],
        "Content-Type": "image/jpeg",
        "Prefer": "wait",
    }},
)
with urlopen(request) as response:
    prediction = json.load(response)
print(prediction["status"], prediction["output"])
"""

READ_BY_PYTHON = """\
import json
import os
from urllib.request import Request, urlopen

request = Request(
    "{address}",
    headers={{"Authorization": "Bearer " + os.environ["SIGHTLINE_TOKEN"]}},
)
with urlopen(request) as response:
    prediction = json.load(response)
print(prediction["status"], prediction["output"])
"""


@dataclass(frozen=True)
class Snippet:
    """Text to copy, in a language that a page can name."""

    language: str
    text: str


def classify_snippets(request: HttpRequest) -> list[Snippet]:
    """How to have `photo.jpg` classified, and wait for the answer."""
    address = request.build_absolute_uri(reverse("api:predictions"))
    return _filled_in(address, CLASSIFY_BY_CURL, CLASSIFY_BY_PYTHON)


def read_snippets(request: HttpRequest, prediction: Prediction) -> list[Snippet]:
    """How to read this prediction."""
    address = request.build_absolute_uri(reverse("api:prediction", args=[prediction.id]))
    return _filled_in(address, READ_BY_CURL, READ_BY_PYTHON)


def _filled_in(address: str, curl: str, python: str) -> list[Snippet]:
    return [
        Snippet("curl", curl.format(address=address)),
        Snippet("Python", python.format(address=address)),
    ]
