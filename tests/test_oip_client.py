"""Triton's own HTTP client against a whole installation: web server, broker, worker and model."""

import base64
from collections.abc import Iterator

import numpy as np
import pytest
from django.conf import settings
from PIL import Image as Pillow
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.installation import Running

SAMPLES = sorted((settings.BASE_DIR / "classifier" / "bundled" / "samples").glob("*.jpg"))
MODEL = settings.BUNDLED_MODEL

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def client(installation: Running) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(installation.address.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def headers(api_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_token}"}


def infer(client: InferenceServerClient, headers: dict[str, str], tensor: InferInput, **wishes):
    """Ask the model. The client writes into the headers that it is given, so it gets a copy."""
    return client.infer(MODEL, [tensor], headers=dict(headers), **wishes)


def image_input(*, binary: bool) -> InferInput:
    """All samples: in base64 inside the JSON, or as they are behind it."""
    files = [path.read_bytes() for path in SAMPLES]
    data = files if binary else [base64.b64encode(file) for file in files]
    tensor = InferInput("image", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(data, dtype=np.object_), binary_data=binary)
    return tensor


def best_labels(client: InferenceServerClient, headers: dict[str, str], scores: np.ndarray) -> list:
    """The labels of the best classes, which the classification extension tells by index."""
    everything = InferRequestedOutput("probabilities", binary_data=False, class_count=10_000)
    answer = infer(client, headers, image_input(binary=False), outputs=[everything])
    texts = answer.as_numpy("probabilities")[0]
    parts = [text.split(":", 2) for text in texts]
    names = {int(index): label for _, index, label in parts}
    return [names[index] for index in scores.argmax(axis=1)]


def test_the_server_lives_and_is_ready_without_a_token(client):
    assert client.is_server_live()
    assert client.is_server_ready()


def test_the_model_is_ready_for_whoever_may_see_it(client, headers):
    assert client.is_model_ready(MODEL, headers=headers)
    assert client.is_model_ready(MODEL, "1", headers=headers)
    assert not client.is_model_ready("nobody", headers=headers)
    assert not client.is_model_ready(MODEL)


def test_the_metadata_describe_what_inference_takes_and_gives(client, headers):
    assert "classification" in client.get_server_metadata(headers=headers)["extensions"]
    metadata = client.get_model_metadata(MODEL, headers=headers)
    assert metadata["versions"] == ["1"]
    assert {tensor["name"] for tensor in metadata["inputs"]} == {"image", "pixels"}
    (output,) = metadata["outputs"]
    assert output["shape"][1] > 1


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_photos_are_what_they_show(client, headers, binary):
    output = InferRequestedOutput("probabilities", binary_data=binary)
    answer = infer(client, headers, image_input(binary=binary), outputs=[output], request_id="7")
    scores = answer.as_numpy("probabilities")
    assert answer.get_response()["id"] == "7"
    assert scores.shape[0] == len(SAMPLES)
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert best_labels(client, headers, scores) == [path.stem for path in SAMPLES]


def test_without_a_wish_the_client_asks_for_bytes_and_gets_the_same(client, headers):
    default = infer(client, headers, image_input(binary=True))
    json = InferRequestedOutput("probabilities", binary_data=False)
    plain = infer(client, headers, image_input(binary=False), outputs=[json])
    close = pytest.approx(plain.as_numpy("probabilities"), abs=1e-6)
    assert default.as_numpy("probabilities") == close


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_pixels_are_worth_as_much_as_the_file_that_they_came_from(client, headers, binary):
    picture = np.asarray(Pillow.open(SAMPLES[0]).convert("RGB").resize((64, 64)))[None]
    tensor = InferInput("pixels", list(picture.shape), "UINT8")
    tensor.set_data_from_numpy(picture, binary_data=binary)
    output = InferRequestedOutput("probabilities", binary_data=binary, class_count=1)
    answer = infer(client, headers, tensor, outputs=[output])
    (text,) = answer.as_numpy("probabilities")[0]
    text = text.decode() if isinstance(text, bytes) else text
    assert text.split(":", 2)[2] == SAMPLES[0].stem


def test_what_is_refused_reaches_the_client_with_its_reason(client, headers):
    tensor = InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([b"not an image"], dtype=np.object_))
    with pytest.raises(InferenceServerException, match="not an image in a known format") as refused:
        infer(client, headers, tensor)
    assert refused.value.status() == "400"
    with pytest.raises(InferenceServerException, match="no model nobody"):
        client.get_model_metadata("nobody", headers=headers)
    with pytest.raises(InferenceServerException) as stranger:
        client.get_server_metadata()
    assert stranger.value.status() == "401"
