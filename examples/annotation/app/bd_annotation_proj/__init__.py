"""The project: its settings, URLs and WSGI entry, and the Celery app that `celery -A` looks for here."""

from bd_annotation_proj.celery import app as celery_app

__all__ = ["celery_app"]
