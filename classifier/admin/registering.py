"""Staff register a model: an uploaded file of weights, and what must be known of it."""

from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.validators import FileExtensionValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from classifier.actions.register import NotRegistered, can_register, register
from classifier.admin.computing import ComputingAdmin
from classifier.models import ModelVersion

KINDS = ("safetensors", "onnx", "pth", "pt", "bin")
INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest", "box", "hamming")
CHANNELS = gettext_lazy("Three numbers with commas, of values from 0 to 1.")


class ModelUploadHandler(TemporaryFileUploadHandler):
    """Spools a file of weights to the disk, unless it is larger than one may be."""

    def handle_raw_input(
        self, input_data: Any, meta: dict[str, str], content_length: int, *rest: Any
    ) -> None:
        """Raise RequestDataTooBig before anything of it is read."""
        if content_length > settings.MODEL_UPLOAD_MAX_BYTES:
            raise RequestDataTooBig(f"The request has {content_length} bytes.")


class RegisterForm(forms.Form):
    """A file of weights, and what `models import` takes as options; what is empty follows."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        validators=[FileExtensionValidator(KINDS)],
        help_text=gettext_lazy("A state_dict, .safetensors or .pth, or an .onnx."),
    )
    name = forms.SlugField(
        label=gettext_lazy("Name"), max_length=ModelVersion._meta.get_field("name").max_length
    )
    arch = forms.CharField(
        label=gettext_lazy("Architecture"),
        required=False,
        help_text=gettext_lazy("Of a state_dict, as torchvision calls it, for example resnet18."),
    )
    labels = forms.CharField(
        label=gettext_lazy("Labels"),
        widget=forms.Textarea,
        required=False,
        help_text=gettext_lazy(
            "One a line, in the order of the outputs. Empty: the architecture's official ones."
        ),
    )
    image_size = forms.IntegerField(
        label=gettext_lazy("Image size"),
        min_value=1,
        max_value=2048,
        required=False,
        help_text=gettext_lazy(
            "The side of the pictures in pixels. Empty: what the file or its architecture says; "
            "the same holds for what follows."
        ),
    )
    resize = forms.IntegerField(
        label=gettext_lazy("Resize"),
        min_value=1,
        max_value=2048,
        required=False,
        help_text=gettext_lazy("The shorter side in pixels before the middle is taken."),
    )
    interpolation = forms.ChoiceField(
        label=gettext_lazy("Interpolation"),
        choices=[("", "—"), *((name, name) for name in INTERPOLATIONS)],
        required=False,
    )
    mean = forms.CharField(label=gettext_lazy("Mean"), required=False, help_text=CHANNELS)
    std = forms.CharField(
        label=gettext_lazy("Standard deviation"), required=False, help_text=CHANNELS
    )
    licence = forms.CharField(
        label=gettext_lazy("Licence"),
        required=False,
        max_length=ModelVersion._meta.get_field("licence").max_length,
    )

    def options(self) -> dict[str, str]:
        """Those of `models import`."""
        cleaned = {**self.cleaned_data}
        del cleaned["file"], cleaned["labels"]
        return {name.replace("_", "-"): str(value or "") for name, value in cleaned.items()}


class RegisteringAdmin(ComputingAdmin):
    """The part of the model versions' admin that adds one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.add_modelversion")

    @method_decorator(csrf_exempt)  # until it is known who sends the file, and how it is kept
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form, or register what was sent by it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        request.upload_handlers = [ModelUploadHandler(request)]
        return csrf_protect(self._add)(request)

    def _add(self, request: HttpRequest) -> HttpResponse:
        form = RegisterForm(request.POST or None, request.FILES or None)
        refusal = ""
        if form.is_valid():
            try:
                version = _register(form)
            except NotRegistered as error:
                refusal = str(error)
            except ValidationError as error:
                form.add_error(None, error.messages)
            else:
                self.log_addition(request, version, _("Registered."))
                message = _("%(version)s is registered. It serves once it is activated.")
                self.message_user(request, message % {"version": version})
                return redirect("admin:classifier_modelversion_change", version.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Register a model"),
            "opts": self.opts,
            "form": form,
            "refusal": refusal,
            "can_register": can_register(),
        }
        return TemplateResponse(request, "admin/classifier/modelversion/register.html", context)


def _register(form: RegisterForm) -> ModelVersion:
    file = form.cleaned_data["file"]
    assert isinstance(file, TemporaryUploadedFile)
    path, labels = Path(file.temporary_file_path()), form.cleaned_data["labels"]
    return register(path, file.name or "", labels, form.options())
