"""The routes of the Docker Engine API that hivelet's commands use, by noun. Answers are plain JSON.

Every method is one request; it raises `hivelet.errors` in the category that the daemon answered. Filters are given as
`{"label": ["a=b"]}` and sent in the form that every engine since 1.22 reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, TypeAlias

from hivelet.client.containers import Containers
from hivelet.client.hijack import Hijacked
from hivelet.client.streams import iter_json
from hivelet.client.transport import Transport
from hivelet.errors import NotFound

Json: TypeAlias = dict[str, Any]
Filters: TypeAlias = Mapping[str, Iterable[str]]


class Engine:
    """A daemon, as a command sees it."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.by_hand = Containers(transport)

    def info(self) -> Json:
        """What `docker info` shows."""
        return self._object("/info")

    def version(self) -> Json:
        """The daemon's versions."""
        return self._object("/version")

    def events(self, *, since: str | None, until: str | None, filters: Filters) -> Iterator[Json]:
        """Events as they come, until `until` or for ever."""
        query = {"since": since, "until": until, "filters": _filters(filters)}
        return iter_json(self.transport.stream("GET", "/events", query=query))

    def swarm(self) -> Json:
        """The cluster, with its join tokens."""
        return self._object("/swarm")

    def init_swarm(self, request: Json) -> str:
        """Make this node the first of a new swarm; the answer is its node id."""
        return str(self.transport.request("POST", "/swarm/init", body=request))

    def unlock_key(self) -> str:
        """The key that unlocks the swarm after a restart; "" where it is never locked."""
        return str(self.transport.request("GET", "/swarm/unlockkey")["UnlockKey"])

    def unlock_swarm(self, key: str) -> None:
        """Unlock this node's swarm."""
        self.transport.request("POST", "/swarm/unlock", body={"UnlockKey": key})

    def leave_swarm(self, *, force: bool) -> None:
        """Take this node out of its swarm."""
        self.transport.request("POST", "/swarm/leave", query={"force": force})

    def update_swarm(
        self,
        version: int,
        spec: Json,
        *,
        rotate_worker: bool = False,
        rotate_manager: bool = False,
        rotate_unlock_key: bool = False,
    ) -> None:
        """Change the cluster's settings, or give it new join tokens or another unlock key."""
        query = {
            "version": version,
            "rotateWorkerToken": rotate_worker,
            "rotateManagerToken": rotate_manager,
            "rotateManagerUnlockKey": rotate_unlock_key,
        }
        self.transport.request("POST", "/swarm/update", query=query, body=spec)

    def nodes(self, filters: Filters | None = None) -> list[Json]:
        """All nodes."""
        return self._list("/nodes", filters=_filters(filters))

    def node(self, ref: str) -> Json:
        """The node called `ref`; `self` is the one that answers."""
        return self._object(f"/nodes/{self.info()['Swarm']['NodeID'] if ref == 'self' else ref}")

    def update_node(self, node: Json, spec: Json) -> None:
        """Give `node` (as it was read) a new spec."""
        query = {"version": node["Version"]["Index"]}
        self.transport.request("POST", f"/nodes/{node['ID']}/update", query=query, body=spec)

    def remove_node(self, ref: str, *, force: bool = False) -> None:
        """Take a node out of the swarm."""
        self.transport.request("DELETE", f"/nodes/{ref}", query={"force": force})

    def services(self, filters: Filters | None = None, *, status: bool = False) -> list[Json]:
        """All services; with `status`, how many of their tasks run."""
        return self._list("/services", filters=_filters(filters), status=status)

    def service(self, ref: str, *, insert_defaults: bool = False, backends: bool = False) -> Json:
        """The service called `ref`; `backends` adds its balancer's view where hivelet is asked."""
        asked = {"backends": True} if backends else {}
        return self._object(f"/services/{ref}", insertDefaults=insert_defaults, **asked)

    def create_service(self, spec: Json, *, registry_auth: str = "") -> Json:
        """Create a service; the answer has its ID and warnings."""
        answer = self.transport.request(
            "POST", "/services/create", body=spec, headers=_auth(registry_auth)
        )
        return dict(answer or {})

    def update_service(
        self, service: Json, spec: Json, *, registry_auth: str = "", rollback: bool = False
    ) -> list[str]:
        """Give `service` (as it was read) a new spec, or its previous one; the answer is what the daemon warns of."""
        query = {
            "version": service["Version"]["Index"],
            "registryAuthFrom": "spec",
            "rollback": "previous" if rollback else None,
        }
        path = f"/services/{service['ID']}/update"
        answer = self.transport.request(
            "POST", path, query=query, body=spec, headers=_auth(registry_auth)
        )
        return list((answer or {}).get("Warnings") or [])

    def remove_service(self, ref: str) -> None:
        """Remove a service."""
        self.transport.request("DELETE", f"/services/{ref}")

    def tasks(self, filters: Filters | None = None) -> list[Json]:
        """Tasks, those of the past among them."""
        return self._list("/tasks", filters=_filters(filters))

    def task(self, ref: str) -> Json:
        """The task called `ref`."""
        return self._object(f"/tasks/{ref}")

    def logs(
        self, kind: str, ref: str, query: Json, *, patience: float | None = None
    ) -> Iterator[bytes]:
        """The log of one of `services`, `tasks` or `containers`, multiplexed unless it has a terminal."""
        return self.transport.stream("GET", f"/{kind}/{ref}/logs", query=query, patience=patience)

    def networks(self, filters: Filters | None = None) -> list[Json]:
        """All networks."""
        return self._list("/networks", filters=_filters(filters))

    def network(self, ref: str) -> Json:
        """The network called `ref`."""
        return self._object(f"/networks/{ref}")

    def create_network(self, request: Json) -> Json:
        """Create a network; the answer has its Id and a warning."""
        return dict(
            self.transport.request(
                "POST", "/networks/create", body={"CheckDuplicate": True, **request}
            )
        )

    def remove_network(self, ref: str) -> None:
        """Remove a network."""
        self.transport.request("DELETE", f"/networks/{ref}")

    def volumes(self, filters: Filters | None = None) -> list[Json]:
        """The node's volumes."""
        return list(self._object("/volumes", filters=_filters(filters)).get("Volumes") or [])

    def volume(self, name: str) -> Json:
        """The volume called `name`."""
        return self._object(f"/volumes/{name}")

    def create_volume(self, request: Json) -> Json:
        """Create a volume; the answer is the volume."""
        return dict(self.transport.request("POST", "/volumes/create", body=request))

    def remove_volume(self, name: str, *, force: bool = False) -> None:
        """Remove a volume and what is in it."""
        self.transport.request("DELETE", f"/volumes/{name}", query={"force": force})

    def prune_volumes(self, filters: Filters) -> Json:
        """Remove volumes that nothing uses."""
        query = {"filters": _filters(filters)}
        return dict(self.transport.request("POST", "/volumes/prune", query=query) or {})

    def file_objects(self, kind: str, filters: Filters | None = None) -> list[Json]:
        """All `secrets` or `configs`."""
        return self._list(f"/{kind}", filters=_filters(filters))

    def find_file_object(self, kind: str, name: str) -> Json | None:
        """The secret or config that is called exactly `name`; None where there is none."""
        found = self.file_objects(kind, {"name": [name]})
        return next((entry for entry in found if entry["Spec"]["Name"] == name), None)

    def create_file_object(self, kind: str, spec: Json) -> str:
        """Create a secret or config; the answer is its id."""
        return str(self.transport.request("POST", f"/{kind}/create", body=spec)["ID"])

    def update_file_object(self, kind: str, entry: Json, spec: Json) -> None:
        """Change what may be changed of a secret or config: its labels."""
        query = {"version": entry["Version"]["Index"]}
        self.transport.request("POST", f"/{kind}/{entry['ID']}/update", query=query, body=spec)

    def remove_file_object(self, kind: str, ref: str) -> None:
        """Remove a secret or config."""
        self.transport.request("DELETE", f"/{kind}/{ref}")

    def containers(
        self,
        filters: Filters | None = None,
        *,
        stopped: bool = False,
        limit: int | None = None,
        size: bool = False,
    ) -> list[Json]:
        """The node's containers; with `size`, what each has written and how much it is with its image."""
        query = {"all": stopped, "limit": limit, "size": size}
        return self._list("/containers/json", filters=_filters(filters), **query)

    def container(self, ref: str) -> Json:
        """The container called `ref`."""
        return self._object(f"/containers/{ref}/json")

    def container_stats(self, ref: str) -> Json:
        """A single reading of a container's counters."""
        return self._object(f"/containers/{ref}/stats", **{"stream": "0", "one-shot": True})

    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """Remove a container."""
        self.transport.request("DELETE", f"/containers/{ref}", query={"force": force, "v": volumes})

    def remove_link(self, name: str) -> None:
        """Take a link, named `CONTAINER/ALIAS`, away from its container."""
        self.transport.request("DELETE", f"/containers/{name}", query={"link": True})

    def create_exec(self, ref: str, request: Json) -> str:
        """Prepare a command in a container that runs; the answer is its id."""
        return str(self.transport.request("POST", f"/containers/{ref}/exec", body=request)["Id"])

    def start_exec(self, exec_id: str, request: Json) -> Hijacked:
        """Start a prepared command, and talk with it."""
        return self.transport.hijack("POST", f"/exec/{exec_id}/start", body=request)

    def start_detached_exec(self, exec_id: str, request: Json) -> None:
        """Start a prepared command, and leave it to itself."""
        body = {**request, "Detach": True}
        self.transport.request("POST", f"/exec/{exec_id}/start", body=body)

    def resize_exec(self, exec_id: str, *, height: int, width: int) -> None:
        """Tell a command's terminal how large it is."""
        query = {"h": height, "w": width}
        self.transport.request("POST", f"/exec/{exec_id}/resize", query=query)

    def exec(self, exec_id: str) -> Json:
        """What has become of a command."""
        return self._object(f"/exec/{exec_id}/json")

    def images(self, filters: Filters | None = None, *, intermediate: bool = False) -> list[Json]:
        """The node's images."""
        return self._list("/images/json", filters=_filters(filters), all=intermediate)

    def image(self, ref: str) -> Json:
        """The image called `ref`."""
        return self._object(f"/images/{ref}/json")

    def registry_image(self, ref: str, *, registry_auth: str = "") -> Json:
        """What the registry says of the image called `ref`."""
        answer = self.transport.request(
            "GET", f"/distribution/{ref}/json", headers=_auth(registry_auth)
        )
        return dict(answer)

    def remove_image(self, ref: str, *, force: bool, prune: bool = True) -> list[Json]:
        """Remove an image's name, or the image; the answer says what went."""
        query = {"force": force, "noprune": not prune}
        return list(self.transport.request("DELETE", f"/images/{ref}", query=query) or [])

    def tag_image(self, ref: str, repository: str, tag: str) -> None:
        """Give an image another name."""
        self.transport.request("POST", f"/images/{ref}/tag", query={"repo": repository, "tag": tag})

    def pull_image(self, reference: str, tag: str, registry_auth: str = "") -> Iterator[Json]:
        """Fetch an image; yields what Docker tells of the progress."""
        return self.pull({"fromImage": reference, "tag": tag}, registry_auth)

    def pull(self, query: Json, registry_auth: str = "") -> Iterator[Json]:
        """The same with everything that can be asked for."""
        return iter_json(
            self.transport.stream(
                "POST", "/images/create", query=query, headers=_auth(registry_auth)
            )
        )

    def import_image(self, source: IO[bytes] | None, query: Json) -> Iterator[Json]:
        """Make an image of a root file system; without `source` the daemon fetches `fromSrc` itself."""
        return iter_json(self.transport.stream("POST", "/images/create", query=query, body=source))

    def load_image(self, archive: IO[bytes]) -> Iterator[Json]:
        """Load the images of an archive."""
        return iter_json(
            self.transport.stream("POST", "/images/load", query={"quiet": True}, body=archive)
        )

    def push_image(self, repository: str, tag: str, registry_auth: str = "") -> Iterator[Json]:
        """Carry an image to its registry; without `tag` all tags of the repository."""
        headers = _auth(registry_auth) or {"X-Registry-Auth": "e30="}
        path = f"/images/{repository}/push"
        query = {"tag": tag} if tag else {}
        return iter_json(self.transport.stream("POST", path, query=query, headers=headers))

    def build_image(self, context: Iterable[bytes], query: Json, config: str) -> Iterator[Json]:
        """Build an image of a tar; yields what the builder says. `config` has credentials for registries."""
        headers = {"X-Registry-Config": config} if config else {}
        return iter_json(
            self.transport.stream("POST", "/build", query=query, body=context, headers=headers)
        )

    def save_images(self, names: Iterable[str], platform: str | None = None) -> Iterator[bytes]:
        """Images as an archive."""
        query = {"names": list(names), "platform": platform}
        return self.transport.stream("GET", "/images/get", query=query)

    def image_history(self, ref: str) -> list[Json]:
        """How an image was made, the latest step first."""
        return self._list(f"/images/{ref}/history")

    def prune_images(self, filters: Filters) -> Json:
        """Remove images that nothing uses."""
        return self._prune("/images/prune", filters)

    def prune_networks(self, filters: Filters) -> Json:
        """Remove networks that nothing uses."""
        return self._prune("/networks/prune", filters)

    def prune_builds(self, filters: Filters, *, everything: bool) -> Json:
        """Forget what builds have kept for those to come."""
        return self._prune("/build/prune", filters, all=everything)

    def _prune(self, path: str, filters: Filters, **query: Any) -> Json:
        sent = {**query, "filters": _filters(filters)}
        return dict(self.transport.request("POST", path, query=sent) or {})

    def connect_network(self, ref: str, container: str, settings: Json) -> None:
        """Let a container join a network."""
        body = {"Container": container, "EndpointConfig": settings}
        self.transport.request("POST", f"/networks/{ref}/connect", body=body)

    def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        """Take a container out of a network."""
        body = {"Container": container, "Force": force}
        self.transport.request("POST", f"/networks/{ref}/disconnect", body=body)

    def disk_usage(self) -> Json:
        """What takes up the disk."""
        return self._object("/system/df")

    def check_credentials(self, credentials: Json) -> Json:
        """Ask a registry, by way of the daemon, whether it knows somebody."""
        return dict(self.transport.request("POST", "/auth", body=credentials) or {})

    def exists(self, path: str) -> bool:
        """Whether the object at `path` is there."""
        try:
            self.transport.get(path)
        except NotFound:
            return False
        return True

    def _object(self, path: str, **query: Any) -> Json:
        return dict(self.transport.get(path, **query))

    def _list(self, path: str, **query: Any) -> list[Json]:
        return list(self.transport.get(path, **query) or [])


def _filters(filters: Filters | None) -> Json | None:
    if not filters:
        return None
    return {name: dict.fromkeys(values, True) for name, values in filters.items()}


def _auth(registry_auth: str) -> dict[str, str]:
    return {"X-Registry-Auth": registry_auth} if registry_auth else {}
