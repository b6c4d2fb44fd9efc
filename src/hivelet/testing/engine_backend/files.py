"""Files of containers, and what is made of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from hivelet.errors import NotFound
from hivelet.kit.ids import new_hex_id
from hivelet.objects.engine import Container
from hivelet.objects.files import CommitRequest, FileChange, PathStat
from hivelet.testing.engine_backend.containers import FakeContainers


class FakeFiles(FakeContainers):
    """Files are what a test puts in, by their paths."""

    async def stat_path(self, ref: str, path: str) -> PathStat:
        """A file of the bytes that `files` has."""
        data = self._file(await self.get_container(ref), path)
        return PathStat(
            name=path.rpartition("/")[2], size=len(data), mode=0o100644, mtime=self.moment
        )

    async def read_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        """The bytes, and no tar."""
        yield self._file(await self.get_container(ref), path)

    async def write_archive(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool,
        as_user: bool,
    ) -> None:
        """Keep the bytes."""
        await self.get_container(ref)
        self.files[path] = b"".join([chunk async for chunk in archive])
        self.calls.append(("copy", path, keep_kinds, as_user))

    async def list_changes(self, ref: str) -> Sequence[FileChange]:
        """All files are new."""
        await self.get_container(ref)
        return [FileChange(path=path, kind=1) for path in self.files]

    async def export_container(self, ref: str) -> AsyncIterator[bytes]:
        """All bytes."""
        await self.get_container(ref)
        for data in self.files.values():
            yield data

    async def commit_container(self, request: CommitRequest) -> str:
        """Only remembered."""
        await self.get_container(request.container)
        self.calls.append(("commit", request))
        return f"sha256:{new_hex_id()}"

    def _file(self, container: Container, path: str) -> bytes:
        if path not in self.files:
            raise NotFound(f"Could not find the file {path} in container {container.name}")
        return self.files[path]
