"""What `models import` needs to know: given as options, read beside the file, or asked for."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.management.arguments import channels
from classifier.management.numbers import positive
from classifier.management.refusals import suggestion
from classifier.ml.architectures import architecture_names
from classifier.ml.bundle import Bundle
from classifier.ml.facts import Facts, UnreadableFacts, read_beside, read_labels
from classifier.ml.importing import completed, prepared, told_by, weights_in
from classifier.ml.refusal import Refusal


class TooLittleKnown(Refusal):
    """Something is needed that nobody told, and nobody is there to be asked."""


@dataclass(frozen=True)
class Question:
    """How to ask at the terminal for what an option would have told."""

    option: str
    text: str
    read: Callable[[str], Any]
    default: str = ""


def _architecture(text: str) -> str:
    if text not in architecture_names():
        hint = suggestion(text, architecture_names())
        raise ArgumentTypeError(f"There is no architecture {text!r}.{hint}")
    return text


QUESTIONS = {
    "architecture": Question("--arch", "Architecture, as torchvision calls it", _architecture),
    "labels": Question(
        "--labels",
        "File with one label a line",
        lambda text: list(read_labels(Path(text))),
        "labels.txt",
    ),
    "crop": Question("--image-size", "Side of the pictures in pixels", positive, "224"),
    "mean": Question("--mean", "Mean of red, green and blue", channels, "0.485,0.456,0.406"),
    "std": Question("--std", "Standard deviation of these", channels, "0.229,0.224,0.225"),
}


@contextmanager
def ready_to_import(options: dict[str, Any]) -> Iterator[tuple[Bundle, tuple[str, ...]]]:
    """The model in the file of the options, tried out, and the names of the files that told of it.

    Its own file may be a temporary one, which is there for the length of the context.

    Raises:
        Refusal: if the file is not what it should be, or too little is known of it.
    """
    file = weights_in(options["file"])
    facts = _given(options).over(read_beside(file)).over(told_by(file))
    with prepared(file, _sufficient(facts, file)) as bundle:
        yield bundle, facts.files


def _given(options: dict[str, Any]) -> Facts:
    """Whoever names another size of the pictures means that they are resized to it, too."""
    size = options["image_size"]
    spec = {
        "labels": list(read_labels(options["labels"])) if options["labels"] else None,
        "crop": size,
        "resize": options["resize"] or size,
        **{name: options[name] for name in ("interpolation", "mean", "std")},
    }
    others = {name: options[name] for name in ("name", "architecture", "licence")}
    return Facts(_known(spec), _known(others))


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _sufficient(facts: Facts, file: Path) -> Facts:
    """With what follows from it, and with what is asked for until it is enough."""
    while lacking := completed(facts, file).lacking:
        if not sys.stdin.isatty():
            raise TooLittleKnown(f"too little is known of {file}; tell it with {_options(lacking)}")
        name = lacking[0]
        answer = {name: _asked(QUESTIONS[name])}
        told = Facts(others=answer) if name == "architecture" else Facts(answer)
        facts = told.over(facts)
    return completed(facts, file)


def _options(lacking: list[str]) -> str:
    if "architecture" in lacking:
        return f"{QUESTIONS['architecture'].option}, which may tell the rest"
    return " and ".join(QUESTIONS[name].option for name in lacking)


def _asked(question: Question) -> Any:
    default = f" [{question.default}]" if question.default else ""
    while True:
        try:
            return question.read(input(f"{question.text}{default}: ").strip() or question.default)
        except (ArgumentTypeError, UnreadableFacts) as error:
            sys.stderr.write(f"{error}\n")
        except EOFError as error:
            raise TooLittleKnown(f"nothing was answered; {question.option} tells it too") from error
