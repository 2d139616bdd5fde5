"""The guide for whoever runs Sightline names every setting, and only those that exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
GUIDE = (ROOT / "docs" / "operating.md").read_text()
READERS = ("config/settings.py", "deploy/gunicorn.conf.py")
READ = re.compile(r"\"((?:SIGHTLINE_\w+)|PORT|DATABASE_URL|REDIS_URL)\"")


def names_that_the_code_reads() -> set[str]:
    return {name for path in READERS for name in READ.findall((ROOT / path).read_text())}


def test_every_setting_is_in_the_guides_table() -> None:
    in_table = set(re.findall(r"^\| `([A-Z]\w+)` \|", GUIDE, re.MULTILINE))
    assert in_table == names_that_the_code_reads()


# Prints the commands that cannot even be loaded where there is no PyTorch, as in the web image.
NEED_TORCH = """
import django, importlib, pathlib, sys
sys.modules["torch"] = None
django.setup()
from classifier.management import commands
for path in pathlib.Path(commands.__path__[0]).glob("[a-z]*.py"):
    try:
        importlib.import_module(f"{commands.__name__}.{path.stem}")
    except ImportError:
        print(path.stem)
"""


def test_what_needs_torch_is_named_and_never_run_in_the_web_container() -> None:
    found = subprocess.run(
        [sys.executable, "-c", NEED_TORCH],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    commands = set(found.stdout.split())
    assert {"classify", "train"} <= commands
    [named] = re.findall(r"^(`classify`.*?)\nneed PyTorch", GUIDE, re.MULTILINE | re.DOTALL)
    assert commands <= set(re.findall(r"`(\w+)`", named))
    web = re.findall(r"docker compose exec(?: -T)? web python manage.py ?([a-z]*)", GUIDE)
    assert web
    assert not {"models", *commands} & set(web)


def test_every_command_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "command-line.md").read_text()
    for path in (ROOT / "classifier" / "management" / "commands").glob("[a-z]*.py"):
        assert f"| `{path.stem} " in reference or f"| `{path.stem}` " in reference, path.stem


def test_every_make_target_is_in_the_guide() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    for target in targets:
        assert f"`make {target}`" in GUIDE, target
