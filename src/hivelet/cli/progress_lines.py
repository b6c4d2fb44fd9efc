"""How one answer of a pull, push or build is told on a line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hivelet.cli.render.human import human_size


def progress_line(answer: Mapping[str, Any], *, terminal: bool) -> str:
    """The line; "" where there is none: how far a transfer is goes to a terminal alone."""
    status, detail = answer.get("status", ""), answer.get("progressDetail") or {}
    if detail.get("current") and detail.get("total"):
        if not terminal:
            return ""
        status = f"{status} {human_size(detail['current'])}/{human_size(detail['total'])}"
    prefix = f"{answer['id']}: " if answer.get("id") else ""
    return f"{prefix}{status}" if status else ""
