"""A model card in Hugging Face's layout: facts for programs in front, then what people read.

https://huggingface.co/docs/hub/model-cards; the idea is that of Mitchell and others, "Model Cards
for Model Reporting" (2019). Every figure is one that the model brought along.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from classifier.ml.bundle import Bundle

# By their names at https://huggingface.co/docs/hub/repositories-licenses
LICENCES = {
    *("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"),
    *("cc-by-sa-4.0", "cc-by-nc-4.0", "gpl-3.0", "agpl-3.0", "mpl-2.0", "unlicense"),
}
FILES = {
    "safetensors": "`weights.safetensors`: the state_dict of the network that `predict.py` builds.",
    "onnx": "`model.onnx`: uint8 pixels (n, side, side, 3) to logits (n, labels).",
    "torch-export": "`model.pt2`, for `torch.export.load`: uint8 pixels (n, side, side, 3) to "
    "logits (n, labels).",
    "coreml-ready-onnx": "`model.onnx`, in opset 10 for the converter of coremltools 4 and 5: "
    "`image`, float (1, 3, side, side) from 0 to 255, to `probabilities` (1, labels).",
}
TASK = "image-classification"
SCORES = {"top1": "accuracy", "top5": "top-5 accuracy", "macro_f1": "macro F1"}
LONG = ("classes", "epochs")  # of what is known of the training
MOST_ROWS = 50
BESIDE = (
    "`model.json` tells all that is needed to use it, and `labels.txt` the labels in the order of "
    "the outputs. `python predict.py PICTURE` classifies."
)
LIMITS = (
    "It answers with one of its labels whatever a picture shows, and its accuracy holds for "
    "pictures like those that it was measured on."
)


def card(bundle: Bundle, form: str) -> str:
    """The text of README.md for a model that is exported in this form."""
    spec = bundle.spec
    told = {name: value for name, value in bundle.training.items() if name not in LONG}
    more = ", …" if len(spec.labels) > MOST_ROWS else ""
    sections = {
        "Files": f"{FILES[form]}\n\n{BESIDE}",
        "Labels": _cell(", ".join(spec.labels[:MOST_ROWS]) + more),
        "Input": _table((k, v) for k, v in spec.to_json().items() if k != "labels"),
        "Training": _table(_flat(told)),
        "Results": _results(bundle.metrics),
        "Calibration": _calibration(bundle.calibration),
        "Limits": LIMITS,
        "Source": _cell(bundle.source),
        "Licence": _cell(bundle.licence),
    }
    texts = [
        _front_matter(bundle, form),
        f"# {bundle.name}",
        f"A classifier of pictures: {_cell(bundle.architecture)} with {len(spec.labels)} labels.",
        *(f"## {title}\n\n{text}" for title, text in sections.items() if text),
    ]
    return "\n\n".join(texts) + "\n"


def _front_matter(bundle: Bundle, form: str) -> str:
    """YAML, each value of which is JSON: that is YAML, too, and needs no library."""
    facts: dict[str, Any] = {
        **_licence(bundle.licence),
        "library_name": "onnx" if "onnx" in form else "pytorch",
        "pipeline_tag": TASK,
    }
    if dataset := bundle.training.get("dataset"):
        facts["datasets"] = [dataset]
    if measured := list(_measured(bundle.metrics)):
        facts["metrics"] = ["accuracy"]
        facts["model-index"] = [{"name": bundle.name, "results": measured}]
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]
    return "\n".join(["---", *lines, "---"])


def _licence(text: str) -> dict[str, str]:
    if not text:
        return {"license": "unknown"}
    if text.lower() in LICENCES:
        return {"license": text.lower()}
    return {"license": "other", "license_name": text}


def _measured(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = [
        {"type": "f1" if key == "macro_f1" else "accuracy", "name": name, "value": metrics[key]}
        for key, name in SCORES.items()
        if key in metrics
    ]
    if found:
        dataset = metrics.get("dataset", "unknown")
        slug = re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-")
        yield {
            "task": {"type": TASK},
            "dataset": {"type": slug, "name": dataset},
            "metrics": found,
        }


def _results(metrics: Mapping[str, Any]) -> str:
    scores = _table((name, _share(metrics[key])) for key, name in SCORES.items() if key in metrics)
    if not scores:
        return ""
    texts = [f"On {_cell(metrics.get('dataset', 'unknown pictures'))}:", scores]
    if interval := metrics.get("top1_interval"):
        low, high = map(_share, interval)
        texts.append(f"With 95 % confidence, the accuracy lies between {low} and {high}.")
    per_class = metrics.get("per_class", {})
    if 0 < len(per_class) <= MOST_ROWS:
        texts += [
            "How often each label is found:",
            _table((k, _share(v)) for k, v in per_class.items()),
        ]
    return "\n\n".join(texts)


def _calibration(calibration: Mapping[str, Any]) -> str:
    if not calibration:
        return ""
    return (
        "Scores are honest when the logits are divided by the temperature before the softmax, as "
        "`predict.py` does it.\n\n" + _table(_flat(calibration))
    )


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
    return "\n".join(["| | |", "| --- | --- |", *lines]) if lines else ""


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name} ")
        elif value not in (None, "", []):
            yield f"{prefix}{name}".replace("_", " "), value


def _cell(value: object) -> str:
    """On one line, and without what Markdown would take for its own."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return re.sub(r"([|<>*`\[\]])", r"\\\1", " ".join(text.split()))


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
