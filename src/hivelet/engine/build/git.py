"""Contexts that are git repositories, named as Docker names them: `ADDRESS#REF:FOLDER`.

`git` fetches them, told so little that nothing of a repository is run: no hooks, no prompts, no addresses of files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import InvalidParameter
from hivelet.kit.process import CommandFailed, run_command
from hivelet.runtime.images.inroot import InRoot

_REPOSITORY = re.compile(r"^(?:git://|git@|github\.com/)|^https?://.*\.git(?:#.*)?$")
_TRANSPORTS = ("http://", "https://", "git://", "git@")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class GitSource:
    """A folder of a repository at a branch, a tag or a commit."""

    address: str
    ref: str = "HEAD"
    folder: str = ""


def is_repository(address: str) -> bool:
    """Whether Docker takes an address for that of a git repository. Pure."""
    return _REPOSITORY.search(address) is not None


def parse_source(address: str) -> GitSource:
    """What an address means. Pure.

    Raises:
        InvalidParameter: its ref would be an option of git.
    """
    repository, _, fragment = address.partition("#")
    ref, _, folder = fragment.partition(":")
    if ref.startswith("-"):
        raise InvalidParameter(f"invalid refspec: {ref}")
    if not repository.startswith(_TRANSPORTS):
        repository = f"https://{repository}"
    return GitSource(repository, ref or "HEAD", folder)


async def fetch_repository(source: GitSource, target: Path) -> Path:
    """Have the source's files in `target`, which is made; returns the folder that was asked for.

    Raises:
        InvalidParameter: it can't be had, in git's words, or has no such folder.
    """
    environment = {
        "PATH": _PATH,
        "HOME": str(target.parent),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "http:https:git:ssh",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    }
    in_target = ["git", "-C", str(target)]
    try:
        await run_command(["git", "init", "--quiet", str(target)], env=environment)
        await run_command([*in_target, "remote", "add", "origin", source.address], env=environment)
        fetch = [*in_target, "fetch", "--quiet", "--depth", "1", "origin", "--", source.ref]
        await run_command(fetch, env=environment)
        await run_command([*in_target, "checkout", "--quiet", "FETCH_HEAD"], env=environment)
        modules = ["submodule", "update", "--quiet", "--init", "--recursive", "--depth", "1"]
        await run_command([*in_target, *modules], env=environment)
    except CommandFailed as error:
        if error.status == 127 and not error.stderr.startswith(("fatal", "error")):
            raise InvalidParameter(
                f"{source.address} is a git repository, and there is no git on this machine: install git"
            ) from error
        raise InvalidParameter(
            f"the git repository {source.address} can't be had at {source.ref}: {error.stderr.strip()[-500:]}"
        ) from error
    return _find_folder(target, source)


def _find_folder(target: Path, source: GitSource) -> Path:
    """The folder, where no link of the repository leads out of it."""
    try:
        with InRoot(target) as root, root.directory(source.folder or "/") as descriptor:
            return Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError as error:
        raise InvalidParameter(
            f"the git repository {source.address} has no folder {source.folder} at {source.ref}"
        ) from error
