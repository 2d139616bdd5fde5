"""Torchvision's networks with their official ImageNet weights, as torchvision describes them."""

import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torchvision

from classifier.ml.architectures import OWN, UnknownArchitecture, architecture_names
from classifier.ml.bundle import Bundle
from classifier.ml.refusal import Refusal
from classifier.ml.spec import Channels, ModelSpec
from classifier.ml.weights import as_safetensors

LICENCE = (
    "BSD-3-Clause code; weights trained on ImageNet-1k, "
    "whose images are for non-commercial research: check whether that binds your use"
)
SWAG_LICENCE = "CC-BY-NC-4.0 (SWAG): no commercial use"
# Torchvision lets these two change ImageNet's normalisation to this one inside the network.
HALVED = {"googlenet", "inception_v3"}
HALF: Channels = (0.5, 0.5, 0.5)


class Unreachable(Refusal):
    """The weights could not be downloaded."""


def official(name: str) -> Bundle:
    """What torchvision says of the default weights of one of its networks; downloads nothing.

    The bundle's source is the address of the weights, its file is not there yet.

    Raises:
        UnknownArchitecture: if torchvision has no such network.
    """
    if name in OWN or name not in architecture_names():
        raise UnknownArchitecture(f"torchvision has no network {name!r}")
    weights = torchvision.models.get_model_weights(name).DEFAULT
    transforms, meta = weights.transforms(), weights.meta
    spec = ModelSpec(
        labels=tuple(meta["categories"]),
        resize=transforms.resize_size[0],
        crop=transforms.crop_size[0],
        interpolation=transforms.interpolation.value,
        mean=HALF if name in HALVED else tuple(transforms.mean),
        std=HALF if name in HALVED else tuple(transforms.std),
    )
    scores = meta["_metrics"]["ImageNet-1K"]
    return Bundle(
        name=name,
        architecture=name,
        weights=Path(f"{name}.safetensors"),
        spec=spec,
        metrics={
            "dataset": "ImageNet-1k validation images",
            "top1": round(scores["acc@1"] / 100, 5),
            "top5": round(scores["acc@5"] / 100, 5),
        },
        source=weights.url,
        licence=SWAG_LICENCE if "SWAG" in meta.get("license", "") else LICENCE,
    )


def download(url: str, folder: Path, timeout: float = 5.0, progress: bool = True) -> Path:
    """Fetch official weights and turn them into a safetensors file in `folder`.

    The file's name holds the start of its SHA-256, which is checked. Where the network is away,
    this fails after `timeout` seconds.

    Raises:
        Unreachable: if the file cannot be had whole.
        UnusableWeights: if it holds no weights.
    """
    target = folder / url.rsplit("/", 1)[-1]
    digest = re.search(r"-([0-9a-f]{8,})\.", target.name)
    if digest is None:
        raise Unreachable(f"{url} does not name its digest, so it cannot be checked")
    _reach(url, timeout)
    try:
        with _socket_timeout(timeout):
            torch.hub.download_url_to_file(url, str(target), digest[1], progress)
    except (OSError, RuntimeError) as error:  # RuntimeError: the digest is another
        raise Unreachable(f"the download of {url} failed: {error}") from error
    return as_safetensors(target, folder)


def _reach(url: str, timeout: float) -> None:
    """Raise Unreachable unless the server answers in time; looking a name up knows no time limit.

    So a thread asks, and is left behind where it takes too long.
    """
    answers: list[str] = []
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - torchvision's own address

    def ask() -> None:
        try:
            urllib.request.urlopen(request, timeout=timeout).close()  # noqa: S310
            answers.append("")
        except OSError as error:
            answers.append(str(getattr(error, "reason", error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    reason = answers[0] if answers else f"no answer within {timeout:g} seconds"
    if reason:
        raise Unreachable(
            f"{url} cannot be reached ({reason}); "
            "download it elsewhere and install it with --weights FILE"
        )


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
