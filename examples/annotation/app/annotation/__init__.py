"""Annotates texts: the web side asks, a Celery worker labels."""
