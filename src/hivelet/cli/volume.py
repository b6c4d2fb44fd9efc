"""`hivelet volume …`: the volumes of this node."""

from __future__ import annotations

import click

from hivelet.cli.flag_values import parse_key_value
from hivelet.cli.options import inspect_format_option, list_options
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.others import VOLUMES, volume_rows
from hivelet.cli.session import Session, complain, pass_session, say, warn
from hivelet.errors import HiveletError, InvalidParameter


@click.group()
def volume() -> None:
    """Create and manage volumes of this node."""


@volume.command("ls")
@list_options
@pass_session
def list_volumes(
    session: Session, template: str, quiet: bool, filters: dict[str, list[str]]
) -> None:
    """List volumes."""
    rows = volume_rows(session.engine.volumes(filters))
    click.echo(render_list(VOLUMES, rows, template=template, quiet=quiet), nl=False)


@volume.command()
@click.option("-d", "--driver", default="local", show_default=True, help="The volume's driver.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label.")
@click.option(
    "-o", "--opt", "options", multiple=True, metavar="NAME=VALUE", help="An option of the driver."
)
@click.argument("name", required=False, default="")
@pass_session
def create(
    session: Session, name: str, driver: str, labels: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """Create a volume; without a NAME it is given one."""
    request = {
        "Name": name,
        "Driver": driver,
        "Labels": _pairs(labels),
        "DriverOpts": _pairs(options),
    }
    say(session.engine.create_volume(request)["Name"])


@volume.command()
@inspect_format_option
@click.argument("names", nargs=-1, required=True, metavar="VOLUME...")
@pass_session
def inspect(session: Session, names: tuple[str, ...], template: str) -> int:
    """Show everything about volumes."""
    from hivelet.cli.inspection import inspect_all

    return inspect_all(names, session.engine.volume, template, kind="volume")


@volume.command("rm")
@click.option("-f", "--force", is_flag=True, help="Do not mind a volume that is not there.")
@click.argument("names", nargs=-1, required=True, metavar="VOLUME...")
@pass_session
def remove(session: Session, names: tuple[str, ...], force: bool) -> int:
    """Remove volumes and what is in them."""
    failed = 0
    for name in names:
        try:
            session.engine.remove_volume(name, force=force)
            say(name)
        except HiveletError as error:
            complain(error.message)
            failed = 1
    return failed


@volume.command()
@click.option("-a", "--all", "named", is_flag=True, help="Those with names too.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@pass_session
def prune(session: Session, named: bool, force: bool) -> None:
    """Remove the volumes that no container uses; those that were given a name only with --all."""
    from hivelet.cli.render.human import human_size

    if not force:
        warn(
            "this removes "
            + ("all volumes" if named else "all anonymous volumes")
            + " that no container uses, with their data"
        )
        click.confirm("Go on?", abort=True)
    answer = session.engine.prune_volumes({"all": ["true"]} if named else {})
    for name in answer.get("VolumesDeleted") or []:
        say(name)
    say(f"Total reclaimed space: {human_size(answer.get('SpaceReclaimed', 0))}")


def _pairs(values: tuple[str, ...]) -> dict[str, str]:
    try:
        return dict(map(parse_key_value, values))
    except ValueError as error:
        raise InvalidParameter(str(error)) from error
