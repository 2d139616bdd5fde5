"""Take the pictures of the pages that the documentation shows.

    python -m scripts.take_screenshots [--everything] [FOLDER]

An installation of its own, in a temporary folder, classifies the sample pictures with the bundled
model, and Chromium looks at its pages. With --everything, every page is taken, on a desk and a
phone, light and dark: for looking at after a change of the design.
"""

import argparse
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import django
from PIL import Image, ImageOps
from selenium.webdriver.chrome.webdriver import WebDriver

from tests.browser.chromium import open_chromium

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "classifier" / "bundled" / "samples"
COLOURS = 256  # a third of the bytes, and no difference to be seen
DESK, PHONE = (1280, 800), (390, 844)


@dataclass(frozen=True)
class Shot:
    name: str
    path: str
    size: tuple[int, int] = DESK
    dark: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--everything", action="store_true", help="every page, size and theme")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder) / "data")
        result, session = classify_samples(by_staff=options.everything)
        shots = every_shot(result) if options.everything else documentation_shots(result)
        with served() as address, browser(Path(folder) / "chromium") as chromium:
            chromium.get(f"{address}/about/")
            chromium.add_cookie({"name": "sessionid", "value": session})
            for shot in shots:
                take(chromium, address, shot, options.folder / f"{shot.name}.png")


def documentation_shots(result: str) -> list[Shot]:
    return [
        Shot("home", "/"),
        Shot("result", result),
        Shot("history-dark", "/predictions/", dark=True),
        Shot("result-phone", result, PHONE),
    ]


def every_shot(result: str) -> list[Shot]:
    pages = {
        "home": "/",
        "history": "/predictions/",
        "empty": "/predictions/?label=nothing",
        "result": result,
        "delete": f"{result}delete/",
        "models": "/models/",
        "model": "/models/everyday@1/",
        "champion": "/models/everyday/",
        "draw": "/draw/",
        "tokens": "/tokens/",
        "about": "/about/",
        "password": "/password/",
        "missing": "/missing/",
    }
    return [
        Shot(f"{name}-{size[0]}-{'dark' if dark else 'light'}", path, size, dark)
        for name, path in pages.items()
        for size in (DESK, PHONE)
        for dark in (False, True)
    ]


def install(data: Path) -> None:
    """Set up an installation in the folder `data`, with the bundled models."""
    os.environ |= {"SIGHTLINE_DATA_DIR": str(data), "SIGHTLINE_LOG_LEVEL": "ERROR"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    for name in ("DATABASE_URL", "REDIS_URL", "SIGHTLINE_S3_BUCKET"):
        os.environ.pop(name, None)
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    call_command("models", "install", "digits")
    call_command("models", "install", "everyday", "--activate")


def classify_samples(by_staff: bool) -> tuple[str, str]:
    """Let somebody classify all pictures.

    Returns the address of one result, and the key of that person's session.
    """
    from django.test import Client

    from classifier.actions.submit import Order, submit
    from classifier.images import verify
    from classifier.models import ModelVersion, Prediction, User
    from classifier.worker.classify import classify_waiting

    ada = User.objects.create_user("ada", is_staff=by_staff, is_superuser=by_staff)
    for name, content in pictures():
        submit(Order(ada, ModelVersion.objects.serving()), verify(content), name)
        classify_waiting()
    result = Prediction.objects.latest("id")
    client = Client()
    client.force_login(ada)
    return f"/predictions/{result.id}/", client.cookies["sessionid"].value


def pictures() -> Iterator[tuple[str, bytes]]:
    """Mirrored and enlarged samples, so that there are some to look at, then the samples."""
    samples = sorted(SAMPLES.glob("*.jpg"), reverse=True)
    for part, mirrored in ((0.06, True), (0.12, False)):
        for path in samples:
            with Image.open(path) as sample:
                border = (int(sample.width * part), int(sample.height * part))
                variant = ImageOps.crop(sample, (*border, *border))
                variant = ImageOps.mirror(variant) if mirrored else variant
            out = io.BytesIO()
            variant.save(out, "JPEG", quality=92)
            yield f"{path.stem}-{'left' if mirrored else 'near'}.jpg", out.getvalue()
    for path in samples:
        yield path.name, path.read_bytes()


@contextmanager
def served() -> Iterator[str]:
    """The pages, on a free port; gives their address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", address, "--threads", "4"]
    server = subprocess.Popen([*command, "--log-level", "error"], cwd=ROOT)
    try:
        wait_until_live(f"http://{address}/health/live")
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait()


def wait_until_live(url: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urlopen(url, timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def browser(profile: Path) -> Iterator[WebDriver]:
    chromium = open_chromium(profile)
    try:
        yield chromium
    finally:
        chromium.quit()


def take(chromium: WebDriver, address: str, shot: Shot, path: Path) -> None:
    width, height = shot.size
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": shot.size == PHONE}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if shot.dark else "light"}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": shot.size == PHONE})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    chromium.get(address + shot.path)
    chromium.execute_async_script(
        "Promise.all([...document.images].map(i => i.decode().catch(() => null)))"
        ".then(arguments[0])"
    )
    with Image.open(io.BytesIO(chromium.get_screenshot_as_png())) as taken:
        few = taken.convert("RGB").quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path} {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
