"""Staff who may, register a model by a form; a child process checks what they upload."""

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from classifier.actions import register as register_module
from classifier.admin import registering
from classifier.models import ModelVersion
from tests.graphs import write_graph
from tests.test_admin import person_who_may

pytestmark = pytest.mark.django_db

LIST = "/admin/classifier/modelversion/"
ADD = f"{LIST}add/"
TOLD = {"name": "colours", "labels": "cat\ndog\nship", "mean": "0.5, 0.5, 0.5", "std": "0.25"}


@pytest.fixture
def upload(tmp_path):
    content = write_graph(tmp_path / "w.onnx").read_bytes()
    return lambda name="Colours.ONNX": SimpleUploadedFile(name, content)


def send(client: Client, file: SimpleUploadedFile, **more: str):
    return client.post(ADD, {**TOLD, **more, "file": file}, follow=True)


def test_a_file_of_weights_becomes_a_version(boss: Client, upload):
    page = send(boss, upload(), licence="MIT").content.decode()
    assert "olours@1 is registered. It serves once it is activated." in page
    version = ModelVersion.objects.get()
    assert (version.engine, version.labels) == ("onnxruntime", ["cat", "dog", "ship"])
    assert (version.source, version.licence) == ("Colours.ONNX", "MIT")
    assert version.weights.size > 0
    assert version.activated_at is None
    assert LogEntry.objects.get().object_id == str(version.pk)


def test_an_option_that_makes_no_sense_is_told_in_one_line(boss: Client, upload):
    page = send(boss, upload(), mean="grey").content.decode()
    assert "argument --mean: &#x27;grey&#x27; is neither one number nor three" in page


@pytest.fixture
def command(settings, tmp_path):
    """What the child runs in the place of `manage.py`."""
    settings.BASE_DIR = tmp_path
    return tmp_path / "manage.py"


def test_what_the_command_refuses_is_told_and_the_form_kept(boss: Client, upload, command):
    command.write_text(
        "import sys; sys.stderr.write('CommandError: it is <b>no</b> model'); exit(2)"
    )
    page = send(boss, upload()).content.decode()
    assert "The file was refused:" in page
    assert '<span lang="en">it is &lt;b&gt;no&lt;/b&gt; model</span>' in page
    assert 'value="colours"' in page
    assert not ModelVersion.objects.exists()


def test_a_check_that_takes_too_long_is_given_up(boss: Client, upload, command, monkeypatch):
    command.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(register_module, "SECONDS", 0.5)
    assert "It takes more than 0.5 seconds to check." in send(boss, upload()).content.decode()


def test_an_accident_of_the_check_is_logged_and_told_in_plain_words(
    boss: Client, upload, command, caplog
):
    command.write_text("raise RuntimeError('bad luck')")
    page = send(boss, upload()).content.decode()
    assert "It could not be checked; the log has the reason." in page
    assert "bad luck" in caplog.text


def test_nothing_beside_the_file_is_taken_for_its_description(boss: Client, upload, command):
    command.write_text(
        "import sys; from pathlib import Path\n"
        "names = sorted(path.name for path in Path(sys.argv[3]).parent.iterdir())\n"
        "sys.stderr.write(' and '.join(names)); sys.exit(2)"
    )
    assert "labels and model.onnx" in send(boss, upload()).content.decode()


@pytest.mark.parametrize("name", ["model.txt", "model"])
def test_a_file_of_another_kind_is_refused_by_the_form(boss: Client, upload, name):
    page = send(boss, upload(name)).content.decode()
    assert "Allowed extensions are: safetensors, onnx, pth, pt, bin." in page


def test_a_name_that_is_no_slug_is_refused_by_the_form(boss: Client, upload):
    assert "Enter a valid “slug”" in send(boss, upload(), name="no slug").content.decode()


def test_more_than_may_be_uploaded_is_not_even_read(boss: Client, upload, settings):
    settings.MODEL_UPLOAD_MAX_BYTES = 100
    response = send(boss, upload())
    assert response.status_code == 413
    assert "Too much at once" in response.content.decode()


def test_registering_takes_the_permission_to_add_model_versions(upload):
    viewer = person_who_may("view_modelversion")
    assert viewer.get(ADD).status_code == 403
    assert send(viewer, upload()).status_code == 403
    assert "Add model version" not in viewer.get(LIST).content.decode()
    adder = person_who_may("view_modelversion", "add_modelversion")
    assert "Add model version" in adder.get(LIST).content.decode()
    assert "Register a model" in adder.get(ADD).content.decode()


def test_registering_needs_staff_and_the_forms_own_token(client: Client, user, staff, upload):
    client.force_login(user)
    assert client.get(ADD).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)
    assert strict.post(ADD, {**TOLD, "file": upload()}).status_code == 403
    assert not ModelVersion.objects.exists()


def test_a_machine_that_cannot_check_models_says_where_to_do_it(boss: Client, monkeypatch):
    monkeypatch.setattr(registering, "can_register", lambda: False)
    page = boss.get(ADD).content.decode()
    assert "manage.py models import" in page
    assert "<form method" not in page.split("<main")[-1]
