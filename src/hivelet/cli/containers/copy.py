"""`hivelet cp`: files from a container to here, and from here into a container, `-` being a tar archive on a standard stream."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TypeAlias

import click

from hivelet.cli.containers.archive import (
    Place,
    landing,
    parse_stat,
    relocated,
    split_place,
)
from hivelet.cli.render.human import human_size
from hivelet.cli.session import Session, pass_session
from hivelet.errors import InvalidParameter, NotFound, System

Json: TypeAlias = dict[str, Any]


@click.command()
@click.option("-a", "--archive", is_flag=True, help="Keep owners.")
@click.option("-L", "--follow-link", is_flag=True, help="Follow a symbolic link that is named.")
@click.option("-q", "--quiet", is_flag=True, help="Do not say what was copied.")
@click.argument("source", metavar="CONTAINER:PATH|PATH|-")
@click.argument("target", metavar="CONTAINER:PATH|PATH|-")
@pass_session
def cp(
    session: Session, source: str, target: str, archive: bool, follow_link: bool, quiet: bool
) -> None:
    """Copy files and directories from a container, or into it; - reads or writes a tar archive."""
    outer, inner = split_place(source), split_place(target)
    if outer.container and inner.container:
        raise InvalidParameter("copying between containers is not supported: copy by way of here")
    if not outer.container and not inner.container:
        raise InvalidParameter("must specify at least one container source: CONTAINER:PATH")
    if outer.container:
        count, where = _copy_out(session, outer, target, owners=archive, follow=follow_link)
    else:
        count, where = _copy_in(session, source, inner, owners=archive, follow=follow_link)
    if not quiet and target != "-" and source != "-":
        click.echo(f"Successfully copied {human_size(count)} to {where}", err=True)


def _copy_out(
    session: Session, source: Place, target: str, *, owners: bool, follow: bool
) -> tuple[int, str]:
    path = source.path
    hand = session.engine.by_hand
    session.engine.container(
        source.container
    )  # says that it is not there, which an answer to HEAD does not
    try:
        stat = parse_stat(hand.path_stat(source.container, path))
        if follow and stat.link_target:
            path = stat.link_target
            stat = parse_stat(hand.path_stat(source.container, path))
    except NotFound as error:
        raise NotFound(f"could not find the file {path} in container {source.container}") from error
    chunks = hand.read_archive(source.container, path)
    if target == "-":
        if sys.stdout.isatty():
            raise InvalidParameter(
                "refusing to write an archive to a terminal; redirect the output"
            )
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return 0, target
    place = landing(
        name=stat.name,
        is_directory=stat.is_directory,
        contents=source.contents,
        target=target,
        target_is=_kind(Path(target)),
        parent_is=_kind(Path(target.rstrip("/")).parent),
    )
    counted = _Counted(chunks)
    try:
        _unpack(counted, Path(place.directory), stat.name, place.name, owners=owners)
    except (tarfile.TarError, OSError) as error:
        raise System(f"{target} cannot be written: {error}") from error
    return counted.count, str(Path(target).absolute())


def _kind(path: Path) -> str:
    if path.is_dir():
        return "directory"
    return "file" if path.exists() or path.is_symlink() else ""


class _Counted(io.RawIOBase):
    """An archive that comes in pieces, as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._chunks, b"")
            if not piece:
                break
            self._rest += piece
        end = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:end], self._rest[end:]
        return found


def _unpack(source: _Counted, directory: Path, name: str, new: str, *, owners: bool) -> None:
    """Unpack below `directory`, what is called `name` as `new`; nothing gets out of it.

    Raises:
        TarError: a member would.
    """
    with tarfile.open(fileobj=source, mode="r|") as archive:
        for member in archive:
            member.name = relocated(member.name, name, new)
            if member.islnk():
                member.linkname = relocated(member.linkname, name, new)
            if member.name in {"", "."}:
                continue
            if not owners:
                member.uid, member.gid, member.uname, member.gname = (
                    os.getuid(),
                    os.getgid(),
                    "",
                    "",
                )
            _replace(directory / member.name, member)
            archive.extract(member, directory, numeric_owner=True, filter="tar")
            source.count += member.size


def _replace(path: Path, member: tarfile.TarInfo) -> None:
    """Make room: a file takes the place of a file or link, never of a directory."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        if member.isdir() and path.is_dir():
            return
        path.unlink()
    elif path.is_dir() and not member.isdir():
        raise tarfile.TarError(f"cannot overwrite the directory {path} with a file")


def _copy_in(
    session: Session, source: str, target: Place, *, owners: bool, follow: bool
) -> tuple[int, str]:
    hand = session.engine.by_hand
    where = f"{target.container}:{target.path}"
    path, kind = _target(session, target)
    query: Json = {"noOverwriteDirNonDir": True, "copyUIDGID": owners}
    if source == "-":
        if kind != "directory":
            raise InvalidParameter(f"destination {where} must be a directory")
        hand.write_archive(target.container, {**query, "path": path}, sys.stdin.buffer)
        return 0, where
    local = Path(source)
    if not local.exists() and not local.is_symlink():
        raise NotFound(f"{source}: there is no such file or directory")
    place = landing(
        name=(local.resolve() if source.rstrip("/") in {".", ".."} else local).name,
        is_directory=local.is_dir() and (follow or not local.is_symlink() or source.endswith("/")),
        contents=source.endswith("/.") or source == ".",
        target=path,
        target_is=kind,
        parent_is="directory",
    )
    follows = follow or source.endswith("/")
    with _packed(local.resolve() if follows else local, place.name) as (archive, size):
        hand.write_archive(target.container, {**query, "path": place.directory}, archive)
    return size[0], where


def _target(session: Session, target: Place) -> tuple[str, str]:
    """The path in the container, links followed, and what is there: `directory`, `file`, or nothing."""
    path = target.path
    session.engine.container(target.container)
    for _ in range(2):
        try:
            stat = parse_stat(session.engine.by_hand.path_stat(target.container, path))
        except NotFound:
            return path, ""
        if not stat.link_target:
            return path, "directory" if stat.is_directory else "file"
        path = stat.link_target
    return path, "directory" if stat.is_directory else "file"


@contextlib.contextmanager
def _packed(source: Path, name: str) -> Iterator[tuple[IO[bytes], list[int]]]:
    """An archive of `source`, called `name` in it, that is written while it is read; and its size, once that is known."""
    reading, writing = os.pipe()
    size, failures = [0], list[OSError]()

    def count(member: tarfile.TarInfo) -> tarfile.TarInfo:
        size[0] += member.size
        return member

    def pack() -> None:
        try:
            with (
                os.fdopen(writing, "wb") as stream,
                tarfile.open(fileobj=stream, mode="w|") as archive,
            ):
                archive.add(source, arcname=name or ".", filter=count)
        except BrokenPipeError:
            return  # the daemon has refused, which it says itself
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=pack, daemon=True)
    thread.start()
    with os.fdopen(reading, "rb") as stream:
        yield stream, size
    thread.join()
    if failures:
        raise System(f"{source} cannot be read: {failures[0]}") from failures[0]
