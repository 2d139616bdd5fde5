"""From the upload over HTTP to the settled answer, on this machine.

    python -m benchmarks.end_to_end
    python -m benchmarks.end_to_end --model mobilenet_v2 --weights FILE --pictures FOLDER

It starts a throw-away installation, sends pictures one at a time (load 1) and then many at once
(full load), and reads the times from the rows. Overhead is what a prediction takes besides the
network itself: waiting, claiming, reading and decoding the picture, settling.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "only for this benchmark"
FILES_A_FORM = 10


def main() -> None:
    arguments = parse_arguments()
    with throw_away_installation(arguments.port):
        import django

        django.setup()
        if arguments.weights:
            install(arguments)
        measure(arguments)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="everyday")
    parser.add_argument("--weights", type=Path, help="a local state_dict to install the model from")
    parser.add_argument("--pictures", type=Path, default=ROOT / "classifier/bundled/samples")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--port", type=int, default=8765)
    return parser.parse_args()


@contextmanager
def throw_away_installation(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A running installation, which this process's environment then names; yields its process."""
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings",
            SIGHTLINE_DATA_DIR=folder,
            SIGHTLINE_ADMIN_PASSWORD=PASSWORD,
            SIGHTLINE_FETCH_RESNET50="0",
            PORT=str(port),
        )
        with running_installation(folder) as process:
            yield process


@contextmanager
def running_installation(folder: str) -> Iterator[subprocess.Popen[bytes]]:
    log = Path(folder) / "output"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run"], cwd=ROOT, stdout=stream, stderr=stream
        )
        try:
            while "is ready at" not in log.read_text():
                if process.poll() is not None:
                    sys.exit(log.read_text())
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            process.wait()


def install(arguments: argparse.Namespace) -> None:
    command = ["models", "install", arguments.model, "--weights", arguments.weights, "--activate"]
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True)


def measure(arguments: argparse.Namespace) -> None:
    from classifier.models import Prediction
    from tests.person import Person

    pictures = [(p.name, p.read_bytes()) for p in sorted(arguments.pictures.glob("*.[jJ]*"))]
    # A byte behind the end of a JPEG makes it another picture, so that each is stored.
    supply = (
        (name, content + f"{number}".encode())
        for number, (name, content) in enumerate(itertools.cycle(pictures))
    )
    person = Person(f"http://127.0.0.1:{arguments.port}")
    person.sign_in("admin", PASSWORD)
    known = set(Prediction.objects.values_list("id", flat=True))

    def send(count: int) -> list[Prediction]:
        for start in range(0, count, FILES_A_FORM):
            files = itertools.islice(supply, min(FILES_A_FORM, count - start))
            status, page = person.upload(*files)
            assert status == 200, page
        while Prediction.objects.pending().exists():
            time.sleep(0.002)
        rows = [row for row in Prediction.objects.all() if row.id not in known]
        known.update(row.id for row in rows)
        assert {row.status for row in rows} == {"succeeded"}
        return rows

    send(5)  # the first ones load the model
    alone = [send(1)[0] for _ in range(30)]
    begun = time.perf_counter()
    loaded = send(arguments.count)
    seconds = time.perf_counter() - begun
    report(arguments, pictures, alone, loaded, seconds)


def report(arguments, pictures, alone, loaded, seconds) -> None:  # noqa: ANN001
    count = len(loaded)
    network = sum(row.inference_seconds / row.batch_size for row in loaded)
    working = sum(
        (row.completed_at - row.started_at).total_seconds() / row.batch_size for row in loaded
    )
    overhead = sorted(1000 * (row.total_seconds - row.inference_seconds) for row in alone)
    kilobytes = statistics.mean(len(content) for _, content in pictures) / 1000
    batch = statistics.mean(row.batch_size for row in loaded)
    print(f"{arguments.model}, {os.cpu_count()} cores, pictures of {kilobytes:.0f} kB")
    print(f"end to end  {count / seconds:8.1f} images/s for {count} uploads")
    print(f"network     {1000 * network / count:8.2f} ms an image, in batches of {batch:.1f}")
    print(f"load 1      {statistics.median(overhead):8.2f} ms overhead p50, {overhead[-2]:.2f} p95")
    rest = 1000 * (working - network) / count
    print(f"full load   {rest:8.2f} ms of a worker thread an image besides the network")


if __name__ == "__main__":
    main()
