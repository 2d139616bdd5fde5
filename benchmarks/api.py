"""What the REST API takes on this machine, with gunicorn as shipped.

    python -m benchmarks.api uploads     accepted uploads/s, against a bare view of REST framework
    python -m benchmarks.api wait        `Prefer: wait` one at a time, less the model's own time
    python -m benchmarks.api waiters     1,000 at once who wait, and how the pages do meanwhile

Each starts a throw-away installation. Uploads are JPEGs of about 60 kB, each different from every
other. DATABASE_URL is honoured; the broker is the embedded one.
"""

import argparse
import asyncio
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.end_to_end import ROOT, throw_away_installation
from benchmarks.web_uploads import BOUNDARY, body, photo

BARE_PORT_AFTER = 1  # the bare view listens on the next port
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["uploads", "wait", "waiters"])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--port", type=int, default=8770)
    options = parser.parse_args()
    measure = {"uploads": measure_uploads, "wait": measure_wait, "waiters": measure_waiters}
    with throw_away_installation(options.port):
        measure[options.what](options, new_token())


def new_token() -> str:
    command = ["token", "create", "--user", "admin", "--name", "benchmark"]
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode().strip()


def headers_of(token: str, **more: str) -> dict[str, str]:
    return {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Authorization": f"Bearer {token}",
        **more,
    }


# --- Uploads -------------------------------------------------------------------------------------


def measure_uploads(options: argparse.Namespace, token: str) -> None:
    """In turns, so that whatever else the machine does hits both alike; the worker is paused."""
    worker = pids_of(" -n worker@")
    api = (options.port, "/api/v1/predictions/", 202, pids_of("config.wsgi"))
    with bare_view(options.port + BARE_PORT_AFTER) as bare_pids:
        bare = (options.port + BARE_PORT_AFTER, "/", 201, bare_pids)
        for pid in worker:
            os.kill(pid, 19)
        try:
            rounds = [
                [one_round(target, token, options) for target in (bare, api)]
                for _ in range(ROUNDS + 1)
            ][1:]  # the first one warms up
        finally:
            for pid in worker:
                os.kill(pid, 18)
    for (bare_rate, bare_cpu), (rate, cpu) in rounds:
        print(
            f"bare {bare_rate:5.0f}/s {bare_cpu:5.2f} ms CPU   API {rate:5.0f}/s {cpu:5.2f} ms CPU"
            f"   ratio {rate / bare_rate:.2f}"
        )
    ratio = statistics.median(rate / bare for (bare, _), (rate, _) in rounds)
    print(f"median ratio of uploads/s: {ratio:.2f}, {options.connections} connections")


@contextmanager
def bare_view(port: int) -> Iterator[list[int]]:
    environment = {**os.environ, "PORT": str(port)}
    command = ["-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "benchmarks.bare:application"]
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while not answers(port):
            time.sleep(0.1)
        yield pids_of("benchmarks.bare")
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
    except OSError:
        return False
    return True


def one_round(
    target: tuple[int, str, int, list[int]], token: str, options: argparse.Namespace
) -> tuple[float, float]:
    """Uploads a second, and the server's CPU milliseconds for each."""
    port, path, expected, pids = target
    content = photo()
    each = options.count // options.connections

    def send(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(each):
            connection.request("POST", path, body(content), headers_of(token))
            response = connection.getresponse()
            text = response.read()
            if response.status != expected:
                raise SystemExit(f"{path} answered {response.status}: {text[:500]!r}")

    cpu, begun = cpu_seconds(pids), time.perf_counter()
    with ThreadPoolExecutor(options.connections) as pool:
        list(pool.map(send, range(options.connections)))
    count = each * options.connections
    return count / (time.perf_counter() - begun), 1000 * (cpu_seconds(pids) - cpu) / count


def pids_of(words: str) -> list[int]:
    """The processes of this installation whose command line has these words."""
    mine = f"SIGHTLINE_DATA_DIR={os.environ['SIGHTLINE_DATA_DIR']}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if words in command and mine in environment.split(b"\0"):
            found.append(int(folder.name))
    return found


def cpu_seconds(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


# --- Waiting -------------------------------------------------------------------------------------


def measure_wait(options: argparse.Namespace, token: str) -> None:
    """One connection, one upload after the other, each held until it is answered."""
    content = photo()
    connection = http.client.HTTPConnection("127.0.0.1", options.port)
    overhead = []
    for _ in range(20 + min(options.count, 300)):
        begun = time.perf_counter()
        headers = headers_of(token, Prefer="wait")
        connection.request("POST", "/api/v1/predictions/", body(content), headers)
        response = connection.getresponse()
        text = response.read()
        seconds = time.perf_counter() - begun
        if response.status != 201:
            raise SystemExit(f"answered {response.status}: {text[:500]!r}")
        overhead.append(seconds - json.loads(text)["metrics"]["predict_time"])
    milliseconds = [1000 * one for one in overhead[20:]]
    p50, p99 = statistics.median(milliseconds), statistics.quantiles(milliseconds, n=100)[98]
    print(f"Prefer: wait, less the network's time: {p50:.1f} ms p50, {p99:.1f} ms p99")


def measure_waiters(options: argparse.Namespace, token: str) -> None:
    asyncio.run(crowd(options, token))


async def crowd(options: argparse.Namespace, token: str) -> None:
    """Everybody connects, then everybody sends at once; a page is asked for all the while."""
    content = photo()
    alone = [ask_page(options.port) for _ in range(30)]
    gate = asyncio.Barrier(options.count + 1)
    waiters = [
        asyncio.create_task(waiter(options.port, token, content, gate))
        for _ in range(options.count)
    ]
    await gate.wait()
    begun = time.perf_counter()
    answered = threading.Event()
    pages = asyncio.create_task(asyncio.to_thread(ask_pages, options.port, answered))
    outcomes = Counter(await asyncio.gather(*waiters))
    seconds = time.perf_counter() - begun
    answered.set()
    meanwhile = await pages
    print(f"{options.count} waiters answered within {seconds:.1f} s: {dict(outcomes)}")
    for name, times in (("alone", alone), ("meanwhile", meanwhile)):
        times = sorted(1000 * one for one in times)
        print(
            f"a page {name}: {statistics.median(times):.0f} ms p50, "
            f"{times[-1]:.0f} ms at most, of {len(times)}"
        )


async def waiter(port: int, token: str, content: bytes, gate: asyncio.Barrier) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    payload = body(content)
    fields = headers_of(token, Prefer="wait", Connection="close", Host="127.0.0.1")
    fields["Content-Length"] = str(len(payload))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    await gate.wait()
    writer.write(f"POST /api/v1/predictions/ HTTP/1.1\r\n{head}\r\n".encode() + payload)
    status = int((await reader.readline()).split()[1])
    await reader.read()
    writer.close()
    return status


def ask_pages(port: int, until: threading.Event) -> list[float]:
    times = []
    while not until.wait(0.05):
        times.append(ask_page(port))
    return times


def ask_page(port: int) -> float:
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/login/")
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
