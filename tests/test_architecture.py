"""The layers hold, and the processes import no more than they should."""

import subprocess
import sys

from django.conf import settings

from classifier.embedded.installation import _chores, _worker

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


def tasks_of(*modules):
    """What is registered in a Celery process that runs these modules, and a check for torch."""
    imports = "".join(f"config.celery_app.loader.import_task_module('{name}');" for name in modules)
    return run_python(
        f"import django, config; django.setup();{imports}config.celery_app.finalize();"
        "print(*config.celery_app.tasks);" + LOADED_TORCH
    )


def modules_of(program):
    """What a program of the embedded installation names with `-I`."""
    command = program.command
    return command[command.index("-I") + 1].split(",")


def test_the_chores_process_never_loads_torch():
    result = tasks_of(*modules_of(_chores("chores")))
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


def test_each_bell_names_a_task_of_the_process_that_listens_to_its_queue():
    from classifier.bells import TASKS

    heard = {}
    for program in (_chores("chores"), _worker("worker")):
        queues = program.command[program.command.index("-Q") + 1].split(",")
        result = tasks_of(*modules_of(program))
        tasks = result.stdout.splitlines()[0].split()
        heard |= dict.fromkeys(queues, tasks)
    assert all(task in heard[queue] for queue, task in TASKS.items()), heard
