"""Opens paths inside a root file system that strangers wrote, without ever leaving it.

Symbolic links are followed as a process inside that root would see them: an absolute target starts at the root, and
`..` at the root stays there. Each step goes through a directory descriptor, and `..` goes back to the descriptor the step
came from, so a rename meanwhile leads nowhere else.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINK_LIMIT = 40


class InRoot:
    """A root directory, held open, and paths resolved within it."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> InRoot:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the root."""
        os.close(self._root)

    @contextmanager
    def directory(self, path: str, *, create: bool = False) -> Iterator[int]:
        """A descriptor (O_PATH) of directory `path`; missing parts are made, mode 0755, if `create`."""
        descriptor = self.open_directory(path, create=create)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def open_directory(self, path: str, *, create: bool = False) -> int:
        """As `directory`, but the caller closes the descriptor."""
        walk = _Walk(self._root, create=create)
        try:
            walk.follow(path)
            return os.dup(walk.here)
        finally:
            walk.close()

    def open_file(self, path: str) -> int:
        """A descriptor for reading regular file `path`; the last part may be a symlink, too.

        Raises:
            OSError: as `open` does; EINVAL where it is no regular file.
        """
        walk = _Walk(self._root, create=False)
        try:
            name = walk.follow(path, leave_last=True)
            descriptor = os.open(
                name,
                os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY,
                dir_fd=walk.here,
            )
        finally:
            walk.close()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file", path)
        return descriptor


class Cursor:
    """A present directory inside a root, moved about by whole paths; near ones are reached in few steps.

    Only one that nobody else changes meanwhile, or changes through the cursor alone.
    """

    def __init__(self, root: InRoot) -> None:
        self._root = root
        self._far: int | None = None
        self._base = root.open_directory("")
        self._trail: list[tuple[str, int]] = []

    @property
    def here(self) -> int:
        """The present directory's descriptor, which the cursor keeps."""
        if self._far is not None:
            return self._far
        return self._trail[-1][1] if self._trail else self._base

    def close(self) -> None:
        """Let go of all directories."""
        self._back_to(0)
        os.close(self._base)

    def enter(self, path: str, *, create: bool = False) -> None:
        """Go to directory `path` as `InRoot.directory` does; only a symbolic link on the way needs the long way."""
        parts = [part for part in path.split("/") if part not in {"", "."}]
        common = 0
        while (
            common < min(len(parts), len(self._trail)) and self._trail[common][0] == parts[common]
        ):
            common += 1
        self._back_to(common)
        try:
            for part in parts[common:]:
                if part == "..":
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
                self._trail.append((part, os.open(part, _DIRECTORY, dir_fd=self.here)))
        except (FileNotFoundError, NotADirectoryError):
            self._back_to(0)
            self._far = self._root.open_directory(path, create=create)

    def _back_to(self, depth: int) -> None:
        if self._far is not None:
            os.close(self._far)
            self._far = None
        while len(self._trail) > depth:
            os.close(self._trail.pop()[1])


class _Walk:
    """The directories from the root to where the walk is, each held open."""

    def __init__(self, root: int, *, create: bool) -> None:
        self._create = create
        self._trail = [os.dup(root)]
        self._links = 0

    @property
    def here(self) -> int:
        return self._trail[-1]

    def close(self) -> None:
        while self._trail:
            os.close(self._trail.pop())

    def follow(self, path: str, *, leave_last: bool = False) -> str:
        """Walk `path`; with `leave_last`, stop before its last part (links resolved) and return that part."""
        if "\0" in path:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        parts = path.split("/")[::-1]
        while parts:
            part = parts.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                self._up()
                continue
            target = self._link_target(part)
            if target is not None:
                if target.startswith("/"):
                    while len(self._trail) > 1:
                        self._up()
                parts.extend(target.split("/")[::-1])
            elif leave_last and not any(p not in {"", "."} for p in parts):
                return part
            else:
                self._down(part)
        return "."

    def _up(self) -> None:
        if len(self._trail) > 1:
            os.close(self._trail.pop())

    def _down(self, part: str) -> None:
        try:
            descriptor = os.open(part, _DIRECTORY, dir_fd=self.here)
        except FileNotFoundError:
            if not self._create:
                raise
            os.mkdir(part, 0o755, dir_fd=self.here)
            os.chmod(part, 0o755, dir_fd=self.here)  # noqa: S103 - whatever our umask is
            descriptor = os.open(part, _DIRECTORY, dir_fd=self.here)
        self._trail.append(descriptor)

    def _link_target(self, part: str) -> str | None:
        try:
            target = os.readlink(part, dir_fd=self.here)
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return None
            raise
        self._links += 1
        if self._links > _LINK_LIMIT:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
        return target
