"""What is kept of the workers' labels, where the project has a database: one row for each task."""

from __future__ import annotations

from django.db import models


class Label(models.Model):
    """One labelled text.

    `task` is Celery's own id: RabbitMQ hands a task out again when its worker has died, and twice done is once kept.
    """

    task = models.CharField(max_length=64, unique=True)
    text = models.TextField()
    label = models.CharField(max_length=64)
    words = models.PositiveIntegerField()
    characters = models.PositiveIntegerField()
    worker = models.CharField(max_length=64)
    made = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.label}: {self.text[:40]}"
