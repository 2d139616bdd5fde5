"""A Flask `/predict`: by Flask's own server (`python -m`), or by gunicorn."""

import os

from flask import Flask, Response, jsonify, request

from benchmarks.peers.tutorial import best, decode, infer, load_model

app = Flask(__name__)
model = load_model()


@app.post("/predict")
def predict() -> Response:
    tensor = decode(request.files["file"].read())
    return jsonify(best(infer(model, tensor.unsqueeze(0))[0]))


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=True)
