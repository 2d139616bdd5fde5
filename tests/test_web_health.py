"""What watches over the process learns whether it is there and whether it can work."""

import redis
from django.test import Client


def test_a_process_that_answers_is_live(client: Client) -> None:
    response = client.get("/health/live")
    assert response.status_code == 200
    assert response.json() == {"status": "live"}


def test_with_database_and_broker_it_is_ready(
    client: Client, db: None, broker: redis.Redis
) -> None:
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]


def test_what_is_missing_is_named(client: Client, db: None, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "failing": ["broker"]}
