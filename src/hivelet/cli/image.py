"""`hivelet image …`: images of this node."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, TypeAlias

import click

from hivelet.cli import image_archive
from hivelet.cli.build.command import build, push
from hivelet.cli.inspection import inspect_all
from hivelet.cli.options import list_options, no_trunc_option
from hivelet.cli.progress_lines import progress_line
from hivelet.cli.registry import registry_auth
from hivelet.cli.render.listing import View, render_list
from hivelet.cli.render.others import IMAGES, image_rows
from hivelet.cli.session import Session, complain, pass_session, say
from hivelet.compose.images import with_default_tag
from hivelet.errors import HiveletError, InvalidParameter, System

Json: TypeAlias = dict[str, Any]

_TRANSPORT = re.compile(
    r"(docker-daemon|containers-storage|docker-archive|oci-archive|oci|dir|docker):"
)


@click.group()
def image() -> None:
    """Import, load, pull and manage images."""


@image.command("ls")
@click.option("-a", "--all", "intermediate", is_flag=True, help="Show intermediate images too.")
@click.option("--digests", is_flag=True, help="Show digests.")
@no_trunc_option
@list_options
@click.argument("name", required=False, metavar="[REPOSITORY[:TAG]]")
@pass_session
def list_images(
    session: Session, /, name: str | None, filters: dict[str, list[str]], **options: Any
) -> None:
    """List images."""
    if name:
        filters = {**filters, "reference": [*filters.get("reference", []), name]}
    images = session.engine.images(filters, intermediate=options["intermediate"])
    rows = image_rows(images, now=session.now(), trunc=not options["no_trunc"])
    view = IMAGES
    if options["digests"]:
        table = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size")
        view = View(headers=IMAGES.headers, table=table)
    click.echo(
        render_list(view, rows, template=options["template"], quiet=options["quiet"]), nl=False
    )


@image.command("import")
@click.option(
    "-c", "--change", multiple=True, help="Dockerfile instruction for the image: CMD, ENV, USER, …."
)
@click.option("-m", "--message", default="", help="Message of the image's history.")
@click.option("--platform", default="", help="Platform, such as linux/arm64.")
@click.argument("source", metavar="FILE|URL|-")
@click.argument("name", required=False, metavar="[REPOSITORY[:TAG]]")
@pass_session
def import_image(session: Session, /, source: str, name: str | None, **options: Any) -> None:
    """Make an image of a root file system in a tar archive."""
    repository, _, tag = with_default_tag(name).rpartition(":") if name else ("", "", "")
    query: Json = {
        "repo": repository or None,
        "tag": tag or None,
        "message": options["message"] or None,
        "platform": options["platform"] or None,
    }
    changes = "\n".join(options["change"])
    if changes:
        query["changes"] = changes
    if "://" in source:
        answers = session.engine.import_image(None, {**query, "fromSrc": source})
        say(_last_status(answers))
        return
    with _open(source) as stream:
        say(_last_status(session.engine.import_image(stream, {**query, "fromSrc": "-"})))


@image.command()
@click.option(
    "-i",
    "--input",
    "source",
    default="-",
    metavar="FILE",
    help="Archive; the standard input without it.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@pass_session
def load(session: Session, source: str, quiet: bool) -> None:
    """Load images from a docker-archive or OCI archive."""
    if source == "-" and sys.stdin.isatty():
        raise InvalidParameter(
            "requested load from stdin, but stdin is a terminal; name a file with -i"
        )
    with _open(source) as stream:
        for answer in session.engine.load_image(stream):
            _raise_error(answer)
            if not quiet and answer.get("stream"):
                click.echo(answer["stream"], nl=False)


@image.command()
@click.option("-q", "--quiet", is_flag=True, help="Print only the image's name.")
@click.option("-a", "--all-tags", is_flag=True, help="Fetch all tags of the repository.")
@click.argument("name", metavar="NAME[:TAG|@DIGEST]")
@pass_session
def pull(session: Session, name: str, quiet: bool, all_tags: bool) -> None:
    """Fetch an image from a registry, or from docker-daemon:… or containers-storage:…."""
    reference = name if _TRANSPORT.match(name) or all_tags else with_default_tag(name)
    if not quiet and reference != name:
        say("Using default tag: latest")
    for answer in session.engine.pull_image(
        reference, "", registry_auth(session.environment, name)
    ):
        _raise_error(answer)
        if not quiet:
            _print_progress(answer)
    say(reference)


@image.command()
@click.argument("source", metavar="SOURCE[:TAG]")
@click.argument("target", metavar="TARGET[:TAG]")
@pass_session
def tag(session: Session, source: str, target: str) -> None:
    """Give an image another name."""
    repository, _, name = with_default_tag(target).rpartition(":")
    session.engine.tag_image(source, repository, name)


@image.command()
@click.option("-f", "--format", "template", default="", help="Go template, or json.")
@click.argument("refs", nargs=-1, required=True, metavar="IMAGE...")
@pass_session
def inspect(session: Session, refs: tuple[str, ...], template: str) -> int:
    """Show everything about images."""
    return inspect_all(refs, session.engine.image, template, kind="image")


@image.command("rm")
@click.option("-f", "--force", is_flag=True, help="Remove an image that has several names.")
@click.option("--no-prune", is_flag=True, help="Keep parents without a name.")
@click.argument("refs", nargs=-1, required=True, metavar="IMAGE...")
@pass_session
def remove(session: Session, refs: tuple[str, ...], force: bool, no_prune: bool) -> int:
    """Remove images."""
    failed = 0
    for ref in refs:
        try:
            for entry in session.engine.remove_image(ref, force=force, prune=not no_prune):
                for verb, target in entry.items():
                    say(f"{verb}: {target}")
        except HiveletError as error:
            complain(error.message)
            failed = 1
    return failed


image.add_command(build)
image.add_command(push)
image.add_command(image_archive.save)
image.add_command(image_archive.history)
image.add_command(image_archive.prune)


def _open(source: str) -> IO[bytes]:
    if source == "-":
        return sys.stdin.buffer
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise InvalidParameter(f"{source} cannot be read: {error.strerror}") from error


def _last_status(answers: Iterable[Json]) -> str:
    status = ""
    for answer in answers:
        _raise_error(answer)
        status = answer.get("status") or status
    return status


def _raise_error(answer: Json) -> None:
    """An error in the middle of an answer that began well.

    Raises:
        System: the daemon says so.
    """
    if answer.get("error"):
        raise System(str(answer["error"]))


def _print_progress(answer: Json) -> None:
    if line := progress_line(answer, terminal=sys.stdout.isatty()):
        say(line)
