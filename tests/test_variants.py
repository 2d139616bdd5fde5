"""Variants: kept with their receipt, and only those that passed the gate may serve."""

import hashlib

import pytest

from classifier.actions.delete import delete_model_version
from classifier.actions.variants import (
    GateNotPassed,
    NewVariant,
    keep_variant,
    serve_by,
    serve_by_reference,
)
from classifier.models import ModelVersion, Variant
from tests.factories import ModelVersionFactory
from tests.receipts import passing

pytestmark = pytest.mark.django_db


@pytest.fixture
def version():
    return ModelVersionFactory()


def new(tmp_path, *, passed=True, content=b"a graph", precision="int8"):
    """One whose receipt is of the weights of every version here."""
    file = tmp_path / "network.onnx"
    file.write_bytes(content)
    receipt = passing(ModelVersionFactory.build())
    return NewVariant("onnxruntime", precision, "", file, receipt, passed)


def test_a_variant_is_stored_under_its_digest_with_its_receipt(version, tmp_path):
    variant = keep_variant(version, new(tmp_path))
    assert variant.sha256 == hashlib.sha256(b"a graph").hexdigest()
    assert variant.file.read() == b"a graph"
    assert variant.receipt["sha256"] == variant.sha256
    assert str(variant) == "onnxruntime int8"
    assert not variant.is_serving


def test_one_that_passed_may_serve_and_the_reference_may_take_over(version, tmp_path):
    variant = keep_variant(version, new(tmp_path))
    serve_by(variant)
    version.refresh_from_db()
    assert version.variant == variant
    assert version.computed_by == "onnxruntime int8"
    serve_by_reference(version)
    version.refresh_from_db()
    assert version.computed_by == "torch fp32"


def test_one_that_did_not_pass_may_not_serve(version, tmp_path):
    variant = keep_variant(version, new(tmp_path, passed=False))
    with pytest.raises(GateNotPassed, match="onnxruntime int8 has not passed the gate"):
        serve_by(variant)
    version.refresh_from_db()
    assert version.variant is None


def test_a_receipt_of_another_file_counts_for_nothing(version, tmp_path):
    variant = keep_variant(version, new(tmp_path))
    variant.sha256 = "0" * 64
    with pytest.raises(GateNotPassed, match="of another file"):
        serve_by(variant)


def test_a_receipt_that_says_nothing_of_the_gate_counts_for_nothing(version, tmp_path):
    variant = keep_variant(version, new(tmp_path))
    del variant.receipt["gate"]
    with pytest.raises(GateNotPassed, match="has not passed the gate"):
        serve_by(variant)


def test_a_receipt_of_other_weights_counts_for_nothing(version, tmp_path):
    variant = keep_variant(version, new(tmp_path))
    version.sha256 = "1" * 64
    with pytest.raises(GateNotPassed, match="of other weights; run `optimize` again"):
        serve_by(variant)


def test_a_new_measurement_takes_the_place_of_the_old_one_and_serves_on(version, tmp_path):
    old = keep_variant(version, new(tmp_path))
    serve_by(old)
    fresh = keep_variant(version, new(tmp_path, content=b"a better graph"))
    version.refresh_from_db()
    assert list(version.variants.all()) == [fresh]
    assert version.variant == fresh
    assert fresh.pk != old.pk


def test_one_that_serves_may_be_left_alone_and_no_file_is_stored(version, tmp_path):
    serving = keep_variant(version, new(tmp_path))
    serve_by(serving)
    fresh = keep_variant(version, new(tmp_path, content=b"a better graph"), replace_serving=False)
    assert not serving.file.storage.exists(f"models/{fresh.sha256}.onnx")
    assert version.variants.get() == serving


def test_one_that_serves_and_fails_its_new_measurement_steps_down(version, tmp_path):
    serve_by(keep_variant(version, new(tmp_path)))
    keep_variant(version, new(tmp_path, passed=False))
    version.refresh_from_db()
    assert version.variant is None


def test_files_go_with_their_version_unless_another_uses_them(
    version, tmp_path, django_capture_on_commit_callbacks
):
    twin = ModelVersionFactory()
    shared = keep_variant(version, new(tmp_path))
    keep_variant(twin, new(tmp_path))
    own = keep_variant(version, new(tmp_path, content=b"its own", precision="fp32"))
    with django_capture_on_commit_callbacks(execute=True):
        delete_model_version(version)
    assert Variant.objects.count() == 1
    assert shared.file.storage.exists(shared.file.name)
    assert not own.file.storage.exists(own.file.name)
    assert ModelVersion.objects.get() == twin
