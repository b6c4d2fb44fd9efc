"""As `staging`, and with what an owner of data needs: PostgreSQL, and secrets that are read from files.

A secret is a file in `/run/secrets`: unlike an environment variable it is not seen by `inspect`, by a crash report, or
by a child process. Each of `DJANGO_SECRET_KEY_FILE` and `DATABASE_PASSWORD_FILE` names one.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from bd_annotation_proj.settings.staging import *  # noqa: F403


def read_secret(variable: str) -> str:
    """The secret in the file that `variable` names; without one nothing starts."""
    path = os.environ.get(variable)
    if not path:
        raise ImproperlyConfigured(f"{variable} is not set; it names the file that has the secret")
    try:
        secret = Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{variable}={path} can't be read: {error}") from error
    if not secret:
        raise ImproperlyConfigured(f"{variable}={path} is empty")
    return secret


# The same in every replica, so that what one signs the others accept.
SECRET_KEY = read_secret("DJANGO_SECRET_KEY_FILE")
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "*").split(",")

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DATABASE_HOST", "db"),
        "PORT": os.environ.get("DATABASE_PORT", "5432"),
        "NAME": os.environ.get("DATABASE_NAME", "annotation"),
        "USER": os.environ.get("DATABASE_USER", "annotation"),
        "PASSWORD": read_secret("DATABASE_PASSWORD_FILE"),
        # A connection is kept between requests, and looked at before it is used: PostgreSQL may have been replaced.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }
}
