"""What is found out about a variant before it may serve. The child processes are real."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from classifier.ml import batching, engines, probing
from classifier.ml.batching import calibrate, smallest_good_batch
from classifier.ml.building import build
from classifier.ml.findings import finding_file
from classifier.ml.machine import cores, machine_facts
from classifier.ml.probe import WrongAnswer, check, default_sample
from classifier.ml.probing import UnfitVariant, adopt, probed, remember_batch
from classifier.ml.variant import REFERENCE, Variant
from tests.models_on_disk import SMALL, write_bundle

SUSPECT = Variant("onnxruntime")

# What a child may do instead of what it should.
NOT_A_CHILD = "raise SystemExit('nobody should have asked')"
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
ANSWERS = """
import json
print(json.dumps({"max_batch": 4, "seconds_per_image": 0.1, "images_per_second": 20,
    "latency_seconds": 0.1, "memory_bytes": 1, "load_seconds": 1}))
"""
DIES_OF_AMX = f"""
import os
if os.environ.get("ONEDNN_MAX_CPU_ISA") != "AVX512_CORE_FP16":
    {DIES}
{ANSWERS}
"""
HANGS = """
import os, pathlib, subprocess, time
child = subprocess.Popen(["sleep", "300"])  # as a compiler would be
pathlib.Path(os.environ["LEFT_BEHIND"]).write_text(str(child.pid))
time.sleep(300)
"""
CHATTERS = f"print('a library says what it likes'){ANSWERS}"
STUMBLES = "raise RuntimeError('the compiler found no header')"


def script(code):
    return (sys.executable, "-c", code)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("model")).network


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(probing, "CALIBRATION_SECONDS", 0.2)
    monkeypatch.setattr(probing, "REFERENCE_SECONDS", 0.2)


def no_more_children(monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(NOT_A_CHILD))


def test_a_fit_variant_is_measured_once_and_remembered(network, tmp_path, monkeypatch):
    images = default_sample(SMALL)
    variant = build(network, Variant("onnxruntime", "int8"), images, tmp_path)
    probe = probed(network, variant, tmp_path / "cache", images)
    assert probe.max_batch in batching.SIZES["cpu"]
    assert 0 < probe.seconds_per_image <= probe.latency_seconds
    assert probe.images_per_second > 0
    assert probe.memory_bytes > 0
    assert probe.load_seconds > 0
    assert probe.environment == {}
    no_more_children(monkeypatch)
    assert probed(network, variant, tmp_path / "cache") == probe


def test_the_reference_is_measured_in_this_process(network, tmp_path, monkeypatch):
    no_more_children(monkeypatch)
    probe = probed(network, REFERENCE, tmp_path)
    assert probe.max_batch in batching.SIZES["cpu"] + batching.SIZES["cuda"]
    assert probed(network, REFERENCE, tmp_path) == probe


def test_one_that_dies_is_unfit_in_one_line_and_stays_so(network, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(DIES))
    for _ in range(2):
        with pytest.raises(UnfitVariant) as refusal:
            probed(network, SUSPECT, tmp_path)
        assert str(refusal.value) == "onnxruntime fp32 ended the process that tried it: SIGILL"
        no_more_children(monkeypatch)


@pytest.mark.parametrize(
    "passing",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import time; time.sleep(9)",
    ],
)
def test_what_may_be_the_fault_of_the_moment_is_not_remembered(
    passing, network, tmp_path, monkeypatch
):
    monkeypatch.setattr(probing, "CHILD", script(passing))
    monkeypatch.setattr(probing, "CHILD_SECONDS", 1)
    with pytest.raises(UnfitVariant):
        probed(network, SUSPECT, tmp_path)
    assert not (tmp_path / "probes").exists()


def test_a_cache_that_cannot_be_written_stops_nobody(network, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file, where a folder is needed")
    assert probed(network, REFERENCE, tmp_path / "cache").max_batch > 0
    assert "could not be written" in caplog.text


def test_one_that_hangs_is_unfit_and_leaves_no_process_behind(network, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(HANGS))
    monkeypatch.setattr(probing, "CHILD_SECONDS", 10)
    monkeypatch.setenv("LEFT_BEHIND", str(tmp_path / "pid"))
    with pytest.raises(UnfitVariant, match="takes more than 10 s to try"):
        probed(network, SUSPECT, tmp_path)
    assert not is_running(int((tmp_path / "pid").read_text()))


def is_running(pid):
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":  # dead, and nobody there to say so to
            return False
        time.sleep(0.1)
    return True


def test_one_that_dies_is_tried_again_without_amx(network, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(DIES_OF_AMX))
    probe = probed(network, SUSPECT, tmp_path)
    assert probe.environment == {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_FP16"}
    no_more_children(monkeypatch)
    assert probed(network, SUSPECT, tmp_path) == probe


def test_a_finding_under_a_cap_is_none_for_a_process_without_it(network, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(DIES_OF_AMX))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")
    assert probed(network, SUSPECT, tmp_path).environment == {}
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    needed = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_FP16"}
    assert probed(network, SUSPECT, tmp_path).environment == needed


def test_what_a_library_prints_does_not_disturb(network, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(CHATTERS))
    assert probed(network, SUSPECT, tmp_path).max_batch == 4


def test_an_accident_is_told_but_not_remembered(network, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "CHILD", script(STUMBLES))
    with pytest.raises(UnfitVariant, match=r"here: RuntimeError: the compiler found no header$"):
        probed(network, SUSPECT, tmp_path)
    assert not (tmp_path / "probes").exists()


def answering(change):
    """An engine that answers evenly for three classes, changed."""
    even = np.full((2, 3), 1 / 3, np.float32)
    return SimpleNamespace(max_batch=2, predict=lambda pixels: change(even[: len(pixels)].copy()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda scores: scores * np.nan, "values that are no finite numbers"),
        (lambda scores: scores[:, :2], r"in the shape \(5, 2\), not \(5, 3\)"),
        (lambda scores: scores + np.array([0.05, -0.05, 0]), "0.050 from the reference on average"),
    ],
    ids=["NaN", "shape", "distance"],
)
def test_wrong_answers_are_told_apart(change, reason):
    reference, sample = answering(lambda scores: scores), np.zeros((5, 2, 2, 3), np.uint8)
    check(reference, reference, sample, SUSPECT)
    with pytest.raises(WrongAnswer, match=f"onnxruntime fp32 answers .*{reason}"):
        check(answering(change), reference, sample, SUSPECT)


def test_a_lower_precision_may_differ_and_a_pruned_network_all_the_more():
    reference, sample = answering(lambda scores: scores), np.zeros((5, 2, 2, 3), np.uint8)
    near = answering(lambda scores: scores + np.array([0.1, -0.1, 0]))
    other = answering(lambda scores: np.eye(3)[[0] * len(scores)])
    check(near, reference, sample, Variant("onnxruntime", "int8"))
    with pytest.raises(WrongAnswer):
        check(other, reference, sample, Variant("onnxruntime", "int8"))
    check(other, reference, sample, Variant("onnxruntime", "int8", "pruned-0.5"))


def test_the_sample_has_pictures_noise_and_gradients_of_the_network_s_size():
    sample = default_sample(SMALL)
    assert sample.shape == (8, 32, 32, 3)
    assert sample.dtype == np.uint8


def test_an_engine_that_is_not_there_is_unfit(network, tmp_path):
    with pytest.raises(UnfitVariant, match="there is no engine 'tensorflow'"):
        probed(network, Variant("tensorflow"), tmp_path)


def test_a_broken_memory_is_replaced(network, tmp_path):
    path = finding_file(network, REFERENCE, tmp_path)
    path.parent.mkdir()
    for broken in ("{", "[]", '{"max_batch": 4}', "\0"):
        path.write_text(broken)
        assert probed(network, REFERENCE, tmp_path).max_batch >= 1
        assert json.loads(path.read_text())["max_batch"] >= 1


def test_a_finding_is_of_these_weights_this_file_and_this_machine(network, tmp_path, monkeypatch):
    def where(network=network, variant=REFERENCE):
        return finding_file(network, variant, tmp_path)

    before = where()
    assert before == where()
    other = tmp_path / "other"
    other.write_bytes(b"other weights")
    assert where(replace(network, weights=other)) != before
    assert where(variant=replace(REFERENCE, file=other)) != before
    assert where(variant=Variant("torch", "bf16")) != before
    facts = {**machine_facts(), "torch": "99"}
    monkeypatch.setattr("classifier.ml.findings.machine_facts", lambda: facts)
    assert where() != before


def test_many_may_remember_at_once(network, tmp_path):
    probe = probed(network, REFERENCE, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda n: remember_batch(finding_file(network, REFERENCE, tmp_path), 1), range(40)
            )
        )
    assert probed(network, REFERENCE, tmp_path) == replace(probe, max_batch=1)
    assert len(list((tmp_path / "probes").iterdir())) == 1


def test_a_batch_is_only_ever_remembered_smaller(network, tmp_path):
    probe = probed(network, REFERENCE, tmp_path)
    remember_batch(finding_file(network, REFERENCE, tmp_path), probe.max_batch + 1)
    assert probed(network, REFERENCE, tmp_path) == probe
    remember_batch(finding_file(network, Variant("never"), tmp_path), 1)
    assert len(list((tmp_path / "probes").iterdir())) == 1


def test_the_environment_is_set_before_an_engine_loads(network, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(engines, "loaded_here", {"torch"})
    found = probed(network, REFERENCE, tmp_path)
    needy = replace(found, environment={"ONEDNN_MAX_CPU_ISA": "AVX2"})
    adopt(REFERENCE, found)
    with pytest.raises(UnfitVariant, match="needs ONEDNN_MAX_CPU_ISA=AVX2, which comes too late"):
        adopt(REFERENCE, needy)
    adopt(Variant("openvino"), needy)
    assert os.environ == {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    adopt(REFERENCE, needy)


class Scripted:
    """Takes as long for a call as it is told."""

    def __init__(self, seconds, most=1000):
        self.device, self.max_batch, self.seconds, self.most = "cpu", 8, seconds, most

    def predict(self, pixels):
        self.max_batch = min(self.max_batch, self.most)
        time.sleep(self.seconds(len(pixels)))
        return np.zeros((len(pixels), 3), np.float32)


@pytest.mark.parametrize(
    ("seconds", "batch"),
    [
        ({1: 1.0, 2: 2.0, 4: 4.0}, 1),  # nothing gained
        ({1: 1.0, 2: 1.0, 4: 1.0}, 4),  # all gained
        ({1: 1.0, 2: 1.6, 4: 3.1, 8: 6.2}, 2),  # 3 % gained beyond two
        ({1: 1.0, 2: 1.6, 4: 2.8, 8: 8.0}, 4),  # lost again beyond four
    ],
)
def test_the_smallest_batch_near_the_best_throughput_is_taken(seconds, batch):
    assert smallest_good_batch(seconds) == batch


def test_no_batch_beyond_the_memory_is_taken():
    engine = Scripted(lambda size: 0.01, most=4)
    assert calibrate(engine, 2, 2).max_batch == engine.max_batch == 4


def test_a_slow_engine_is_not_tried_with_batches_that_take_for_ever():
    engine = Scripted(lambda size: 0.1 * size)
    begun = time.perf_counter()
    pace = calibrate(engine, 2, 0.5)
    assert time.perf_counter() - begun < 3
    assert pace.max_batch <= 2
    assert pace.latency_seconds == pytest.approx(0.1, rel=0.5)


def test_throughput_is_that_of_all_callers_together():
    pace = calibrate(Scripted(lambda size: 0.2 * size), 2, 2)
    assert pace.images_per_second == pytest.approx(cores() * 5, rel=0.5)


def test_the_machine_is_described_without_gaps():
    facts = machine_facts()
    assert facts["cores"] >= 1
    assert facts["memory_bytes"] > 2**28
    assert facts["cpu"]
    assert facts["torch"]
    assert json.loads(json.dumps(facts)) == facts
