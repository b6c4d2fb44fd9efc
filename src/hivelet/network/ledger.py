"""What a restarted hiveletd must know and cannot see in the kernel: one small JSON file for each network, container
and resolver under `<run>/network`.

The run directory is gone after a reboot together with all that these files speak of. A file is written before what
it describes is used and removed after that is gone, so that a crash leaves at most a file too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from hivelet.errors import System
from hivelet.kit.files import ensure_private, write_atomic
from hivelet.network.records import ContainerRecord, ResolverRecord
from hivelet.objects.common import Struct
from hivelet.objects.endpoint import BridgeNetwork


class ForeignLink(Struct, frozen=True, kw_only=True):
    """A bridge that was there before its network, with the addresses that it had: it is not ours to remove."""

    name: str
    addresses: list[str] = []


T = TypeVar("T", BridgeNetwork, ContainerRecord, ResolverRecord, ForeignLink)


class LedgerDamaged(System):
    """A file of ours is not what we wrote."""


class Ledger:
    """The files under `<run>/network`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._networks = home / "networks"
        self._containers = home / "containers"
        self._resolvers = home / "resolvers"
        self._foreign = home / "foreign"
        self._directories = (self._networks, self._containers, self._resolvers, self._foreign)

    def prepare(self) -> None:
        """Make the directories."""
        for directory in self._directories:
            ensure_private(directory)

    def networks(self) -> list[BridgeNetwork]:
        """All recorded networks."""
        return list(_load(self._networks, BridgeNetwork))

    def containers(self) -> list[ContainerRecord]:
        """All recorded sandboxes."""
        return list(_load(self._containers, ContainerRecord))

    def resolvers(self) -> list[ResolverRecord]:
        """All recorded resolvers."""
        return list(_load(self._resolvers, ResolverRecord))

    def put_network(self, network: BridgeNetwork) -> None:
        """Record a network."""
        _store(self._networks / network.id, network)

    def drop_network(self, network_id: str) -> None:
        """Forget a network."""
        (self._networks / f"{network_id}.json").unlink(missing_ok=True)

    def foreign_link(self, network_id: str) -> ForeignLink | None:
        """The bridge that was there before this network; None where hivelet made it."""
        return next(_load(self._foreign, ForeignLink, f"{network_id}.json"), None)

    def put_foreign_link(self, network_id: str, link: ForeignLink) -> None:
        """Record that a network's bridge was there before it."""
        _store(self._foreign / network_id, link)

    def drop_foreign_link(self, network_id: str) -> None:
        """Record that a network's bridge is hivelet's, or gone."""
        (self._foreign / f"{network_id}.json").unlink(missing_ok=True)

    def put_container(self, record: ContainerRecord) -> None:
        """Record a sandbox."""
        _store(self._containers / record.container_id, record)

    def drop_container(self, container_id: str) -> None:
        """Forget a sandbox."""
        (self._containers / f"{container_id}.json").unlink(missing_ok=True)

    def put_resolver(self, record: ResolverRecord) -> None:
        """Record a resolver."""
        _store(self._resolvers / record.name, record)

    def drop_resolver(self, name: str) -> None:
        """Forget a resolver."""
        (self._resolvers / f"{name}.json").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all files and directories."""
        for directory in self._directories:
            if directory.is_dir():
                for path in directory.iterdir():
                    path.unlink()
                directory.rmdir()


def _store(
    stem: Path, value: BridgeNetwork | ContainerRecord | ResolverRecord | ForeignLink
) -> None:
    write_atomic(stem.with_name(f"{stem.name}.json"), msgspec.json.encode(value))


def _load(directory: Path, kind: type[T], pattern: str = "*.json") -> Iterator[T]:
    for path in sorted(directory.glob(pattern)):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=kind)
        except msgspec.DecodeError as error:
            raise LedgerDamaged(
                f"{path} is damaged ({error}); remove it, its container's network is made anew"
            ) from error
