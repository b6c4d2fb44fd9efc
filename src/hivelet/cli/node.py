"""`hivelet node …`: the machines of the swarm."""

from __future__ import annotations

from typing import Any

import click

from hivelet.cli.inspection import inspect_all
from hivelet.cli.options import (
    filter_option,
    format_option,
    list_options,
    no_trunc_option,
    quiet_option,
)
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.others import NODES, node_rows
from hivelet.cli.session import Session, pass_session


@click.group()
def node() -> None:
    """Look at the machines of the swarm."""


@node.command("ls")
@list_options
@pass_session
def list_nodes(session: Session, template: str, quiet: bool, filters: dict[str, list[str]]) -> None:
    """List nodes."""
    nodes = session.engine.nodes(filters)
    own_id = "" if quiet else session.engine.info()["Swarm"].get("NodeID", "")
    click.echo(
        render_list(NODES, node_rows(nodes, own_id), template=template, quiet=quiet), nl=False
    )


@node.command()
@format_option
@click.option("--pretty", is_flag=True, help="Print for people instead of JSON.")
@click.argument("refs", nargs=-1, required=True, metavar="NODE|self...")
@pass_session
def inspect(session: Session, refs: tuple[str, ...], template: str, pretty: bool) -> int:
    """Show everything about nodes."""
    if not pretty:
        return inspect_all(refs, session.engine.node, template, kind="node")
    from hivelet.cli.render.node_pretty import render_node

    for ref in refs:
        click.echo(render_node(session.engine.node(ref)))
    return 0


@node.command()
@no_trunc_option
@quiet_option
@format_option
@filter_option
@click.option("--no-resolve", is_flag=True, help="Show ids instead of names.")
@click.argument("refs", nargs=-1, metavar="[NODE|self]...")
@pass_session
def ps(
    session: Session,
    /,
    refs: tuple[str, ...],
    filters: dict[str, list[str]],
    no_resolve: bool,
    **show: Any,
) -> None:
    """List the tasks of nodes; of this one where none is named."""
    from hivelet.cli.service import print_tasks

    nodes = [session.engine.node(ref)["ID"] for ref in refs or ("self",)]
    tasks = session.engine.tasks({**filters, "node": nodes})
    show["no_trunc"] = show["no_trunc"] or show["quiet"]
    print_tasks(session, tasks, resolve=not no_resolve, **show)
