"""Milliseconds of one thread's CPU from a JPEG's bytes to a network's pixels, way by way.

    python -m benchmarks.decode [--photos FOLDER] [--rounds 15]

The ways take turns, and each figure is a median, so that ratios hold on a busy machine too. The
baseline is Pillow with torchvision's transforms on it. "differs" is the mean and the largest
difference from the exact pixels in grey levels; "stall" the longest that another Python thread had
to wait meanwhile, which would be the whole time if the interpreter's lock were held. OpenCV takes
part where it is installed. Large pictures are photos enlarged, with a sensor's noise on top: those
of the folder, or the sample that ships with the project.
"""

import argparse
import io
import math
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image, ImageOps

from classifier.ml import jpeg, resampling
from classifier.ml.preprocess import preprocess, preprocess_exactly
from classifier.ml.spec import ModelSpec

SAMPLES = Path(__file__).resolve().parent.parent / "classifier/bundled/samples"
SPEC = ModelSpec(("a", "b"), 256, 224, "bilinear", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SIZES = ((500, 375), (640, 480), (1024, 768), (1600, 1200), (4032, 3024))
Way = Callable[[bytes], np.ndarray]
V1 = torchvision.transforms._presets.ImageClassification(crop_size=224, resize_size=256)
cv2 = import_module("cv2") if find_spec("cv2") else None


def pillow_and_torchvision(content: bytes) -> np.ndarray:
    """As the tutorials have it; returns the normalised tensor's memory."""
    return V1(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")).numpy()


def pillow_draft(content: bytes) -> np.ndarray:
    """Pillow alone: the DCT scaled where that leaves twice the target, and resized in two steps."""
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", tuple(2 * side for side in resized(image.size)))
    return cropped(image.convert("RGB").resize(resized(image.size), 2, reducing_gap=2.0))


def torchvision_io(content: bytes) -> np.ndarray:
    """torchvision's own decoder, which knows no scaling, and its resize of tensors."""
    data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    pixels = torchvision.io.decode_jpeg(data, torchvision.io.ImageReadMode.RGB)
    height, width = pixels.shape[1:]
    size = resized((width, height))[::-1]
    scaled = torch.nn.functional.interpolate(
        pixels[None], size, mode="bilinear", antialias=True, align_corners=False
    )
    return cropped(scaled[0].permute(1, 2, 0).numpy())


def opencv(content: bytes) -> np.ndarray:
    """OpenCV's reduced decoding, and the mean over areas."""
    assert cv2
    size = Image.open(io.BytesIO(content)).size
    flags = {1: "COLOR", 2: "REDUCED_COLOR_2", 4: "REDUCED_COLOR_4", 8: "REDUCED_COLOR_8"}
    factor = max(f for f in flags if f == 1 or min(size) >= f * SPEC.resize)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), getattr(cv2, f"IMREAD_{flags[factor]}"))
    scaled = cv2.resize(pixels, resized(size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(cropped(scaled)[..., ::-1])


def without(module: object, name: str, value: object) -> Way:
    """The fast way where something is missing."""

    def way(content: bytes) -> np.ndarray:
        kept = getattr(module, name)
        setattr(module, name, value)
        try:
            return preprocess(content, SPEC)
        finally:
            setattr(module, name, kept)

    return way


def ways() -> dict[str, Way]:
    return {
        "Pillow + torchvision v1": pillow_and_torchvision,
        "exact": lambda content: preprocess_exactly(content, SPEC),
        "Pillow draft, reducing_gap": pillow_draft,
        "torchvision.io": torchvision_io,
        **({"OpenCV": opencv} if cv2 else {}),
        "fast": lambda content: preprocess(content, SPEC),
        "fast, resized by Pillow": without(resampling, "TORCH_IS_FAST", False),
        "fast, decoded by Pillow": without(jpeg, "simplejpeg", None),
    }


def resized(size: tuple[int, int]) -> tuple[int, int]:
    width, height = (int(SPEC.resize * side / min(size)) for side in size)
    return width, height


def cropped(image: Image.Image | np.ndarray) -> np.ndarray:
    pixels = np.asarray(image)
    top, left = (round((side - SPEC.crop) / 2) for side in pixels.shape[:2])
    return np.array(pixels[top : top + SPEC.crop, left : left + SPEC.crop])


def pictures(folder: Path) -> Iterable[tuple[str, bytes]]:
    with Image.open(sorted(folder.glob("*.[jJ]*"))[0]) as opened:
        photo = opened.convert("RGB")
    random = np.random.default_rng(0)
    for width, height in SIZES:
        enlarged = np.asarray(photo.resize((width, height), Image.Resampling.LANCZOS))
        noisy = (enlarged + random.normal(0, 4, (height, width, 1))).clip(0, 255)
        out = io.BytesIO()
        Image.fromarray(noisy.astype(np.uint8)).save(out, "JPEG", quality=90)
        yield f"{width}x{height}", out.getvalue()


def seconds(tried: dict[str, Way], content: bytes, rounds: int) -> dict[str, float]:
    """The median CPU time of each way, all taking turns."""
    times: dict[str, list[float]] = {name: [] for name in tried}
    for _ in range(rounds):
        for name, way in tried.items():
            begun = time.thread_time()
            way(content)
            times[name].append(time.thread_time() - begun)
    return {name: statistics.median(taken) for name, taken in times.items()}


def stall(way: Way, content: bytes) -> float:
    """The longest that another Python thread waits for its turn during a call, in seconds."""
    done, longest = threading.Event(), [0.0]

    def tick() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.0002)
            longest[0], last = max(longest[0], time.perf_counter() - last), time.perf_counter()

    ticker = threading.Thread(target=tick)
    ticker.start()
    way(content)
    done.set()
    ticker.join()
    return longest[0]


def report(name: str, content: bytes, rounds: int) -> None:
    tried = ways()
    taken = seconds(tried, content, rounds)
    base = taken["Pillow + torchvision v1"]
    exact = preprocess_exactly(content, SPEC).astype(int)
    print(
        f"\n{name}, {len(content) / 1000:.0f} kB{'ms':>34}{'times':>8}{'differs':>15}{'stall':>8}"
    )
    for label, way in tried.items():
        pixels = way(content)
        differs = np.abs(pixels.astype(int) - exact) if pixels.shape == exact.shape else None
        shown = "" if differs is None else f"{differs.mean():8.3f} / {differs.max():3}"
        waits = min(stall(way, content) for _ in range(3))
        print(
            f"  {label:<32}{1000 * taken[label]:14.2f}{base / taken[label]:8.2f}"
            f"{shown:>15}{1000 * waits:8.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, default=SAMPLES)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if cv2:
        cv2.setNumThreads(1)
    for name, content in pictures(options.photos):
        few = math.ceil(options.rounds / 3) if len(content) > 1_000_000 else options.rounds
        report(name, content, few)


if __name__ == "__main__":
    main()
