"""What probes found out, kept on disk for the next process."""

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from classifier.ml.machine import machine_facts
from classifier.ml.network import Network
from classifier.ml.variant import Variant
from classifier.ml.weights import sha256_of

logger = logging.getLogger(__name__)

ONEDNN = "ONEDNN_MAX_CPU_ISA"  # the newest instructions that oneDNN may use
Finding = dict[str, Any]


def finding_file(network: Network, variant: Variant, cache: Path) -> Path:
    """Where the finding about a variant is kept: it is worth nothing for other weights, other
    versions of the libraries, another machine, or where oneDNN may use other instructions."""
    facts = {
        "architecture": network.architecture,
        "spec": network.spec.to_json(),
        "weights": sha256_of(network.weights),
        "file": sha256_of(variant.file) if variant.file else "",
        "variant": str(variant),
        "machine": machine_facts(),
        "onednn": os.environ.get(ONEDNN, ""),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache / "probes" / f"{digest[:32]}.json"


def read_finding(path: Path) -> Finding | None:
    """What is remembered; None if nothing is, or nothing that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_finding(path: Path, finding: Finding) -> None:
    """Replace the file in one step, so that nobody reads half of it; the last writer wins.

    Where it cannot be written, it is found out anew the next time: that stops nobody.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, suffix=".partial", delete=False, encoding="utf-8"
        ) as file:
            json.dump(finding, file, indent=2)
        Path(file.name).replace(path)
    except OSError as error:
        logger.warning("%s could not be written: %s", path, error)
