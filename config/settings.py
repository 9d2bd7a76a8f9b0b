"""Every setting, read from the environment by typed helpers that fail loudly.

With no environment at all this is the embedded default: SQLite and everything else under `var/`.
`.env.example` lists each variable; a test says so.
"""

import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent


def env_text(name: str, default: str) -> str:
    return os.environ.get(name, default)


def env_flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, "1" if default else "0").lower()
    if value not in ("0", "1", "false", "true"):
        raise ImproperlyConfigured(f"{name} must be 0 or 1; found {value!r}")
    return value in ("1", "true")


def env_number(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number; found {value!r}") from None


def env_words(name: str, default: str) -> list[str]:
    return [word.strip() for word in env_text(name, default).split(",") if word.strip()]


def env_secret(name: str, file: Path) -> str:
    """The variable, or a key made once and kept in a file that only its owner reads."""
    if value := os.environ.get(name):
        return value
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50), encoding="ascii")
        try:
            os.link(draft, file)
        except FileExistsError:
            pass  # another process was first, and its key counts
        finally:
            draft.unlink()
    return file.read_text(encoding="ascii").strip()


def database(url: str, *, pool: int, prepare: int = 2) -> dict[str, Any]:
    """`sqlite:///PATH` (three slashes relative, four absolute) or `postgresql://USER:PASSWORD@HOST:PORT/NAME`.

    PostgreSQL prepares the hot path's statements (`labeling.models.sql`) once a connection ran them `prepare` times;
    0: never, for poolers that cannot keep them.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(ROOT / unquote(parts.path[1:])),
            "CONN_MAX_AGE": None,
            # Immediate: a transaction takes the write lock when it begins. A deferred one that starts to
            # write after another has written fails at once, whatever the busy timeout.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # A page that many answers change is copied from the log (32 MB at most) once, not at every 4 MB.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=268435456; "
                "PRAGMA wal_autocheckpoint=8000",
            },
        }
    if parts.scheme in ("postgres", "postgresql"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path[1:]),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 0,
            "OPTIONS": {
                "prepare_threshold": prepare or None,
                **({"pool": {"min_size": 1, "max_size": pool, "timeout": 20}} if pool else {}),
            },
        }
    raise ImproperlyConfigured(f"DATABASE_URL must begin with sqlite:// or postgresql://; found {parts.scheme!r}")


def mail_server(url: str) -> tuple[str, int, str, str, bool, bool]:
    """`smtp://USER:PASSWORD@HOST:PORT`, `smtps://…` for TLS from the start, `smtp+starttls://…` for TLS on the way."""
    parts = urlsplit(url)
    ports = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
    if url and (parts.scheme not in ports or not parts.hostname):
        raise ImproperlyConfigured(f"RANKLOOP_EMAIL_URL must be smtp://HOST or the like; found {parts.scheme!r}")
    port, name, password = parts.port or ports.get(parts.scheme, 25), parts.username or "", parts.password or ""
    tls = parts.scheme == "smtps", parts.scheme == "smtp+starttls"
    return parts.hostname or "", port, unquote(name), unquote(password), *tls


VAR = Path(env_text("RANKLOOP_VAR", str(ROOT / "var"))).absolute()
VAR.mkdir(parents=True, exist_ok=True)
ARTIFACTS = VAR / "artifacts"
FRONTEND = ROOT / "frontend" / "dist"

DEBUG = env_flag("RANKLOOP_DEBUG", False)
SECRET_KEY = env_secret("RANKLOOP_SECRET_KEY", VAR / "secret_key")
ALLOWED_HOSTS = env_words("RANKLOOP_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_words("RANKLOOP_ORIGINS", "")
# True behind a proxy that ends TLS and sets X-Forwarded-Proto.
BEHIND_TLS = env_flag("RANKLOOP_TLS", False)

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "rest_framework",
    "drf_spectacular",
    "labeling",
    "training",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "labeling.api.middleware.headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

DATABASES = {
    "default": database(
        env_text("DATABASE_URL", f"sqlite:///{VAR / 'rankloop.sqlite3'}"),
        pool=env_number("RANKLOOP_DATABASE_POOL", 4),
        prepare=env_number("RANKLOOP_DATABASE_PREPARE", 2),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "labeling.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
CSRF_FAILURE_VIEW = "labeling.api.errors.csrf_failure"
# Seconds for which a process trusts a token that it has looked up; a revoked one works no longer than that.
TOKEN_CACHE_SECONDS = env_number("RANKLOOP_TOKEN_CACHE_SECONDS", 5)

# How often a worker looks for events to tell webhooks of.
WEBHOOK_SECONDS = env_number("RANKLOOP_WEBHOOK_SECONDS", 2)

# Mails invitations; without a server their links are handed over by whoever invites.
EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, EMAIL_USE_SSL, EMAIL_USE_TLS = mail_server(
    env_text("RANKLOOP_EMAIL_URL", "")
)
DEFAULT_FROM_EMAIL = env_text("RANKLOOP_EMAIL_FROM", "rankloop@localhost")
EMAIL_TIMEOUT = 10  # seconds

# JSON bodies and form fields; uploaded files are streamed to disk and have their own limit.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 << 20
UPLOAD_LIMIT = env_number("RANKLOOP_UPLOAD_MEGABYTES", 512) << 20

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
APPEND_SLASH = False

if FRONTEND.is_dir():
    WHITENOISE_ROOT = FRONTEND
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 0
# The build puts a hash into the names of these files.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/assets/"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["labeling.api.auth.TokenOrSession"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["labeling.api.json.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["labeling.api.json.OrjsonParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "labeling.api.paging.Paging",
    "EXCEPTION_HANDLER": "labeling.api.errors.handle",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is the export's own
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Rankloop",
    "VERSION": "1",
    "DESCRIPTION": "Hand out labeling work, take answers, train on them, and hand out what the new policy says.",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": ["labeler", "reviewer", "engineer", "admin"],
        "MessageRoleEnum": ["system", "user", "assistant", "tool"],
        "TaskKindEnum": ["ranking", "demonstration", "comparison"],
        "TaskStateEnum": ["open", "done", "halted", "closed", "settled", "discarded"],
        "PurposeEnum": ["ordinary", "gold", "repeat", "anchor"],
        "AnswerPurposeEnum": ["ordinary", "gold", "repeat", "anchor", "review"],
        "CaseStateEnum": ["open", "settled", "reopened", "discarded", "left"],
        "StandingStateEnum": ["good", "warned", "paused"],
        "DeliveryStateEnum": ["pending", "delivered", "failed"],
        "NoticeStateEnum": ["warned", "paused"],
        "ProjectStatusEnum": ["open", "closed", "archived"],
        "RunStatusEnum": ["queued", "running", "succeeded", "failed", "cancelled"],
        "PlaygroundStatusEnum": ["queued", "loading", "running", "succeeded", "failed", "cancelled"],
        "FinishReasonEnum": ["", "stop", "length", "cancelled"],
        "SnapshotKindEnum": ["prompts", "demonstrations", "rankings", "corpus"],
        "CheckpointKindEnum": ["base", "policy", "reward_model"],
        "SourceKindEnum": ["checkpoint", "outside", "person"],
        "HealthEnum": ["ok", "broken"],
        "InvitationStateEnum": ["open", "accepted", "revoked", "expired"],
        "ImportStateEnum": ["uploading", "ready", "queued", "running", "done", "failed", "cancelled"],
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_text("RANKLOOP_LOG_LEVEL", "INFO")},
}

# How often a project with new answers is measured (agreement, reliability, statistics) without being asked.
MEASURE_SECONDS = env_number("RANKLOOP_MEASURE_SECONDS", 300)

# Celery, which only `training` uses. The broker only wakes workers; the database is the truth about runs.
CELERY_BROKER_URL = env_text("CELERY_BROKER_URL", "filesystem://localhost")
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT = "training.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(VAR / "broker" / "messages"),
        "data_folder_out": str(VAR / "broker" / "messages"),
        "control_folder": str(VAR / "broker" / "control"),
        "polling_interval": 0.2,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "default"
# A worker without `-Q` serves both.
CELERY_TASK_QUEUES = {name: {"exchange": name, "binding_key": name} for name in ("default", "gpu")}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
# A task holds its message for moments, then waits for a run process for as long as that takes.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_POOL = "threads"
# Runs that one worker supervises at a time; the others wait their turn.
CELERY_WORKER_CONCURRENCY = env_number("RANKLOOP_WORKER_RUNS", 1)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE

# Runs: `python -m training.algorithms RUN_DIR` in directories below RUNS, supervised by the worker.
RUNS = VAR / "runs"
RUN_COMMAND = env_words("RANKLOOP_RUN_COMMAND", f"{sys.executable},-m,training.algorithms")
# The queue of runs that name none: workers on machines with GPUs serve `gpu`.
RUN_QUEUE = env_text("RANKLOOP_RUN_QUEUE", "default")
RUN_HEARTBEAT_SECONDS = env_number("RANKLOOP_RUN_HEARTBEAT_SECONDS", 1)
# A running run whose worker was silent for so long is queued again. Above the clocks' difference.
RUN_STALE_SECONDS = env_number("RANKLOOP_RUN_STALE_SECONDS", 6 if CELERY_BROKER_URL.startswith("filesystem:") else 30)
# A queued run is announced again by an idle worker when its message was not heard for so long.
RUN_RESEND_SECONDS = env_number("RANKLOOP_RUN_RESEND_SECONDS", 3)
# How often a worker looks for lost runs and lost messages.
RUN_REAP_SECONDS = env_number("RANKLOOP_RUN_REAP_SECONDS", 1)
# A run whose worker was lost in the attempt of this number is not given to another.
RUN_MOST_ATTEMPTS = env_number("RANKLOOP_RUN_MOST_ATTEMPTS", 20)
# After a cancel: seconds to save and stop, then seconds after SIGTERM before SIGKILL.
RUN_CANCEL_SECONDS = env_number("RANKLOOP_RUN_CANCEL_SECONDS", 30)
RUN_TERM_SECONDS = env_number("RANKLOOP_RUN_TERM_SECONDS", 5)

# The playground: a process beside each worker that keeps models warm. 0 keeps none, for workers that only train.
PLAYGROUND_PROCESSES = env_number("RANKLOOP_PLAYGROUND_PROCESSES", 1)
PLAYGROUND_COMMAND = env_words("RANKLOOP_PLAYGROUND_COMMAND", f"{sys.executable},-m,training.algorithms.playground")
# A process that nobody asked anything for so long ends, and its memory with it.
PLAYGROUND_IDLE_SECONDS = env_number("RANKLOOP_PLAYGROUND_IDLE_SECONDS", 600)
