"""A build's context on disk: unpacked where nothing of it can lead out, and its Dockerfile."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from hivelet.engine.build.git import fetch_repository, is_repository, parse_source
from hivelet.errors import InvalidParameter
from hivelet.kit.threads import in_thread
from hivelet.runtime.files.extract import ExtractOptions, extract_archive
from hivelet.runtime.images.compression import sniff
from hivelet.runtime.images.download import download
from hivelet.runtime.images.inroot import InRoot
from hivelet.runtime.images.spool import spooled

_DOCKERFILE_LIMIT = 4 << 20


async def unpack_context(archive: AsyncIterator[bytes], scratch: Path) -> Path:
    """The context, in a new directory of `scratch`.

    Raises:
        InvalidParameter: it is no tar, or something in it leads out.
    """
    context = scratch / "context"
    context.mkdir()
    async with spooled(archive, scratch) as path:
        if path.stat().st_size:
            await in_thread(extract_archive, path, context, "", ExtractOptions())
    return context


async def fetch_context(address: str, scratch: Path, dockerfile: str) -> Path:
    """The context at an address: a git repository, an archive, or else a Dockerfile alone.

    Raises:
        HiveletError: it can't be had.
    """
    context = scratch / "context"
    if is_repository(address):
        found = await fetch_repository(parse_source(address), scratch / "repository")
        return found.rename(context)
    context.mkdir()
    async with aclosing(download(address)) as pieces, spooled(pieces, scratch) as path:
        with path.open("rb") as stream:
            head = stream.read(512)
        if sniff(head[:8]) or head[257:262] == b"ustar":
            await in_thread(extract_archive, path, context, "", ExtractOptions())
        else:
            target = context / dockerfile
            target.parent.mkdir(parents=True, exist_ok=True)
            await in_thread(shutil.copy, path, target)
    return context


def read_dockerfile(context: Path, name: str) -> str:
    """The text of the Dockerfile called `name`; a link is followed within the context.

    Raises:
        InvalidParameter: it is not there, in Docker's words, or can't be read.
    """
    try:
        with InRoot(context) as root:
            descriptor = root.open_file(name)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise InvalidParameter(f"Cannot locate specified Dockerfile: {name}") from error
        raise InvalidParameter(f"Dockerfile {name} can't be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        raw = stream.read(_DOCKERFILE_LIMIT + 1)
    if len(raw) > _DOCKERFILE_LIMIT:
        raise InvalidParameter(f"Dockerfile {name} is larger than {_DOCKERFILE_LIMIT >> 20} MiB")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidParameter(f"Dockerfile {name} is not UTF-8 text") from error
