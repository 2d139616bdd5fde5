"""What people type and choose, parsed."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.utils.translation import gettext_lazy as _

from classifier.models import ModelVersion, Status, User


class UploadForm(forms.Form):
    """Which model version shall classify; the files are read from the request by the view."""

    model = forms.ModelChoiceField(
        ModelVersion.objects.none(), required=False, empty_label=None, label=_("Model")
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, serving: ModelVersion) -> None:
        super().__init__(data, initial={"model": serving})
        self.serving = serving
        self.versions = ModelVersion.objects.by_precedence().defer("spec", "metrics")
        self.fields["model"].queryset = self.versions  # type: ignore[attr-defined]

    def clean_model(self) -> ModelVersion:
        return self.cleaned_data["model"] or self.serving


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


class RegistrationForm(UserCreationForm):  # type: ignore[type-arg]
    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username",)
