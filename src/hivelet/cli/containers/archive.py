"""Where what is copied comes to lie: the rules of `cp`, which are docker's. Pure."""

from __future__ import annotations

import base64
import json
import posixpath
from dataclasses import dataclass

from hivelet.errors import InvalidParameter

_GO_DIRECTORY, _GO_LINK = 1 << 31, 1 << 27
"""Bits of Go's file modes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path in a container, or here, where there is no container."""

    path: str
    container: str = ""

    @property
    def contents(self) -> bool:
        """Whether what is in the directory is meant, and not the directory."""
        return self.path.endswith("/.") or self.path == "."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What is at a path of a container."""

    name: str
    is_directory: bool
    link_target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The directory that an archive is unpacked in, and how its top is called there; "" for the directory itself."""

    directory: str
    name: str


def split_place(text: str) -> Place:
    """`CONTAINER:PATH`, or a path here; a path with a colon here begins with `.` or `/`.

    Raises:
        InvalidParameter: a container without a path.
    """
    if text == "-" or text.startswith(("/", ".")):
        return Place(path=text)
    container, colon, path = text.partition(":")
    if not colon:
        return Place(path=text)
    if not path:
        raise InvalidParameter(f'"{text}" names no path: write CONTAINER:PATH')
    return Place(container=container, path=path if path.startswith("/") else f"/{path}")


def parse_stat(header: str) -> Stat:
    """What the archive route says of a path.

    Raises:
        InvalidParameter: the daemon says nothing.
    """
    try:
        found = json.loads(base64.b64decode(header))
        mode = int(found["mode"])
    except (ValueError, KeyError) as error:
        raise InvalidParameter("the daemon does not say what is at the path") from error
    link = str(found.get("linkTarget") or "") if mode & _GO_LINK else ""
    return Stat(name=str(found["name"]), is_directory=bool(mode & _GO_DIRECTORY), link_target=link)


def landing(
    *, name: str, is_directory: bool, contents: bool, target: str, target_is: str, parent_is: str
) -> Landing:
    """Where something called `name` comes to lie at `target`.

    Args:
        name: of the source.
        is_directory: whether the source is one.
        contents: whether only what is in it is copied.
        target: where to.
        target_is: `directory`, `file` or nothing.
        parent_is: the same of the directory above it.

    Raises:
        InvalidParameter: it can't lie there.
    """
    if target_is == "directory":
        return Landing(directory=target, name="" if contents and is_directory else name.strip("/"))
    if target_is == "file" and is_directory:
        raise InvalidParameter(f"cannot copy a directory to the file {target}")
    if target_is == "" and target.endswith("/") and not is_directory:
        raise InvalidParameter(f"the directory {target} does not exist: make it first")
    if parent_is != "directory":
        raise InvalidParameter(f"the directory above {target} does not exist: make it first")
    above, own = posixpath.split(target.rstrip("/"))
    return Landing(directory=above or ".", name=own)


def relocated(member: str, name: str, new: str) -> str:
    """The name of an archive's member, whose top is called `new` now."""
    parts = [part for part in member.split("/") if part not in {"", "."}]
    if name and name not in {"/", "."} and parts[:1] == [name]:
        parts = parts[1:]
    return "/".join([*([new] if new else []), *parts])
