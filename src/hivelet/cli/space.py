"""`hivelet system df` and `hivelet system prune`: what takes up the disk, and getting it back."""

from __future__ import annotations

from typing import Any, TypeAlias

import click

from hivelet.cli.image_archive import image_filters
from hivelet.cli.options import format_option, prune_filter_option
from hivelet.cli.render.human import precise_size
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.space import SPACE, VERBOSE, space_rows, verbose_rows
from hivelet.cli.session import Session, pass_session, say, warn
from hivelet.errors import InvalidParameter, NotImplemented

Json: TypeAlias = dict[str, Any]


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Each image, container and volume.")
@format_option
@pass_session
def df(session: Session, verbose: bool, template: str) -> None:
    """Show what images, containers, volumes and the cache of builds take up."""
    usage = session.engine.disk_usage()
    if not verbose:
        click.echo(render_list(SPACE, space_rows(usage), template=template), nl=False)
        return
    if template:
        raise InvalidParameter("the verbose and the format options conflict")
    rows = verbose_rows(usage, session.now())
    for title, view in VERBOSE:
        say(title.format(cache=rows["cache_size"]))
        say()
        click.echo(render_list(view, rows[title]), nl=False)
        if view is not VERBOSE[-1][1]:
            say()


@click.command()
@click.option("-a", "--all", "named", is_flag=True, help="All images that no container uses.")
@click.option("--volumes", is_flag=True, help="Anonymous volumes too that no container uses.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@prune_filter_option
@pass_session
def prune(
    session: Session, named: bool, volumes: bool, force: bool, filters: dict[str, list[str]]
) -> None:
    """Remove what nothing uses: stopped containers, networks, images without a name, the cache of builds."""
    if volumes and "until" in filters:
        raise InvalidParameter('the "until" filter is not supported with --volumes')
    if not force:
        warn(
            "this removes all stopped containers, all networks that no container uses, "
            + ("all images that no container uses" if named else "all images without a name")
            + (", all anonymous volumes that no container uses" if volumes else "")
            + ", and the cache of builds"
        )
        click.confirm("Go on?", abort=True)
    engine = session.engine
    freed = _show("Containers", engine.by_hand.prune(filters), "ContainersDeleted")
    _show("Networks", engine.prune_networks(filters), "NetworksDeleted")
    if volumes:
        freed += _show("Volumes", engine.prune_volumes(filters), "VolumesDeleted")
    images = engine.prune_images(image_filters(filters, named=named))
    freed += int(images.get("SpaceReclaimed", 0))
    for entry in images.get("ImagesDeleted") or []:
        for verb, target in entry.items():
            say(f"{verb.lower()}: {target}")
    freed += _prune_builds(session, filters, named=named)
    say(f"Total reclaimed space: {precise_size(freed)}")


def _show(title: str, answer: Json, field: str) -> int:
    removed = answer.get(field) or []
    if removed:
        say(f"Deleted {title}:")
        for name in removed:
            say(name)
        say()
    return int(answer.get("SpaceReclaimed") or 0)


def _prune_builds(session: Session, filters: dict[str, list[str]], *, named: bool) -> int:
    """What the cache of builds gave back; nothing where the daemon has none."""
    try:
        answer = session.engine.prune_builds(
            {key: values for key, values in filters.items() if key == "until"}, everything=named
        )
    except NotImplemented:
        return 0
    return _show("build cache objects", answer, "CachesDeleted")
