"""Settings, read once from the environment; docs/operating.md lists every name.

With nothing set this is the embedded installation: SQLite, a broker started by `manage.py run`,
pictures on disk, all under one data folder.
"""

from datetime import timedelta
from pathlib import Path

import drf_spectacular_sidecar
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from config.environment import (
    Environment,
    default_model_memory,
    make_data_folder,
    read_if_present,
    read_or_create_secret,
)
from config.rest import REST_FRAMEWORK as REST_FRAMEWORK
from config.rest import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- Where things are -------------------------------------------------------------------------
DATA_DIR = make_data_folder(Path(env("SIGHTLINE_DATA_DIR", default=str(BASE_DIR / "media"))))
MEDIA_ROOT = DATA_DIR
DATABASES = {
    "default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'sightline.sqlite3'}")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a claim reads, then writes: no one may come between
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["CONN_MAX_AGE"] = 600
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMBEDDED_BROKER = not env("REDIS_URL", default="")
# `manage.py run` leaves the address of the broker that it started in the data folder.
REDIS_URL = env("REDIS_URL", default="") or read_if_present(
    DATA_DIR / "broker-url", default="redis://127.0.0.1:1"
)
S3_BUCKET = env("SIGHTLINE_S3_BUCKET", default="")
STORAGES = {
    "default": (
        {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": S3_BUCKET,
                "endpoint_url": env("SIGHTLINE_S3_ENDPOINT", default=None),
                "region_name": env("SIGHTLINE_S3_REGION", default=None),
                "file_overwrite": False,
            },
        }
        if S3_BUCKET
        else {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    ),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Who may call ------------------------------------------------------------------------------
DEBUG = env.bool("SIGHTLINE_DEBUG", default=False)
SECRET_KEY = env("SIGHTLINE_SECRET_KEY", default="") or read_or_create_secret(
    DATA_DIR / "secret-key"
)
ALLOWED_HOSTS = env.list("SIGHTLINE_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("SIGHTLINE_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("SIGHTLINE_HTTPS", default=False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env.int("SIGHTLINE_HSTS_SECONDS", default=3600 if HTTPS else 0)
# HSTS for every subdomain, and for good, is for whoever owns the domain to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REDIRECT_EXEMPT = [r"^(v2/)?health/"]  # the container's own check speaks plain HTTP
if env.bool("SIGHTLINE_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
AUTH_USER_MODEL = "classifier.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "upload"
LOGOUT_REDIRECT_URL = "login"
REGISTRATION_OPEN = env.bool("SIGHTLINE_REGISTRATION", default=False)
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- What an upload may be ---------------------------------------------------------------------
UPLOAD_MAX_BYTES = env.int("SIGHTLINE_UPLOAD_MAX_BYTES", default=20 * 1024 * 1024)
UPLOAD_MAX_PIXELS = env.int("SIGHTLINE_UPLOAD_MAX_PIXELS", default=50_000_000)
UPLOAD_MAX_ASPECT_RATIO = env.int("SIGHTLINE_UPLOAD_MAX_ASPECT_RATIO", default=50)
UPLOAD_MAX_JPEG_SCANS = env.int("SIGHTLINE_UPLOAD_MAX_JPEG_SCANS", default=100)
# The page's script sends one file a request; the plain form sends all that were chosen.
UPLOAD_MAX_REQUEST_BYTES = env.int(
    "SIGHTLINE_UPLOAD_MAX_REQUEST_BYTES", default=10 * UPLOAD_MAX_BYTES
)
DATA_UPLOAD_MAX_NUMBER_FILES = 100
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "classifier.web.uploads.BoundedUploadHandler",
]

# --- The API -------------------------------------------------------------------------------------
# A body that is not a form: one image in base64, which is a third longer, and what is said of it.
API_MAX_BODY_BYTES = UPLOAD_MAX_BYTES * 4 // 3 + 1024 * 1024
# Requests a minute; 0: as many as come. They stop programs that run away, not busy ones.
API_RATE_PER_USER = env.int("SIGHTLINE_API_RATE_PER_USER", default=60_000)
API_RATE_PER_TOKEN = env.int("SIGHTLINE_API_RATE_PER_TOKEN", default=60_000)

# --- The queue ---------------------------------------------------------------------------------
MAX_ATTEMPTS = 3  # a row that was claimed this often without a result has failed
LEASE_SECONDS = env.int("SIGHTLINE_LEASE_SECONDS", default=20)
RETRY_SECONDS = env.int("SIGHTLINE_RETRY_SECONDS", default=5)
SWEEP_SECONDS = env.int("SIGHTLINE_SWEEP_SECONDS", default=10)
WORKER_THREADS = env.int("SIGHTLINE_WORKER_THREADS", default=0)  # 0: one for each CPU core
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,  # a frozen Redis must not freeze an upload
    "socket_connect_timeout": 2,
    "visibility_timeout": 3600,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "chores"
CELERY_TASK_ROUTES = {
    "classify_waiting": {"queue": "classify"},
    "deliver_due": {"queue": "deliver"},
    "evaluate_waiting": {"queue": "evaluate"},
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = WORKER_THREADS or None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30.0
CELERY_BEAT_SCHEDULE = {"sweep": {"task": "sweep", "schedule": SWEEP_SECONDS}}

# --- Webhooks ----------------------------------------------------------------------------------
WEBHOOK_PUBLIC = env.bool("SIGHTLINE_WEBHOOK_PUBLIC", default=True)
# Where they may go though it is not public, and by plain HTTP too.
WEBHOOK_ALLOWED = env.networks_and_names("SIGHTLINE_WEBHOOK_ALLOWED")

# --- Models --------------------------------------------------------------------------------------
BUNDLED_MODEL = "everyday"
BUNDLED_FOR_DRAWING = "digits"
# What models in a worker's memory may take together; those used longest ago make room.
MODEL_MEMORY_BYTES = env.int("SIGHTLINE_MODEL_MEMORY_BYTES", default=0) or default_model_memory()
# What staff may upload to register a model, in bytes.
MODEL_UPLOAD_MAX_BYTES = env.int("SIGHTLINE_MODEL_UPLOAD_MAX_BYTES", default=1024**3)
# Labelled images that staff can evaluate models by.
DATASETS_DIR = Path(env("SIGHTLINE_DATASETS_DIR", default=str(DATA_DIR / "datasets")))
# What `models promote` asks of a version: the gate.
GATE_IMAGES = env.int("SIGHTLINE_GATE_IMAGES", default=100)  # to compare by, and for robustness
GATE_ACCURACY_LOSS = env.float("SIGHTLINE_GATE_ACCURACY_LOSS", default=0.0)  # that may be likely
GATE_RECALL = env.float("SIGHTLINE_GATE_RECALL", default=0.5)  # of each label
GATE_CALIBRATION = env.float("SIGHTLINE_GATE_CALIBRATION", default=0.1)  # error at most
GATE_LATENCY_SECONDS = env.float("SIGHTLINE_GATE_LATENCY_SECONDS", default=1.0)  # of one image
GATE_ROBUSTNESS = env.float("SIGHTLINE_GATE_ROBUSTNESS", default=0.3)  # accuracy under corruptions
# The share of a champion's traffic that its challenger answers too.
SHADOW_SHARE = env.float("SIGHTLINE_SHADOW_SHARE", default=0.1)
# What engines compile and measure once for each machine; it may be deleted at any time.
CACHE_DIR = Path(env("SIGHTLINE_CACHE_DIR", default=str(DATA_DIR / "cache")))
BETTER_MODEL = "resnet50"  # `manage.py run` tries to fetch it, once
BETTER_MODEL_FAILED = DATA_DIR / "resnet50-failed"

# --- Only for `manage.py run` ------------------------------------------------------------------
BIND = env("SIGHTLINE_BIND", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
WEB_WORKERS = env.int("SIGHTLINE_WEB_WORKERS", default=2)  # deploy/gunicorn.conf.py reads them
WEB_THREADS = env.int("SIGHTLINE_WEB_THREADS", default=4)
# How many threads of a web process may wait for answers; the others go on serving.
WAITING_SEATS = env.int("SIGHTLINE_WAITING_SEATS", default=max(1, WEB_THREADS // 2))
# How long a caller of /v2, /predict and the like waits at most; clients give up after a minute.
ANSWER_SECONDS = env.int("SIGHTLINE_ANSWER_SECONDS", default=50)
ADMIN_PASSWORD = env("SIGHTLINE_ADMIN_PASSWORD", default="")
FETCH_RESNET50 = env.bool("SIGHTLINE_FETCH_RESNET50", default=None)  # None: once, at first start

# --- The rest is Django ------------------------------------------------------------------------
INSTALLED_APPS = [
    "classifier",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "config.middleware.SlashedMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    # Reads the body for its token: only after strangers were sent to log in.
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "config.middleware.ProgramsMiddleware",
]
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.time_zone("SIGHTLINE_TIME_ZONE", default="UTC")
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = Path(env("SIGHTLINE_STATIC_DIR", default=str(DATA_DIR / "static")))
SIDECAR = Path(drf_spectacular_sidecar.__file__).parent / "static" / "drf_spectacular_sidecar"
STATICFILES_DIRS = [BASE_DIR / "static", ("swagger-ui", SIDECAR / "swagger-ui-dist")]
# Compressing costs the first start most: neither names that no page asks for, nor debuggers' maps.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["png", "ico", "gif", "woff", "woff2", "map"]
LOG_LEVEL = env.log_level("SIGHTLINE_LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "axes": {"level": "WARNING"},  # it tells of every login
        "django.request": {"level": "ERROR"},  # the access log has what clients did wrong
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}
