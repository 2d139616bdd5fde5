"""`manage.py models`: list, install, activate."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from django.conf import settings
from django.core.management import CommandError, call_command

from classifier.ml import bundle as bundle_module
from classifier.ml.engines import load_engine
from classifier.ml.network import Network
from classifier.models import ModelVersion
from tests.factories import ModelVersionFactory
from tests.models_on_disk import REAL, SMALL, state_dict, write_bundle

pytestmark = pytest.mark.django_db


def models(*arguments):
    out = io.StringIO()
    call_command("models", *map(str, arguments), stdout=out)
    return out.getvalue()


def refusal(*arguments):
    """The one line with which the command refuses, and exits with 2."""
    with pytest.raises(CommandError) as refused:
        models(*arguments)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A small model in the place of those that ship with the project."""
    write_bundle(tmp_path / "shipped" / "toy")
    monkeypatch.setattr(bundle_module, "SHIPPED", tmp_path / "shipped")


def test_an_empty_list_says_what_to_do():
    assert "models install everyday --activate" in models("list")


def test_the_list_is_a_table_that_marks_the_model_that_serves(shipped):
    models("install", "toy", "--activate")
    ModelVersionFactory(name="older", version=12, metrics={"top1": 0.8086})
    heading, older, toy = models("list").splitlines()
    assert heading.split() == ["MODEL", "ARCHITECTURE", "LABELS", "ACCURACY", "SIZE"]
    assert older.split() == ["older@12", "compact_cnn", "3", "80.9", "%", "missing"]
    assert toy.split() == ["toy@1", "compact_cnn", "3", "50.0", "%", "7.9", "MB", "serves"]
    assert heading.index("ARCHITECTURE") == older.index("compact_cnn") == toy.index("compact_cnn")


def test_the_list_is_there_for_programs_too(shipped):
    models("install", "toy", "--activate")
    facts = json.loads(models("list", "--json"))
    assert facts["model"] == "toy@1"
    assert facts["serving"] is True
    assert (facts["labels"], facts["accuracy"]) == (3, 0.5)


def test_a_shipped_model_is_installed_once_and_activated(shipped):
    assert models("install", "toy").splitlines() == [
        "Installed toy@1.",
        "To let it serve: manage.py models activate toy@1",
    ]
    assert models("install", "toy", "--activate").splitlines() == [
        "toy@1 is there already.",
        "toy@1 serves now.",
    ]
    assert ModelVersion.objects.serving() == ModelVersion.objects.get()


def test_a_shipped_model_is_installed_without_torch():
    code = (
        "import sys, django; django.setup();"
        "import classifier.management.commands.models, classifier.management.refusals;"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={"DJANGO_SETTINGS_MODULE": "config.settings", "SIGHTLINE_DATA_DIR": settings.DATA_DIR},
        capture_output=True,
        text=True,
    )
    assert result.stdout.strip() == "False", result.stderr


def test_a_folder_that_train_wrote_is_installed_under_the_name_asked_for(tmp_path):
    write_bundle(tmp_path / "run")
    models("install", tmp_path / "run", "--name", "mine")
    version = ModelVersion.objects.get()
    assert (str(version), version.spec) == ("mine@1", SMALL.to_json())


def test_a_folder_whose_weights_do_not_fit_is_refused(tmp_path):
    bundle = write_bundle(tmp_path)
    (tmp_path / "model.json").write_text(
        (tmp_path / "model.json").read_text().replace("compact_cnn", "squeezenet1_1")
    )
    assert "not those of squeezenet1_1" in refusal("install", bundle.weights.parent)
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "lacks 'spec'"),
        ("no", "cannot be read as JSON"),
        ('{"metrics": {"top1": "nine of ten"}}', "is not what `train` writes: metrics.top1"),
        ('{"spec": {}}', "'labels' must be there"),
    ],
)
def test_a_folder_with_wrong_facts_is_refused(tmp_path, text, reason):
    write_bundle(tmp_path)
    (tmp_path / "model.json").write_text(text)
    assert reason in refusal("install", tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path):
    write_bundle(tmp_path).weights.unlink()
    assert "there is no" in refusal("install", tmp_path)


def test_a_local_state_dict_gets_its_architectures_official_spec_and_labels():
    source = REAL / "weights" / "mobilenet_v2.pth"
    if not source.exists():
        pytest.skip(f"needs {source}")
    models("install", "mobilenet_v2", "--weights", source, "--activate")
    version = ModelVersion.objects.serving()
    assert str(version) == "mobilenet_v2@1"
    assert version.labels[0] == "tench"
    assert (version.spec["crop"], version.source) == (224, "mobilenet_v2.pth")


def test_a_local_state_dict_may_have_labels_and_a_name_of_its_own(tmp_path):
    torch.save(state_dict("squeezenet1_1", 3), tmp_path / "w.pth")
    (tmp_path / "labels.txt").write_text("paper\nglass\n\nmetal\n")
    models(
        *("install", "waste", "--architecture", "squeezenet1_1"),
        *("--weights", tmp_path / "w.pth", "--labels", tmp_path / "labels.txt"),
    )
    version = ModelVersion.objects.get(name="waste")
    assert version.labels == ["paper", "glass", "metal"]
    engine = load_engine(Network(version.architecture, Path(version.weights.path), SMALL))
    assert engine.predict(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 3)


def test_a_wrong_number_of_labels_is_refused_with_the_remedy(tmp_path):
    torch.save(state_dict("squeezenet1_1", 3), tmp_path / "w.pth")
    line = refusal("install", "squeezenet1_1", "--weights", tmp_path / "w.pth")
    assert "have 3 classes, but there are 1000 labels" in line
    assert "--labels" in line


def test_an_unreadable_file_of_labels_is_refused(tmp_path):
    torch.save(state_dict("squeezenet1_1", 3), tmp_path / "w.pth")
    arguments = ("install", "squeezenet1_1", "--weights", tmp_path / "w.pth", "--labels")
    assert "cannot be read as text" in refusal(*arguments, tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    assert "a line for each class" in refusal(*arguments, tmp_path / "empty.txt")


def test_an_unknown_name_is_refused_with_those_that_look_like_it(shipped):
    assert "Did you mean resnet50" in refusal("install", "resnet5")
    assert "Did you mean toy?" in refusal("install", "toys")


def test_our_own_network_alone_is_no_model_to_install():
    assert "folder that `train` wrote" in refusal("install", "compact_cnn")


def test_labels_without_weights_are_refused(tmp_path):
    assert "--labels needs --weights" in refusal("install", "resnet50", "--labels", tmp_path / "l")


def test_weights_that_were_downloaded_before_are_not_downloaded_again(tmp_path):
    """The address is torchvision's, the weights are what the store holds for it."""
    torch.save(state_dict("squeezenet1_1", 1000), tmp_path / "w.pth")
    models("install", "squeezenet1_1", "--weights", tmp_path / "w.pth")
    from classifier.ml.catalogue import official

    ModelVersion.objects.update(source=official("squeezenet1_1").source)
    assert "is there already" in models("install", "squeezenet1_1", "--timeout", "0.01")


def test_a_name_that_is_no_slug_is_refused(tmp_path):
    write_bundle(tmp_path)
    assert "name: " in refusal("install", tmp_path, "--name", "not a slug")


def test_activating_an_older_version_goes_back_to_it():
    first, second = (ModelVersionFactory(name="birds", version=v) for v in (1, 2))
    assert models("activate", "birds@2") == "birds@2 serves now.\n"
    assert ModelVersion.objects.serving() == second
    models("activate", "birds@1")
    assert ModelVersion.objects.serving() == first


def test_activating_what_is_not_there_names_what_looks_like_it():
    assert "No model is installed" in refusal("activate", "birds@1")
    ModelVersionFactory(name="birds", version=1)
    assert refusal("activate", "bird@1") == "There is no model bird@1. Did you mean birds@1?"
    assert "`models list`" in refusal("activate", "xylophone")
