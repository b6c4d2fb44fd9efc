"""What the API asks of backups: the door behind `routes/backup.py`."""

from __future__ import annotations

from typing import Protocol


class BackupBackend(Protocol):
    """Backups of this node's state."""

    @property
    def pending(self) -> bool:
        """Whether a backup was accepted and is yet to be taken over."""
        ...

    async def make_backup(self) -> bytes:
        """A backup: the state after its newest commit."""
        ...

    async def read_key(self) -> bytes:
        """The file with the key to the state."""
        ...

    async def restore(self, archive: bytes, key: bytes, *, force: bool) -> None:
        """Check a backup whole, and have this node's parts start anew with it; where that fails nothing has changed."""
        ...
