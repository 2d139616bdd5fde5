"""Scores on photographs are those of torchvision's own transforms and network; the fast way to
pixels changes none of their best labels."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image, ImageOps

from classifier.ml import jpeg
from classifier.ml.bundle import SHIPPED, read_bundle
from classifier.ml.catalogue import official
from classifier.ml.engines import load_engine
from classifier.ml.network import Network
from classifier.ml.preprocess import preprocess, preprocess_exactly
from classifier.ml.weights import as_safetensors
from tests.models_on_disk import REAL, normalised

PHOTOS = sorted((REAL / "imagenet-samples").glob("*.JPEG"))
WEIGHTS = REAL / "weights"


@pytest.mark.skipif(not PHOTOS, reason=f"needs the photos in {REAL}")
@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1"])
def test_scores_are_those_of_torchvisions_own_transforms_and_network(name, tmp_path):
    source = WEIGHTS / f"{name}.pth"
    if not source.exists():
        pytest.skip(f"needs {source}")
    spec = official(name).spec
    engine = load_engine(Network(name, as_safetensors(source, tmp_path), spec))
    reference = torchvision.models.get_model(name).eval()
    reference.load_state_dict(torch.load(source, weights_only=True))
    transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    worst = 0.0
    for start in range(0, len(PHOTOS), 8):
        paths = PHOTOS[start : start + 8]
        ours = np.stack([preprocess_exactly(path.read_bytes(), spec) for path in paths])
        upright = [ImageOps.exif_transpose(Image.open(path)).convert("RGB") for path in paths]
        theirs = torch.stack([transforms(image) for image in upright])
        assert (normalised(ours, spec) - theirs).abs().max() < 1e-6
        with torch.inference_mode():
            expected = reference(theirs).softmax(dim=1)
        worst = max(worst, float(np.abs(engine.predict(ours) - expected.numpy()).max()))
    assert worst < 1e-4


@pytest.fixture(params=["everyday", "mobilenet_v2", "squeezenet1_1"])
def network(request, tmp_path) -> Network:
    if request.param == "everyday":
        return read_bundle(SHIPPED / "everyday").network
    source = WEIGHTS / f"{request.param}.pth"
    if not source.exists():
        pytest.skip(f"needs {source}")
    weights = as_safetensors(source, tmp_path)
    return Network(request.param, weights, official(request.param).spec)


@pytest.mark.skipif(not PHOTOS, reason=f"needs the photos in {REAL}")
def test_the_fast_way_to_pixels_gives_every_photo_the_same_label(network):
    engine, spec = load_engine(network), network.spec
    for start in range(0, len(PHOTOS), 8):
        contents = [path.read_bytes() for path in PHOTOS[start : start + 8]]
        fast, exact = (
            np.stack([way(content, spec) for content in contents])
            for way in (preprocess, preprocess_exactly)
        )
        assert np.abs(fast.astype(int) - exact).mean(axis=(1, 2, 3)).max() < 1
        labels, expected = (engine.predict(pixels).argmax(axis=1) for pixels in (fast, exact))
        assert labels.tolist() == expected.tolist()


@pytest.mark.skipif(not PHOTOS, reason=f"needs the photos in {REAL}")
def test_a_large_photo_is_reduced_and_gets_the_same_label_where_the_network_is_sure(network):
    engine, spec = load_engine(network), network.spec
    sure = 0
    for path in PHOTOS[::8]:
        content = enlarged(path)
        assert jpeg.reduction(Image.open(io.BytesIO(content)), spec.resize) > 1
        fast, exact = (way(content, spec) for way in (preprocess, preprocess_exactly))
        assert np.abs(fast.astype(int) - exact).mean() < 1
        [found, expected] = engine.predict(np.stack([fast, exact]))
        if expected.max() >= 0.5:
            assert found.argmax() == expected.argmax()
            sure += 1
    assert sure > 4


def enlarged(path: Path) -> bytes:
    """The photo as a JPEG with a shorter side of 2,016 pixels, as cameras of 12 megapixels have."""
    photo = Image.open(path).convert("RGB")
    factor = 2016 / min(photo.size)
    size = round(photo.width * factor), round(photo.height * factor)
    photo.resize(size, Image.Resampling.BICUBIC).save(target := io.BytesIO(), "JPEG", quality=90)
    return target.getvalue()
