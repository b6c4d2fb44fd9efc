"""`hivelet ps`, `hivelet logs` and `hivelet rm`: the containers of this node."""

from __future__ import annotations

from typing import Any

import click

from hivelet.cli.exec_command import ExecOptions, exec_options, run_in_container
from hivelet.cli.log_output import log_options, log_query, write_frames, write_raw
from hivelet.cli.options import list_options, no_trunc_option
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.others import CONTAINERS, SIZED_CONTAINERS, container_rows, wants_size
from hivelet.cli.session import Session, complain, pass_session, say
from hivelet.errors import HiveletError


@click.command()
@click.option("-a", "--all", "stopped", is_flag=True, help="Show stopped containers too.")
@click.option(
    "-n",
    "--last",
    type=int,
    default=None,
    help="Show the last so many containers, stopped ones too.",
)
@click.option("-l", "--latest", is_flag=True, help="Show the newest container.")
@click.option("-s", "--size", is_flag=True, help="Show what each has written.")
@no_trunc_option
@list_options
@pass_session
def ps(
    session: Session, /, filters: dict[str, list[str]], template: str, quiet: bool, **options: Any
) -> None:
    """List containers of this node."""
    limit = 1 if options["latest"] else options["last"]
    containers = session.engine.containers(
        filters,
        stopped=options["stopped"] or limit is not None,
        limit=limit,
        size=options["size"] or wants_size(template),
    )
    rows = container_rows(containers, now=session.now(), trunc=not options["no_trunc"])
    view = SIZED_CONTAINERS if options["size"] else CONTAINERS
    click.echo(render_list(view, rows, template=template, quiet=quiet), nl=False)


@click.command()
@log_options
@click.option("--until", default=None, help="Up to this time.")
@click.argument("ref", metavar="CONTAINER")
@pass_session
def logs(session: Session, /, ref: str, **options: Any) -> None:
    """Show the log of a container."""
    container = session.engine.container(ref)
    stream = session.engine.logs(
        "containers", container["Id"], log_query(session, options, details=options["details"])
    )
    if (container.get("Config") or {}).get("Tty"):
        write_raw(stream)
    else:
        write_frames(stream)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@exec_options
@click.argument("ref", metavar="CONTAINER")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_session
def exec_in_container(
    session: Session, /, ref: str, command: tuple[str, ...], **options: Any
) -> int:
    """Run a command in a container of this node; its exit code is passed on."""
    return run_in_container(session, ref, command, ExecOptions(**options))


@click.command()
@click.option("-f", "--force", is_flag=True, help="Kill a container that is running.")
@click.option("-v", "--volumes", is_flag=True, help="Remove its anonymous volumes too.")
@click.option("-l", "--link", is_flag=True, help="Remove links, named CONTAINER/ALIAS, alone.")
@click.argument("refs", nargs=-1, required=True, metavar="CONTAINER...")
@pass_session
def rm(session: Session, refs: tuple[str, ...], force: bool, volumes: bool, link: bool) -> int:
    """Remove containers of this node; a service replaces those of its tasks."""
    failed = 0
    for ref in refs:
        try:
            if link:
                session.engine.remove_link(ref)
            else:
                session.engine.remove_container(ref, force=force, volumes=volumes)
            say(ref)
        except HiveletError as error:
            complain(error.message)
            failed = 1
    return failed
