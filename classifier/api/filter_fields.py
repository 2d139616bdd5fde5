"""What the parameters of a list may hold, beside plain texts."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from drf_spectacular.drainage import set_override


class MomentField(IsoDateTimeField):
    """A time that is one in UTC too: the year 1 begins in the year 0 somewhere."""

    def clean(self, value: Any) -> Any:
        """Parse it.

        Raises:
            ValidationError: if it is no time.
        """
        moment = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError("This time is out of range.", "invalid") from None


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentField


class TextFilter(filters.CharFilter):
    """A text of at most `max_length` characters."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)
        _describe(self, type="string", maxLength=max_length)


class ShareFilter(filters.NumberFilter):
    """A number from 0 to 1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, **options)
        _describe(self, type="number", minimum=0, maximum=1)

    def get_max_validator(self) -> MaxValueValidator:
        return MaxValueValidator(1)


class ChoicesField(forms.MultipleChoiceField):
    """Some of several; an empty text is none, as a browser's form sends it."""

    def to_python(self, value: Any) -> list[str]:
        return [choice for choice in super().to_python(value) if choice]


class ChoicesFilter(filters.MultipleChoiceFilter):
    """Any of these, repeated."""

    field_class = ChoicesField

    def __init__(self, *, choices: Iterable[tuple[str, Any]], **options: Any) -> None:
        choices = list(choices)
        super().__init__(choices=choices, **options)
        _describe(self, type="string", enum=[*(str(value) for value, _ in choices), ""])


def _describe(parameter: filters.Filter, **schema: Any) -> None:
    """Tell the schema more than it could guess."""
    text = parameter.extra["help_text"]
    set_override(parameter, "field", {**schema, "description": text})
