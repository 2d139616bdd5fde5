"""How many uploads a second the web process takes: no worker is needed, nothing is classified.

    python -m benchmarks.web_uploads http://127.0.0.1:8000 admin PASSWORD --connections 8

Every upload is a JPEG of about 60 kB of its own, sent as the page's script sends it, over
connections that are kept open.
"""

import argparse
import http.client
import io
import os
import statistics
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from tests.person import Person

BOUNDARY = "sightline-benchmark"


def photo() -> bytes:
    """A JPEG of about 60 kB, of a noisy gradient, as large as a small photo."""
    gradient = Image.linear_gradient("L").resize((640, 480))
    noise = Image.effect_noise((640, 480), 13)
    out = io.BytesIO()
    Image.merge("RGB", (gradient, noise, gradient)).save(out, "JPEG", quality=80)
    return out.getvalue()


def body(content: bytes) -> bytes:
    """A form of one file, made different from every other by bytes that decoders skip."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + content + os.urandom(16) + f"\r\n--{BOUNDARY}--\r\n".encode()


def send(person: Person, content: bytes, count: int) -> Iterator[float]:
    """Upload `count` times over one connection; yields the seconds that each took."""
    cookies = {cookie.name: cookie.value or "" for cookie in person.cookies}
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": cookies["csrftoken"],
        "HX-Request": "true",
    }
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(person.address).netloc)
    for _ in range(count):
        begun = time.perf_counter()
        connection.request("POST", "/", body(content), headers)
        response = connection.getresponse()
        text = response.read()
        if response.status != http.HTTPStatus.CREATED:
            raise SystemExit(f"an upload was answered with {response.status}: {text[:500]!r}")
        yield time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how many uploads a second are taken.")
    parser.add_argument("address")
    parser.add_argument("username")
    parser.add_argument("password")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()

    person = Person(options.address)
    person.sign_in(options.username, options.password)
    person.get("/")
    content = photo()
    each = options.count // options.connections
    list(send(person, content, 20))  # warms up
    begun = time.perf_counter()
    with ThreadPoolExecutor(options.connections) as pool:
        batches = pool.map(lambda _: list(send(person, content, each)), range(options.connections))
        seconds = [one for batch in batches for one in batch]
    rate = len(seconds) / (time.perf_counter() - begun)
    p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    print(
        f"{len(content) / 1000:.0f} kB, {options.connections} connections: {rate:.0f} uploads/s, "
        f"{1000 * p50:.0f} ms median, {1000 * p99:.0f} ms at the 99th percentile"
    )


if __name__ == "__main__":
    main()
