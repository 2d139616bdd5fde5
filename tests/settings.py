"""The product's settings over a data folder of the test process's own.

DATABASE_URL and REDIS_URL are taken from the environment where they are set; otherwise SQLite and a
broker that tests/conftest.py starts at the port chosen here.
"""

import atexit
import os
import shutil
import socket
import tempfile
from urllib.parse import urlsplit

_folder = tempfile.mkdtemp(prefix="sightline-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["SIGHTLINE_DATA_DIR"] = _folder
if "PYTEST_XDIST_WORKER" in os.environ:
    # There are as many of us as cores; with as many threads in each, they mostly wait for another.
    os.environ["OMP_NUM_THREADS"] = "1"


def _own_redis_url() -> str:
    """A database of the given Redis for each parallel test process, or a free port."""
    if given := os.environ.get("REDIS_URL"):
        process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        return urlsplit(given)._replace(path=f"/{10 + process % 6}").geturl()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{probe.getsockname()[1]}/0"


from config.settings import *  # noqa: E402, F403
from config.settings import STORAGES  # noqa: E402

REDIS_URL = CELERY_BROKER_URL = _own_redis_url()
SECRET_KEY = "tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT.mkdir()  # noqa: F405 - or whitenoise warns
