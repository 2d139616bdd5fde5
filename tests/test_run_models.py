"""Which model serves after a start, and after the better one was fetched in the background."""

import io
import socket
from pathlib import Path

import pytest
from pytest_django import Settings

from classifier.actions.promote import activate
from classifier.embedded import better_model, first_start, installation
from classifier.embedded.prepare import prepare_model
from classifier.models import ModelVersion, User
from tests.factories import ModelVersionFactory, PredictionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def failed(settings: Settings, tmp_path: Path) -> Path:
    """The file that remembers that the better model could not be fetched."""
    settings.BETTER_MODEL_FAILED = tmp_path / "failed"
    settings.FETCH_RESNET50 = None
    return tmp_path / "failed"


def activated(name: str) -> ModelVersion:
    version: ModelVersion = ModelVersionFactory(name=name)
    activate(version)
    return version


def serving() -> str:
    return ModelVersion.objects.serving().name


def test_where_there_is_no_model_the_bundled_one_serves() -> None:
    prepare_model()
    assert serving() == "everyday"


def test_where_no_installed_model_was_activated_the_bundled_one_serves() -> None:
    ModelVersionFactory(name="birds")
    prepare_model()
    assert serving() == "everyday"


def test_a_model_that_serves_goes_on_serving_after_a_start() -> None:
    activated("birds")
    prepare_model()
    assert serving() == "birds"
    assert not ModelVersion.objects.filter(name="everyday").exists()


def test_the_model_of_digits_is_installed_once_and_does_not_serve_by_default() -> None:
    prepare_model()
    prepare_model()
    digits = ModelVersion.objects.get(name="digits")
    assert digits.activated_at is None
    assert serving() == "everyday"


def test_another_model_under_its_name_is_left_alone() -> None:
    own = ModelVersionFactory(name="digits")
    prepare_model()
    assert ModelVersion.objects.get(name="digits") == own


def test_the_better_model_takes_over_from_the_bundled_one(failed: Path) -> None:
    activated("everyday")
    assert better_model.is_wanted()
    ModelVersionFactory(name="resnet50")
    assert "serves from now on" in better_model.after_fetching(0)
    assert serving() == "resnet50"
    assert not failed.exists()


def test_the_better_model_does_not_override_somebodys_own_choice() -> None:
    activated("everyday")
    activated("birds")
    ModelVersionFactory(name="resnet50")
    assert "goes on serving" in better_model.after_fetching(0)
    assert serving() == "birds"


def test_what_could_not_be_fetched_is_remembered_and_not_tried_again(failed: Path) -> None:
    activated("everyday")
    assert "manage.py models install resnet50 --activate" in better_model.after_fetching(1)
    assert failed.exists()
    assert not better_model.is_wanted()
    assert serving() == "everyday"


def test_it_is_tried_again_where_the_settings_say_so(failed: Path, settings: Settings) -> None:
    failed.touch()
    settings.FETCH_RESNET50 = True
    assert better_model.is_wanted()


def test_a_failure_is_forgotten_once_somebody_has_fetched_it(failed: Path) -> None:
    failed.touch()
    ModelVersionFactory(name="resnet50")
    assert not better_model.is_wanted()
    assert not failed.exists()


def test_a_model_that_is_gone_again_stops_nobody() -> None:
    activated("everyday")
    assert "could not be activated" in better_model.after_fetching(0)


def test_no_sample_is_told_to_be_certain() -> None:
    row = PredictionFactory(succeeded=True, top_score=0.996)
    assert first_start._answer(row) == "cat 99 %"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "sign in as admin with the password "),
        ("given", "the password of SIGHTLINE"),
    ],
)
def test_how_to_sign_in_is_told_also_where_a_first_start_is_cut_short(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, given: str, told: str
) -> None:
    def interrupted(say: object) -> None:
        raise KeyboardInterrupt

    settings.ADMIN_PASSWORD = given
    for name in ("prepare_database", "prepare_static_files", "prepare_model"):
        monkeypatch.setattr(installation, name, lambda: None)
    for name in ("_start_broker", "_start_processes"):
        monkeypatch.setattr(installation.Installation, name, lambda self: None)
    monkeypatch.setattr(first_start, "classify_samples", interrupted)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = installation.Installation(listener, output := io.StringIO())
        with pytest.raises(KeyboardInterrupt):
            started.start()
    assert told in output.getvalue()
    assert "is ready" not in output.getvalue()
    assert "given" not in output.getvalue()
    assert User.objects.get().is_superuser
