"""How quick the admin's pages are on a full table.

    SIGHTLINE_DATA_DIR=/tmp/full python -m benchmarks.admin [ROWS]

Fills an empty, migrated database with made-up predictions (100,000 unless told otherwise), then
opens lists, filters, searches and deep pages as an administrator. Prints the queries and the best
of three times of each, in milliseconds.
"""

import hashlib
import os
import random
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext, setup_test_environment  # noqa: E402
from django.utils import timezone  # noqa: E402

from classifier.models import (  # noqa: E402
    Image,
    ModelVersion,
    Prediction,
    Review,
    Source,
    Status,
    User,
    Verdict,
)

LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
OUTCOMES = [Status.SUCCEEDED] * 95 + [Status.FAILED] * 3 + [Status.CANCELED, Status.QUEUED]
CHUNK = 2000
SPAN = timedelta(days=700)


def fill(rows: int) -> None:
    """Insert `rows` predictions of as many images, spread evenly over the last 700 days."""
    chance = random.Random(0)
    owners = User.objects.bulk_create(User(username=f"person{n}") for n in range(50))
    versions = ModelVersion.objects.bulk_create(
        ModelVersion(name="everyday", version=n, architecture="none", spec={"labels": LABELS})
        for n in (1, 2, 3)
    )
    start = timezone.now() - SPAN
    for first in range(0, rows, CHUNK):
        predictions = [
            _prediction(n, start + SPAN * n / rows, owners, versions, chance)
            for n in range(first, min(rows, first + CHUNK))
        ]
        Image.objects.bulk_create(prediction.image for prediction in predictions)
        Prediction.objects.bulk_create(predictions)
        Review.objects.bulk_create(
            Review(prediction=prediction, label=prediction.top_label, verdict=Verdict.CONFIRMED)
            for prediction in predictions
            if prediction.output and chance.random() < 0.3
        )


def _prediction(
    n: int,
    moment: datetime,
    owners: list[User],
    versions: list[ModelVersion],
    chance: random.Random,
) -> Prediction:
    owner, status, label = (chance.choice(of) for of in (owners, OUTCOMES, LABELS))
    answered = status == Status.SUCCEEDED
    return Prediction(
        id=_id_at(moment, chance),
        owner=owner,
        image=Image(
            id=_id_at(moment, chance),
            owner=owner,
            file=f"images/00/{n}.jpg",
            sha256=hashlib.sha256(str(n).encode()).hexdigest(),
            format=chance.choice(["JPEG", "PNG", "WEBP"]),
            width=640,
            height=480,
            bytes=60_000,
            original_name=f"IMG_{n:06}_{chance.choice(['beach', 'garden', 'party'])}.jpg",
        ),
        model_version=chance.choice(versions),
        source=Source.COMMAND if chance.random() < 0.05 else Source.WEB,
        status=status,
        output=[{"label": label, "score": 0.9}] * 5 if answered else None,
        top_label=label if answered else "",
        top_score=0.9 if answered else None,
        error_code="attempts_exhausted" if status == Status.FAILED else "",
        created_at=moment,
    )


def _id_at(moment: datetime, chance: random.Random) -> uuid.UUID:
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | chance.getrandbits(62))


def pages(rows: int) -> Iterator[str]:
    """The addresses to measure, relative to the admin of our models."""
    middle = Prediction.objects.select_related("image", "model_version")[rows // 2]
    day = middle.created_at
    month = f"created_at__year={day.year}&created_at__month={day.month}"
    last = rows // 50
    yield from ("prediction/", f"prediction/?p={last}", f"prediction/{middle.pk}/change/")
    for query in (
        "status__exact=failed",
        f"status__exact=succeeded&p={last * 9 // 10}",
        f"model_version__id__exact={middle.model_version_id}",
        "source__exact=command",
        "review=awaited",
        "review=confirmed",
        f"created_at__year={day.year}",
        month,
        f"{month}&created_at__day={day.day}",
        f"{month}&status__exact=failed",
        f"q={middle.image.original_name}",
        "q=beach",
        "q=cat+beach",
        "q=nothing",
        "q=person7",
        f"q={middle.image.sha256[:12]}",
        f"q={middle.pk}",
        "o=2",
        "o=-4",
    ):
        yield f"prediction/?{query}"
    yield from ("image/", f"image/?p={last}", "image/?format__exact=PNG", f"image/?{month}")
    yield from ("image/?q=beach", "image/?q=nothing", "review/", "modelversion/", "user/")


def measure(client: Client, address: str) -> tuple[int, float]:
    """The number of queries, and the best of three times in milliseconds."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(f"/admin/classifier/{address}")
        times.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
    return len(queries), min(times)


def main(rows: int = 100_000) -> None:
    settings.STORAGES["staticfiles"] = {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
    }
    setup_test_environment()
    if not Prediction.objects.exists():
        fill(rows)
        User.objects.create_superuser("administrator")
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
    client = Client()
    client.force_login(User.objects.get(username="administrator"))
    for address in pages(rows):
        queries, milliseconds = measure(client, address)
        print(f"{milliseconds:7.0f} ms {queries:4} queries  {address}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
