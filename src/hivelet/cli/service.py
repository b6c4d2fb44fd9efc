"""`hivelet service …`: create, list, inspect, change and remove services."""

from __future__ import annotations

from typing import Any, TypeAlias

import click

from hivelet.cli import service_options
from hivelet.cli.directory import node_names, service_names
from hivelet.cli.exec_command import exec_options
from hivelet.cli.log_output import log_options, show_service_logs
from hivelet.cli.options import (
    detach_option,
    filter_option,
    format_option,
    inspect_format_option,
    list_options,
    no_trunc_option,
    quiet_option,
    why_format_option,
)
from hivelet.cli.progress import make_reporter, wait_for_services
from hivelet.cli.registry import registry_auth
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.services import SERVICES, service_rows
from hivelet.cli.render.tasks import TASKS, task_rows
from hivelet.cli.session import Session, complain, pass_session, say, warn
from hivelet.errors import HiveletError, InvalidParameter, NotFound

Json: TypeAlias = dict[str, Any]


@click.group()
def service() -> None:
    """Create and manage services."""


@service.command(
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False}
)
@service_options.create_options
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_session
def create(session: Session, /, image: str, command: tuple[str, ...], **options: Any) -> None:
    """Create a service: IMAGE [COMMAND] [ARG...]."""
    from hivelet.cli.service_requests import prepare_create

    spec = prepare_create(session, image, command, options)
    auth = registry_auth(session.environment, image) if options["with_registry_auth"] else ""
    answer = session.engine.create_service(spec, registry_auth=auth)
    for warning in answer.get("Warnings") or []:
        warn(warning)
    say(answer["ID"])
    _follow(session, answer["ID"], spec["Name"] or answer["ID"], options)


@service.command()
@service_options.update_options
@click.argument("ref", metavar="SERVICE")
@pass_session
def update(session: Session, /, ref: str, **options: Any) -> None:
    """Change a service; its tasks are replaced as its update configuration says."""
    from hivelet.cli.service_requests import prepare_update

    current = session.engine.service(ref)
    if options["rollback"]:
        warnings = session.engine.update_service(current, current["Spec"], rollback=True)
    else:
        spec = prepare_update(session, current["Spec"], options)
        image = spec["TaskTemplate"]["ContainerSpec"].get("Image", "")
        auth = registry_auth(session.environment, image) if options["with_registry_auth"] else ""
        warnings = session.engine.update_service(current, spec, registry_auth=auth)
    for warning in warnings:
        warn(warning)
    say(ref)
    _follow(session, current["ID"], current["Spec"]["Name"], options, back=options["rollback"])


@service.command()
@detach_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("--timeout", default=None, help="Longest time to wait, such as 5m.")
@click.argument("ref", metavar="SERVICE")
@pass_session
def rollback(session: Session, /, ref: str, **options: Any) -> None:
    """Go back to the previous spec of a service."""
    current = session.engine.service(ref)
    for warning in session.engine.update_service(current, current["Spec"], rollback=True):
        warn(warning)
    say(ref)
    _follow(session, current["ID"], current["Spec"]["Name"], options, back=True)


@service.command()
@detach_option
@click.option("--timeout", default=None, help="Longest time to wait, such as 5m.")
@click.argument("targets", nargs=-1, required=True, metavar="SERVICE=REPLICAS...")
@pass_session
def scale(session: Session, targets: tuple[str, ...], detach: bool, timeout: str | None) -> int:
    """Set how many replicas services have."""
    from hivelet.cli.service_requests import parse_scale, scaled_spec

    wanted = [parse_scale(target) for target in targets]
    changed: dict[str, str] = {}
    failed = False
    for ref, count in wanted:
        try:
            current = session.engine.service(ref)
            warnings = session.engine.update_service(current, scaled_spec(current["Spec"], count))
        except HiveletError as error:
            complain(f"{ref}: {error.message}")
            failed = True
            continue
        for warning in warnings:
            warn(warning)
        say(f"{ref} scaled to {count}")
        changed[current["ID"]] = current["Spec"]["Name"]
    if changed and not detach:
        reporter = make_reporter(session, quiet=False, several=len(changed) > 1)
        wait_for_services(session, changed, reporter, timeout=parse_seconds(timeout))
    return 1 if failed else 0


@service.command("ls")
@list_options
@pass_session
def list_services(
    session: Session, template: str, quiet: bool, filters: dict[str, list[str]]
) -> None:
    """List services."""
    services = session.engine.services(filters, status=not quiet)
    click.echo(
        render_list(SERVICES, service_rows(services), template=template, quiet=quiet), nl=False
    )


@service.command()
@no_trunc_option
@quiet_option
@format_option
@filter_option
@click.option("--no-resolve", is_flag=True, help="Show ids instead of names.")
@click.argument("refs", nargs=-1, required=True, metavar="SERVICE...")
@pass_session
def ps(
    session: Session,
    /,
    refs: tuple[str, ...],
    filters: dict[str, list[str]],
    no_resolve: bool,
    **show: Any,
) -> int:
    """List the tasks of services, those of the past among them."""
    found = [session_service(session, ref) for ref in refs]
    known = [entry["ID"] for entry in found if entry is not None]
    if known:
        tasks = session.engine.tasks({**filters, "service": known})
        show["no_trunc"] = show["no_trunc"] or show["quiet"]
        print_tasks(session, tasks, resolve=not no_resolve, **show)
    for ref, entry in zip(refs, found, strict=True):
        if entry is None:
            complain(f"no such service: {ref}")
    return 1 if None in found else 0


def print_tasks(
    session: Session,
    tasks: list[Json],
    *,
    resolve: bool,
    no_trunc: bool,
    quiet: bool,
    template: str,
) -> None:
    """The table of tasks that `service ps`, `stack ps` and `node ps` share."""
    rows = task_rows(
        tasks,
        now=session.now(),
        services=service_names(session, resolve=resolve),
        nodes={} if quiet else node_names(session, resolve=resolve),
        trunc=not no_trunc,
        indent=template in {"", "table"} or template.startswith("table "),
    )
    click.echo(render_list(TASKS, rows, template=template, quiet=quiet), nl=False)


def session_service(session: Session, ref: str) -> Json | None:
    """The service called `ref`; None where there is none."""
    try:
        return session.engine.service(ref)
    except NotFound:
        return None


@service.command()
@inspect_format_option
@click.option("--pretty", is_flag=True, help="Print for people instead of JSON.")
@click.argument("refs", nargs=-1, required=True, metavar="SERVICE...")
@pass_session
def inspect(session: Session, refs: tuple[str, ...], pretty: bool, template: str) -> int:
    """Show everything about services."""
    from hivelet.cli.inspection import inspect_all
    from hivelet.cli.render.service_pretty import render_service

    def find(ref: str) -> Json:
        return session.engine.service(ref, insert_defaults=True, backends=True)

    if not pretty and template != "pretty":
        return inspect_all(refs, find, template, kind="service")
    failed = 0
    for ref in refs:
        try:
            entry = find(ref)
        except NotFound:
            complain(f"no such service: {ref}")
            failed = 1
            continue
        networks = {network["Id"]: network["Name"] for network in session.engine.networks()}
        click.echo(render_service(entry, networks=networks, now=session.now()), nl=False)
    return failed


@service.command()
@log_options
@click.option("--raw", is_flag=True, help="Print the log as it is.")
@click.option("--no-trunc", is_flag=True, help="Show whole task ids.")
@click.option("--no-task-ids", is_flag=True, help="Leave out task ids.")
@click.option("--no-resolve", is_flag=True, help="Show ids instead of names.")
@click.argument("ref", metavar="SERVICE|TASK")
@pass_session
def logs(session: Session, /, ref: str, **options: Any) -> None:
    """Show the log of a service or of one task."""
    show_service_logs(session, ref, options)


@service.command("rm")
@click.argument("refs", nargs=-1, required=True, metavar="SERVICE...")
@pass_session
def remove(session: Session, refs: tuple[str, ...]) -> int:
    """Remove services and their tasks."""
    failed = 0
    for ref in refs:
        try:
            session.engine.remove_service(ref)
            say(ref)
        except HiveletError as error:
            complain(error.message)
            failed = 1
    return failed


@service.command()
@why_format_option
@click.argument("refs", nargs=-1, required=True, metavar="SERVICE...")
@pass_session
def why(session: Session, refs: tuple[str, ...], form: str) -> int:
    """Say what stands between services and their replica counts, and what to type next."""
    from hivelet.cli.why.reading import tell_why

    return tell_why(session, refs, form=form, stacks=False)


@service.command("exec", context_settings={"allow_interspersed_args": False})
@exec_options
@click.argument("ref", metavar="SERVICE[.SLOT]|TASK")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_session
def exec_in_service(session: Session, /, ref: str, command: tuple[str, ...], **options: Any) -> int:
    """Run a command in a task of a service; its exit code is passed on."""
    from hivelet.cli.exec_command import ExecOptions, run_in_container
    from hivelet.cli.running import container_of

    return run_in_container(session, container_of(session, ref), command, ExecOptions(**options))


@service.command()
@detach_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("--timeout", default=None, help="Longest time to wait, such as 5m.")
@click.argument("refs", nargs=-1, required=True, metavar="SERVICE...")
@pass_session
def restart(
    session: Session, refs: tuple[str, ...], detach: bool, quiet: bool, timeout: str | None
) -> int:
    """Replace the tasks of services by new ones, one after the other as their update configuration says."""
    from hivelet.cli.service_spec import changed_spec

    restarted: dict[str, str] = {}
    failed = False
    for ref in refs:
        try:
            current = session.engine.service(ref)
            spec = changed_spec(current["Spec"], {"force": True})
            warnings = session.engine.update_service(current, spec)
        except HiveletError as error:
            complain(f"{ref}: {error.message}")
            failed = True
            continue
        for warning in warnings:
            warn(warning)
        say(ref)
        restarted[current["ID"]] = current["Spec"]["Name"]
    if restarted and not detach:
        reporter = make_reporter(session, quiet=quiet, several=len(restarted) > 1)
        wait_for_services(session, restarted, reporter, timeout=parse_seconds(timeout))
    return 1 if failed else 0


def _follow(
    session: Session, identifier: str, name: str, options: Json, *, back: bool = False
) -> None:
    """Wait until the service has converged; `back` where the user asked for the rollback."""
    if options["detach"]:
        return
    reporter = make_reporter(session, quiet=options["quiet"], several=False)
    wait_for_services(
        session,
        {identifier: name},
        reporter,
        timeout=parse_seconds(options["timeout"]),
        rollback_wanted=back,
    )


def parse_seconds(text: str | None, option: str = "--timeout") -> float | None:
    """The time that `option` gives; a bare number is in seconds."""
    from hivelet.kit.durations import parse_duration

    if text is None:
        return None
    try:
        seconds = (
            float(text)
            if text.replace(".", "", 1).isdecimal()
            else parse_duration(text) / 1_000_000_000
        )
    except ValueError as error:
        raise InvalidParameter(f"{option}: {error}") from error
    if seconds < 0:
        raise InvalidParameter(f'{option}: "{text}" is less than no time at all')
    return seconds
