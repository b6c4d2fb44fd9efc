"""`hivelet save`, `history` and `image prune`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import click

from hivelet.cli.containers.go_flags import GoFlags
from hivelet.cli.containers.look import write_out
from hivelet.cli.options import format_option, no_trunc_option, prune_filter_option
from hivelet.cli.render.human import ellipsis, human_size, precise_size, truncate_id
from hivelet.cli.render.listing import Row, View, render_list
from hivelet.cli.session import Session, pass_session, say, warn
from hivelet.kit.durations import human_duration

Json: TypeAlias = dict[str, Any]

HISTORY = View(
    headers={
        "ID": "IMAGE",
        "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT",
        "CreatedBy": "CREATED BY",
        "Size": "SIZE",
        "Comment": "COMMENT",
    },
    table=("ID", "CreatedSince", "CreatedBy", "Size", "Comment"),
)
_CREATED_BY = 45


@click.command()
@click.option("-o", "--output", default="", metavar="FILE", help="File; else the standard output.")
@click.option("--platform", default=None, help="Platform, such as linux/arm64.")
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@pass_session
def save(session: Session, names: tuple[str, ...], output: str, platform: str | None) -> None:
    """Write images as an archive that `hivelet load` and `docker load` read."""
    write_out(session.engine.save_images(names, platform), output)


@click.command(cls=GoFlags)
@click.option("-H", "--human/--no-human", default=True, help="Sizes and moments for people.")
@click.option("-q", "--quiet", is_flag=True, help="Print only ids.")
@no_trunc_option
@format_option
@click.argument("ref", metavar="IMAGE")
@pass_session
def history(
    session: Session, ref: str, template: str, no_trunc: bool, quiet: bool, human: bool
) -> None:
    """Show how an image was made, the latest step first."""
    entries = session.engine.image_history(ref)
    rows = history_rows(entries, now=session.now(), trunc=not no_trunc, human=human)
    click.echo(render_list(HISTORY, rows, template=template, quiet=quiet), nl=False)


def history_rows(
    entries: Iterable[Json], *, now: datetime, trunc: bool, human: bool = True
) -> list[Row]:
    """A row for each step."""
    return [_history_row(entry, now, trunc=trunc, human=human) for entry in entries]


def _history_row(entry: Json, now: datetime, *, trunc: bool, human: bool) -> Row:
    created = datetime.fromtimestamp(int(entry.get("Created", 0)), UTC)
    moment = created.isoformat().replace("+00:00", "Z")
    command = str(entry.get("CreatedBy") or "").replace("\t", " ")
    identity, size = str(entry.get("Id", "")), int(entry.get("Size", 0))
    return {
        "ID": truncate_id(identity) if trunc else identity,
        "CreatedSince": f"{human_duration((now - created).total_seconds())} ago"
        if human
        else moment,
        "CreatedAt": moment,
        "CreatedBy": ellipsis(command, _CREATED_BY) if trunc else command,
        "Size": human_size(size) if human else str(size),
        "Comment": str(entry.get("Comment") or ""),
    }


@click.command()
@click.option("-a", "--all", "named", is_flag=True, help="Those with names too that nothing uses.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@prune_filter_option
@pass_session
def prune(session: Session, named: bool, force: bool, filters: dict[str, list[str]]) -> None:
    """Remove the images that no container uses; those with a name only with --all."""
    if not force:
        warn(
            "this removes "
            + ("all images that no container uses" if named else "all images without a name")
        )
        click.confirm("Go on?", abort=True)
    show_removed_images(session.engine.prune_images(image_filters(filters, named=named)))


def image_filters(filters: dict[str, list[str]], *, named: bool) -> dict[str, list[str]]:
    """The filters that the daemon is asked with."""
    return {**filters, "dangling": ["false" if named else "true"]}


def show_removed_images(answer: Json) -> None:
    """What went, and how much that was."""
    removed = answer.get("ImagesDeleted") or []
    if removed:
        say("Deleted Images:")
        for entry in removed:
            for verb, target in entry.items():
                say(f"{verb.lower()}: {target}")
        say()
    say(f"Total reclaimed space: {precise_size(answer.get('SpaceReclaimed', 0))}")
