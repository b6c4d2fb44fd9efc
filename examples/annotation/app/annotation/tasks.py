"""What a Celery worker does for the web side."""

from __future__ import annotations

import socket
import time
from dataclasses import asdict
from typing import Any

from celery import Task, shared_task

from annotation import archive
from annotation.labels import annotate


@shared_task(bind=True, name="annotation.label")
def label(self: Task, text: str, seconds: float = 0.0) -> dict[str, Any]:
    """Annotate `text`, taking at least `seconds`, and say which worker did it.

    `redelivered` is true where another worker had the task before and died on it.
    """
    if seconds > 0:
        time.sleep(seconds)
    annotation, worker = annotate(text), socket.gethostname()
    if archive.has_database():
        archive.keep(self.request.id, text, annotation, worker)
    return asdict(annotation) | {
        "worker": worker,
        "redelivered": bool(self.request.delivery_info.get("redelivered")),
    }
