"""Who a container runs as: `USER` strings resolved against the image's own /etc/passwd and /etc/group.

`name`, `uid`, `name:group`, `uid:gid` and every mix of them; an empty string is the superuser. Number before name never
holds: "1000" is looked up as a name first, as Docker does.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import InvalidParameter
from hivelet.runtime.images.inroot import InRoot

_ID_LIMIT = 0x7FFFFFFF
_FILE_LIMIT = 16 << 20


class UserUnknown(InvalidParameter):
    """The image has no such user or group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswdEntry:
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str = "/"
    shell: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """A line of /etc/group."""

    name: str
    gid: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedUser:
    """What the runtime is told. `additional_gids` begins with the main group and has no duplicates."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()
    name: str = ""
    home: str = "/"


def find_user(rootfs: Path, spec: str, group_add: Sequence[str] = ()) -> ResolvedUser:
    """Resolve `spec` in the root file system at `rootfs`, with the groups of `--group-add`.

    Raises:
        UserUnknown: a name that the image's files don't have.
        InvalidParameter: a number out of range, or a file that is no regular file.
    """
    with InRoot(rootfs) as root:
        passwd = parse_passwd(_read_lines(root, "etc/passwd"))
        group = parse_group(_read_lines(root, "etc/group"))
    return resolve_user(spec, passwd, group, group_add)


def resolve_user(
    spec: str,
    passwd: Sequence[PasswdEntry],
    group: Sequence[GroupEntry],
    group_add: Sequence[str] = (),
) -> ResolvedUser:
    """Resolve `spec` (see the module) against the two files. Pure."""
    user_part, _, group_part = spec.partition(":")
    wanted = user_part or "0"
    found = next((e for e in passwd if e.name == wanted), None) if user_part else None
    number = _number(wanted)
    if found is None and number is not None:
        found = next((e for e in passwd if e.uid == number), None)
    if found is None and number is None:
        raise UserUnknown(f"unable to find user {user_part}: no matching entries in passwd file")
    uid = found.uid if found else _checked(number or 0)
    gid = found.gid if found else 0
    groups: list[int] = []
    if group_part:
        gid = _find_group(
            group_part, group, "unable to find group {}: no matching entries in group file"
        )
    elif found is not None:
        groups = [e.gid for e in group if found.name in e.members]
    groups += [
        _find_group(name, group, "Unable to find group {}: no matching entries in group file")
        for name in group_add
    ]
    return ResolvedUser(
        uid=uid,
        gid=gid,
        additional_gids=tuple(dict.fromkeys([gid, *groups])),
        name=found.name if found else "",
        home=(found.home if found else "") or "/",
    )


def parse_passwd(lines: Iterable[str]) -> list[PasswdEntry]:
    """Read /etc/passwd; lines that are none are passed over."""
    entries = []
    for line in lines:
        fields = line.strip().split(":")
        if len(fields) < 4 or line.startswith("#"):
            continue
        uid, gid = _number(fields[2]), _number(fields[3])
        if uid is None or gid is None:
            continue
        home, shell = [*fields[5:7], "", ""][:2]
        entries.append(PasswdEntry(name=fields[0], uid=uid, gid=gid, home=home, shell=shell))
    return entries


def parse_group(lines: Iterable[str]) -> list[GroupEntry]:
    """Read /etc/group; lines that are none are passed over."""
    entries = []
    for line in lines:
        fields = line.strip().split(":")
        gid = _number(fields[2]) if len(fields) >= 3 else None
        if gid is None or line.startswith("#"):
            continue
        members = tuple(name for name in ":".join(fields[3:4]).split(",") if name)
        entries.append(GroupEntry(name=fields[0], gid=gid, members=members))
    return entries


def _find_group(wanted: str, group: Sequence[GroupEntry], unknown: str) -> int:
    found = next((e for e in group if e.name == wanted), None)
    if found is not None:
        return found.gid
    number = _number(wanted)
    if number is None:
        raise UserUnknown(unknown.format(wanted))
    return _checked(number)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _checked(number: int) -> int:
    if number > _ID_LIMIT:
        raise InvalidParameter(f"uids and gids must be in range 0-{_ID_LIMIT}, not {number}")
    return number


def _read_lines(root: InRoot, path: str) -> list[str]:
    try:
        descriptor = root.open_file(path)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return []
        raise InvalidParameter(f"the image's /{path} can't be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        data = stream.read(_FILE_LIMIT + 1)
    if len(data) > _FILE_LIMIT:
        raise InvalidParameter(f"the image's /{path} is larger than {_FILE_LIMIT} bytes")
    return data.decode("utf-8", "surrogateescape").split("\n")
