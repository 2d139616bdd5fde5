"""A better model than the bundled one, fetched once in the background of the first start."""

from django.conf import settings
from django.db import DatabaseError

from classifier.actions.promote import activate
from classifier.models import ModelVersion
from classifier.queries.catalogue import serving_version

NAME = settings.BETTER_MODEL
INSTALL = ("models", "install", NAME)
BY_HAND = f"manage.py models install {NAME} --activate"


def is_wanted() -> bool:
    """Whether it is to be fetched: it is not there, and nobody said no, not even the network."""
    if ModelVersion.objects.filter(name=NAME).exists():
        settings.BETTER_MODEL_FAILED.unlink(missing_ok=True)  # somebody fetched it later
        return False
    if settings.FETCH_RESNET50 is None:
        return not settings.BETTER_MODEL_FAILED.exists()
    return bool(settings.FETCH_RESNET50)


def after_fetching(exit_code: int) -> str:
    """Let the model serve that `INSTALL` installed, or remember that it failed; say which."""
    if exit_code:
        settings.BETTER_MODEL_FAILED.touch()
        return f"{NAME} could not be fetched, so the bundled model serves; to try again: {BY_HAND}"
    settings.BETTER_MODEL_FAILED.unlink(missing_ok=True)
    try:
        serves = _take_over()
    except (DatabaseError, ModelVersion.DoesNotExist) as error:
        return f"{NAME} is installed, but could not be activated ({error}); to do so: {BY_HAND}"
    if serves:
        return f"{NAME} is installed and serves from now on"
    return f"{NAME} is installed; the model that was activated meanwhile goes on serving"


def _take_over() -> bool:
    """Activate it in place of the bundled model; somebody's own choice is left alone."""
    active = serving_version()
    if active is not None and active.name != settings.BUNDLED_MODEL:
        return False
    newest = ModelVersion.objects.filter(name=NAME).latest("version")
    activate(newest)
    return True
