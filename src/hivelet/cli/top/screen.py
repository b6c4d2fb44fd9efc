"""The live screen of `hivelet stack top`, and its single plain print. Ctrl-C ends it, and so does SIGTERM; either leaves the terminal as it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from hivelet.cli.deploy.reading import is_hivelet
from hivelet.cli.interruption import Interruption
from hivelet.cli.session import Session
from hivelet.cli.top.reading import is_unreachable, take_look
from hivelet.cli.top.table import HEADERS, all_cells, fitting_widths, rows_json, table_lines
from hivelet.cli.top.usage import ServiceRow, sort_rows, usage_rows
from hivelet.errors import HiveletError, NotFound

if TYPE_CHECKING:
    from rich.console import ConsoleDimensions, RenderableType

_SHORTEST = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOptions:
    """What is shown, and how often."""

    stacks: tuple[str, ...] = ()
    once: bool = False
    tasks: bool = True
    sort: str = "name"
    interval: float = 1.0
    form: str = "table"


def show_top(session: Session, options: TopOptions) -> int:
    """Show it until somebody ends it, or once.

    Raises:
        NotFound: a stack that was asked for has no service.
    """
    hivelet = is_hivelet(session.engine)
    interval = max(_SHORTEST, options.interval)
    look = take_look(session, options.stacks, hivelet=hivelet)
    if options.stacks and not look.services:
        raise NotFound(f"nothing found in stack: {', '.join(options.stacks)}")
    if options.once or options.form == "json" or not session.interactive:
        session.sleep(interval)
        now = take_look(session, options.stacks, hivelet=hivelet)
        rows = sort_rows(usage_rows(look, now, session.now()), options.sort)
        if options.form == "json":
            click.echo(json.dumps(rows_json(rows), indent=4))
        else:
            click.echo("\n".join(table_lines(rows, with_tasks=options.tasks)))
        return 0
    with Interruption().watching():
        _run_screen(session, options, interval, hivelet=hivelet)
    return 0


def _run_screen(session: Session, options: TopOptions, interval: float, *, hivelet: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(no_color=bool(session.environment.get("NO_COLOR")))
    look = take_look(session, options.stacks, hivelet=hivelet)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                session.sleep(interval)
                note = ""
                try:
                    now = take_look(session, options.stacks, hivelet=hivelet)
                except HiveletError as error:
                    if not is_unreachable(error):
                        raise
                    now, note = look, f"{error.message}; trying again"
                rows = sort_rows(usage_rows(look, now, session.now()), options.sort)
                live.update(render(rows, options, console.size, note), refresh=True)
                look = now
        except KeyboardInterrupt:
            return


def render(
    rows: Sequence[ServiceRow], options: TopOptions, size: ConsoleDimensions, note: str = ""
) -> RenderableType:
    """The screen: a line of sums, the table as far as it fits, to the right as well, and how to get out."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    cells = list(all_cells(rows, with_tasks=options.tasks))
    room = max(1, size.height - 4)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    widths = fitting_widths(cells, size.width)
    for title, width in zip(HEADERS, widths, strict=False):
        right = title in {"TASKS", "CPU %"}
        table.add_column(title, justify="right" if right else "left", no_wrap=True, width=width)
    for row in cells[:room]:
        shown = (Text(cell) for cell in row[: len(widths)])
        table.add_row(*shown, style="" if row[0][:1] == " " else "bold")
    running = sum(row.running for row in rows)
    wanted = sum(row.wanted for row in rows)
    top = f"{len(rows)} services, {running} of {wanted} tasks run"
    hidden = f"{len(cells) - room} more lines do not fit; " if len(cells) > room else ""
    return Group(
        Text(note or top, style="red" if note or running < wanted else "green"),
        table,
        Text(f"{hidden}Ctrl-C ends it", style="dim"),
    )
