"""`hivelet node …`: the machines of the swarm."""

from __future__ import annotations

from typing import Any

import click

from hivelet.cli.inspection import inspect_all
from hivelet.cli.options import (
    filter_option,
    format_option,
    inspect_format_option,
    list_options,
    no_trunc_option,
    quiet_option,
)
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.others import NODES, node_rows
from hivelet.cli.session import Session, complain, pass_session
from hivelet.errors import HiveletError

_AVAILABILITY = "active: takes tasks; pause: keeps what it has; drain: gives its tasks away."


@click.group()
def node() -> None:
    """The machines of the swarm."""


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
@inspect_format_option
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
    print_tasks(session, tasks, resolve=not no_resolve, **show)


@node.command()
@click.option("--availability", type=click.Choice(["active", "pause", "drain"]), help=_AVAILABILITY)
@click.option("--role", type=click.Choice(["worker", "manager"]), help="Role of the node.")
@click.option("--label-add", multiple=True, help="Add or replace a label NAME=VALUE.")
@click.option("--label-rm", multiple=True, help="Remove a label.")
@click.argument("ref", metavar="NODE|self")
@pass_session
def update(
    session: Session,
    /,
    ref: str,
    availability: str | None,
    role: str | None,
    label_add: tuple[str, ...],
    label_rm: tuple[str, ...],
) -> None:
    """Change labels, role or availability of a node."""
    found = session.engine.node(ref)
    spec = dict(found["Spec"])
    labels = dict(spec.get("Labels") or {})
    for name in label_rm:
        if labels.pop(name, None) is None:
            raise click.UsageError(f"--label-rm: the node has no label {name}")
    labels.update((name, value) for name, _, value in (each.partition("=") for each in label_add))
    spec["Labels"] = labels
    spec["Availability"] = availability or spec["Availability"]
    spec["Role"] = role or spec["Role"]
    session.engine.update_node(found, spec)
    click.echo(ref)


@node.command()
@click.argument("refs", nargs=-1, required=True, metavar="NODE...")
@pass_session
def promote(session: Session, refs: tuple[str, ...]) -> None:
    """Make nodes managers."""
    _change_role(session, refs, "manager", "promoted to a manager in the swarm.")


@node.command()
@click.argument("refs", nargs=-1, required=True, metavar="NODE...")
@pass_session
def demote(session: Session, refs: tuple[str, ...]) -> None:
    """Make managers workers."""
    _change_role(session, refs, "worker", "demoted in the swarm.")


@node.command()
@click.option("-f", "--force", is_flag=True, help="Also one that is up.")
@click.argument("refs", nargs=-1, required=True, metavar="NODE...")
@pass_session
def rm(session: Session, refs: tuple[str, ...], force: bool) -> int:
    """Take nodes out of the swarm."""
    failed = 0
    for ref in refs:
        try:
            session.engine.remove_node(ref, force=force)
        except HiveletError as error:
            complain(error.message)
            failed = 1
        else:
            click.echo(ref)
    return failed


def _change_role(session: Session, refs: tuple[str, ...], role: str, done: str) -> None:
    for ref in refs:
        found = session.engine.node(ref)
        if found["Spec"]["Role"] == role:
            click.echo(f"Node {ref} is already a {role}.")
            continue
        session.engine.update_node(found, {**found["Spec"], "Role": role})
        click.echo(f"Node {ref} {done}")
