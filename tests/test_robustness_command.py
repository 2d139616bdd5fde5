"""`manage.py robustness`: what is left of a model's accuracy on worse images."""

import io
import json
from pathlib import Path

import pytest
import torch
from django.core.management import CommandError, call_command

from classifier.management.commands.robustness import draw
from classifier.management.installing import install_bundle
from classifier.ml.datasets import LabelledFiles
from tests.models_on_disk import write_bundle
from tests.noise import write_noise

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small only wait for one another in several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def toy(tmp_path):
    return install_bundle(write_bundle(tmp_path / "bundle"), activate=True)


@pytest.fixture
def data(tmp_path):
    """A data set in parts, with a picture of each of two labels to judge by."""
    for label in ("cat", "ship"):
        write_noise(tmp_path / "data" / "train" / label, 3, seed=len(label))
        write_noise(tmp_path / "data" / "test" / label, 1, seed=10 + len(label))
    return tmp_path / "data"


def robustness(*arguments):
    out = io.StringIO()
    call_command("robustness", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refusal(*arguments):
    """The one line with which the command refuses, and exits with 2."""
    with pytest.raises(CommandError) as refused:
        robustness(*arguments)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_table_is_printed_and_the_report_is_kept_with_the_model(toy, data):
    lines = robustness("toy", "--data", data).splitlines()
    assert lines[0].endswith("of 2 images are answered rightly as they are.")
    assert [line.split("  ")[0] for line in lines] == [
        *(lines[0], "", "CORRUPTION", "noise", "blur", "jpeg", "brightness", "rotation"),
        *(lines[8], "", "ATTACK", "fgsm", "pgd"),
    ]
    assert lines[10].split() == ["ATTACK", "1/255", "2/255", "4/255", "8/255"]
    toy.refresh_from_db()
    kept = toy.metrics["robustness"]
    assert (kept["dataset"], kept["images"]) == ("data", 2)
    assert len(kept["fingerprint"]) == 64
    assert lines[0].startswith(f"{100 * kept['clean']:.1f} %")
    assert lines[8] == f"{100 * kept['corrupted']:.1f} % in the mean."
    assert toy.metrics["top1"] == 0.5  # what was known stays


def test_programs_read_one_line_of_json(toy, data):
    [line] = robustness("toy", "--data", data, "--limit", "1", "--json").splitlines()
    found = json.loads(line)
    assert found.pop("model") == "toy@1"
    toy.refresh_from_db()
    assert found == toy.metrics["robustness"]
    assert found["images"] == 1


def test_the_same_images_are_drawn_every_time():
    data = LabelledFiles(("a", "b"), tuple((Path(f"{n}.png"), n % 2) for n in range(20)))
    drawn = draw(data, 12)
    assert drawn == draw(data, 12)
    assert len(set(drawn.files)) == 12
    assert draw(data, 20) is data


def test_what_cannot_be_measured_is_refused(toy, data, tmp_path):
    assert "Did you mean toy@1?" in refusal("toys", "--data", data)
    assert "is neither a folder" in refusal("toy", "--data", tmp_path / "none")
    write_noise(tmp_path / "strange" / "cat", 1)
    write_noise(tmp_path / "strange" / "unicorn", 1)
    assert "unicorn" in refusal("toy", "--data", tmp_path / "strange")
    (data / "test" / "cat" / "broken.png").write_bytes(b"no picture")
    assert "broken.png" in refusal("toy", "--data", data)
    toy.refresh_from_db()
    assert "robustness" not in toy.metrics


def test_damaged_weights_are_refused(toy, data):
    with open(toy.weights.path, "ab") as file:  # noqa: PTH123
        file.write(b"!")
    assert "is damaged" in refusal("toy", "--data", data)
