"""The web process answers people before programs, and lets no idle connection hold a thread."""

import http.client
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

APPLICATION = """
import time

def application(environ, start_response):
    if environ["PATH_INFO"].startswith(("/api/", "/slow")):
        time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
"""


@pytest.fixture
def address(tmp_path: Path, free_port: int) -> Iterator[str]:
    """A server with a single thread, where what programs ask for takes a tenth of a second."""
    (tmp_path / "slow_application.py").write_text(APPLICATION)
    command = [
        *(sys.executable, "-m", "gunicorn", "--threads", "1", "--pythonpath", str(tmp_path)),
        *("--worker-class", "config.web_worker.PagesFirst", "--bind", f"127.0.0.1:{free_port}"),
        *("--no-control-socket", "slow_application"),
    ]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{free_port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            seconds_for(f"{address}/")
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait()


def seconds_for(url: str, body: bytes | None = None) -> float:
    begun = time.monotonic()
    with urllib.request.urlopen(url, body, timeout=60) as response:
        assert response.read() == b"here"
    return time.monotonic() - begun


def test_a_page_overtakes_the_programs_that_wait(address):
    with ThreadPoolExecutor(20) as pool:
        sent = [
            pool.submit(seconds_for, f"{address}/api/v1/predictions/", b"{}") for _ in range(20)
        ]
        time.sleep(0.3)
        page = seconds_for(f"{address}/login/")
        assert not all(request.done() for request in sent), "they were slow enough to be overtaken"
    assert page < 1 < max(request.result() for request in sent)


def test_many_pages_do_not_shut_the_programs_out(address):
    with ThreadPoolExecutor(20) as pool:
        pages = [pool.submit(seconds_for, f"{address}/slow/") for _ in range(19)]
        time.sleep(0.3)
        program = seconds_for(f"{address}/predict", b"{}")
        assert program < max(page.result() for page in pages)


def test_connections_that_say_nothing_hold_no_thread(address):
    port = int(address.rsplit(":", 1)[1])
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    time.sleep(0.2)
    assert seconds_for(f"{address}/") < 2
    for connection in idle:
        connection.close()


def test_a_request_that_comes_late_on_its_connection_is_answered(address):
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    connection.connect()
    time.sleep(0.5)
    for _ in range(2):  # the second on the connection that was kept
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"here"
        time.sleep(0.2)
    connection.close()
