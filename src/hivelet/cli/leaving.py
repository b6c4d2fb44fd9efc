"""Leaving a terminal by keys, while what runs in it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from hivelet.cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])

LEFT = 1
"""Exit code of `attach` and `exec` where the user has left, as docker's."""


def detach_keys_option(command: F) -> F:
    """`--detach-keys`."""
    text = "Keys to leave by, such as ctrl-p,ctrl-q, which they are if nothing is said."
    return click.option("--detach-keys", default="", metavar="KEYS", help=text)(command)


def chosen_keys(session: Session, given: str) -> str:
    """The keys given, else those of Docker's own configuration; "" for the usual ones.

    The daemon is to be told as well: it looks for keys itself, and left to itself for the usual ones.
    """
    from hivelet.client.contexts import read_config

    return given or str(read_config(session.environment).get("detachKeys") or "")


def tell_left() -> int:
    """Say that the user has left; the answer is the exit code."""
    click.echo("read escape sequence", err=True)
    return LEFT
