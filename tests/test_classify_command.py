"""`manage.py classify`: pictures on the command line."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from classifier.management.commands.classify import _text_line
from classifier.management.installing import install_bundle
from tests.factories import ModelVersionFactory, image_bytes
from tests.models_on_disk import write_bundle

pytestmark = pytest.mark.django_db


@pytest.fixture
def toy(tmp_path):
    return install_bundle(write_bundle(tmp_path / "bundle"), activate=True)


@pytest.fixture
def pictures(tmp_path):
    """A folder with two pictures, one of them deeper, and things that are none."""
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.png").write_bytes(image_bytes())
    (folder / "deeper" / "a.JPG").write_bytes(image_bytes("JPEG"))
    (folder / "notes.txt").write_text("no picture")
    (folder / "._b.png").write_bytes(b"what a file manager leaves")
    return folder


def classify(*arguments):
    out = io.StringIO()
    call_command("classify", *map(str, arguments), stdout=out)
    return out.getvalue()


def refused(*arguments):
    with pytest.raises(CommandError) as error:
        classify(*arguments)
    return error.value


def test_a_folders_pictures_are_classified_in_order(toy, pictures):
    lines = [json.loads(line) for line in classify(pictures, "--json").splitlines()]
    assert [line["file"] for line in lines] == [
        str(pictures / "b.png"),
        str(pictures / "deeper" / "a.JPG"),
    ]
    for line in lines:
        assert line["model"] == "toy@1"
        scores = [best["score"] for best in line["output"]]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=1e-4)
        assert {best["label"] for best in line["output"]} == {"cat", "dog", "ship"}


def test_nothing_is_called_certain():
    output = [{"label": "ship", "score": 0.9952}, {"label": "car", "score": 0.0048}]
    assert _text_line([Path("a")])({"file": "a", "output": output}) == "a  ship 99 %, car 0 %"


def test_the_lines_for_people_are_aligned(toy, pictures):
    first, second = classify(pictures, "--top-k", "1").splitlines()
    width = len(str(pictures / "deeper" / "a.JPG")) + 2
    assert first.startswith(str(pictures / "b.png").ljust(width))
    assert first[width:] == second[width:]
    assert first.endswith(" %")


def test_exact_pixels_may_be_asked_for(toy, tmp_path):
    picture = tmp_path / "a.jpg"
    picture.write_bytes(image_bytes("JPEG", (900, 700)))
    fast, exact = (
        json.loads(classify(picture, "--json", *options)) for options in ((), ("--exact",))
    )
    assert [best["label"] for best in fast["output"]] == [best["label"] for best in exact["output"]]


def test_as_many_labels_are_told_as_asked_for(toy, pictures):
    line = json.loads(classify(pictures / "b.png", "--json", "--top-k", "2"))
    assert len(line["output"]) == 2


def test_a_file_that_cannot_be_read_is_told_and_the_rest_is_done(toy, pictures, tmp_path):
    (pictures / "c.png").write_bytes(b"no picture")
    out = io.StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("classify", str(pictures), str(tmp_path / "none.png"), "--json", stdout=out)
    assert failure.value.returncode == 1
    assert str(failure.value) == "2 of 4 files could not be classified."
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    errors = {line["file"]: line["error"] for line in lines if "error" in line}
    assert errors.keys() == {str(pictures / "c.png"), str(tmp_path / "none.png")}
    assert sum("output" in line for line in lines) == 2


def test_another_model_may_be_asked_for(toy, pictures, tmp_path):
    other = install_bundle(write_bundle(tmp_path / "other", name="other"), activate=False)
    line = json.loads(classify(pictures / "b.png", "--json", "--model", "other"))
    assert line["model"] == str(other)


def test_a_model_that_is_not_there_is_refused(toy, pictures):
    error = refused(pictures, "--model", "toys")
    assert error.returncode == 2
    assert "Did you mean toy@1?" in str(error)


def test_without_any_model_the_remedy_is_told(pictures):
    error = refused(pictures)
    assert error.returncode == 2
    assert "models install everyday --activate" in str(error)


def test_without_an_activated_model_the_remedy_is_another(pictures):
    ModelVersionFactory()
    assert "models activate NAME@VERSION" in str(refused(pictures))


def test_a_folder_without_pictures_is_refused(toy, tmp_path):
    (tmp_path / "empty").mkdir()
    error = refused(tmp_path / "empty")
    assert error.returncode == 2
    assert ".jpg" in str(error)


def test_damaged_weights_are_refused(toy, pictures):
    with open(toy.weights.path, "ab") as file:  # noqa: PTH123
        file.write(b"!")
    error = refused(pictures)
    assert error.returncode == 2
    assert "is damaged" in str(error)


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_senseless_number_of_labels_is_refused(count, pictures):
    assert "is not a whole number above 0" in str(refused(pictures, f"--top-k={count}"))
