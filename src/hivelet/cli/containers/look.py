"""Looking into containers: inspect, top, port, diff, export, commit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import click

from hivelet.cli.containers.go_flags import GoFlags
from hivelet.cli.inspection import inspect_all
from hivelet.cli.options import inspect_format_option
from hivelet.cli.output_file import check_output
from hivelet.cli.render.listing import align
from hivelet.cli.session import Session, pass_session, say
from hivelet.errors import InvalidParameter, NotASwarmManager, NotFound, System

Json: TypeAlias = dict[str, Any]

_CHANGES = {0: "C", 1: "A", 2: "D"}


@click.command("inspect")
@click.option("-s", "--size", is_flag=True, help="With the size of its files.")
@inspect_format_option
@click.argument("refs", nargs=-1, required=True, metavar="CONTAINER...")
@pass_session
def inspect_container(session: Session, refs: tuple[str, ...], template: str, size: bool) -> int:
    """Show everything about containers."""
    return inspect_all(refs, lambda ref: _container(session, ref, size), template, kind="container")


@click.command("inspect")
@click.option("-s", "--size", is_flag=True, help="With the size of a container's files.")
@click.option("--type", "kind", default="", metavar="KIND", help="Only objects of this kind.")
@inspect_format_option
@click.argument("refs", nargs=-1, required=True, metavar="NAME...")
@pass_session
def inspect_any(
    session: Session, refs: tuple[str, ...], template: str, size: bool, kind: str
) -> int:
    """Show everything about objects of any kind: containers, images, networks, volumes, services and the rest."""
    finders = _finders(session, size)
    if kind and kind not in finders:
        raise InvalidParameter(
            f'"{kind}" is not a valid value for --type; it is one of {", ".join(finders)}'
        )

    def find(ref: str) -> Json:
        for name in [kind] if kind else finders:
            try:
                return finders[name](ref)
            except (NotFound, NotASwarmManager) as error:
                if kind:
                    raise NotFound(error.message) from error
        raise NotFound(f"no such object: {ref}")

    return inspect_all(refs, find, template, kind=kind or "object")


def _container(session: Session, ref: str, size: bool) -> Json:
    return dict(session.engine.transport.get(f"/containers/{ref}/json", size=size))


def _finders(session: Session, size: bool) -> dict[str, Callable[[str], Json]]:
    engine = session.engine

    def get(path: str) -> Callable[[str], Json]:
        return lambda ref: dict(engine.transport.get(path.format(ref)))

    return {
        "container": lambda ref: _container(session, ref, size),
        "image": engine.image,
        "network": engine.network,
        "volume": engine.volume,
        "service": engine.service,
        "task": engine.task,
        "node": engine.node,
        "secret": get("/secrets/{}"),
        "config": get("/configs/{}"),
    }


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("ref", metavar="CONTAINER")
@click.argument("ps_options", nargs=-1, type=click.UNPROCESSED, metavar="[PS_OPTIONS]")
@pass_session
def top(session: Session, ref: str, ps_options: tuple[str, ...]) -> None:
    """Show the processes of a container."""
    table = session.engine.by_hand.top(ref, " ".join(ps_options))
    lines = ["\t".join(row) for row in (table["Titles"], *(table.get("Processes") or []))]
    for line in align(lines, minimum=20):
        say(line)


@click.command()
@click.argument("ref", metavar="CONTAINER")
@click.argument("wanted", required=False, metavar="[PORT[/PROTOCOL]]")
@pass_session
def port(session: Session, ref: str, wanted: str | None) -> None:
    """Show the published ports of a container."""
    settings = session.engine.container(ref).get("NetworkSettings") or {}
    found = settings.get("Ports") or {}
    if wanted is None:
        for line in port_lines(found):
            say(line)
        return
    key = wanted if "/" in wanted else f"{wanted}/tcp"
    if not found.get(key):
        raise NotFound(f"no public port '{key}' published for {ref}")
    for binding in found[key]:
        say(_address(binding))


def port_lines(ports: Json) -> list[str]:
    """A line for each published port, in the order of the numbers inside."""

    def number(key: str) -> tuple[int, str]:
        inside, _, protocol = key.partition("/")
        return int(inside), protocol

    return [
        f"{key} -> {_address(binding)}"
        for key in sorted(ports, key=number)
        for binding in ports[key] or []
    ]


def _address(binding: Json) -> str:
    host = binding.get("HostIp", "")
    return f"[{host}]:{binding['HostPort']}" if ":" in host else f"{host}:{binding['HostPort']}"


@click.command()
@click.argument("ref", metavar="CONTAINER")
@pass_session
def diff(session: Session, ref: str) -> None:
    """Show which files of a container were changed (C), added (A) or deleted (D)."""
    for change in session.engine.by_hand.changes(ref):
        say(f"{_CHANGES.get(change['Kind'], '?')} {change['Path']}")


@click.command()
@click.option("-o", "--output", default="", metavar="FILE", help="File; else the standard output.")
@click.argument("ref", metavar="CONTAINER")
@pass_session
def export(session: Session, ref: str, output: str) -> None:
    """Write the files of a container as a tar archive."""
    write_out(session.engine.by_hand.export(ref), output)


def write_out(chunks: Iterator[bytes], output: str) -> None:
    """Write an archive to a file, which is there only when it is whole, or to the standard output.

    Raises:
        InvalidParameter: the output is a terminal, or there is something that is no file.
        System: the file cannot be written.
    """
    if not output:
        if sys.stdout.isatty():
            raise InvalidParameter(
                "cowardly refusing to save to a terminal; name a file with -o, or redirect the output"
            )
        _copy(chunks, sys.stdout.buffer.write)
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    check_output(path)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(part, "wb", opener=_private) as stream:
            _copy(chunks, stream.write)
        part.replace(path)
    except OSError as error:
        raise System(f"{output} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _copy(chunks: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    for chunk in chunks:
        write(chunk)


@click.command(cls=GoFlags)
@click.option("-a", "--author", default=None, help="Author, such as 'Jane <jane@example.com>'.")
@click.option("-m", "--message", default=None, help="Message of the image's history.")
@click.option("-c", "--change", multiple=True, help="Dockerfile instruction: CMD, ENV, USER, ….")
@click.option("-p/ ", "--pause/--no-pause", default=True, help="Freeze the container meanwhile.")
@click.argument("ref", metavar="CONTAINER")
@click.argument("name", required=False, metavar="[REPOSITORY[:TAG]]")
@pass_session
def commit(session: Session, /, ref: str, name: str | None, **options: Any) -> None:
    """Make an image of what a container has become."""
    from hivelet.compose.images import with_default_tag

    repository, _, tag = with_default_tag(name).rpartition(":") if name else ("", "", "")
    query = {
        "container": ref,
        "repo": repository or None,
        "tag": tag or None,
        "author": options["author"],
        "comment": options["message"],
        "pause": "1" if options["pause"] else "0",
        "changes": "\n".join(options["change"]) or None,
    }
    say(session.engine.by_hand.commit(query))
