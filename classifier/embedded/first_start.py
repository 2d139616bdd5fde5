"""What a new installation gets once: an administrator, and proof that it classifies."""

import math
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from classifier import images
from classifier.actions.submit import Order, submit
from classifier.models import ModelVersion, Prediction, Source, Status, User

SAMPLES = Path(settings.BASE_DIR) / "classifier" / "bundled" / "samples"
ADMIN_NAME = "admin"


def create_first_administrator() -> tuple[str, ...]:
    """Create `admin` where there is no superuser yet. Returns how to sign in, if it was created."""
    if User.objects.filter(is_superuser=True).exists():
        return ()
    if User.objects.filter(username=ADMIN_NAME).exists():
        return ()  # somebody's own account; `manage.py createsuperuser` makes another
    password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    User.objects.create_superuser(ADMIN_NAME, password=password)
    if settings.ADMIN_PASSWORD:  # nobody is to see it on a screen
        return (f"sign in as {ADMIN_NAME} with the password of SIGHTLINE_ADMIN_PASSWORD",)
    return (
        f"sign in as {ADMIN_NAME} with the password {password}",
        "the password is shown this once; change it after signing in",
    )


def classify_samples(say: Callable[[str], None], seconds: float = 120) -> None:
    """Send the sample pictures through the queue, as an upload would, and say what they are."""
    owner = User.objects.filter(is_superuser=True).order_by("id").first()
    if owner is None or Prediction.objects.exists():
        return
    order = Order(owner, ModelVersion.objects.serving(), Source.COMMAND)
    ids = [
        submit(order, images.verify(path.read_bytes()), path.name).id
        for path in sorted(SAMPLES.glob("*.jpg"))
    ]
    deadline = time.monotonic() + seconds
    while Prediction.objects.pending().filter(id__in=ids).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    for prediction in Prediction.objects.filter(id__in=ids).with_details().order_by("id"):
        say(f"{prediction.image.original_name:<15} {_answer(prediction)}")


def _answer(prediction: Prediction) -> str:
    if prediction.status == Status.SUCCEEDED:
        # Rounded down: nothing is certain.
        return f"{prediction.top_label} {math.floor(100 * (prediction.top_score or 0))} %"
    return f"{prediction.get_status_display()}: {prediction.error_detail or 'no answer yet'}"
