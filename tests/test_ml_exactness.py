"""Scores on photographs are those of torchvision's own transforms and network."""

import pytest
import torch
import torchvision
from PIL import Image, ImageOps

from classifier.ml.catalogue import official
from classifier.ml.engines import load_engine
from classifier.ml.preprocess import preprocess
from classifier.ml.weights import as_safetensors
from tests.models_on_disk import REAL

PHOTOS = sorted((REAL / "imagenet-samples").glob("*.JPEG"))
WEIGHTS = REAL / "weights"


@pytest.mark.skipif(not PHOTOS, reason=f"needs the photos in {REAL}")
@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1"])
def test_scores_are_those_of_torchvisions_own_transforms_and_network(name, tmp_path):
    source = WEIGHTS / f"{name}.pth"
    if not source.exists():
        pytest.skip(f"needs {source}")
    spec = official(name).spec
    engine = load_engine("torch", name, as_safetensors(source, tmp_path), spec)
    reference = torchvision.models.get_model(name).eval()
    reference.load_state_dict(torch.load(source, weights_only=True))
    transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    worst = 0.0
    for start in range(0, len(PHOTOS), 8):
        paths = PHOTOS[start : start + 8]
        ours = torch.stack([preprocess(path.read_bytes(), spec) for path in paths])
        upright = [ImageOps.exif_transpose(Image.open(path)).convert("RGB") for path in paths]
        theirs = torch.stack([transforms(image) for image in upright])
        assert (ours - theirs).abs().max() < 1e-6
        with torch.inference_mode():
            expected = reference(theirs).softmax(dim=1)
        worst = max(worst, float((engine.predict(ours) - expected).abs().max()))
    assert worst < 1e-4
