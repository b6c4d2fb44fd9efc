"""`hivelet build` and `hivelet push`: images made here, and images carried away."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hivelet.cli.build.send import (
    BuildRefused,
    BuildWish,
    echo,
    folder_context,
    send_build,
    stream_context,
)
from hivelet.cli.progress_lines import progress_line
from hivelet.cli.registry import registry_auth
from hivelet.cli.session import Session, complain, pass_session, say
from hivelet.compose.addresses import is_address
from hivelet.compose.images import with_default_tag
from hivelet.compose.units import parse_size
from hivelet.errors import InvalidParameter, System


@click.command()
@click.option(
    "-t",
    "--tag",
    "tags",
    multiple=True,
    metavar="NAME[:TAG]",
    help="Name of the image, repeatable.",
)
@click.option(
    "-f",
    "--file",
    "dockerfile",
    metavar="FILE",
    help="Dockerfile; - is the standard input. [default: PATH/Dockerfile]",
)
@click.option(
    "--build-arg",
    "build_args",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Argument of the Dockerfile's ARG; without a value, the environment's. Repeatable.",
)
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of the image, repeatable."
)
@click.option("--target", default="", metavar="STAGE", help="Stage to build. [default: the last]")
@click.option("--no-cache", is_flag=True, help="Take every step anew.")
@click.option("--pull", is_flag=True, help="Look for newer base images.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the image's id.")
@click.option(
    "--network",
    default="",
    metavar="NETWORK",
    help="Network of the commands: a bridge network of the node, host or none. [default: bridge]",
)
@click.option("--platform", default="", metavar="PLATFORM", help="Platform, such as linux/arm64.")
@click.option(
    "--add-host",
    "hosts",
    multiple=True,
    metavar="NAME:ADDRESS",
    help="Line of /etc/hosts, repeatable.",
)
@click.option("--shm-size", default="", metavar="SIZE", help="Size of /dev/shm.")
@click.option("-m", "--memory", default="", metavar="SIZE", help="Memory that a command may take.")
@click.option("--iidfile", "identity_file", metavar="FILE", help="File to write the image's id to.")
@click.argument("path", metavar="PATH|ADDRESS|-")
@pass_session
def build(session: Session, /, path: str, dockerfile: str | None, **options: Any) -> int:
    """Build an image from a Dockerfile.

    \b
    PATH is the folder that the Dockerfile copies from; its .dockerignore is heeded. With -, the standard input is a tar of
    such a folder, or a Dockerfile alone. An address of a git repository (ADDRESS#REF:FOLDER), of a tar, or of a Dockerfile is
    fetched by the daemon.
    """
    archive: Iterator[bytes] = iter(())
    remote = ""
    if is_address(path):
        if dockerfile == "-":
            raise InvalidParameter("with an address, -f names a file of what lies there")
        remote, name = path, dockerfile or ""
    elif path == "-":
        if dockerfile == "-":
            raise InvalidParameter(
                "the standard input cannot be both the folder and the Dockerfile"
            )
        archive, name = stream_context(sys.stdin.buffer), dockerfile or "Dockerfile"
    else:
        archive, name = folder_context(Path(path), dockerfile, sys.stdin.buffer)
    quiet = options["quiet"]
    wish = BuildWish(
        archive=archive,
        remote=remote,
        tags=options["tags"],
        dockerfile=name,
        build_args=given_arguments(options["build_args"], session.environment),
        labels=dict(label.partition("=")[::2] for label in options["labels"]),
        parameters={
            "target": options["target"],
            "nocache": options["no_cache"],
            "pull": options["pull"],
            "q": quiet,
            "networkmode": options["network"],
            "platform": options["platform"],
            "extrahosts": list(options["hosts"]),
            "shmsize": parse_size(options["shm_size"]) if options["shm_size"] else None,
            "memory": parse_size(options["memory"]) if options["memory"] else None,
        },
    )
    try:
        identity = send_build(session, wish, echo)
    except BuildRefused as error:
        complain(error.message)
        return error.code
    if options["identity_file"]:
        Path(options["identity_file"]).write_text(identity)
    return 0


@click.command()
@click.option("-a", "--all-tags", is_flag=True, help="Push all tags of the repository.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the image's name.")
@click.argument("name", metavar="NAME[:TAG]")
@pass_session
def push(session: Session, name: str, all_tags: bool, quiet: bool) -> None:
    """Carry an image to its registry."""
    repository, tag = name, ""
    if all_tags:
        if with_default_tag(name) == name:
            raise InvalidParameter(f"{name}: no tag can be given with --all-tags")
    else:
        if not quiet and with_default_tag(name) != name:
            say("Using default tag: latest")
        repository, _, tag = with_default_tag(name).rpartition(":")
    auth = registry_auth(session.environment, name)
    for answer in session.engine.push_image(repository, tag, auth):
        if answer.get("error"):
            raise System(str(answer["error"]))
        if not quiet and (line := progress_line(answer, terminal=sys.stdout.isatty())):
            say(line)
    if quiet:
        say(f"{repository}:{tag}" if tag else repository)


def given_arguments(words: tuple[str, ...], environment: Any) -> dict[str, str]:
    """`NAME=VALUE`, or `NAME` for what the environment has of it; what it does not have is left out."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            found[name] = value
        elif name in environment:
            found[name] = environment[name]
    return found
