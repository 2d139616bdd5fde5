"""The layers hold, and the processes import no more than they should."""

import subprocess
import sys

from django.conf import settings

LOADED_TORCH = "import sys; print(sorted({'torch', 'torchvision'} & set(sys.modules)))"


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True
    )


def test_imports_go_down_only():
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    result = run_python(code)
    assert result.returncode == 0, result.stdout


def test_the_web_process_never_loads_torch():
    """Load the application, its URLs and every view, as gunicorn does."""
    result = run_python(
        "from config.wsgi import application;"
        "from django.urls import get_resolver; get_resolver().url_patterns;" + LOADED_TORCH
    )
    assert result.stdout.strip() == "[]", result.stderr


def test_the_chores_process_never_loads_torch():
    result = run_python(
        "import django, config; django.setup();"
        "config.celery_app.loader.import_task_module('classifier.worker.sweep');"
        "config.celery_app.finalize();" + LOADED_TORCH
    )
    assert result.stdout.strip() == "[]", result.stderr


def test_the_worker_process_registers_the_task_that_bells_name():
    from classifier.bells import TASKS

    result = run_python(
        "import django, config; django.setup();"
        "config.celery_app.loader.import_task_module('classifier.worker.classify');"
        "print(*config.celery_app.tasks)"
    )
    assert set(TASKS.values()) <= set(result.stdout.split()), result.stderr
