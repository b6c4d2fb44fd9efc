"""The Celery app: RabbitMQ carries the tasks and, on a reply queue per caller, their results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, heartbeat_sent, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bd_annotation_proj.settings.staging")

app = Celery("bd_annotation_proj")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def heartbeat_in_workers(conf: Any, **_: Any) -> None:
    """Let broker and worker notice within seconds that the other vanished without closing.

    In the web processes heartbeats stay off: nobody would send them between two requests, so the
    broker would close every idle connection.
    """
    conf.broker_heartbeat = 10


# What a worker touches every two seconds while it runs its loop and can speak to RabbitMQ: a health check that looks
# at the file's age costs nothing, where `celery inspect ping` starts a Python for each look.
SIGN_OF_LIFE = os.environ.get("CELERY_SIGN_OF_LIFE")


@worker_ready.connect
@heartbeat_sent.connect
def touch_sign_of_life(**_: Any) -> None:
    """A worker whose process lives while its loop hangs stops doing this."""
    if SIGN_OF_LIFE:
        Path(SIGN_OF_LIFE).touch()
