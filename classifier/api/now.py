"""What the calls share that answer at once: /predict and Hugging Face's."""

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from classifier.actions.answer import NamedImage, OutOfTime, Unanswered, answer
from classifier.actions.submit import Order
from classifier.api.inputs import NAMELESS
from classifier.api.problems import Fault, Problem
from classifier.api.slips import fault
from classifier.images import check_size, verify
from classifier.models import Prediction
from classifier.waiting import NoSeat

logger = logging.getLogger(__name__)

BUSY_SECONDS = "1"


def classify_now(order: Order, content: bytes, name: str) -> Prediction:
    """Classify an image while the caller waits.

    Raises:
        InvalidImage: if it is none.
        Problem: if there is no seat to wait in, no answer in time, or no answer at all; or if the
            storage takes nothing.
    """
    image = NamedImage(name, verify(content))
    try:
        [prediction] = answer(order, [image], settings.ANSWER_SECONDS)
    except NoSeat as error:
        raise Problem("no_seat", headers={"Retry-After": BUSY_SECONDS}) from error
    except OutOfTime as error:
        raise Problem("out_of_time") from error
    except Unanswered as error:
        reason = Fault(code=error.code, detail=str(error))
        raise Problem("prediction_failed", str(error), [reason]) from error
    except OSError:
        logger.exception("an image could not be stored")
        raise Problem("storage") from None
    return prediction


def read_file(files: "Sequence[UploadedFile[Any]]") -> tuple[bytes, str]:
    """The one file of a form, and its name.

    Raises:
        InvalidImage: if it is empty or too large.
        Problem: if there is none, or more than one.
    """
    if len(files) != 1:
        raise wrong("", f"One file is needed in the form; there are {len(files)}.")
    [file] = files
    check_size(file.size or 0)
    return file.read(), file.name or NAMELESS


def wrong(pointer: str, detail: str, code: str = "invalid") -> Problem:
    """The refusal of a body for what is at one place in it."""
    slug = "too_large" if code == "too_large" else "invalid_request"
    return Problem(slug, detail, [fault(pointer, code, detail)])
