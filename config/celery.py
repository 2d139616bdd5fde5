"""The Celery application; its settings are the `CELERY_*` names in config/settings.py.

No task is discovered: each process names the modules that it runs (`celery worker -I ...`, see
classifier/worker/__init__.py), so that only the one that classifies imports torch.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("sightline")
app.config_from_object("django.conf:settings", namespace="CELERY")
