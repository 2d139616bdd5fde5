"""How numbers, in the reader's language, and pieces of code are written on the pages."""

import math
import re

from django import template
from django.utils.formats import number_format
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

register = template.Library()

MACHINE_FACTS = {
    "cpu": gettext_lazy("Processor"),
    "instructions": gettext_lazy("Instructions"),
    "cores": gettext_lazy("Cores"),
    "memory_bytes": gettext_lazy("Memory"),
    "gpu": gettext_lazy("GPU"),
    "system": gettext_lazy("System"),
}


@register.filter
def percent(score: float) -> str:
    """A score from 0 to 1 with one decimal. What is not certain is never written as 100 %."""
    value = score * 100
    if 0 < value < 0.1:
        return _unbroken(_("<%(number)s %%") % {"number": number_format(0.1, 1)})
    if score < 1:
        value = min(value, 99.9)
    return _unbroken(_("%(number)s %%") % {"number": _rounded(value, 1)})


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as one reads them: milliseconds below one second, minutes from one minute on."""
    if seconds is None:
        return "–"
    if seconds < 1:
        milliseconds = _rounded(max(seconds, 0) * 1000, 0)
        return _unbroken(_("%(number)s ms") % {"number": milliseconds})
    if seconds < 60:
        return _unbroken(_("%(number)s s") % {"number": _rounded(seconds, 1)})
    minutes, rest = divmod(seconds, 60)
    return _unbroken(_("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest})


@register.filter
def significant(value: float | None) -> str:
    """A figure with three digits that count, as 1,240 or 68.2 or 0.95."""
    if value is None:
        return "–"
    if abs(value) < 1e-4:
        return _rounded(0, 0)
    decimals = 2 - math.floor(math.log10(abs(value)))
    return _rounded(value, min(max(decimals, 0), 4))


@register.filter
def milliseconds(seconds: float | None) -> str:
    """The number of milliseconds, without its unit."""
    return significant(None if seconds is None else seconds * 1000)


@register.filter
def points(share: float) -> str:
    """A difference of two shares in percentage points, with two decimals."""
    return _rounded(share * 100, 2).replace("-", "\N{MINUS SIGN}")


@register.filter
def machine_fact(name: str) -> str:
    """What a fact about a machine is called; names of libraries are what they are."""
    return str(MACHINE_FACTS.get(name, name))


@register.filter
def with_code(text: str) -> SafeString:
    """What stands between `backticks` as code."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", conditional_escape(text))
    return mark_safe(marked)  # noqa: S308 - escaped above


def _rounded(value: float, decimals: int) -> str:
    """In the reader's language; Django by itself cuts further decimals off."""
    return str(number_format(round(value, decimals) or 0, decimals, force_grouping=True))


def _unbroken(text: str) -> str:
    """With spaces that no line breaks at; put in here, as catalogues cannot show them."""
    return text.replace(" ", "\u00a0")
