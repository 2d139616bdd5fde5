"""What can be tested of the benchmarks in a moment: their arithmetic, what they leave behind, and
those of the programs that can be brief."""

import io
import itertools
import json
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.conf import settings
from PIL import Image as Picture

from benchmarks import raw
from benchmarks.fill import OUTPUT, fill
from benchmarks.load import Answers, quantile
from benchmarks.pictures import endlessly, given_pictures, made_pictures
from benchmarks.raw import Alone, Limit
from benchmarks.report import markdown, write
from benchmarks.results import OURS, REFERENCE, Backlog, Results
from benchmarks.stack import Sightline
from classifier.actions.claim import claim
from classifier.actions.settle import Outcome, settle
from classifier.ml import probing
from classifier.ml.bundle import SHIPPED, read_bundle
from classifier.ml.engines import threads
from classifier.ml.variant import Variant
from classifier.models import Image, Prediction

MACHINE = {"cpu": "made up", "cores": 2, "gpu": ""}
PRODUCT = settings.BASE_DIR / "requirements"
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^ ;]+)")


def pins(file: Path) -> dict[str, set[str]]:
    """Each package with its versions; there may be one for each of several Pythons."""
    found: dict[str, set[str]] = {}
    for line in file.read_text().splitlines():
        if line and not line.startswith(("#", "-r")):
            match = PIN.match(line)
            assert match, f"{line!r} is not pinned exactly"
            found.setdefault(match[1].lower(), set()).add(match[2])
    return found


def test_peers_are_pinned_exactly_and_stand_on_what_the_product_stands_on():
    peers = pins(settings.BASE_DIR / "benchmarks" / "requirements.txt")
    product = pins(PRODUCT / "worker.txt")
    assert {"flask", "gunicorn", "litserve", "matplotlib", "psutil"} <= peers.keys()
    for name in peers.keys() & product.keys():
        assert peers[name] == product[name], name


def test_the_product_needs_none_of_its_peers():
    for name in ("web", "worker"):
        assert pins(PRODUCT / f"{name}.txt").keys().isdisjoint({"flask", "litserve", "matplotlib"})


def test_made_pictures_are_the_same_each_time_and_unlike_one_another():
    pictures = made_pictures(2)
    assert pictures == made_pictures(2)
    assert pictures[0] != pictures[1]
    assert Picture.open(io.BytesIO(pictures[0])).size == (500, 375)


def test_no_two_pictures_that_are_sent_have_the_same_bytes_but_their_pixels_are_those_given():
    [picture] = made_pictures(1)
    sent = list(itertools.islice(endlessly([picture]), 300))
    assert len(set(sent)) == 300
    pixels = Picture.open(io.BytesIO(picture)).tobytes()
    assert {Picture.open(io.BytesIO(one)).tobytes() for one in sent[::100]} == {pixels}


def test_a_folder_without_a_jpeg_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="there is no JPEG"):
        given_pictures(tmp_path)


def test_quantiles_are_interpolated():
    hundred = [float(number) for number in range(101)]
    assert quantile(hundred, 0.5) == pytest.approx(50, abs=0.2)
    assert quantile(hundred, 0.99) == pytest.approx(99, abs=0.2)
    assert quantile([7.0], 0.99) == 7.0


@pytest.mark.django_db
def test_filled_tables_are_what_a_worker_works_on():
    fill(settled=20, waiting=10)
    assert Image.objects.count() == 30
    assert Prediction.objects.succeeded().count() == 20
    assert len(set(Prediction.objects.values_list("owner", flat=True))) > 1
    claimed = claim(10)
    assert len(claimed.predictions) == 10
    outcomes = [Outcome(row.id, OUTPUT) for row in claimed.predictions]
    assert settle(claimed.lease, outcomes, 0.1, 10) == 10


@pytest.fixture
def results():
    """Two rounds of resnet50, in the second of which the machine was half as fast."""
    found = Results("resnet50", "random weights", "onnxruntime int8", Alone(0.004, 0.01, 8))
    found.limits = [Limit(120, 100), Limit(60, 50)]
    found.backlogs = [Backlog(2000, seconds, 30, 20, 10**9) for seconds in (2000 / 92, 2000 / 46)]
    rates = {
        OURS: (80, 40),
        REFERENCE: (20, 10),
        "Flask": (10, 5),
        "gunicorn, 2 sync workers": (16, 8),
        "LitServe, our onnxruntime file": (50, 25),
    }
    for name, (first, second) in rates.items():
        served = found.of(name)
        served.full = [answers(first), answers(second)]
        served.single = [answers(first, [0.020, 0.030]), answers(second, [0.025])]
    return found


def answers(rate: float, latencies: Sequence[float] = (0.4,)) -> Answers:
    return Answers(rate, tuple(latencies), tuple(0.01 for _ in latencies))


def test_ratios_are_taken_within_a_round(results):
    assert results.ratios() == {
        "backlog / engine with decode": pytest.approx(0.92),
        "Sightline / best peer in fp32 (gunicorn, 2 sync workers)": pytest.approx(5.0),
        "Sightline in torch fp32 / best peer in fp32 (gunicorn, 2 sync workers)": 1.25,
        "Sightline / LitServe, our onnxruntime file": pytest.approx(1.6),
    }


def test_overhead_is_what_is_left_of_a_latency_without_network_and_decoding(results):
    ours = results.of("Sightline")
    assert ours.overhead(0.5, decode=0.004) == pytest.approx(25 - 10 - 4, abs=0.1)


def test_the_table_has_medians_ranges_and_ratios(results):
    text = markdown([results], MACHINE, 32)
    assert text.startswith("cpu made up, cores 2\n")
    assert "| Flask | 7.5 | 5.0 to 10.0 | 400 ms | 400 ms | 25 ms | 30 ms |" in text
    assert "- backlog / engine with decode: **0.92**" in text


def test_a_run_leaves_a_table_its_numbers_and_a_picture(results, tmp_path):
    pytest.importorskip("matplotlib")
    text = write([results], MACHINE, 32, tmp_path)
    assert (tmp_path / "results.md").read_text() == text
    assert (tmp_path / "results.svg").read_text().startswith("<?xml")
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["machine"]["cores"] == 2
    [model] = content["models"]
    assert model["ratios"] == results.ratios()
    assert [server["name"] for server in model["servers"]][:2] == [
        "Sightline",
        "Sightline, torch fp32",
    ]
    assert model["servers"][2]["images_per_second"] == [10, 5]


def bundled(name):
    """The network of a model that ships."""
    return read_bundle(SHIPPED / name).network


def test_an_engine_is_measured_by_itself_and_with_the_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "_callers", 0)
    monkeypatch.setattr(probing, "REFERENCE_SECONDS", 0.1)
    monkeypatch.setattr(raw, "TRIAL_SECONDS", 0.05)
    machine = raw.Machine(bundled("everyday"), Variant("torch"), tmp_path, made_pictures(2))
    assert machine.alone.decode > 0
    assert machine.alone.forward > 0
    limit = machine.measure(seconds=0.1)
    assert limit.engine > 0
    assert limit.with_decode > 0


def test_an_engine_that_dies_by_itself_is_named_in_one_line():
    here, there = multiprocessing.Pipe()
    there.close()  # as of a process that is no more
    with pytest.raises(SystemExit, match="measures openvino int8 by itself died") as end:
        raw.Raw(here, "openvino int8")
    assert "\n" not in str(end.value)


def test_nothing_is_measured_before_the_right_variant_answers(monkeypatch):
    answers = iter(["torch fp32", "torch fp32", "onnxruntime int8", "never asked"])
    sightline = Sightline(port=1, pid=1, token="")
    monkeypatch.setattr(sightline, "_metrics", lambda *_: {"variant": next(answers)})
    sightline.wait_for("onnxruntime int8", itertools.repeat(b"a picture"))
    assert next(answers) == "never asked"


def test_the_queue_is_measured_on_tables_of_given_sizes():
    command = [sys.executable, "-m", "benchmarks.queue", "--rows", "10", "--batch", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "| SQLite | 10 settled |" in done.stdout
    assert "| SQLite | 10 waiting |" in done.stdout
