"""`manage.py train`, on a few pictures that a network learns in seconds."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from django.conf import settings
from django.core.management import CommandError, call_command
from PIL import Image
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from classifier.management.installing import install_bundle
from classifier.management.training import identity
from classifier.ml.architectures import build_network
from classifier.ml.augmentation import NOTHING
from classifier.ml.bundle import WEIGHTS, Bundle, read_bundle
from classifier.ml.datasets import InvalidDataset, LabelledFiles, read_parts
from classifier.ml.distillation import Distillation, Teacher
from classifier.ml.engines import load_engine
from classifier.ml.evaluation import answer
from classifier.ml.finetuning import take_on
from classifier.ml.mixup import mix
from classifier.ml.network import Network
from classifier.ml.recipe import Recipe
from classifier.ml.splitting import Shares, split
from classifier.ml.training import EpochReport, Trainer
from classifier.ml.training_data import TrainingData, load_images
from classifier.ml.weights import write_weights
from classifier.models import Evaluation, ModelVersion
from tests.models_on_disk import SMALL, write_bundle

pytestmark = pytest.mark.django_db

SMALL_COLOURS = replace(SMALL, labels=("blue", "red"))
FAST = ("--epochs", "2", "--batch-size", "10", "--lr", "0.4", "--validation", "0")


@pytest.fixture
def data(tmp_path):
    """Reddish and bluish pictures in the folders that `train` reads."""
    for part, count in (("train", 20), ("test", 5)):
        for label, channel in (("red", 0), ("blue", 2)):
            folder = tmp_path / "colours" / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                colour = [40, 40, 40]
                colour[channel] = 180 + 3 * i + (part == "test")
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
    """The trainer that the command makes with FAST, so that its checkpoints are taken up."""
    part = read_parts(data)["train"]
    fingerprint = identity(split(data, Shares(validation=0)), SMALL_COLOURS)
    images = load_images(part, SMALL_COLOURS, data)
    none = load_images(LabelledFiles(part.labels, ()), SMALL_COLOURS, data)
    recipe = Recipe("compact_cnn", epochs=epochs, batch_size=10, balanced=True)
    return Trainer(recipe, TrainingData(part.labels, *images, *none, fingerprint))


def test_a_model_is_trained_measured_and_installed(data):
    told = train(data, *FAST, "--activate")
    version = ModelVersion.objects.serving()
    assert str(version) == "colours@1"
    assert version.labels == ["blue", "red"]
    assert version.metrics["dataset"] == "10 held-out images of colours"
    assert set(version.metrics["per_class"]) == {"blue", "red"}
    assert "epoch 2 of 2" in told
    assert "of 10 held-out images (" in told
    assert told.endswith("\nInstalled colours@1.\n")
    assert not list((settings.DATA_DIR / "training").rglob("checkpoint*"))


def test_a_bundle_is_written_instead_on_request(data, tmp_path):
    train(data, *FAST, "--bundle", tmp_path / "out", "--licence", "MIT", "--resize", "36")
    bundle = read_bundle(tmp_path / "out")
    assert (bundle.name, bundle.licence) == ("colours", "MIT")
    assert (bundle.spec.resize, bundle.spec.crop) == (36, 32)
    assert not ModelVersion.objects.exists()


def test_a_bundle_that_cannot_be_judged_leaves_the_one_before_it_as_it_was(
    data, tmp_path, monkeypatch
):
    train(data, *FAST, "--bundle", tmp_path / "out")
    before = files_in(tmp_path / "out")

    def fail(*_):
        raise InvalidDataset("a picture went away")

    monkeypatch.setattr("classifier.management.commands.train.judge", fail)
    work = ("--work", tmp_path / "work", "--seed", 1)
    assert "went away" in str(refused(data, *FAST, *work, "--bundle", tmp_path / "out"))
    assert files_in(tmp_path / "out") == before


def test_a_bundle_is_written_whole_or_not_at_all(tmp_path):
    write_bundle(tmp_path / "out")
    before = files_in(tmp_path / "out")
    other = write_bundle(tmp_path / "other")
    other.weights.write_bytes(b"other weights")
    with pytest.raises(TypeError):
        replace(other, metrics={"top1": object()}).copy_to(tmp_path / "out")
    assert files_in(tmp_path / "out") == before


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_accuracy_told_is_that_of_the_stored_weights_in_the_engine(data, tmp_path):
    train(data, *FAST, "--bundle", tmp_path / "out")
    bundle = read_bundle(tmp_path / "out")
    engine = load_engine(bundle.network)
    found = answer(read_parts(data)["test"], engine, bundle.spec)
    right = found.probabilities.argmax(axis=1) == found.truth
    assert right.mean() == bundle.metrics["top1"]
    assert right[found.truth == 1].mean() == bundle.metrics["per_class"]["red"]


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
        (("--noise", "0.7"), "noise must be from 0 to 0.5"),
    ],
)
def test_a_senseless_request_is_refused_before_training(data, arguments, reason):
    assert reason in str(refused(data, *FAST, *arguments))


def test_a_name_that_is_no_slug_is_refused_before_training(data):
    with pytest.raises(CommandError, match="slug"):
        call_command("train", "my colours", "--data", str(data))


def test_missing_folders_are_named(data, tmp_path):
    assert "none is neither a folder nor a CSV file" in str(refused(tmp_path / "none"))
    (data / "test" / "green").mkdir()
    assert "green holds no image" in str(refused(data))
    Image.new("RGB", (32, 32)).save(data / "test" / "green" / "1.png")
    assert "must have the same folders; not in both are green" in str(refused(data))


def test_the_facts_in_a_bundle_are_plain_json(data, tmp_path):
    train(data, *FAST, "--bundle", tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert {"name", "architecture", "source", "licence", "metrics", "training", "spec"} <= {*facts}
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


# --- Going on from an installed model ------------------------------------------------------------


def test_a_network_is_trained_on_for_other_labels_with_a_new_last_layer(data, tmp_path):
    source = teacher(data, tmp_path, labels=("left", "right"), name="source")
    told = train(
        data, *FAST, "--from", "source", "--frozen-epochs", "2", "--bundle", tmp_path / "o"
    )
    before, after = load_file(source.weights.path), learned(tmp_path / "o")
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("head")} == before.keys() - kept
    facts = read_bundle(tmp_path / "o")
    assert facts.source == "trained on from source on colours"
    assert (facts.spec.mean, facts.spec.std) == (SMALL_COLOURS.mean, SMALL_COLOURS.std)
    assert "epoch 2 of 2" in told


def test_what_was_taken_on_learns_too_once_it_is_no_longer_frozen(data, tmp_path):
    source = teacher(data, tmp_path, labels=("left", "right"), name="source")
    train(data, *FAST, "--from", "source", "--frozen-epochs", "1", "--bundle", tmp_path / "o")
    before, after = load_file(source.weights.path), learned(tmp_path / "o")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("blocks") for name in changed)
    assert not any(name.startswith("whiten") for name in changed)


def test_the_last_layer_stays_where_the_labels_are_the_same(data, tmp_path):
    version = teacher(data, tmp_path, name="source")
    source = Network("compact_cnn", Path(version.weights.path), SMALL_COLOURS)
    network, waiting = take_on(source, ("blue", "red"), 32)
    before = load_file(version.weights.path)["head.weight"]
    assert torch.equal(network.head.weight.half(), before)
    assert not waiting
    assert "epoch 2 of 2" in train(data, *FAST, "--from", "source", "--bundle", tmp_path / "o")


def test_a_network_whose_own_weights_stand_beside_its_layers_is_trained_on_too(data, tmp_path):
    """A vision transformer has some, beside all layers."""
    network = build_network("vit_b_16", 2, 32)
    network.encoder.layers = network.encoder.layers[:1]
    run = trainer(data)
    run._taken_on = [network, network.conv_proj]
    run._freeze(True)
    assert not network.class_token.requires_grad
    assert not network.conv_proj.weight.requires_grad
    assert network.heads.head.weight.requires_grad


def test_another_architecture_than_that_of_the_start_is_refused(data, tmp_path):
    teacher(data, tmp_path, name="source")
    error = refused(data, *FAST, "--from", "source", "--arch", "resnet18")
    assert "source@1 is a compact_cnn; leave --arch resnet18 out" in str(error)


# --- How it is trained ---------------------------------------------------------------------------


def test_rare_labels_weigh_as_much_as_frequent_ones(data):
    for i in range(5, 20):
        (data / "train" / "red" / f"{i}.png").unlink()
    images = load_images(read_parts(data)["train"], SMALL_COLOURS, data)
    known = TrainingData(("blue", "red"), *images, *images)
    assert known.class_weights.tolist() == [0.625, 2.5]
    assert "red is rarest (5), blue is not (20), and all labels count alike" in train(
        data, *FAST, "--bundle", data / "out"
    )


def test_mistakes_about_rare_labels_cost_as_much_as_those_about_frequent_ones(data):
    for i in range(5, 20):
        (data / "train" / "red" / f"{i}.png").unlink()
    images, targets = load_images(read_parts(data)["train"], SMALL_COLOURS, data)
    known = TrainingData(("blue", "red"), images, targets, images[:0], targets[:0])
    recipe = Recipe("compact_cnn", epochs=1, batch_size=25, label_smoothing=0, augmentation=NOTHING)
    run = Trainer(replace(recipe, balanced=True), known)
    with torch.no_grad():
        losses = cross_entropy(run._logits(images / 255), targets, reduction="none")
    blue, red = (float(losses[targets == label].mean()) for label in (0, 1))
    assert blue != pytest.approx(red, rel=0.1)
    [balanced] = run.run()
    assert balanced.loss == pytest.approx((blue + red) / 2, rel=0.01)
    [plain] = Trainer(recipe, known).run()
    assert plain.loss == pytest.approx((4 * blue + red) / 5, rel=0.01)


def test_the_learning_rate_rises_in_a_line_and_falls_by_a_cosine(data):
    known = trainer(data).data
    recipe = Recipe("compact_cnn", epochs=10, batch_size=40, learning_rate=0.5, warm_up=0.4)
    rates = [report.learning_rate / 0.5 for report in Trainer(recipe, known).run()]
    assert rates[:4] == pytest.approx([0.325, 0.55, 0.775, 1])
    assert rates[4:] == pytest.approx([(1 + math.cos(math.pi * n / 6)) / 2 for n in range(1, 7)])


def test_a_run_that_gets_no_better_ends_early_with_its_best_weights(data, monkeypatch):
    run = patient(data, monkeypatch, accuracies=[0.5, 0.8, 0.7, 0.8, 0.6, 0.9])
    states = []
    for _ in run.run():
        states.append({n: v.clone() for n, v in run.average.module.state_dict().items()})
    assert [report.epoch for report in run.reports] == [1, 2, 3, 4]
    assert torch.equal(run.weights()["head.weight"], states[1]["head.weight"].half())


def test_a_run_that_was_taken_up_remembers_its_best(data, monkeypatch, tmp_path):
    killed = patient(data, monkeypatch, accuracies=[0.9, 0.8])
    for _ in zip(range(2), killed.run(), strict=False):
        pass
    best = killed.weights()["head.weight"]
    killed.save_checkpoint(tmp_path / "checkpoint.pt")
    taken_up = patient(data, monkeypatch, accuracies=[0.1])
    taken_up.load_checkpoint(tmp_path / "checkpoint.pt")
    assert [report.epoch for report in taken_up.run()] == [3]
    assert torch.equal(taken_up.weights()["head.weight"], best)


def patient(data, monkeypatch, accuracies):
    """A run with a patience of two epochs, whose network is as good as is said."""
    run = trainer(data, epochs=6)
    run.recipe = replace(run.recipe, patience=2)
    results = iter(accuracies)
    monkeypatch.setattr(run, "_watch", lambda: (0.1, next(results)))
    return run


def test_mixed_images_have_the_labels_of_both():
    torch.manual_seed(1)
    images = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)]).repeat(4, 1, 1, 1)
    mixed, targets = mix(images, torch.tensor([0, 1] * 4), 2, alpha=0.4)
    assert torch.allclose(mixed[:, 0, 0, 0], targets[:, 1])
    assert torch.allclose(targets.sum(dim=1), torch.ones(8))
    assert ((targets > 0) & (targets < 1)).any()


def test_training_by_mixed_noisy_and_attacked_images_gives_other_weights(data, tmp_path):
    for name, extra in (
        ("plain", ()),
        ("mixed", ("--mixup", "0.4")),
        ("noisy", ("--noise", "0.1")),
        ("hard", ("--adversarial", "0.03")),
    ):
        train(data, *FAST, *extra, "--bundle", tmp_path / name)
    names = ("plain", "mixed", "noisy", "hard")
    plain, *others = (learned(tmp_path / name) for name in names)
    for other in others:
        assert any(not torch.equal(plain[name], other[name]) for name in plain)


def test_the_course_is_recorded_for_the_page_and_for_tensorboard(data, tmp_path):
    work = tmp_path / "work"
    train(data, "--epochs", "2", "--batch-size", "10", "--validation", "0.2", "--work", work)
    record = ModelVersion.objects.get().training
    assert [epoch["epoch"] for epoch in record["epochs"]] == [1, 2]
    assert all(0 <= epoch["accuracy"] <= 1 for epoch in record["epochs"])
    assert record["images"] == {"train": 32, "validation": 8, "test": 10}
    [events] = (work / "events").iterdir()
    accumulated = b"".join(p.read_bytes() for p in [events])
    assert accumulated.count(b"accuracy/validation") == 2
    assert (work / "split.csv").read_text().count(",validation") == 8


def test_the_model_is_judged_and_the_evaluation_kept(data):
    train(data, *FAST)
    kept = Evaluation.objects.get()
    assert str(kept.model_version) == "colours@1"
    assert kept.report["accuracy"]["value"] == kept.model_version.metrics["top1"]


def test_a_run_on_other_images_is_not_taken_up(data, tmp_path):
    (tmp_path / "work").mkdir()
    trainer(data).save_checkpoint(tmp_path / "work" / "checkpoint.pt")
    Image.new("RGB", (32, 32), "blue").save(data / "train" / "blue" / "more.png")
    assert "on other images" in str(refused(data, *FAST, "--work", tmp_path / "work"))


def test_files_that_are_no_images_are_reported_before_training(data, tmp_path):
    for part in ("train", "test"):
        (data / part / "blue" / "broken.png").write_text(f"nothing to {part} by")
    told = str(refused(data, *FAST, "--work", tmp_path / "work"))
    assert told.startswith("2 files cannot be decoded: ")
    assert not (tmp_path / "work" / "checkpoint.pt").exists()


def test_a_run_that_was_judged_by_other_images_is_not_taken_up(data, tmp_path):
    """What is to judge now may be what was trained on before."""
    (tmp_path / "work").mkdir()
    trainer(data).save_checkpoint(tmp_path / "work" / "checkpoint.pt")
    (data / "test" / "blue" / "4.png").unlink()
    assert "on other images" in str(refused(data, *FAST, "--work", tmp_path / "work"))
