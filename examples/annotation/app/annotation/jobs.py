"""The web side's door to RabbitMQ: hand a text to the workers, wait a bounded time, bring the answer.

Each call has its own reply queue and connection and closes both, so nothing is left behind by a request thread
and nothing stale is met by the next one after RabbitMQ was replaced.
"""

from __future__ import annotations

from typing import Any

from amqp.exceptions import AMQPError
from celery.exceptions import TimeoutError as ResultTimeout
from celery.result import AsyncResult
from django.conf import settings
from kombu.exceptions import OperationalError

from annotation.tasks import label
from bd_annotation_proj.celery import app

# RuntimeError is what Celery's result consumer raises when its broker does not come back.
BROKER_ERRORS = (OperationalError, AMQPError, OSError, RuntimeError)


class BrokerUnreachable(Exception):  # noqa: N818
    """RabbitMQ did not answer, or not any more."""


class NoWorkerAnswered(Exception):  # noqa: N818
    """The task is in the queue, but its result did not come in time."""

    def __init__(self, task_id: str, seconds: float) -> None:
        super().__init__(f"no worker answered within {seconds:g} s; task {task_id} stays queued")
        self.task_id = task_id


def ask_worker(text: str, *, seconds: float, patience: float) -> dict[str, Any]:
    """The annotation of `text`, made by some worker.

    Raises:
        BrokerUnreachable: the task may not have been queued.
        NoWorkerAnswered: it was, but `patience` seconds brought no result.
    """
    try:
        # Not from Celery's pool: on a pooled connection whose broker has died since, declaring the reply queue is
        # retried without end.
        with app.connection_for_write() as connection:
            # An expired task is dropped by the worker that meets it: nobody waits for it any more.
            pending = label.apply_async(
                (text, seconds), expires=patience * 2, connection=connection
            )
        answer = _collect(pending, patience)
    except BROKER_ERRORS as error:
        raise BrokerUnreachable(_story(error)) from error
    return answer | {"task": pending.id}


def _collect(pending: AsyncResult, patience: float) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = pending.get(timeout=patience)
    except ResultTimeout as error:
        app.backend.result_consumer.stop()
        raise NoWorkerAnswered(pending.id, patience) from error
    app.backend.result_consumer.stop()
    return answer


def check_broker() -> None:
    """Return if RabbitMQ accepts a connection and our login; else raise `BrokerUnreachable`."""
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except BROKER_ERRORS as error:
        raise BrokerUnreachable(_story(error)) from error


def _story(error: Exception) -> str:
    # The address without the password that the URL holds.
    address = settings.CELERY_BROKER_URL.rpartition("@")[2]
    return f"RabbitMQ at {address} can't be reached: {error}"
