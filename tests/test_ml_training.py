"""`manage.py train`, on a few pictures that a network learns in seconds."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from django.conf import settings
from django.core.management import CommandError, call_command
from PIL import Image
from safetensors.torch import load_file

from classifier.management.installing import install_bundle
from classifier.ml.bundle import WEIGHTS, Bundle, read_bundle
from classifier.ml.datasets import list_labelled_files, load_square_images
from classifier.ml.distillation import Distillation, Teacher
from classifier.ml.engines import load_engine
from classifier.ml.evaluation import measure_accuracy
from classifier.ml.network import Network
from classifier.ml.training import EpochReport, Recipe, Trainer, TrainingData
from classifier.ml.weights import write_weights
from classifier.models import ModelVersion
from tests.models_on_disk import SMALL

pytestmark = pytest.mark.django_db

SMALL_COLOURS = replace(SMALL, labels=("blue", "red"))
FAST = ("--epochs", "2", "--batch-size", "10")


@pytest.fixture
def data(tmp_path):
    """Reddish and bluish pictures in the folders that `train` reads."""
    for part, count in (("train", 20), ("test", 5)):
        for label, channel in (("red", 0), ("blue", 2)):
            folder = tmp_path / "colours" / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                colour = [40, 40, 40]
                colour[channel] = 180 + 3 * i
                picture = Image.new("RGB", (32, 32), tuple(colour))
                picture.paste((90, 90, 90), (i, i, i + 8, i + 8))
                picture.save(folder / f"{i}.png")
    return tmp_path / "colours"


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small only wait for one another in several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(data, *arguments):
    out = io.StringIO()
    call_command("train", "colours", "--data", str(data), *map(str, arguments), stdout=out)
    return out.getvalue()


def refused(data, *arguments):
    with pytest.raises(CommandError) as error:
        train(data, *arguments)
    return error.value


def trainer(data, epochs=2):
    fitted, held_out = (list_labelled_files(data / part) for part in ("train", "test"))
    images = (*load_square_images(fitted, 32), *load_square_images(held_out, 32))
    recipe = Recipe("compact_cnn", epochs=epochs, batch_size=10)
    return Trainer(recipe, TrainingData(fitted.labels, *images))


def test_a_model_is_trained_measured_and_installed(data):
    told = train(data, *FAST, "--activate")
    version = ModelVersion.objects.serving()
    assert str(version) == "colours@1"
    assert version.labels == ["blue", "red"]
    assert version.metrics["dataset"] == "10 held-out images of colours"
    assert set(version.metrics["per_class"]) == {"blue", "red"}
    assert "epoch 2 of 2" in told
    assert told.endswith("of 10 held-out images.\nInstalled colours@1.\n")
    assert not list((settings.DATA_DIR / "training").rglob("checkpoint*"))


def test_a_bundle_is_written_instead_on_request(data, tmp_path):
    train(data, *FAST, "--bundle", tmp_path / "out", "--licence", "MIT", "--resize", "36")
    bundle = read_bundle(tmp_path / "out")
    assert (bundle.name, bundle.licence) == ("colours", "MIT")
    assert (bundle.spec.resize, bundle.spec.crop) == (36, 32)
    assert not ModelVersion.objects.exists()


def test_the_accuracy_told_is_that_of_the_stored_weights_in_the_engine(data, tmp_path):
    train(data, *FAST, "--bundle", tmp_path / "out")
    bundle = read_bundle(tmp_path / "out")
    engine = load_engine(bundle.network)
    accuracy = measure_accuracy(list_labelled_files(data / "test"), engine, bundle.spec)
    assert accuracy.overall == bundle.metrics["top1"]
    assert accuracy.per_class == bundle.metrics["per_class"]
    assert accuracy.overall == sum(accuracy.per_class.values()) / 2


def test_a_run_that_was_killed_goes_on_after_its_last_whole_epoch(data, tmp_path):
    killed = trainer(data)
    assert isinstance(next(killed.run()), EpochReport)
    (tmp_path / "work").mkdir()
    killed.save_checkpoint(tmp_path / "work" / "checkpoint.pt")
    told = train(data, *FAST, "--work", tmp_path / "work", "--bundle", tmp_path / "out")
    assert "Going on after epoch 1" in told
    assert "epoch 1 of 2" not in told
    assert "epoch 2 of 2" in told


def test_a_run_that_was_taken_up_ends_as_one_that_was_never_interrupted(data, tmp_path):
    whole, killed, taken_up = trainer(data), trainer(data), trainer(data)
    list(whole.run())
    next(killed.run())
    killed.save_checkpoint(tmp_path / "checkpoint.pt")
    taken_up.load_checkpoint(tmp_path / "checkpoint.pt")
    list(taken_up.run())
    for name, weights in whole.weights().items():
        torch.testing.assert_close(taken_up.weights()[name], weights, rtol=0, atol=1e-3)


def test_a_finished_run_is_only_exported(data, tmp_path):
    finished = trainer(data)
    list(finished.run())
    (tmp_path / "work").mkdir()
    finished.save_checkpoint(tmp_path / "work" / "checkpoint.pt")
    told = train(data, *FAST, "--work", tmp_path / "work", "--bundle", tmp_path / "out")
    assert "epoch 2 of 2" not in told
    assert read_bundle(tmp_path / "out").spec.labels == ("blue", "red")


def test_a_checkpoint_of_another_recipe_is_not_taken_up(data, tmp_path):
    other = trainer(data, epochs=3)
    (tmp_path / "work").mkdir()
    other.save_checkpoint(tmp_path / "work" / "checkpoint.pt")
    error = refused(data, *FAST, "--work", tmp_path / "work")
    assert error.returncode == 2
    assert "another recipe; delete it" in str(error)


def test_an_interrupted_run_says_that_it_can_go_on(data, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_train_batch", interrupt)
    error = refused(data, *FAST, "--work", tmp_path / "work")
    assert error.returncode == 130
    assert "the same command goes on from there" in str(error)


def test_a_torchvision_network_can_be_trained_too(data, tmp_path):
    train(data, *FAST, "--arch", "squeezenet1_1", "--image-size", "40", "--bundle", tmp_path / "o")
    bundle = read_bundle(tmp_path / "o")
    assert (bundle.architecture, bundle.spec.crop) == ("squeezenet1_1", 40)


def test_the_same_seed_begins_with_the_same_weights(data):
    first, second = trainer(data), trainer(data)
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--batch-size", "41"), "there are 40 images to train on"),
        (("--arch", "resnet5"), "no architecture 'resnet5'"),
        (("--arch", "googlenet"), "auxiliary outputs"),
        (("--resize", "16"), "'crop' must be no larger"),
    ],
)
def test_a_senseless_request_is_refused_before_training(data, arguments, reason):
    assert reason in str(refused(data, *FAST, *arguments))


def test_a_name_that_is_no_slug_is_refused_before_training(data):
    with pytest.raises(CommandError, match="slug"):
        call_command("train", "my colours", "--data", str(data))


def test_missing_folders_are_named(data, tmp_path):
    assert "test is not a folder" in str(refused(tmp_path / "none"))
    (data / "test" / "green").mkdir()
    assert "green holds no image" in str(refused(data))
    Image.new("RGB", (32, 32)).save(data / "test" / "green" / "1.png")
    assert "must have the same names" in str(refused(data))


def test_the_facts_in_a_bundle_are_plain_json(data, tmp_path):
    train(data, *FAST, "--bundle", tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert list(facts) == ["name", "architecture", "source", "licence", "metrics", "spec"]
    assert facts["source"] == "trained from scratch on colours"


def teacher(data, tmp_path, labels=("blue", "red"), name="teacher"):
    """A model that was trained on the data and is installed; its labels may be called otherwise."""
    trained = trainer(data, epochs=1)
    list(trained.run())
    folder = tmp_path / name
    folder.mkdir()
    write_weights(trained.weights(), folder / WEIGHTS)
    spec = replace(SMALL, labels=labels)
    return install_bundle(Bundle(name, "compact_cnn", folder / WEIGHTS, spec), activate=False)


def _taught_by(version, labels=("blue", "red")):
    network = Network("compact_cnn", Path(version.weights.path), SMALL_COLOURS)
    return Teacher(network, labels, torch.device("cpu"))


def learned(folder):
    return load_file(read_bundle(folder).weights)


def test_a_teachers_answers_change_what_is_learned(data, tmp_path):
    teacher(data, tmp_path)
    train(data, *FAST, "--bundle", tmp_path / "alone")
    train(data, *FAST, "--teacher", "teacher", "--bundle", tmp_path / "taught")
    train(data, *FAST, "--teacher=teacher", "--teacher-weight=0", "--bundle", tmp_path / "deaf")
    alone, taught, deaf = (learned(tmp_path / name) for name in ("alone", "taught", "deaf"))
    assert any(not torch.equal(alone[name], taught[name]) for name in alone)
    for name in alone:
        torch.testing.assert_close(deaf[name], alone[name], rtol=0, atol=1e-3)
    assert read_bundle(tmp_path / "taught").source.endswith(", taught by teacher")


def test_a_teacher_answers_in_the_order_of_the_students_labels(data, tmp_path):
    asked = _taught_by(teacher(data, tmp_path))
    reversed_ = _taught_by(ModelVersion.objects.get(name="teacher"), labels=("red", "blue"))
    images = trainer(data).data.images.float() / 255
    assert torch.equal(asked(images), reversed_(images).flip(1))


def test_softened_answers_that_agree_cost_nothing():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]])
    everything = Distillation("", temperature=4.0, weight=1.0)
    assert float(everything.loss(torch.tensor(7.0), logits, logits)) == pytest.approx(0, abs=1e-6)
    assert float(everything.loss(torch.tensor(7.0), logits, logits.flip(1))) > 0.1
    nothing = Distillation("", weight=0.0)
    assert float(nothing.loss(torch.tensor(7.0), logits, logits.flip(1))) == 7.0


def test_a_teacher_sees_images_at_its_own_size(data, tmp_path):
    answers = _taught_by(teacher(data, tmp_path))(torch.rand(3, 3, 48, 48))
    assert answers.shape == (3, 2)
    assert not answers.requires_grad


def test_a_taught_run_that_was_killed_goes_on_with_the_same_teacher_only(data, tmp_path):
    version = teacher(data, tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    recipe = replace(trainer(data).recipe, distillation=Distillation(version.sha256))
    killed = Trainer(recipe, trainer(data).data, _taught_by(version))
    next(killed.run())
    killed.save_checkpoint(work / "checkpoint.pt")
    assert "another recipe" in str(refused(data, *FAST, "--work", work))
    told = train(data, *FAST, "--teacher", "teacher", "--work", work, "--bundle", tmp_path / "out")
    assert "Going on after epoch 1" in told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--teacher", "nobody"), "There is no model nobody"),
        (("--teacher", "stranger"), "labels are cat, dog; those of the data blue, red"),
        (("--teacher", "stranger", "--temperature", "0"), "temperature must be above 0"),
        (("--teacher", "stranger", "--teacher-weight", "2"), "weight from 0 to 1"),
    ],
)
def test_a_wrong_teacher_is_refused_before_training(data, tmp_path, arguments, reason):
    teacher(data, tmp_path, labels=("cat", "dog"), name="stranger")
    error = refused(data, *FAST, *arguments)
    assert error.returncode == 2
    assert reason in str(error)
    assert "\n" not in str(error)
