"""What docker's command line adds to Go's functions, for `--format`. Pure."""

from __future__ import annotations

import re
from typing import Any

from hivelet.kit.gotemplate.functions import Functions
from hivelet.kit.gotemplate.problems import TemplateError
from hivelet.kit.gotemplate.values import go_json, go_text

_WIDEST = 1_000_000


def _pad(text: str, before: int, after: int) -> str:
    if not 0 <= before <= _WIDEST or not 0 <= after <= _WIDEST:
        raise TemplateError(f"pad takes widths from 0 to {_WIDEST}")
    return " " * before + go_text(text) + " " * after if text else text


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _join(items: Any, separator: str) -> str:
    return separator.join(go_text(item) for item in items or [])


DOCKER_FUNCTIONS: Functions = {
    "json": go_json,
    "upper": lambda text: go_text(text).upper(),
    "lower": lambda text: go_text(text).lower(),
    "title": lambda text: re.sub(r"\b[a-z]", lambda first: first[0].upper(), go_text(text)),
    "join": _join,
    "split": _split,
    "truncate": lambda text, length: go_text(text)[: max(0, length)],
    "pad": _pad,
}
