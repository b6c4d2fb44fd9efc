"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def format_option(command: F) -> F:
    """`--format`: table, json, a Go template, or `table TEMPLATE`."""
    text = "Print with a Go template: '{{.Name}}', '{{json .}}', 'table {{.ID}}\\t{{.Name}}', or 'json'."
    return click.option("--format", "template", default="", metavar="FORMAT", help=text)(command)


def quiet_option(command: F) -> F:
    """`-q`: ids alone."""
    return click.option("-q", "--quiet", is_flag=True, help="Print only ids.")(command)


def no_trunc_option(command: F) -> F:
    """`--no-trunc`: whole ids and errors."""
    return click.option("--no-trunc", is_flag=True, help="Do not shorten ids, images and errors.")(
        command
    )


def filter_option(command: F) -> F:
    """`-f KEY=VALUE`, repeatable."""
    return _filters(command, "-f", text="Show only what matches; can be given several times.")


def prune_filter_option(command: F) -> F:
    """`--filter KEY=VALUE` of commands whose `-f` is `--force`."""
    return _filters(command, text="Remove only what matches, such as until=24h or label=a=b.")


def _filters(command: F, *short: str, text: str) -> F:
    return click.option(
        *short,
        "--filter",
        "filters",
        multiple=True,
        metavar="KEY=VALUE",
        callback=lambda _context, _option, values: parse_filters(values),
        help=text,
    )(command)


def inspect_format_option(command: F) -> F:
    """`-f`, `--format` of commands that show everything about something."""
    text = "Print with a Go template: '{{.Id}}', '{{json .}}', or 'json'."
    return click.option("-f", "--format", "template", default="", metavar="FORMAT", help=text)(
        command
    )


def list_options(command: F) -> F:
    """The options of every list command."""
    return filter_option(format_option(quiet_option(command)))


def detach_option(command: F) -> F:
    """`-d`: do not wait."""
    return click.option(
        "-d/ ",
        "--detach/--no-detach",
        default=False,
        help="Return at once instead of waiting for convergence.",
    )(command)


def why_format_option(command: F) -> F:
    """`--format text|json` of the commands that explain."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or for programs.",
    )(command)


def parse_filters(values: Iterable[str]) -> dict[str, list[str]]:
    """`KEY=VALUE` pairs by key.

    Raises:
        BadParameter: one has no `=`.
    """
    filters: dict[str, list[str]] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals:
            raise click.BadParameter(f'"{value}" is not of the form KEY=VALUE')
        filters.setdefault(key.strip().lower(), []).append(text.strip())
    return filters
