"""Rows and files for tests, each valid by itself."""

import hashlib
import io

import factory
from django.core.files.base import ContentFile
from django.utils import timezone
from factory.django import DjangoModelFactory
from PIL import Image as PillowImage

from classifier import models

SPEC = {
    "labels": ["cat", "dog", "ship"],
    "resize": 32,
    "crop": 32,
    "interpolation": "bilinear",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}


def image_bytes(
    format: str = "PNG",
    size: tuple[int, int] = (64, 48),
    colour: str | tuple[int, ...] = "teal",
    mode: str = "RGB",
    **options: object,
) -> bytes:
    """An image file in memory, of one colour."""
    out = io.BytesIO()
    PillowImage.new(mode, size, colour).save(out, format, **options)
    return out.getvalue()


class UserFactory(DjangoModelFactory):
    class Meta:
        model = models.User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    password = factory.django.Password("correct horse battery")


class ModelVersionFactory(DjangoModelFactory):
    class Meta:
        model = models.ModelVersion

    name = "everyday"
    version = factory.Sequence(lambda n: n + 1)
    architecture = "compact_cnn"
    weights = "models/none.safetensors"
    sha256 = "0" * 64
    spec = SPEC


class ImageFactory(DjangoModelFactory):
    class Meta:
        model = models.Image
        exclude = ["content"]

    owner = factory.SubFactory(UserFactory)
    content = factory.Sequence(lambda n: image_bytes(colour=(n % 256, n // 256 % 256, 99)))
    file = factory.LazyAttribute(lambda o: ContentFile(o.content, "picture.png"))
    sha256 = factory.LazyAttribute(lambda o: hashlib.sha256(o.content).hexdigest())
    format = "PNG"
    width = 64
    height = 48
    bytes = factory.LazyAttribute(lambda o: len(o.content))
    original_name = factory.Sequence(lambda n: f"picture-{n}.png")


class PredictionFactory(DjangoModelFactory):
    """A waiting prediction; `succeeded=True`, `failed=True` or `canceled=True` for an ended one."""

    class Meta:
        model = models.Prediction

    class Params:
        succeeded = factory.Trait(
            status=models.Status.SUCCEEDED,
            output=[
                {"label": "cat", "score": 0.9},
                {"label": "dog", "score": 0.08},
                {"label": "ship", "score": 0.02},
            ],
            top_label="cat",
            top_score=0.9,
            attempts=1,
            batch_size=1,
            inference_seconds=0.012,
            started_at=factory.LazyFunction(timezone.now),
            completed_at=factory.LazyFunction(timezone.now),
        )
        failed = factory.Trait(
            status=models.Status.FAILED,
            attempts=3,
            error_code="attempts_exhausted",
            error_detail="Every worker that took it stopped.",
            completed_at=factory.LazyFunction(timezone.now),
        )
        canceled = factory.Trait(
            status=models.Status.CANCELED, completed_at=factory.LazyFunction(timezone.now)
        )

    image = factory.SubFactory(ImageFactory)
    owner = factory.SelfAttribute("image.owner")
    model_version = factory.SubFactory(ModelVersionFactory)


class EndpointFactory(DjangoModelFactory):
    class Meta:
        model = models.Endpoint

    owner = factory.SubFactory(UserFactory)
    url = factory.Sequence(lambda n: f"https://hooks.example/{n}")


class DeliveryFactory(DjangoModelFactory):
    class Meta:
        model = models.Delivery

    endpoint = factory.SubFactory(EndpointFactory)
    url = factory.SelfAttribute("endpoint.url")
    type = "prediction.succeeded"
    payload = factory.LazyFunction(
        lambda: {
            "type": "prediction.succeeded",
            "timestamp": timezone.now().isoformat(),
            "data": {"status": "succeeded", "output": [{"label": "cat", "score": 0.9}]},
        }
    )
