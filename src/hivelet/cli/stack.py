"""`hivelet stack …`: deploy, list, inspect and remove stacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

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
from hivelet.cli.session import Session, complain, pass_session, warn
from hivelet.errors import InvalidParameter
from hivelet.objects.service import STACK_LABEL

if TYPE_CHECKING:
    from hivelet.cli.deploy.plan import Plan
    from hivelet.compose.load import LoadedStack, LoadOptions

_CHANGES = 3
"""`plan --exit-code` where there is something to do: neither a failure (1) nor a wrong command line (2)."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


def compose_file_option(command: Any) -> Any:
    """`-c FILE`, repeatable."""
    text = (
        "Compose file; several are laid over each other; - is the standard input. "
        "[default: those of COMPOSE_FILE, else compose.yaml or docker-compose.yml]"
    )
    return click.option("-c", "--compose-file", "files", multiple=True, metavar="FILE", help=text)(
        command
    )


def loader_options(command: Any) -> Any:
    """What the reading of compose files takes: `-c`, `--env-file`, `--profile`."""
    profile = click.option(
        "--profile",
        "profiles",
        multiple=True,
        metavar="NAME",
        help="Bring in the services of a profile; * brings in all. [default: those of COMPOSE_PROFILES]",
    )
    env_file = click.option(
        "--env-file",
        "env_files",
        multiple=True,
        metavar="FILE",
        help="File with variables; later ones win, the environment wins over all. [default: .env beside the first file]",
    )
    return compose_file_option(env_file(profile(command)))


@click.group()
def stack() -> None:
    """Deploy and manage stacks: the services, networks, secrets and configs of a compose file."""


def plan_options(command: Any) -> Any:
    """What decides what a plan contains."""
    prune = click.option(
        "--prune",
        is_flag=True,
        help="Remove what the stack owns, the file no longer has and nothing uses (never volumes).",
    )
    resolve = click.option(
        "--resolve-image",
        type=click.Choice(["always", "changed", "never"]),
        default="changed",
        show_default=True,
        help="When images are looked up in their registries: always, where the file changed them, or never.",
    )
    return loader_options(prune(resolve(command)))


@stack.command("plan")
@plan_options
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the plan's last line.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where there is something to do.")
@click.argument("name", metavar="[STACK]", default="")
@pass_session
def plan_command(
    session: Session, /, name: str, files: tuple[str, ...], form: str, **options: Any
) -> int:
    """Show what a deploy would do, and which tasks it would restart; nothing is changed."""
    from hivelet.cli.deploy.show import painted, plan_json, plan_lines

    _, plan = _make_plan(session, name, files, options)
    if form == "json":
        import json

        click.echo(json.dumps(plan_json(plan), indent=4, ensure_ascii=False))
    else:
        for warning in plan.warnings:
            warn(warning)
        lines = plan_lines(plan)
        for line in lines[-1:] if options["quiet"] else lines:
            click.echo(painted(line))
    return _CHANGES if options["exit_code"] and plan.changes else 0


@stack.command()
@plan_options
@click.option(
    "-d/ ",
    "--detach/--no-detach",
    default=False,
    help="Return at once instead of waiting for convergence.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show neither the plan nor progress.")
@click.option(
    "-y", "--yes", is_flag=True, help="Do not ask, on a terminal, before tasks are restarted."
)
@click.option(
    "--timeout", default="5m", show_default=True, help="Longest time to wait for convergence."
)
@click.option("--with-registry-auth", is_flag=True, help="Send registry credentials along.")
@click.option("--build", is_flag=True, help="Build the images of services with a `build` first.")
@click.argument("name", metavar="[STACK]", default="")
@pass_session
def deploy(session: Session, /, name: str, files: tuple[str, ...], **options: Any) -> int:
    """Deploy a stack, or bring it up to date with its file.

    \b
    Shows its plan and does exactly that; waits until all services run as asked, and fails with the reason where they
    do not. Without STACK, the file's own name is taken.

    Example:
      hivelet stack deploy -c docker-compose.yml myapp
    """
    from hivelet.cli.deploy.flow import DeployOptions
    from hivelet.cli.deploy.flow import deploy as carry_out
    from hivelet.cli.registry import registry_auth

    how = DeployOptions(
        detach=options["detach"],
        quiet=options["quiet"],
        yes=options["yes"],
        timeout=_seconds(options["timeout"]),
    )
    loaded, plan = _make_plan(session, name, files, options)
    images = (
        {service.image for service in loaded.file.services.values()}
        if options["with_registry_auth"]
        else set()
    )
    auth = {image: registry_auth(session.environment, image) for image in images}
    return carry_out(session, plan, auth, how)


stack.add_command(deploy, "up")


@stack.command("build")
@loader_options
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but warnings.")
@click.argument("name", metavar="STACK")
@click.argument("services", nargs=-1, metavar="[SERVICE...]")
@pass_session
def build_images(
    session: Session,
    /,
    name: str,
    services: tuple[str, ...],
    files: tuple[str, ...],
    **options: Any,
) -> None:
    """Build the images of a stack's services that have a `build`, or of some; nothing is deployed.

    \b
    An image without a name of its own is called STACK-SERVICE.
    """
    from hivelet.cli.build.stack import build_stack

    loaded, stack_name = _load_named(session, name, files, options, builds=True)
    build_stack(session, stack_name, loaded, services, quiet=options["quiet"])


@stack.command()
@loader_options
@click.option("--skip-interpolation", is_flag=True, help="Leave variables as they are.")
@click.option(
    "--lock-image-digests",
    "lock",
    is_flag=True,
    help="Print nothing but the images with their digests, as a file to give with a second -c.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not say which files were read or left out.")
@pass_session
def config(
    session: Session,
    /,
    files: tuple[str, ...],
    skip_interpolation: bool,
    lock: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Print the file as it is understood: merged, with variables filled in, in long form."""
    from hivelet.compose.load import LoadOptions
    from hivelet.compose.render import render_config

    how = LoadOptions(skip_interpolation=skip_interpolation, with_contents=False, **options)
    loaded = read_stack(session, files, how, quiet=quiet)
    form = loaded.long_form
    if lock:
        from hivelet.cli.deploy.lock import locked_images

        form = locked_images(session, loaded.file)
    click.echo(render_config(form), nl=False)


@stack.command("ls")
@format_option
@pass_session
def list_stacks(session: Session, template: str) -> None:
    """List stacks."""
    services = session.engine.services({"label": [STACK_LABEL]})
    click.echo(render_list(STACKS, stack_rows(services), template=template), nl=False)


@stack.command()
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


@stack.command()
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


@stack.command("rm")
@click.option(
    "-d/ ", "--detach/--no-detach", default=False, help="Do not wait until the tasks are gone."
)
@click.option("--timeout", default="5m", show_default=True, help="Longest time to wait.")
@click.argument("names", nargs=-1, required=True, metavar="STACK...")
@pass_session
def remove(session: Session, names: tuple[str, ...], detach: bool, timeout: str) -> int:
    """Remove stacks: their services, secrets, configs and networks. Volumes stay."""
    from hivelet.cli.deploy.remove import remove_stack
    from hivelet.cli.interruption import Interruption

    seconds = _seconds(timeout)
    for name in names:
        check_stack_name(name)
    with Interruption().watching():
        try:
            done = [remove_stack(session, name, detach=detach, timeout=seconds) for name in names]
        except KeyboardInterrupt:
            again = f"hivelet stack rm {' '.join(names)}"
            click.echo(
                f"Tasks go on stopping by themselves; `{again}` removes what is left.", err=True
            )
            raise
    return 0 if all(done) else 1


@stack.command()
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


@stack.command()
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
        interval=_seconds(interval),
        form=options["form"],
    )
    return show_top(session, how)


@stack.command()
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


for _alias in ("down", "remove"):
    stack.add_command(remove, _alias)


def check_stack_name(name: str) -> None:
    """Refuse what cannot be part of a service's name.

    Raises:
        InvalidParameter: `name` has other characters than letters, digits, `_`, `.` and `-`.
    """
    if not _NAME.match(name):
        raise InvalidParameter(
            f'invalid stack name "{name}": letters, digits, "_", "." and "-" are allowed'
        )


def read_stack(
    session: Session, files: tuple[str, ...], options: LoadOptions, *, quiet: bool
) -> LoadedStack:
    """Load a stack and tell on the standard error what must be known of it."""
    from hivelet.compose.load import load_stack
    from hivelet.compose.selection import choose_files

    loaded = load_stack(choose_files(files, session.environment), session.environment, options)
    for note in () if quiet else loaded.notes:
        click.echo(f"Note: {note}", err=True)
    for warning in loaded.warnings:
        warn(warning)
    return loaded


def _make_plan(
    session: Session, name: str, files: tuple[str, ...], options: dict[str, Any]
) -> tuple[LoadedStack, Plan]:
    """Read the files and the cluster; what must be known of the files is told on the standard error."""
    from hivelet.cli.deploy.reading import PlanOptions, make_plan

    build = bool(options.get("build"))
    loaded, stack_name = _load_named(session, name, files, options, builds=build)
    built: dict[str, str] = {}
    if build:
        from dataclasses import replace

        from hivelet.cli.build.stack import build_stack

        done = build_stack(session, stack_name, loaded, quiet=options["quiet"])
        loaded, built = replace(loaded, file=done.file), dict(done.pinned)
    wanted = PlanOptions(
        prune=options["prune"], resolve_image=options["resolve_image"], built=built
    )
    return loaded, make_plan(session, stack_name, loaded, wanted)


def _load_named(
    session: Session, name: str, files: tuple[str, ...], options: dict[str, Any], *, builds: bool
) -> tuple[LoadedStack, str]:
    """Read the files of a stack that has a name, its own or the one given."""
    from hivelet.compose.load import LoadOptions

    if name:
        check_stack_name(name)
    how = LoadOptions(
        stack=name,
        env_files=options["env_files"],
        profiles=options["profiles"],
        builds=builds,
    )
    loaded = read_stack(session, files, how, quiet=options["quiet"])
    stack_name = name or loaded.name
    if not stack_name:
        raise InvalidParameter(
            "the stack has no name: give one after the options (hivelet stack deploy -c FILE STACK), "
            "or write `name:` into the file"
        )
    return loaded, stack_name


def _with_stack(filters: dict[str, list[str]], name: str) -> dict[str, list[str]]:
    return {**filters, "label": [*filters.get("label", []), f"{STACK_LABEL}={name}"]}


def _seconds(text: str) -> float:
    from hivelet.cli.service import parse_seconds

    seconds = parse_seconds(text)
    return 0.0 if seconds is None else seconds
