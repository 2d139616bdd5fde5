"""What people type and choose, parsed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import UserCreationForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.actions.tokens import ORDINARY_SCOPES, grantable_scopes
from classifier.addresses import MOST_CHARACTERS
from classifier.models import Endpoint, Event, ModelVersion, Scope, Status, Token, User
from classifier.models.ids import uuid7
from classifier.queries.evaluations import datasets


class UploadForm(forms.Form):
    """Which model version shall classify; the files are read from the request by the view."""

    model = forms.ModelChoiceField(
        ModelVersion.objects.none(), required=False, empty_label=None, label=_("Model")
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, serving: ModelVersion) -> None:
        super().__init__(data, initial={"model": serving})
        self.serving = serving
        self.versions = ModelVersion.objects.by_precedence().without_documents()
        self.fields["model"].queryset = self.versions  # type: ignore[attr-defined]

    def clean_model(self) -> ModelVersion:
        return self.cleaned_data["model"] or self.serving


class EvaluationForm(forms.Form):
    """By which labelled images a model shall be judged: a data set's, or the reviewed ones."""

    REVIEWED = "*"

    images = forms.ChoiceField(label=_("Data set"))

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        reviewed = (self.REVIEWED, _("The pictures that were reviewed here"))
        choices = [reviewed, *((name, name) for name in datasets())]
        self.fields["images"].choices = choices  # type: ignore[attr-defined]

    @property
    def dataset(self) -> str:
        name: str = self.cleaned_data["images"]
        return "reviewed" if name == self.REVIEWED else name

    @property
    def location(self) -> str:
        """Where it lies; nowhere, if it is the reviewed pictures."""
        name = self.cleaned_data["images"]
        return "" if name == self.REVIEWED else str(Path(settings.DATASETS_DIR, name))


class HistoryForm(forms.Form):
    """Which of one's predictions to show, and from where on."""

    label = forms.CharField(required=False, label=_("Label"), max_length=255)
    status = forms.ChoiceField(
        required=False, label=_("Status"), choices=[("", _("Any status")), *Status.choices]
    )
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)

    @property
    def wanted(self) -> dict[str, Any]:
        """What is asked for, by field; what makes no sense is left out like what is missing."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class TokenForm(forms.Form):
    """A token to be made: what it is called, what it may do, and how long it works.

    `id` is the token's to be: the same form sent twice is recognised by it.
    """

    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("Name"),
        max_length=Token._meta.get_field("name").max_length,
        help_text=_("What will use it, so that you know it again."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.TypedMultipleChoiceField(
        label=_("It may"), coerce=Scope, widget=forms.CheckboxSelectMultiple
    )
    days = forms.TypedChoiceField(
        label=_("It works"),
        choices=[
            (30, _("for 30 days")),
            (90, _("for 90 days")),
            (365, _("for a year")),
            ("", _("until it is revoked")),
        ],
        coerce=int,
        empty_value=None,
        required=False,
    )

    def __init__(self, owner: User, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"id": uuid7(), "scopes": ORDINARY_SCOPES, "days": 90})
        choices = [(scope.value, scope.label) for scope in grantable_scopes(owner)]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]

    @property
    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None


class EndpointForm(forms.Form):
    """Where messages go and what about; whether anything is sent there is for the action to say."""

    url = forms.CharField(
        label=_("Address"),
        max_length=MOST_CHARACTERS,
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
        help_text=_("An https:// address of your program that takes POST requests."),
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=Endpoint._meta.get_field("description").max_length,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("So that you know it again."),
    )
    events = forms.TypedMultipleChoiceField(
        label=_("It is told when"),
        choices=Event.choices,
        coerce=Event,
        initial=[Event.COMPLETED],
        widget=forms.CheckboxSelectMultiple,
    )


class RegistrationForm(UserCreationForm):  # type: ignore[type-arg]
    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username",)
