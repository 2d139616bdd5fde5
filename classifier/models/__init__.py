from classifier.models.batch import Batch
from classifier.models.evaluation import Evaluation
from classifier.models.idempotency_key import IdempotencyKey
from classifier.models.image import Image
from classifier.models.model_version import ModelVersion
from classifier.models.prediction import Doubt, Prediction, Priority, Source, Status
from classifier.models.review import Review, Verdict
from classifier.models.token import Scope, Token
from classifier.models.user import User
from classifier.models.variant import Variant
from classifier.models.webhook import Delivery, DeliveryStatus, Endpoint, Event

__all__ = [
    "Batch",
    "Delivery",
    "DeliveryStatus",
    "Doubt",
    "Endpoint",
    "Evaluation",
    "Event",
    "IdempotencyKey",
    "Image",
    "ModelVersion",
    "Prediction",
    "Priority",
    "Review",
    "Scope",
    "Source",
    "Status",
    "Token",
    "User",
    "Variant",
    "Verdict",
]
