"""`hivelet stack plan` and `deploy`: what a stack file would change, and the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hivelet.cli.session import Session, pass_session, warn
from hivelet.cli.stack.reading import loader_options, read_named, seconds_of

if TYPE_CHECKING:
    from hivelet.cli.deploy.plan import Plan
    from hivelet.compose.load import LoadedStack

_CHANGES = 3
"""`plan --exit-code` where there is something to do: neither a failure (1) nor a wrong command line (2)."""


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


@click.command("plan")
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


@click.command()
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
        timeout=seconds_of(options["timeout"]),
    )
    loaded, plan = _make_plan(session, name, files, options)
    images = (
        {service.image for service in loaded.file.services.values()}
        if options["with_registry_auth"]
        else set()
    )
    auth = {image: registry_auth(session.environment, image) for image in images}
    return carry_out(session, plan, auth, how)


@click.command("build")
@loader_options
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but warnings.")
@click.argument("name", metavar="STACK")
@click.argument("services", nargs=-1, metavar="[SERVICE...]")
@pass_session
def build(
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

    loaded, stack_name = read_named(session, name, files, options, builds=True)
    build_stack(session, stack_name, loaded, services, quiet=options["quiet"])


def _make_plan(
    session: Session, name: str, files: tuple[str, ...], options: dict[str, Any]
) -> tuple[LoadedStack, Plan]:
    """Read the files and the cluster; what must be known of the files is told on the standard error."""
    from hivelet.cli.deploy.reading import PlanOptions, make_plan

    builds = bool(options.get("build"))
    loaded, stack_name = read_named(session, name, files, options, builds=builds)
    built: dict[str, str] = {}
    if builds:
        from dataclasses import replace

        from hivelet.cli.build.stack import build_stack

        done = build_stack(session, stack_name, loaded, quiet=options["quiet"])
        loaded, built = replace(loaded, file=done.file), dict(done.pinned)
    wanted = PlanOptions(
        prune=options["prune"], resolve_image=options["resolve_image"], built=built
    )
    return loaded, make_plan(session, stack_name, loaded, wanted)
