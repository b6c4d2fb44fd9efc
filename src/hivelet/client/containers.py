"""The routes of the Docker Engine API for containers by hand, as hivelet's commands use them. Each method is one request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hivelet.client.hijack import Hijacked
    from hivelet.client.transport import Transport

Json: TypeAlias = dict[str, Any]


class Containers:
    """A daemon's containers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def apart(self) -> Containers:
        """The same by connections of its own: for another thread."""
        return Containers(self._transport.apart())

    def create(self, request: Json, *, name: str, platform: str) -> Json:
        """Make a container; the answer has its Id and warnings."""
        query = {"name": name or None, "platform": platform or None}
        return dict(self._post("create", query, request))

    def do(self, ref: str, verb: str, **query: Any) -> Any:
        """`start`, `stop`, `kill`, `pause` and the like."""
        return self._post(f"{ref}/{verb}", query)

    def update(self, ref: str, request: Json) -> list[str]:
        """Give a container other limits; the answer is what the daemon warns of."""
        return list((self._post(f"{ref}/update", {}, request) or {}).get("Warnings") or [])

    def attach(self, ref: str, query: Json) -> Hijacked:
        """Talk with a container's first process."""
        return self._transport.hijack("POST", f"/containers/{ref}/attach", query=query)

    def waiting(self, ref: str, condition: str) -> Iterator[bytes]:
        """How the container ends; the wait is in place when this returns."""
        query = {"condition": condition}
        return self._transport.open_stream("POST", f"/containers/{ref}/wait", query)

    def top(self, ref: str, ps_args: str) -> Json:
        """A container's processes."""
        return dict(self._transport.get(f"/containers/{ref}/top", ps_args=ps_args or None))

    def changes(self, ref: str) -> list[Json]:
        """What differs from the image."""
        return list(self._transport.get(f"/containers/{ref}/changes") or [])

    def export(self, ref: str) -> Iterator[bytes]:
        """All files as a tar archive."""
        return self._transport.stream("GET", f"/containers/{ref}/export")

    def commit(self, query: Json) -> str:
        """Make an image of a container; the answer is its id."""
        return str(self._transport.request("POST", "/commit", query=query, body={})["Id"])

    def path_stat(self, ref: str, path: str) -> str:
        """What is at a path, as the archive route's header says it."""
        return self._transport.head(f"/containers/{ref}/archive", {"path": path}).get(
            "X-Docker-Container-Path-Stat", ""
        )

    def read_archive(self, ref: str, path: str) -> Iterator[bytes]:
        """What is at a path, as a tar archive."""
        return self._transport.stream("GET", f"/containers/{ref}/archive", query={"path": path})

    def write_archive(self, ref: str, query: Json, archive: IO[bytes]) -> None:
        """Unpack a tar archive into a directory."""
        self._transport.request("PUT", f"/containers/{ref}/archive", query=query, body=archive)

    def prune(self, filters: Mapping[str, Iterable[str]]) -> Json:
        """Remove those that do not run."""
        sent = {name: dict.fromkeys(values, True) for name, values in filters.items()}
        return dict(self._post("prune", {"filters": sent or None}) or {})

    def _post(self, path: str, query: Json, body: Any = None) -> Any:
        return self._transport.request("POST", f"/containers/{path}", query=query, body=body)
