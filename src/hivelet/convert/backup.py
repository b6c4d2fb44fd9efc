"""The file that `hivelet backup` writes: a tar with the cluster's sealed state, and what the engine knows of volumes and local networks.

Its first member, `hivelet-backup.json`, says what the others are and their SHA-256. The key is never in it. Pure.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from typing import Any

import msgspec

from hivelet.errors import InvalidParameter

FORMAT = 1
_MANIFEST = "hivelet-backup.json"
STATE = "state.db"
ENGINE = "engine.json"


class EngineRow(msgspec.Struct, frozen=True):
    """One record of the engine's database."""

    kind: str
    key: str
    body: Any


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    format: int = FORMAT
    version: str = ""
    """The hivelet that wrote it."""
    created: str = ""
    files: dict[str, str] = {}
    """The SHA-256 of each file."""


def pack_backup(files: Mapping[str, bytes], *, version: str, created: str) -> bytes:
    """The archive."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = msgspec.json.encode(Manifest(version=version, created=created, files=sums))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in ((_MANIFEST, manifest), *files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def unpack_backup(archive: bytes) -> tuple[Manifest, dict[str, bytes]]:
    """What is in an archive, whole and unchanged.

    Raises:
        InvalidParameter: it is no backup, is damaged, or was written by a later hivelet.
    """
    found = _members(archive)
    if _MANIFEST not in found:
        raise InvalidParameter("this is no backup that `hivelet backup` wrote")
    try:
        manifest = msgspec.json.decode(found.pop(_MANIFEST), type=Manifest)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"the backup is damaged: {error}") from error
    if manifest.format > FORMAT:
        raise InvalidParameter(
            f"the backup has format {manifest.format}, this hivelet knows formats up to {FORMAT}: "
            f"install hivelet {manifest.version} or a later one"
        )
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    if sums != manifest.files or not {STATE, ENGINE} <= sums.keys():
        wrong = sorted({*sums.items()} ^ {*manifest.files.items()}) or [(STATE, "")]
        raise InvalidParameter(f"the backup is damaged: {wrong[0][0]} is not what was written")
    return manifest, found


def pack_engine(rows: list[EngineRow]) -> bytes:
    """The engine's records."""
    return msgspec.json.encode(rows)


def unpack_engine(data: bytes) -> list[EngineRow]:
    """The engine's records, as they were packed.

    Raises:
        InvalidParameter: they are none.
    """
    try:
        return msgspec.json.decode(data, type=list[EngineRow])
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"the backup is damaged: {ENGINE}: {error}") from error


def _members(archive: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            for member in opened:
                file = opened.extractfile(member) if member.isreg() else None
                if file is not None:
                    found[member.name] = file.read()
    except (tarfile.TarError, EOFError) as error:
        if not found:
            raise InvalidParameter("this is no backup that `hivelet backup` wrote") from error
        raise InvalidParameter(f"the backup is damaged: {error}") from error
    return found
