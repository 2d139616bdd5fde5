"""Versions with what the gate asks for, and pictures that champion and challenger have answered."""

from classifier.models import Evaluation, ModelVersion, Review, Shadow, Status
from tests.factories import ImageFactory, ModelVersionFactory, PredictionFactory

IMAGES = 200
ROBUST = {"robustness": {"corrupted": 0.6, "images": IMAGES}}


def evaluate(version: ModelVersion, right: int, fingerprint: str = "f" * 64) -> Evaluation:
    """An evaluation on numbered images, of which the first ones are answered rightly."""
    rows = [[str(n), "cat", "cat" if n < right else "dog", 0.9] for n in range(IMAGES)]
    recall = right / IMAGES
    report = {
        "images": IMAGES,
        "accuracy": {"value": recall, "low": recall - 0.05, "high": min(1, recall + 0.05)},
        "macro": {"precision": recall, "recall": recall, "f1": recall},
        "per_class": [
            {"label": "cat", "recall": recall, "support": IMAGES},
            {"label": "dog", "recall": 1.0, "support": 1},
        ],
        "calibration_error": 0.02,
        "latency_seconds": 0.03,
    }
    return Evaluation.objects.create(
        model_version=version,
        dataset="pets",
        location="/pets",
        status=Status.SUCCEEDED,
        fingerprint=fingerprint,
        variant=version.computed_by,
        report=report,
        answers=rows,
        total=IMAGES,
    )


def worthy(right: int = 180, **fields: object) -> ModelVersion:
    """A version of `everyday` that passes the gate, beside a champion that is no better."""
    version: ModelVersion = ModelVersionFactory(metrics=ROBUST, **fields)
    evaluate(version, right)
    return version


def tried(
    champion: ModelVersion, challenger: ModelVersion, truth: str, said: str, unseen: str
) -> Shadow:
    """A picture that both have answered, the challenger unseen, and a person has reviewed."""
    prediction = PredictionFactory(
        image=ImageFactory(), model_version=champion, succeeded=True, top_label=said
    )
    verdict = "confirmed" if truth == said else "corrected"
    Review.objects.create(prediction=prediction, verdict=verdict, label=truth)
    return Shadow.objects.create(
        prediction=prediction,
        model_version=challenger,
        status=Status.SUCCEEDED,
        top_label=unseen,
        top_score=0.8,
    )
