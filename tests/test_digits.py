"""The digits model that ships: how well it reads real digits and drawn ones, through every door."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from django.db import connection
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from classifier.management.installing import install_bundle
from classifier.ml.bundle import SHIPPED, read_bundle
from classifier.ml.calibration import Calibration, judge
from classifier.ml.engines import load_engine
from classifier.ml.evaluation import answer
from classifier.ml.preprocess import preprocess
from classifier.ml.splitting import Shares, split
from classifier.models import ModelVersion, Scope
from classifier.worker import runtime
from classifier.worker.classify import classify_waiting
from scripts.make_digits import write_digits
from tests.api import caller
from tests.handwriting import CAREFUL, HANDS, STYLES, as_png, write

TEN = range(10)
ONCE_EACH = load_digits().images[:10]  # 0 to 9, in order; of values 0 to 16


@pytest.fixture(scope="module")
def bundle():
    return read_bundle(SHIPPED / "digits")


@pytest.fixture(scope="module")
def engine(bundle):
    return load_engine(bundle.network)


class TestModel:
    def test_it_knows_the_ten_digits(self, bundle):
        assert bundle.spec.labels == tuple("0123456789")
        assert bundle.spec.framing == "ink"

    def test_its_weights_are_small_and_in_half_precision(self, bundle):
        assert bundle.weights.stat().st_size <= 4_000_000
        tensors = load_file(bundle.weights)
        kinds = {tensors[name].dtype for name in tensors if name.endswith(("weight", "bias"))}
        assert kinds == {np.dtype("float16")}

    def test_its_card_says_how_good_it_is(self, bundle):
        card = (SHIPPED / "digits" / "README.md").read_text()
        assert f"{100 * bundle.metrics['top1']:.1f} %" in card
        for label, share in bundle.metrics["per_class"].items():
            assert f"| {label} | {100 * share:.1f} % |" in card

    def test_it_reads_at_least_98_of_100_held_out_digits(self, bundle, engine, tmp_path):
        write_digits(tmp_path)
        data = split(tmp_path, Shares(**bundle.training["shares"]))
        assert data.fingerprint == bundle.training["fingerprint"], "those that it was trained on"
        found = answer(data.test, engine, bundle.spec)
        accuracy = (found.logits.argmax(axis=1) == found.truth).mean()
        assert len(found.truth) == 359
        assert accuracy >= 0.98
        assert accuracy == pytest.approx(bundle.metrics["top1"], abs=0.003)  # another CPU


@dataclass(frozen=True)
class Written:
    """A digit that was drawn as strokes, and what it was taken for."""

    hand: str
    style: str
    digit: str
    shape: int
    read: str = ""
    doubted: bool = False


@pytest.fixture(scope="module")
def answers(bundle, engine):
    """Every shape of every hand in every style."""
    written, pixels = [], []
    for (hand, digits), style in product(HANDS.items(), STYLES):
        for digit, shapes in digits.items():
            for number, shape in enumerate(shapes):
                written.append(Written(hand, style, digit, number))
                picture = as_png(write(shape, STYLES[style]))
                pixels.append(preprocess(picture, bundle.spec))
    judged = judge(engine.logits(np.stack(pixels)), Calibration.from_json(bundle.calibration))
    found = zip(written, judged.probabilities.argmax(axis=1), judged.doubts, strict=True)
    return [
        replace(one, read=bundle.spec.labels[label], doubted=bool(doubt))
        for one, label, doubt in found
    ]


class TestDrawnStrokes:
    @pytest.mark.parametrize("hand", HANDS)
    def test_most_of_what_a_hand_writes_is_read(self, answers, hand):
        right = [one.read == one.digit for one in answers if one.hand == hand]
        assert sum(right) / len(right) >= 0.95

    @pytest.mark.parametrize("style", STYLES)
    def test_on_whatever_paper_with_whatever_pen(self, answers, style):
        wrong = [one for one in answers if one.style == style and one.read != one.digit]
        assert len(wrong) <= 3, wrong

    def test_what_it_reads_wrongly_it_is_seldom_sure_of(self, answers):
        wrong = [one.doubted for one in answers if one.read != one.digit]
        assert sum(wrong) >= 0.7 * len(wrong)
        assert sum(one.doubted for one in answers) <= 0.2 * len(answers)

    def test_a_one_is_read_with_and_without_its_flag(self, answers):
        plain = [one.read for one in answers if one.digit == "1" and one.shape < 2]
        assert set(plain) == {"1"}


@contextmanager
def working() -> Iterator[None]:
    """A worker in a thread: the real one, with the real network."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.01):
            classify_waiting()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
class TestDoors:
    @pytest.fixture(autouse=True)
    def _digits(self, serving, broker, bundle) -> Iterator[None]:
        """The real model, beside one that serves."""
        runtime._loaded.clear()
        install_bundle(bundle, activate=False)
        with working():
            yield

    @pytest.fixture
    def program(self, user):
        return caller(user, Scope.PREDICTIONS_WRITE, Scope.PREDICTIONS_READ)

    def predictions(self, program, pixels):
        """What POST /api/v1/predictions/ answers."""
        body = {"pixels": pixels, "model": "digits"}
        response = program.post(
            "/api/v1/predictions/",
            json.dumps(body),
            content_type="application/json",
            headers={"Prefer": "wait"},
        )
        assert response.status_code == 201, response.content
        return response.json()["output"][0]["label"]

    def predict(self, program, name, numbers):
        """What POST /predict answers."""
        response = program.post(
            "/predict?model=digits", json.dumps({name: numbers}), content_type="application/json"
        )
        assert response.status_code == 200, response.content
        return response.json()["class"]

    def test_eight_by_eight_pixels_are_read_through_both(self, program):
        for digit, pixels in enumerate(ONCE_EACH):
            shares = (pixels / 16).tolist()
            assert self.predictions(program, shares) == str(digit)
            assert self.predict(program, "pixels", shares) == str(digit)

    def test_28_by_28_pixels_are_read_through_both(self, program):
        for digit in TEN:
            pixels = np.asarray(write(CAREFUL[str(digit)][0], STYLES["as MNIST"]).convert("L"))
            assert self.predictions(program, pixels.tolist()) == str(digit)
            assert self.predict(program, "x", (pixels.ravel() / 255).tolist()) == str(digit)

    def test_who_names_no_model_gets_the_one_that_serves(self, program, serving):
        assert ModelVersion.objects.serving() == serving
        response = program.post(
            "/api/v1/predictions/",
            json.dumps({"pixels": [[0, 1]]}),
            content_type="application/json",
        )
        assert response.json()["model"] == serving.name
