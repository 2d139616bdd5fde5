"""The ways to compute a model version: keep what was measured, and choose the one that serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from classifier.actions.delete import delete_unused_model_files
from classifier.actions.install import digest, store_model_file
from classifier.models import ModelVersion, Variant


class GateNotPassed(ValueError):
    """The variant's receipt does not let it serve; the message says why."""


@dataclass(frozen=True)
class NewVariant:
    """What `optimize` built and measured."""

    engine: str
    precision: str
    recipe: str
    file: Path | None  # what the engine loads, where that is not the version's weights
    receipt: Mapping[str, Any]
    passed: bool


def keep_variant(
    version: ModelVersion, new: NewVariant, *, replace_serving: bool = True
) -> Variant:
    """Store a variant with its receipt, in place of an older one of the same kind.

    Unless `replace_serving`, one that serves stays as it is, and the new one is not saved.

    Where that one served, the new one does so only if its receipt passed. It is a new row even so,
    by which workers know that they have to load it.
    """
    sha256 = digest(new.file) if new.file else ""
    variant = Variant(
        model_version=version,
        engine=new.engine,
        precision=new.precision,
        recipe=new.recipe,
        sha256=sha256,
        receipt={**new.receipt, "sha256": sha256},
        passed=new.passed,
    )
    with transaction.atomic():
        older = Variant.objects.filter(
            model_version=version,
            engine=new.engine,
            precision=new.precision,
            recipe=new.recipe,
        ).select_for_update()
        served = any(one.is_serving for one in older.select_related("model_version"))
        if served and not replace_serving:
            return variant
        variant.file = store_model_file(new.file, sha256) if new.file else ""
        files = [str(one.file.name) for one in older]
        older.delete()
        variant.save(force_insert=True)
        delete_unused_model_files(files)
        if served and new.passed:
            ModelVersion.objects.filter(pk=version.pk).update(variant=variant)
    return variant


def serve_by(variant: Variant) -> None:
    """Let a model version be computed this way from now on.

    Raises:
        GateNotPassed: if its receipt does not allow it.
    """
    require_passed(variant)
    ModelVersion.objects.filter(pk=variant.model_version_id).update(variant=variant)


def serve_by_reference(version: ModelVersion) -> None:
    """Let a model version be computed by its reference from now on."""
    ModelVersion.objects.filter(pk=version.pk).update(variant=None)


def require_passed(variant: Variant) -> None:
    """Raise GateNotPassed unless the receipt is of this very file and of its version's weights, and
    says that the gate was passed."""
    receipt = variant.receipt
    if not (variant.passed and receipt.get("gate", {}).get("passed")):
        raise GateNotPassed(f"{variant} has not passed the gate; `manage.py optimize` measures it")
    if receipt.get("sha256", "") != variant.sha256:
        raise GateNotPassed(f"the receipt of {variant} is of another file; run `optimize` again")
    if receipt.get("model", {}).get("sha256") != variant.model_version.sha256:
        raise GateNotPassed(f"the receipt of {variant} is of other weights; run `optimize` again")
