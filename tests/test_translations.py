"""Every text of the product is there in Simplified Chinese, and compiled as it is written.

After changing a text: `make messages`, translate what is new, and once more `make messages`.
"""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation.template import templatize

from classifier.actions.promote import activate
from classifier.models import Prediction, User
from tests.factories import PredictionFactory

ROOT = Path(settings.BASE_DIR)
CATALOGUE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
FUNCTIONS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
ENTRY = re.compile(r'^(msgid|msgid_plural|msgstr(?:\[0\])?) ((?:".*"\n)+)', re.MULTILINE)
CHINESE = {"accept-language": "zh-hans"}


def texts_of_python() -> Iterator[str]:
    for folder in ("classifier", "config"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in FUNCTIONS:
                    yield ast.literal_eval(node.args[0])


def texts_of_templates() -> Iterator[str]:
    """Read what Django shows to xgettext: calls of gettext amid letters that stand for the rest."""
    call = re.compile(r"""\b(?:_|n?gettext)\(u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
    for path in (ROOT / "templates").rglob("*.html"):
        for literal in call.findall(templatize(path.read_text(), origin=str(path))):
            yield ast.literal_eval(literal)


def catalogue() -> dict[str, str]:
    """The catalogue's texts and their translations; plurals by their singular."""
    translations: dict[str, str] = {}
    text = ""
    for keyword, lines in ENTRY.findall(CATALOGUE.read_text()):
        value = "".join(ast.literal_eval(line) for line in lines.splitlines())
        if keyword == "msgid":
            text = value
        elif keyword.startswith("msgstr"):
            translations[text] = value
    translations.pop("")  # the header
    return translations


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[a-z]|%%", text))


def test_the_catalogue_holds_every_text_and_nothing_else():
    used = {*texts_of_python(), *texts_of_templates()}
    assert sorted(used - catalogue().keys()) == [], "not in the catalogue: run makemessages"
    assert sorted(catalogue().keys() - used) == [], "no longer used: run makemessages"


def test_every_text_is_translated_and_none_is_marked_as_a_guess():
    assert [text for text, translation in catalogue().items() if not translation] == []
    assert "fuzzy" not in CATALOGUE.read_text()


def test_translations_keep_the_placeholders():
    for text, translation in catalogue().items():
        assert placeholders(text) == placeholders(translation), text


def test_the_compiled_catalogue_is_up_to_date():
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for text, translation in catalogue().items():
        assert translation in (compiled.gettext(text), compiled.ngettext(text, text, 1))


def test_a_page_for_everybody_is_shown_in_chinese(db: None, client: Client):
    page = client.get("/login/", headers=CHINESE).content.decode()
    assert '<html lang="zh-hans"' in page
    assert "登录" in page


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "您的图片里有什么？"),
        ("/predictions/", "历史记录"),
        ("/about/", "隐私"),
        ("/admin/classifier/prediction/", "待复核"),
    ],
)
def test_pages_are_shown_in_chinese(client: Client, staff: User, path: str, text: str):
    prediction: Prediction = PredictionFactory(owner=staff, image__owner=staff, succeeded=True)
    activate(prediction.model_version)
    client.force_login(staff)
    page = client.get(path, headers=CHINESE).content.decode()
    assert 'lang="zh-hans"' in page
    assert text in page
