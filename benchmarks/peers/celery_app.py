"""A Flask `/predict` that hands the picture to a Celery worker and waits for its result."""

import base64
import functools
import os
from typing import Any

from celery import Celery
from flask import Flask, Response, jsonify, request

celery = Celery("peer", broker=os.environ["PEER_REDIS"], backend=os.environ["PEER_REDIS"])
app = Flask(__name__)


@functools.cache
def _model() -> Any:
    """Loaded at the first task, in the process that the worker has forked."""
    from benchmarks.peers.tutorial import load_model

    return load_model()


@celery.task(name="classify")
def classify(encoded: str) -> dict[str, Any]:
    from benchmarks.peers.tutorial import best, decode, infer

    tensor = decode(base64.b64decode(encoded))
    return best(infer(_model(), tensor.unsqueeze(0))[0])


@app.post("/predict")
def predict() -> Response:
    encoded = base64.b64encode(request.files["file"].read()).decode()
    return jsonify(classify.delay(encoded).get(timeout=60))


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=True)
