"""What there is of stacks and how it is: `hivelet stack ls`, `services`, `ps`, `logs`, `top` and `why`."""

from __future__ import annotations

from typing import Any

import click

from hivelet.cli.log_output import log_options
from hivelet.cli.options import (
    filter_option,
    format_option,
    list_options,
    no_trunc_option,
    quiet_option,
    why_format_option,
)
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.services import SERVICES, STACKS, service_rows, stack_rows
from hivelet.cli.session import Session, complain, pass_session
from hivelet.cli.stack.reading import check_stack_name, seconds_of
from hivelet.objects.service import STACK_LABEL


@click.command("ls")
@format_option
@pass_session
def list_stacks(session: Session, template: str) -> None:
    """List stacks."""
    services = session.engine.services({"label": [STACK_LABEL]})
    click.echo(render_list(STACKS, stack_rows(services), template=template), nl=False)


@click.command()
@list_options
@click.argument("name", metavar="STACK")
@pass_session
def services(
    session: Session, name: str, template: str, quiet: bool, filters: dict[str, list[str]]
) -> int:
    """List the services of a stack."""
    check_stack_name(name)
    found = session.engine.services(_with_stack(filters, name), status=not quiet)
    if not found:
        click.echo(f"Nothing found in stack: {name}", err=True)
        return 0
    click.echo(render_list(SERVICES, service_rows(found), template=template, quiet=quiet), nl=False)
    return 0


@click.command()
@no_trunc_option
@quiet_option
@format_option
@filter_option
@click.option("--no-resolve", is_flag=True, help="Show ids instead of names.")
@click.argument("name", metavar="STACK")
@pass_session
def ps(
    session: Session, /, name: str, filters: dict[str, list[str]], no_resolve: bool, **show: Any
) -> int:
    """List the tasks of a stack."""
    from hivelet.cli.service import print_tasks

    check_stack_name(name)
    tasks = session.engine.tasks(_with_stack(filters, name))
    if not tasks:
        complain(f"nothing found in stack: {name}")
        return 1
    print_tasks(session, tasks, resolve=not no_resolve, **show)
    return 0


@click.command()
@log_options
@click.option("--no-log-prefix", is_flag=True, help="Do not say which task wrote a line.")
@click.argument("name", metavar="STACK")
@click.argument("services", nargs=-1, metavar="[SERVICE...]")
@pass_session
def logs(session: Session, /, name: str, services: tuple[str, ...], **options: Any) -> int:
    """Show the logs of all services of a stack, or of some, in the order of time."""
    from hivelet.cli.logs.stack import show_stack_logs

    check_stack_name(name)
    return show_stack_logs(session, name, services, options)


@click.command()
@click.option("--once", is_flag=True, help="Print it once as plain text, and end.")
@click.option("-s", "--services-only", is_flag=True, help="Leave out the tasks.")
@click.option(
    "--sort",
    type=click.Choice(["name", "cpu", "memory"]),
    default="name",
    show_default=True,
    help="What stands first.",
)
@click.option("-n", "--interval", default="1s", show_default=True, help="Time between two looks.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json prints once, for programs.",
)
@click.argument("names", nargs=-1, metavar="[STACK...]")
@pass_session
def top(session: Session, /, names: tuple[str, ...], interval: str, **options: Any) -> int:
    """Watch what services and tasks use: CPU, memory, connections. Without STACK, all services.

    \b
    Numbers are those of the containers of the node that is asked; connections are told by hivelet's daemon alone.

    Example:
      hivelet stack top --sort cpu myapp
    """
    from hivelet.cli.top.screen import TopOptions, show_top

    how = TopOptions(
        stacks=names,
        once=options["once"],
        tasks=not options["services_only"],
        sort=options["sort"],
        interval=seconds_of(interval, "--interval"),
        form=options["form"],
    )
    return show_top(session, how)


@click.command()
@why_format_option
@click.argument("refs", nargs=-1, required=True, metavar="SERVICE|STACK...")
@pass_session
def why(session: Session, refs: tuple[str, ...], form: str) -> int:
    """Say what stands between services and their replica counts, and what to type next.

    \b
    The name of a stack means all of its services.

    Example:
      hivelet stack why myapp_web
    """
    from hivelet.cli.why.reading import tell_why

    return tell_why(session, refs, form=form, stacks=True)


def _with_stack(filters: dict[str, list[str]], name: str) -> dict[str, list[str]]:
    return {**filters, "label": [*filters.get("label", []), f"{STACK_LABEL}={name}"]}
