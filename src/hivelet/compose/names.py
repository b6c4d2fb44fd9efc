"""What things of a stack are called in the cluster, and the labels that mark them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hivelet.objects.service import STACK_LABEL

IMAGE_LABEL = "com.docker.stack.image"
"""The label by which the docker CLI remembers an image as the file has it, whatever digest the spec has by now."""


def scoped(stack: str, name: str) -> str:
    """The whole name of something that belongs to a stack."""
    return f"{stack}_{name}"


def with_stack_label(stack: str, labels: Mapping[str, str]) -> dict[str, str]:
    """`labels` and the one that says which stack it is."""
    return {**labels, STACK_LABEL: stack}
