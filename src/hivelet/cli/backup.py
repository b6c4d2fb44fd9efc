"""`hivelet backup` and `hivelet restore`: the state of a running node in a file, and back.

The key goes into a file of its own, since whoever has both reads every secret.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path

import click

from hivelet.cli.output_file import check_output
from hivelet.cli.session import Session, pass_session, say
from hivelet.convert.backup import unpack_backup
from hivelet.errors import InvalidParameter, NotFound, Unavailable
from hivelet.kit.files import write_atomic

_PATIENCE = 120.0
_INTERVAL = 0.2
_LARGEST_KEY = 4096
_LARGEST_BACKUP = 1 << 30
"""Bytes; the daemon takes no larger one either."""

_File = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--key", type=_File, metavar="FILE", help="Where the key goes (default FILE.key).")
@click.option("--no-key", is_flag=True, help="Leave the key out: it is kept elsewhere already.")
@click.argument("file", type=_File)
@pass_session
def backup(session: Session, file: Path, key: Path | None, no_key: bool) -> None:
    """Write the swarm's state, and what is known of volumes and networks, to a file, while everything runs."""
    if key is not None and no_key:
        raise InvalidParameter("--key and --no-key exclude each other")
    place = None if no_key else key or _beside(file)
    _check_places(file, place)
    transport = session.engine.transport
    archive = b"".join(transport.stream("GET", "/hivelet/backup"))
    manifest, _ = unpack_backup(archive)
    _write(file, archive)
    say(f"{file}: {len(archive)} bytes, of hivelet {manifest.version}, {manifest.created}")
    if place is None:
        return
    _write(place, base64.b64decode(transport.get("/hivelet/backup/key")["Key"]))
    say(f"{place}: the key to it. Keep it in another place: whoever has both reads every secret.")


@click.command()
@click.option("--key", type=_File, metavar="FILE", help="The key to it (default FILE.key).")
@click.option("-f", "--force", is_flag=True, help="Replace the swarm that this node is in.")
@click.argument("file", type=_File)
@pass_session
def restore(session: Session, file: Path, key: Path | None, force: bool) -> None:
    """Have the daemon start anew with the state of a backup; containers that it does not know end."""
    archive = _read(file, _LARGEST_BACKUP, "backup")
    unpack_backup(archive)
    words = _read(key or _beside(file), _LARGEST_KEY, "key")
    header = {"X-Hivelet-Key": base64.b64encode(words).decode()}
    transport = session.engine.transport
    for _ in transport.stream(
        "POST", "/hivelet/restore", query={"force": force}, body=archive, headers=header
    ):
        pass
    _await_restored(session)
    say("Restored.")


def _await_restored(session: Session) -> None:
    """Wait until the daemon answers again and has taken the backup over."""
    limit = time.monotonic() + _PATIENCE
    while time.monotonic() < limit:
        try:
            if not session.engine.transport.get("/hivelet/restore")["Pending"]:
                return
        except Unavailable:
            pass  # it is starting
        time.sleep(_INTERVAL)
    raise Unavailable(f"the daemon has not come back within {_PATIENCE:g} s; its log says why")


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.key")


def _check_places(file: Path, key: Path | None) -> None:
    if key is not None and key.resolve() == file.resolve():
        raise InvalidParameter(
            f"{key}: the key goes into another file than the backup, and best to another place"
        )
    for place in (file, key):
        if place is not None:
            check_output(place)


def _read(path: Path, limit: int, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file") from None
    except OSError as error:
        raise InvalidParameter(f"{path}: {error.strerror}") from error
    if len(data) > limit:
        raise InvalidParameter(f"{path} is no {what} that `hivelet backup` wrote: it is too large")
    return data


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, data, mode=0o600, sync=True)
    except OSError as error:
        raise InvalidParameter(f"{path}: {error.strerror}") from error
