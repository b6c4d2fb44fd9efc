"""The Celery app: RabbitMQ carries the tasks and, on a reply queue per caller, their results."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init

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
