from classifier.models.image import Image
from classifier.models.model_version import ModelVersion
from classifier.models.prediction import Prediction, Source, Status
from classifier.models.review import Review, Verdict
from classifier.models.user import User

__all__ = [
    "Image",
    "ModelVersion",
    "Prediction",
    "Review",
    "Source",
    "Status",
    "User",
    "Verdict",
]
