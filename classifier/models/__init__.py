from classifier.models.alias_change import AliasChange, Kind
from classifier.models.batch import Batch
from classifier.models.evaluation import Evaluation
from classifier.models.idempotency_key import IdempotencyKey
from classifier.models.image import Image
from classifier.models.model_version import Alias, ModelVersion
from classifier.models.owed import Status
from classifier.models.prediction import Doubt, Prediction, Priority, Source
from classifier.models.review import Review, Verdict
from classifier.models.shadow import Shadow
from classifier.models.token import Scope, Token
from classifier.models.user import User
from classifier.models.variant import Variant
from classifier.models.webhook import Delivery, DeliveryStatus, Endpoint, Event

__all__ = [
    "Alias",
    "AliasChange",
    "Batch",
    "Delivery",
    "DeliveryStatus",
    "Doubt",
    "Endpoint",
    "Evaluation",
    "Event",
    "IdempotencyKey",
    "Image",
    "Kind",
    "ModelVersion",
    "Prediction",
    "Priority",
    "Review",
    "Scope",
    "Shadow",
    "Source",
    "Status",
    "Token",
    "User",
    "Variant",
    "Verdict",
]
