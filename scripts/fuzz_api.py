"""Call a whole installation as its OpenAPI description says, and as it does not.

    python -m scripts.fuzz_api [--cases 2000] [--seed 1]

Schemathesis generates the calls, with a token and with all of its checks: no answer may be a 5xx,
none may differ from the description. Fails as well if fewer cases were run than were asked for.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import django
import requests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
# Any name may be given for a webhook, and none of them is called: this network is for examples.
os.environ |= {"SIGHTLINE_WEBHOOK_PUBLIC": "false", "SIGHTLINE_WEBHOOK_ALLOWED": "192.0.2.0/24"}
django.setup()

from django.conf import settings  # noqa: E402 - once it is set up

from tests.installation import running  # noqa: E402

SAMPLE = settings.BASE_DIR / "classifier" / "bundled" / "samples" / "ship.jpg"
SCOPES = "predictions:read,predictions:write,models:read,review:write"
EXAMPLES = 30  # of each operation, beside those that cover the edges of what it takes
# A schema cannot say that a text is a picture in base64, or an address that may be called.
UNSAYABLE = [
    "predict",
    "models_create",
    "models_versions_create",
    "predictions_create",
    "predictions_rerun_create",
    "predictions_review_create",
    "webhooks_create",
    "webhooks_partial_update",
]
# Operations on something that is there, which they leave there.
ON_PREDICTION = ["retrieve", "cancel_create", "image_retrieve", "rerun_create", "review_create"]
ON_BATCH = ["retrieve", "cancel_create", "results_retrieve"]
ON_WEBHOOK = ["retrieve", "partial_update", "rotate_create", "secret_retrieve", "test_create"]
ON_DELIVERIES = ["list", "retrieve", "redeliver_create"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="the least number of calls")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        tempfile.TemporaryDirectory(prefix="sightline-fuzz-") as name,
        running(folder := Path(name), port) as installation,
    ):
        installation.wait_for("is ready at")
        command = ["token", "create", "--user", "admin", "--name", "fuzz", "--scope", SCOPES]
        token = installation.manage(*command).strip()
        configuration = folder / "schemathesis.toml"
        configuration.write_text(configure(installation.address, token))
        report = folder / "report.json"
        done = subprocess.run(
            [
                Path(sys.executable).with_name("st"),
                *("--config-file", configuration, "--no-color", "run"),
                f"{installation.address}/api/v1/schema/?format=json",
                *("--checks", "all", "--seed", str(arguments.seed)),
                *("--max-examples", str(EXAMPLES), "--generation-database", "none"),
                *("--report", "json", "--report-json-path", report),
                *("--header", f"Authorization: Bearer {token}"),
            ],
            cwd=folder,
            check=False,
        )
        cases = json.loads(report.read_text())["test_cases"]["generated"]
    if cases < arguments.cases:
        sys.exit(f"{cases} cases were run; {arguments.cases} are wanted")
    sys.exit(done.returncode)


def configure(address: str, token: str) -> str:
    """What schemathesis has to know beside the schema: what there is, and what cannot be said."""
    things = make_things(address, token)
    refusable = json.dumps(UNSAYABLE)
    return f"""
[checks]
negative_data_rejection.expected-statuses = ["4xx"]  # 413 is a refusal too

[[operations]]
include-operation-id = {refusable}
checks.positive_data_acceptance.expected-statuses = ["2xx", "4xx", "503"]
""" + "".join(
        f"""
[[operations]]
include-operation-id = {json.dumps([f"{group}_{verb}" for verb in verbs])}
parameters = {{ {", ".join(f'"path.{name}" = "{value}"' for name, value in ids.items())} }}
"""
        for group, verbs, ids in (
            ("predictions", ON_PREDICTION, {"key": things["prediction"]}),
            ("batches", ON_BATCH, {"key": things["batch"]}),
            ("webhooks", ON_WEBHOOK, {"key": things["webhook"]}),
            (
                "webhooks_deliveries",
                ON_DELIVERIES,
                {"key": things["webhook"], "delivery_key": things["delivery"]},
            ),
        )
    )


def make_things(address: str, token: str) -> dict[str, str]:
    """One of everything that has an address."""
    api = requests.Session()
    api.headers["Authorization"] = f"Bearer {token}"

    def post(path: str, **body: Any) -> str:
        answer = api.post(f"{address}/api/v1/{path}", **body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    sample = ("image", ("ship.jpg", SAMPLE.read_bytes()))
    webhook = post("webhooks/", json={"url": "https://192.0.2.1/", "events": ["start"]})
    return {
        "prediction": post("predictions/", files=[sample], headers={"Prefer": "wait"}),
        "batch": post("predictions/", files=[sample, sample], headers={"Prefer": "wait"}),
        "webhook": webhook,
        "delivery": post(f"webhooks/{webhook}/test/"),
    }


if __name__ == "__main__":
    main()
