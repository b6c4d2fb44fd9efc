"""The door to the database: keep a label, read the newest. A project without a database has none to keep."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection
from django.db.utils import DatabaseError, InterfaceError

from annotation.labels import Annotation
from annotation.models import Label


class DatabaseUnreachable(Exception):  # noqa: N818
    """PostgreSQL did not answer, or has no such table yet."""


def has_database() -> bool:
    """Whether this project keeps anything."""
    return bool(settings.DATABASES.get("default", {}).get("NAME"))


def keep(task: str, text: str, annotation: Annotation, worker: str) -> None:
    """Keep what a worker said of `text`; a task that is done again changes its row.

    A database error is raised as it is: the task fails for it, and says so.
    """
    Label.objects.update_or_create(
        task=task,
        defaults={
            "text": text,
            "label": annotation.label,
            "words": annotation.words,
            "characters": annotation.characters,
            "worker": worker,
        },
    )


def newest(limit: int) -> dict[str, Any]:
    """How many labels there are, and the newest of them.

    Raises:
        DatabaseUnreachable: they cannot be read.
    """
    fields = ("task", "text", "label", "words", "characters", "worker", "made")
    try:
        return {
            "count": Label.objects.count(),
            "latest": list(Label.objects.order_by("-made", "-id").values(*fields)[:limit]),
        }
    except (DatabaseError, InterfaceError) as error:
        raise DatabaseUnreachable(_story(error)) from error


def check_database() -> None:
    """Return if the database answers; else raise `DatabaseUnreachable`."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        raise DatabaseUnreachable(_story(error)) from error


def _story(error: Exception) -> str:
    database = settings.DATABASES["default"]
    return f"PostgreSQL at {database['HOST']} can't be used: {' '.join(str(error).split())}"
