"""What a worker has in memory: which versions, computed how, and what makes room."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.files.base import ContentFile

from classifier.actions.variants import NewVariant, keep_variant, serve_by
from classifier.ml.probing import Undecided
from classifier.ml.variant import REFERENCE
from classifier.models import ModelVersion
from classifier.worker import runtime
from tests.receipts import passing
from tests.test_worker import install_random_network

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_loaded():
    runtime._loaded.clear()


def torch_variant(version, *, passed=True, precision="fp32", recipe="again"):
    """A way to compute it that needs no file and no other library."""
    new = NewVariant("torch", precision, recipe, None, passing(version), passed=True)
    variant = keep_variant(version, new)
    serve_by(variant)
    if not passed:
        version.variants.update(passed=False)
    version.refresh_from_db()
    return variant


def onnx_variant(version, folder):
    """One that needs a file, which nobody could load."""
    file = folder / "graph.onnx"
    file.write_bytes(b"a graph")
    new = NewVariant("onnxruntime", "int8", "", file, passing(version), passed=True)
    variant = keep_variant(version, new)
    serve_by(variant)
    return variant


def loaded_afresh(version):
    return runtime.loaded(ModelVersion.objects.get(pk=version.pk))


def test_a_version_is_loaded_once():
    version = install_random_network()
    assert loaded_afresh(version) is loaded_afresh(version)


def takes_megabytes(count, monkeypatch):
    """Let every network have been found to take so many."""
    probed = runtime.probed

    def found(*how):
        return replace(probed(*how), memory_bytes=count << 20)

    monkeypatch.setattr(runtime, "probed", found)


def test_the_version_used_longest_ago_makes_room(settings, monkeypatch):
    takes_megabytes(100, monkeypatch)
    settings.MODEL_MEMORY_BYTES = 250 << 20
    first, second, third = (install_random_network() for _ in range(3))
    models = [loaded_afresh(version) for version in (first, second)]
    again = loaded_afresh(first)
    loaded_afresh(third)
    assert again is models[0]
    assert {version for version, _ in runtime._loaded} == {first.pk, third.pk}


def test_room_is_made_before_a_version_is_loaded(settings, monkeypatch):
    load, in_memory = runtime.load_engine, []

    def watched(*how):
        in_memory.append(len(runtime._loaded))
        return load(*how)

    takes_megabytes(100, monkeypatch)
    monkeypatch.setattr(runtime, "load_engine", watched)
    settings.MODEL_MEMORY_BYTES = 150 << 20
    loaded_afresh(install_random_network())
    loaded_afresh(install_random_network())
    assert in_memory == [0, 0]


def test_room_is_made_for_the_file_before_it_is_known_what_it_takes(settings, monkeypatch):
    probed, in_memory = runtime.probed, []

    def watched(*how):
        in_memory.append(len(runtime._loaded))
        return probed(*how)

    monkeypatch.setattr(runtime, "probed", watched)
    settings.MODEL_MEMORY_BYTES = 1
    loaded_afresh(install_random_network())
    loaded_afresh(install_random_network())
    assert in_memory == [0, 0]


def test_one_version_is_served_though_it_is_larger_than_the_budget(settings):
    settings.MODEL_MEMORY_BYTES = 1
    version = install_random_network()
    assert loaded_afresh(version) is loaded_afresh(version)


def test_a_version_is_loaded_anew_when_it_is_computed_in_another_way():
    version = install_random_network()
    reference = loaded_afresh(version)
    torch_variant(version)
    assert loaded_afresh(version).variant == "torch fp32 again"
    assert reference.variant == "torch fp32"
    assert len(runtime._loaded) == 1, "what serves no longer is unloaded"


def test_a_variant_that_did_not_pass_never_serves(caplog):
    version = install_random_network()
    torch_variant(version, passed=False)
    with caplog.at_level(logging.WARNING):
        assert loaded_afresh(version).variant == "torch fp32"
    assert f"{version} is computed by torch fp32: " in caplog.text
    assert "has not passed the gate" in caplog.text


def test_a_variant_whose_file_was_changed_never_serves(tmp_path, caplog):
    version = install_random_network()
    variant = onnx_variant(version, tmp_path)
    variant.file.storage.delete(variant.file.name)
    variant.file.storage.save(variant.file.name, ContentFile(b"another"))
    assert loaded_afresh(version).variant == "torch fp32"
    assert "is damaged: its SHA-256 is" in caplog.text


def test_an_engine_that_is_not_here_leaves_the_reference_to_serve(caplog):
    version = install_random_network()
    new = NewVariant("abacus", "int8", "", None, passing(version), passed=True)
    serve_by(keep_variant(version, new))
    assert loaded_afresh(version).variant == "torch fp32"
    assert "no engine 'abacus'" in caplog.text


def test_a_variant_whose_file_is_gone_leaves_the_reference_to_serve(tmp_path, caplog):
    version = install_random_network()
    variant = onnx_variant(version, tmp_path)
    variant.file.storage.delete(variant.file.name)
    assert loaded_afresh(version).variant == "torch fp32"


def test_int8_that_was_measured_on_another_kind_of_cpu_does_not_serve(tmp_path, caplog):
    version = install_random_network()
    receipt = passing(version, machine={"instructions": "MMX"})
    new = NewVariant("torch", "int8", "", None, receipt, passed=True)
    serve_by(keep_variant(version, new))
    assert loaded_afresh(version).variant == "torch fp32"
    assert "measured on another kind of CPU" in caplog.text


def test_a_version_goes_on_as_before_while_its_new_variant_is_loaded():
    version = install_random_network()
    before = loaded_afresh(version)
    torch_variant(version)
    with runtime._loading:  # as another thread holds it
        assert loaded_afresh(version) is before
    assert loaded_afresh(version).variant == "torch fp32 again"


def test_a_variant_that_cannot_be_loaded_is_tried_again_after_a_while(monkeypatch):
    version = install_random_network()
    torch_variant(version)
    reference = runtime._load_variant
    in_trouble, clock = True, [0.0]

    def load(version, network, variant):
        if variant.recipe and in_trouble:
            raise Undecided("the machine has too much to do")
        return replace(reference(version, network, REFERENCE), variant=str(variant))

    def wait(seconds):
        clock[0] += seconds

    monkeypatch.setattr(runtime, "_load_variant", load)
    monkeypatch.setattr(runtime, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    stand_in = loaded_afresh(version)
    assert stand_in.variant == "torch fp32"
    wait(runtime.RETRY_SECONDS + 1)
    assert loaded_afresh(version).engine is stand_in.engine, "it is not loaded twice"
    in_trouble = False
    assert loaded_afresh(version).engine is stand_in.engine, "too soon for another try"
    wait(runtime.RETRY_SECONDS + 1)
    with runtime._loading:  # as the thread that tries holds it
        assert loaded_afresh(version).engine is stand_in.engine
    assert loaded_afresh(version).variant == "torch fp32 again"
    wait(runtime.RETRY_SECONDS + 1)
    assert loaded_afresh(version) is loaded_afresh(version)


def test_a_batch_that_was_too_large_is_remembered(settings, caplog):
    version = install_random_network()
    model = loaded_afresh(version)
    model.engine.max_batch = 8
    model.engine.compute = OutOfMemoryBeyond(2, model.engine.compute)
    pixels = np.zeros((8, 32, 32, 3), np.uint8)
    for _ in range(2):
        assert model.logits(pixels).shape == (8, 3)
    assert caplog.text.count("batches of 2 from now on") == 1
    runtime._loaded.clear()
    assert loaded_afresh(version).engine.max_batch <= 2


def test_it_is_remembered_where_the_next_start_looks_for_it(monkeypatch):
    def adopt(*_):
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")

    monkeypatch.setattr(runtime, "adopt", adopt)
    assert loaded_afresh(install_random_network()).finding.exists()


class OutOfMemoryBeyond:
    """What an engine computes with, whose memory suffices for a few images only."""

    def __init__(self, most, compute):
        self.most = most
        self.compute = compute

    def __call__(self, pixels):
        if len(pixels) > self.most:
            raise MemoryError
        return self.compute(pixels)


def test_a_claim_is_worth_a_quarter_of_a_second_of_work():
    version = install_random_network()
    model = loaded_afresh(version)
    assert runtime.claim_sizes() == {version.pk: model.claim_size}
    assert model.engine.max_batch <= model.claim_size <= runtime.MOST_CLAIMED
