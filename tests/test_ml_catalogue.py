"""What torchvision says of its networks, and how their weights are fetched."""

import hashlib
import http.server
import socket
import threading
import time

import pytest
import torch
import torchvision

from classifier.ml.architectures import OWN, UnknownArchitecture, architecture_names
from classifier.ml.catalogue import Unreachable, download, official


@pytest.fixture
def server(tmp_path):
    """A web server over a folder, which the test gets with its address."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_spec_labels_and_accuracy_come_from_torchvisions_metadata():
    resnet = official("resnet50")
    assert resnet.architecture == "resnet50"
    assert (resnet.spec.resize, resnet.spec.crop) == (232, 224)
    assert len(resnet.spec.labels) == 1000
    assert resnet.spec.labels[0] == "tench"
    assert resnet.metrics["top1"] == pytest.approx(0.80858)
    assert resnet.source.startswith("https://download.pytorch.org/models/resnet50-")
    assert "ImageNet" in resnet.licence


def test_every_torchvision_network_has_a_valid_spec():
    names = set(architecture_names()) - set(OWN)
    assert len(names) > 70
    for name in names:
        assert len(official(name).spec.labels) == 1000


def test_the_networks_that_normalise_again_inside_get_the_same_input_as_in_torchvision():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 224, 224)
    theirs = torchvision.models.googlenet(
        weights=None, transform_input=True, init_weights=False
    ).eval()
    ours = torchvision.models.googlenet(weights=None, init_weights=False).eval()
    ours.load_state_dict(theirs.state_dict())
    spec = official("googlenet").spec
    imagenet = official("resnet50").spec

    def normalised(mean, std):
        return (image - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

    with torch.inference_mode():
        expected = theirs(normalised(imagenet.mean, imagenet.std))
        assert torch.allclose(ours(normalised(spec.mean, spec.std)), expected, atol=1e-5)


def test_unknown_names_and_our_own_network_are_not_torchvisions():
    for name in ("resnet5", *OWN):
        with pytest.raises(UnknownArchitecture):
            official(name)


def test_weights_are_downloaded_checked_and_made_safetensors(server, tmp_path):
    folder, address = server
    torch.save({"weight": torch.ones(3)}, folder / "plain")
    content = (folder / "plain").read_bytes()
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    path = download(f"{address}/{name}", tmp_path, progress=False)
    assert path.suffix == ".safetensors"
    assert path.exists()


def test_a_download_with_another_digest_is_refused(server, tmp_path):
    folder, address = server
    (folder / "net-00000000.pth").write_bytes(b"something else")
    with pytest.raises(Unreachable, match="hash"):
        download(f"{address}/net-00000000.pth", tmp_path, progress=False)


def test_an_address_that_is_away_is_told_with_the_way_out(server, tmp_path):
    _, address = server
    with pytest.raises(Unreachable, match="--weights FILE"):
        download(f"{address}/net-00000000.pth", tmp_path, progress=False)


def test_a_server_that_never_answers_is_given_up_in_time(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match=r"no answer|timed out"):
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            download(f"{address}/net-00000000.pth", tmp_path, timeout=0.3, progress=False)
        assert time.monotonic() - begun < 2
    assert socket.getdefaulttimeout() is None
