"""What all `inspect` commands share: JSON of several objects, or a template for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from hivelet.cli.session import complain
from hivelet.errors import NotFound


def inspect_all(
    refs: Sequence[str], find: Callable[[str], Any], template: str, *, kind: str
) -> int:
    """Print the objects called `refs`; the exit code is 1 where one of them is missing."""
    found: list[Any] = []
    missing: list[str] = []
    for ref in refs:
        try:
            found.append(find(ref))
        except NotFound as error:
            missing.append(error.message or f"no such {kind}: {ref}")
    if template in {"", "json"}:
        indent, separators = (4, None) if not template else (None, (",", ":"))
        click.echo(json.dumps(found, indent=indent, separators=separators, ensure_ascii=False))
    else:
        from hivelet.kit.gotemplate import DOCKER_FUNCTIONS, Template

        parsed = Template(template.replace("\\t", "\t").replace("\\n", "\n"), DOCKER_FUNCTIONS)
        for entry in found:
            click.echo(parsed.render(entry))
    for message in missing:
        complain(message)
    return 1 if missing else 0
