"""The guide for whoever runs Sightline names every setting, and only those that exist."""

import re
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


def test_what_needs_torch_is_never_run_in_the_web_container() -> None:
    web = re.findall(r"docker compose exec(?: -T)? web python manage.py ?([a-z]*)", GUIDE)
    assert web
    assert not {"models", "classify", "train"} & set(web)


def test_every_make_target_is_in_the_guide() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    for target in targets:
        assert f"`make {target}`" in GUIDE, target
