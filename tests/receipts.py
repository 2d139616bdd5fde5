"""Variants with receipts as `optimize` writes them."""

from typing import Any

from classifier.models import ModelVersion, Variant


def passing(version: ModelVersion, **others: Any) -> dict[str, Any]:
    """As little of a receipt as lets a variant of this version serve."""
    model = {"name": str(version), "sha256": version.sha256}
    return {"gate": {"passed": True}, "model": model, "measured": {}, **others}


def measure(
    version: ModelVersion,
    engine: str,
    precision: str,
    *,
    recipe: str = "",
    passed: bool = True,
    reason: str = "agrees on 95.8 % of all images",
    cpu: str = "A quick processor",
    **measured: Any,
) -> Variant:
    """Store a variant of plausible figures; `measured` replaces some of them."""
    figures = {
        "images_per_second": 131.0,
        "latency_seconds": 0.00831,
        "memory_bytes": 62_000_000,
        "file_bytes": 4_100_000,
        "images": 120,
        "agreement": 0.958,
        "agreement_confident": 0.9917,
        "max_difference": 0.21,
        "accuracy": None,
        "accuracy_loss": None,
    }
    machine = {"cpu": cpu, "cores": 2, "memory_bytes": 8 << 30, "gpu": "", "torch": "2.15.0"}
    receipt = {
        "measured": {**figures, **measured},
        "gate": {"passed": passed, "reason": reason},
        "model": {"name": str(version), "sha256": version.sha256},
        "machine": machine,
        "sha256": "",
    }
    return Variant.objects.create(
        model_version=version,
        engine=engine,
        precision=precision,
        recipe=recipe,
        passed=passed,
        receipt=receipt,
    )


def measure_some(version: ModelVersion) -> dict[str, Variant]:
    """The reference, two that passed, one that did not, and one that died, by their names."""
    made = [
        measure(version, "torch", "fp32", images_per_second=31.2, agreement=1.0),
        measure(version, "onnxruntime", "int8"),
        measure(version, "openvino", "int8", images_per_second=258.0),
        measure(
            version,
            "openvino",
            "int8",
            recipe="pruned-0.3",
            passed=False,
            reason="agrees on 86.7 % of all images; 93.0 % are needed",
            images_per_second=342.0,
            agreement=0.867,
        ),
        Variant.objects.create(
            model_version=version,
            engine="torch",
            precision="bf16",
            receipt={"gate": {"passed": False, "reason": "died while it was probed"}},
        ),
    ]
    return {str(variant): variant for variant in made}
