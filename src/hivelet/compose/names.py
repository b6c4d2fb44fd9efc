"""What things of a stack are called in the cluster, and the labels that mark them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hivelet.objects.service import STACK_LABEL

IMAGE_LABEL = "com.docker.stack.image"
"""The label by which the docker CLI remembers an image as the file has it, whatever digest the spec has by now."""

_STACK = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


def parse_stack_name(text: str) -> str:
    """The name of a stack, if it can be one.

    Raises:
        ValueError: it has other characters than letters, digits, `_`, `.` and `-`, or begins with one of these.
    """
    if not _STACK.match(text):
        raise ValueError(
            f'invalid stack name "{text}": letters, digits, "_", "." and "-" are allowed'
        )
    return text


def scoped(stack: str, name: str) -> str:
    """The whole name of something that belongs to a stack."""
    return f"{stack}_{name}"


def with_stack_label(stack: str, labels: Mapping[str, str]) -> dict[str, str]:
    """`labels` and the one that says which stack it is."""
    return {**labels, STACK_LABEL: stack}
