"""Which containers a list call asked for: the filters of `GET /containers/json`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from hivelet.convert.filters import Filters
from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.engine import Container

FILTERS = (
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
    "publish", "since", "status", "volume",
)  # fmt: skip
"""What `GET /containers/json` filters by."""

PRUNE_FILTERS = ("label", "label!", "until")
"""What `POST /containers/prune` filters by."""

STATUSES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("none", "starting", "healthy", "unhealthy")

_TASK_LABEL = "com.docker.swarm.task.id"


def select_containers(
    containers: Sequence[Container],
    filters: Filters,
    *,
    everything: bool,
    limit: int,
    ancestors: Collection[str] = (),
) -> list[Container]:
    """The containers that a list call asked for, newest first; `ancestors` are the ids of the images that it names.

    Only running ones (one that waits for its next start is one of them, as in Docker), unless `everything`, a limit, or a filter that speaks of state or age says otherwise.
    """
    _check(filters)
    newest = sorted(containers, key=lambda container: container.created, reverse=True)
    states = any(key in filters for key in ("status", "exited", "before", "since", "health"))
    everything = everything or limit > 0 or states
    chosen = [
        container
        for container in newest
        if (everything or container.state.running or container.state.restarting)
        and _matches(container, filters, ancestors)
    ]
    chosen = _by_age(chosen, newest, filters)
    return chosen[:limit] if limit > 0 else chosen


def _check(filters: Filters) -> None:
    for value in filters.get("status"):
        if value not in STATUSES:
            raise InvalidParameter(f"Invalid filter 'status={value}'")
    for value in filters.get("health"):
        if value not in HEALTHS:
            raise InvalidParameter(f"Unrecognised filter value for health: {value}")
    for value in filters.get("exited"):
        if not re.fullmatch(r"-?\d+", value):
            raise InvalidParameter(f"Invalid filter 'exited={value}'")


def _matches(container: Container, filters: Filters, ancestors: Collection[str]) -> bool:
    state = container.state
    wants_task = filters.boolean("is-task")
    tests: tuple[Callable[[], bool], ...] = (
        lambda: filters.pattern("name", container.name, f"/{container.name}"),
        lambda: filters.prefix("id", container.id),
        lambda: filters.labels("label", container.config.labels),
        lambda: filters.exact("status", state.status),
        lambda: filters.exact("health", state.health.status if state.health else "none"),
        lambda: "exited" not in filters or (not state.running and state.started_at is not None),
        lambda: filters.exact("exited", str(state.exit_code)),
        lambda: wants_task is None or wants_task == (_TASK_LABEL in container.config.labels),
        lambda: "ancestor" not in filters or container.image_id in ancestors,
        lambda: _has_network(container, filters),
        lambda: filters.exact("volume", *_volume_words(container)),
        lambda: _has_port(container, filters),
    )
    return all(test() for test in tests)


def _has_network(container: Container, filters: Filters) -> bool:
    if "network" not in filters:
        return True
    ids = [endpoint.network_id for endpoint in container.networks.values()]
    return any(
        value in container.networks or any(identity.startswith(value) for identity in ids)
        for value in filters.get("network")
    )


def _volume_words(container: Container) -> list[str]:
    return [
        word
        for mount in container.mounts
        for word in (mount.name, mount.source, mount.destination)
        if word
    ]


def _has_port(container: Container, filters: Filters) -> bool:
    """The filters `publish` and `expose`: a port or a range of ports, with or without "/tcp"."""
    published = {
        (int(binding.host_port), name.partition("/")[2] or "tcp")
        for name, bindings in container.ports.items()
        for binding in bindings
        if binding.host_port
    }
    exposed = {
        (int(name.partition("/")[0]), name.partition("/")[2] or "tcp")
        for name in {**container.ports, **container.config.exposed_ports}
    }
    return all(
        key not in filters or any(_in_range(value, ports) for value in filters.get(key))
        for key, ports in (("publish", published), ("expose", exposed))
    )


def _in_range(value: str, ports: Iterable[tuple[int, str]]) -> bool:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?(?:/(\w+))?", value)
    if match is None:
        raise InvalidParameter(
            f"invalid port filter {value!r}: a port or a range such as 8000-8010/tcp"
        )
    first, last, protocol = int(match[1]), int(match[2] or match[1]), match[3] or "tcp"
    return any(first <= port <= last and kind == protocol for port, kind in ports)


def _by_age(chosen: list[Container], newest: list[Container], filters: Filters) -> list[Container]:
    for ref in filters.get("before"):
        border = _named(newest, ref).created
        chosen = [one for one in chosen if one.created < border]
    for ref in filters.get("since"):
        border = _named(newest, ref).created
        chosen = [one for one in chosen if one.created > border]
    return chosen


def _named(containers: Iterable[Container], ref: str) -> Container:
    plain = ref.removeprefix("/")
    for container in containers:
        if container.name == plain or container.id.startswith(ref):
            return container
    raise NotFound(f"No such container: {ref}")
