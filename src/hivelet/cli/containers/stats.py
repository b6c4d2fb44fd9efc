"""`hivelet stats`: what containers use, once or again and again on one screen."""

from __future__ import annotations

from typing import Any, TypeAlias

import click

from hivelet.cli.containers.usage import STATS, stats_row
from hivelet.cli.options import format_option
from hivelet.cli.render.listing import Row, render_list
from hivelet.cli.session import Session, pass_session
from hivelet.errors import HiveletError, NotFound

Json: TypeAlias = dict[str, Any]

_PAUSE = 1.0
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\033[H", "\033[K", "\033[J"
_CLEAR = "\033[2J"


@click.command()
@click.option("-a", "--all", "stopped", is_flag=True, help="Show those too that do not run.")
@click.option("--no-stream", is_flag=True, help="Look once, and end.")
@click.option("--no-trunc", is_flag=True, help="Do not shorten ids.")
@format_option
@click.argument("refs", nargs=-1, metavar="[CONTAINER...]")
@pass_session
def stats(session: Session, /, refs: tuple[str, ...], template: str, **options: Any) -> None:
    """Show what containers use of processors, memory, network and disks; without names, of all that run."""
    shown = _names(session, refs, stopped=options["stopped"])
    before = _look(session, shown, strict=bool(refs))
    first = True
    while True:
        session.sleep(_PAUSE)
        now = _look(session, shown, strict=False)
        rows = [
            stats_row(ref, before.get(ref), now.get(ref), trunc=not options["no_trunc"])
            for ref in shown
        ]
        _show(session, rows, template, first=first, once=options["no_stream"])
        if options["no_stream"]:
            return
        first, before = False, now
        if not refs:
            shown = _names(session, (), stopped=options["stopped"])


def _names(session: Session, refs: tuple[str, ...], *, stopped: bool) -> list[str]:
    if refs:
        return list(refs)
    return [str(each["Id"]) for each in session.engine.containers(stopped=stopped)]


def _look(session: Session, refs: list[str], *, strict: bool) -> dict[str, Json]:
    """A reading of each that there is.

    Raises:
        NotFound: one is not there, where all that were named must be.
    """
    found: dict[str, Json] = {}
    for ref in refs:
        try:
            found[ref] = session.engine.container_stats(ref)
        except NotFound:
            if strict:
                raise
        except HiveletError:
            continue  # it ends in this moment: dashes
    return found


def _show(session: Session, rows: list[Row], template: str, *, first: bool, once: bool) -> None:
    text = render_list(STATS, rows, template=template)
    if once or not session.interactive:
        click.echo(text, nl=False)
        return
    screen = text.replace("\n", f"{_CLEAR_LINE}\n")
    click.echo(f"{_CLEAR if first else ''}{_HOME}{screen}{_CLEAR_BELOW}", nl=False)
