"""What holds everywhere: the app, its middleware, and how Celery reaches RabbitMQ.

There is no database here: the app keeps nothing, so `runserver` has no migrations to ask about. `production` has one.
"""

import os

from django.core.management.utils import get_random_secret_key

# Nothing is signed with it, so each process may have its own where none is given.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key()
DEBUG = False

INSTALLED_APPS = ["annotation"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "bd_annotation_proj.urls"
WSGI_APPLICATION = "bd_annotation_proj.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES: dict[str, dict[str, str]] = {}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "amqp://guest:guest@rabbit:5672//")
CELERY_RESULT_BACKEND = "rpc://"
CELERY_RESULT_EXPIRES = 60

# A task is acknowledged when it is done, and one at a time is fetched: a worker that dies mid-way
# gives exactly the task it was on back to the queue, and another worker takes it.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# RabbitMQ hands out again what a worker was on when their connection broke; it must not be done twice at once.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True

# A caller learns that the broker took the task, instead of writing into a connection that is gone.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "confirm_publish": True,
    # Seconds before a SYN without an answer counts as a failure; and a web request gives up after a few tries,
    # where Celery would go on for ever (a worker does, see below).
    "connect_timeout": 3,
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.4,
}
CELERY_BROKER_CONNECTION_TIMEOUT = 3

# A worker waits for RabbitMQ as long as it takes, at its start and ever after.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
