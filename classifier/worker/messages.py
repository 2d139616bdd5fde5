"""A delivery as it goes over the wire: https://www.standardwebhooks.com, version 1.0.0."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass

from django.utils import timezone

from classifier.models import Delivery


@dataclass(frozen=True)
class Message:
    """What is posted where. It holds no row, so that whoever sends it needs no database."""

    url: str
    headers: dict[str, str]
    body: bytes


def message_of(delivery: Delivery) -> Message:
    """The message of a claimed delivery, dated and signed now with every secret that holds."""
    body = delivery.body
    timestamp = str(int(timezone.now().timestamp()))
    signed = b".".join([delivery.message_id.encode(), timestamp.encode(), body])
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Sightline-Webhooks",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(
            _signature(secret, signed) for secret in delivery.endpoint.valid_secrets
        ),
    }
    return Message(delivery.url, headers, body)


def _signature(secret: str, signed: bytes) -> str:
    key = b64decode(secret.removeprefix("whsec_"))
    return "v1," + b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
