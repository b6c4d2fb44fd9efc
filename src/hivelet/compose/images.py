"""Image references as people write them. Pure."""

from __future__ import annotations


def with_default_tag(image: str) -> str:
    """`image` with `:latest` where it has neither tag nor digest, as clients of the Engine API send it."""
    if not image or "@" in image or ":" in image.rpartition("/")[2]:
        return image
    return f"{image}:latest"
