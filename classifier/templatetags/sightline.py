"""How numbers, in the reader's language, and pieces of code are written on the pages."""

import re

from django import template
from django.utils.formats import number_format
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def percent(score: float) -> str:
    """A score from 0 to 1 with one decimal. What is not certain is never written as 100 %."""
    value = score * 100
    if 0 < value < 0.1:
        return _unbroken(_("<%(number)s %%") % {"number": number_format(0.1, 1)})
    if score < 1:
        value = min(value, 99.9)
    return _unbroken(_("%(number)s %%") % {"number": number_format(value, 1)})


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as one reads them: milliseconds below one second, minutes from one minute on."""
    if seconds is None:
        return "–"
    if seconds < 1:
        milliseconds = number_format(max(seconds, 0) * 1000, 0)
        return _unbroken(_("%(number)s ms") % {"number": milliseconds})
    if seconds < 60:
        return _unbroken(_("%(number)s s") % {"number": number_format(seconds, 1)})
    minutes, rest = divmod(seconds, 60)
    return _unbroken(_("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest})


@register.filter
def with_code(text: str) -> SafeString:
    """What stands between `backticks` as code."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", conditional_escape(text))
    return mark_safe(marked)  # noqa: S308 - escaped above


def _unbroken(text: str) -> str:
    """With spaces that no line breaks at; put in here, as catalogues cannot show them."""
    return text.replace(" ", "\u00a0")
