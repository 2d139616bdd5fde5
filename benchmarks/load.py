"""Clients that ask a server as fast as it answers: a closed loop, bounded in time."""

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

BOUNDARY = "sightline-benchmark"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
TIMEOUT = 60.0

# Sends one picture over the connection and waits for its classes. Returns the seconds that the
# network took of it, or 0 where the server does not tell.
Ask = Callable[[http.client.HTTPConnection, bytes], float]


@dataclass(frozen=True)
class Load:
    """So many clients at once, for so long; what ends during `warm_up` does not count."""

    clients: int
    warm_up: float
    seconds: float


@dataclass(frozen=True)
class Answers:
    """What came of a load: the images a second, and of each answer how long it took (s)."""

    rate: float
    latencies: tuple[float, ...]
    network_seconds: tuple[float, ...]


def apply(load: Load, port: int, ask: Ask, supply: Iterator[bytes]) -> Answers:
    """Let the clients ask until the time is up. Every one keeps its connection, if it may."""
    begun = time.perf_counter()
    first, last = begun + load.warm_up, begun + load.warm_up + load.seconds
    lock = threading.Lock()
    found: list[tuple[float, float]] = []

    def client(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        while (sent := time.perf_counter()) < last:
            with lock:
                picture = next(supply)
            network = ask(connection, picture)
            ended = time.perf_counter()
            if first <= ended < last:
                found.append((ended - sent, network))
        connection.close()

    with ThreadPoolExecutor(load.clients) as pool:
        list(pool.map(client, range(load.clients)))
    latencies, networks = zip(*found, strict=True) if found else ((), ())
    return Answers(len(found) / load.seconds, latencies, networks)


def post(
    connection: http.client.HTTPConnection,
    path: str,
    field: str,
    picture: bytes,
    headers: dict[str, str],
) -> tuple[int, bytes]:
    """Send a form of one file. Returns the status and the body of the answer."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()
    return exchange(connection, "POST", path, body, FORM | headers)


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> tuple[int, bytes]:
    """Raises SystemExit with what the server said, unless it is a success."""
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise SystemExit(f"{path} answered {response.status}: {text[:500]!r}")
    return response.status, text


def quantile(values: list[float], share: float) -> float:
    """By linear interpolation; `share` from 0 to 1. Not a number where there are no values."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=1000, method="inclusive")[max(0, round(share * 1000) - 1)]
