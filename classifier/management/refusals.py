"""One way for all commands to say no: one line on stderr, and exit code 2."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management import CommandError

from classifier.ml.refusal import Refusal
from classifier.models import ModelVersion


def refuse(message: str) -> CommandError:
    """The error to raise where a command cannot begin what it was asked for."""
    return CommandError(message, returncode=2)


@contextmanager
def refusals_told() -> Iterator[None]:
    """Turn what the layers below refuse into a command's one line of error."""
    try:
        yield
    except Refusal as error:
        raise refuse(str(error)) from error
    except ValidationError as error:
        fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        lines = (f"{name}: {' '.join(texts)}".lstrip(": ") for name, texts in fields.items())
        raise refuse("; ".join(lines)) from error


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """ " Did you mean …?" with the names that look like it, or nothing."""
    close = difflib.get_close_matches(wrong, list(known), n=3)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def find_version(reference: str) -> ModelVersion:
    """The model version `NAME` or `NAME@VERSION`.

    Raises:
        CommandError: if there is none; it names those that look like it.
    """
    try:
        return ModelVersion.objects.named(reference)
    except ModelVersion.DoesNotExist as error:
        known = [str(version) for version in ModelVersion.objects.all()]
        if not known:
            raise refuse(NOTHING_INSTALLED) from error
        hint = suggestion(reference, known) or " `models list` names them."
        raise refuse(f"There is no model {reference}.{hint}") from error


NOTHING_INSTALLED = (
    "No model is installed. `manage.py models install everyday --activate` installs the one "
    "that ships with the project."
)
