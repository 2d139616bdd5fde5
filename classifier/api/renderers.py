"""How answers are written, beside JSON."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for a formula
COLUMNS = (
    "index",
    "name",
    "status",
    "label",
    "score",
    "error_code",
    "error_detail",
    "model",
    "version",
    "prediction",
    "created_at",
    "completed_at",
)


class LinesRenderer(BaseRenderer):
    """Items of a batch, a JSON object a line."""

    media_type = "application/x-ndjson"
    format = "ndjson"

    def render(self, data: Any, *_rest: Any, **_context: Any) -> bytes:
        return b"".join(
            json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in data["items"]
        )


class TableRenderer(BaseRenderer):
    """Items of a batch, a row each, for spreadsheets."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, *_rest: Any, **_context: Any) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows(map(_row, data["items"]))
        return out.getvalue().encode()


def _row(item: Mapping[str, Any]) -> Iterator[object]:
    prediction = item["prediction"] or {}
    error = item["error"] or prediction.get("error") or {}
    best = (prediction.get("output") or [{}])[0]
    yield item["index"]
    yield _harmless(item["name"])
    yield prediction.get("status") or item["status"]
    yield _harmless(best.get("label"))
    yield best.get("score")
    yield _harmless(error.get("code"))
    yield _harmless(error.get("detail"))
    for name in ("model", "version", "id", "created_at", "completed_at"):
        yield prediction.get(name)


def _harmless(text: str | None) -> str:
    """A text that no spreadsheet takes for a formula, whoever has named the file so."""
    return f"'{text}" if text and text.startswith(FORMULA) else text or ""
