"""Sends a build to the daemon and shows what it says."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias

import click

from hivelet.cli.progress_lines import progress_line
from hivelet.cli.registry import registry_config
from hivelet.cli.session import Session
from hivelet.client.context.archive import Context, pack_context, pack_stream
from hivelet.errors import InvalidParameter, System

Json: TypeAlias = dict[str, Any]

_IDENTITY = re.compile(r"sha256:[0-9a-f]{64}")


class BuildRefused(System):
    """The daemon could not build; `code` is the exit code of the command that failed, else 1."""

    def __init__(self, message: str, code: int) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildWish:
    """What to build: `archive` is the context, unless the daemon fetches that itself (`remote`); `parameters` are the query's."""

    archive: Iterator[bytes] = field(default_factory=lambda: iter(()))
    remote: str = ""
    tags: tuple[str, ...] = ()
    dockerfile: str = ""
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def query(self) -> Json:
        """The query of `POST /build`."""
        query: Json = {
            "t": list(self.tags),
            "dockerfile": self.dockerfile,
            "remote": self.remote,
            "buildargs": json.dumps(dict(self.build_args)) if self.build_args else "",
            "labels": json.dumps(dict(self.labels)) if self.labels else "",
            "rm": True,
            **self.parameters,
        }
        return {key: value for key, value in query.items() if value not in ("", None, [], False)}


def folder_context(
    folder: Path, dockerfile: str | None, stdin: IO[bytes]
) -> tuple[Iterator[bytes], str]:
    """A folder as a context, and what its Dockerfile is called in it; `dockerfile` may lie elsewhere, or be `-`.

    Raises:
        InvalidParameter: there is no such Dockerfile.
    """
    if dockerfile is None:
        name, text = "Dockerfile", None
        if not (folder / name).exists() and folder.is_dir():
            raise InvalidParameter(f"{folder}: there is no Dockerfile; name one with -f")
    else:
        name, text = _place(folder, dockerfile, stdin)
    return pack_context(Context(folder=folder, dockerfile=name, text=text)), name


def text_context(folder: Path, text: str) -> tuple[Iterator[bytes], str]:
    """A folder with a Dockerfile that is given as text."""
    name = _own_name()
    return pack_context(Context(folder=folder, dockerfile=name, text=text.encode())), name


def stream_context(stream: IO[bytes]) -> Iterator[bytes]:
    """A context from the standard input: a tar, or a Dockerfile alone."""
    return pack_stream(stream)


def send_build(session: Session, wish: BuildWish, show: Callable[[str], None]) -> str:
    """Build; every piece of what the daemon says goes to `show`. The answer is the image's id.

    Raises:
        BuildRefused: it failed, after what the daemon said before.
    """
    identity = ""
    header = registry_config(session.environment)
    for answer in session.engine.build_image(wish.archive, wish.query(), header):
        if answer.get("error"):
            code = int((answer.get("errorDetail") or {}).get("code") or 1)
            raise BuildRefused(str(answer["error"]), code)
        identity = (answer.get("aux") or {}).get("ID") or identity
        if text := answer.get("stream"):
            # A quiet build says nothing but the id.
            identity = text.strip() if _IDENTITY.fullmatch(text.strip()) else identity
            show(text)
        elif line := progress_line(answer, terminal=sys.stdout.isatty()):
            show(f"{line}\n")
    return identity


def echo(text: str) -> None:
    """Show a piece at once."""
    click.echo(text, nl=False)


def _place(folder: Path, dockerfile: str, stdin: IO[bytes]) -> tuple[str, bytes | None]:
    if dockerfile == "-":
        return _own_name(), stdin.read()
    path = Path(dockerfile)
    if not path.is_file() and (folder / dockerfile).is_file():
        path = folder / dockerfile
    try:
        inner = path.resolve(strict=True)
        if inner.is_relative_to(folder.resolve()) and not path.is_symlink():
            return inner.relative_to(folder.resolve()).as_posix(), None
        return _own_name(), path.read_bytes()
    except OSError as error:
        raise InvalidParameter(
            f"Dockerfile {dockerfile} cannot be read: {error.strerror}"
        ) from error


def _own_name() -> str:
    """A name that nothing in the folder has."""
    return f".dockerfile.{secrets.token_hex(8)}"
