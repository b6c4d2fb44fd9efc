"""The changes of a service spec that options mean: entries of a mapping or a list come and go, and what has rules of its own. Pure.

Each takes the spec, which is the API's JSON, and the option's value; a ValueError says why it can't be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from hivelet.cli import flag_values
from hivelet.compose.capabilities import effective_capabilities

Json: TypeAlias = dict[str, Any]
TASK = ("TaskTemplate",)
CONTAINER = (*TASK, "ContainerSpec")
_UPDATE_DEFAULTS: Json = {
    "Parallelism": 1,
    "FailureAction": "pause",
    "Monitor": 5_000_000_000,
    "MaxFailureRatio": 0,
    "Order": "stop-first",
}


def set_replicas(spec: Json, count: int) -> None:
    """Ask for so many replicas.

    Raises:
        ValueError: the service has no replicas.
    """
    mode = spec.setdefault("Mode", {})
    if mode.get("ReplicatedJob") is not None:
        mode["ReplicatedJob"]["TotalCompletions"] = count
    elif mode.get("Global") is not None or mode.get("GlobalJob") is not None:
        raise ValueError("replicas can only be used with replicated or replicated-job mode")
    else:
        mode["Replicated"] = {**(mode.get("Replicated") or {}), "Replicas": count}


def section_at(spec: Json, path: Iterable[str]) -> Json:
    """The mapping at `path`, made where it is not there; update sections begin with Swarm's defaults."""
    section = spec
    for key in path:
        if section.get(key) is None:
            section[key] = (
                dict(_UPDATE_DEFAULTS) if key in {"UpdateConfig", "RollbackConfig"} else {}
            )
            if key == "RestartPolicy":
                section[key] = {"Condition": "any"}
        section = section[key]
    return section


def same(value: Any) -> Any:
    """The value as it was given."""
    return value


def set_mode(spec: Json, mode: str) -> None:
    """Another mode, with the replicas that were asked for."""
    replicas = ((spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas")
    keys = {
        "replicated": "Replicated",
        "global": "Global",
        "replicated-job": "ReplicatedJob",
        "global-job": "GlobalJob",
    }
    spec["Mode"] = {keys[mode]: {}}
    if mode == "replicated-job" and replicas is not None:
        spec["Mode"]["ReplicatedJob"] = {"MaxConcurrent": replicas, "TotalCompletions": replicas}
    elif replicas is not None:
        set_replicas(spec, replicas)


def set_concurrency(spec: Json, count: int) -> None:
    """How many tasks of a job run at a time."""
    job = (spec.get("Mode") or {}).get("ReplicatedJob")
    if job is None:
        raise ValueError("max-concurrent can only be used with replicated-job mode")
    job["MaxConcurrent"] = count


def force_update(spec: Json, forced: bool) -> None:
    """An update although nothing else changes."""
    if forced:
        task = section_at(spec, TASK)
        task["ForceUpdate"] = task.get("ForceUpdate", 0) + 1


def disable_healthcheck(spec: Json, off: bool) -> None:
    """No health check, not even the image's."""
    if not off:
        return
    health = section_at(spec, CONTAINER).get("Healthcheck") or {}
    if any(health.values()) and health.get("Test") != ["NONE"]:
        raise ValueError("it conflicts with the --health-… options")
    section_at(spec, CONTAINER)["Healthcheck"] = {"Test": ["NONE"]}


def set_log_driver(spec: Json, name: str) -> None:
    """Another log driver, without the options of the one before."""
    section_at(spec, TASK)["LogDriver"] = {"Name": name}


def add_log_options(spec: Json, values: Iterable[str]) -> None:
    """Options of the log driver."""
    driver = section_at(spec, (*TASK, "LogDriver"))
    driver["Options"] = {
        **(driver.get("Options") or {}),
        **dict(map(flag_values.parse_key_value, values)),
    }


def add_to_mapping(path: tuple[str, ...]) -> Callable[[Json, Iterable[str]], None]:
    """Adds KEY=VALUE entries; one with the key of an entry that is there takes its place."""

    def change(spec: Json, values: Iterable[str]) -> None:
        section = section_at(spec, path[:-1])
        section[path[-1]] = {
            **(section.get(path[-1]) or {}),
            **dict(map(flag_values.parse_key_value, values)),
        }

    return change


def remove_from_mapping(path: tuple[str, ...]) -> Callable[[Json, Iterable[str]], None]:
    """Removes entries by their keys."""

    def change(spec: Json, values: Iterable[str]) -> None:
        section = section_at(spec, path[:-1])
        kept = section.get(path[-1]) or {}
        section[path[-1]] = {key: value for key, value in kept.items() if key not in set(values)}

    return change


def add_to_list(
    path: tuple[str, ...], parse: Callable[[str], Any] = same, key: Callable[[Any], Any] = same
) -> Callable[[Json, Iterable[str]], None]:
    """Adds entries; one with the key of an entry that is there takes its place."""

    def change(spec: Json, values: Iterable[str]) -> None:
        section = section_at(spec, path[:-1])
        entries = {key(entry): entry for entry in section.get(path[-1]) or []}
        for value in values:
            parsed = parse(value)
            for entry in parsed if isinstance(parsed, list) else [parsed]:
                entries[key(entry)] = entry
        section[path[-1]] = list(entries.values())

    return change


def remove_from_list(
    path: tuple[str, ...], key: Callable[[Any], Any] = same, parse: Callable[[str], Any] = same
) -> Callable[[Json, Iterable[str]], None]:
    """Removes entries by what `key` makes of them."""

    def change(spec: Json, values: Iterable[str]) -> None:
        section = section_at(spec, path[:-1])
        gone = [parse(value) for value in values]
        section[path[-1]] = [
            entry for entry in section.get(path[-1]) or [] if key(entry) not in gone
        ]

    return change


def change_capabilities(add: str, drop: str) -> Callable[[Json, Iterable[str]], None]:
    """To add a capability takes it off the list of dropped ones, and the other way round."""

    def change(spec: Json, values: Iterable[str]) -> None:
        container = section_at(spec, CONTAINER)
        wanted, _ = effective_capabilities(values, ())
        kept, _ = effective_capabilities(container.get(add) or [], ())
        others = [name for name in container.get(drop) or [] if name not in wanted]
        both = [name for name in wanted if name in (container.get(drop) or [])]
        container[add] = sorted({*kept, *(name for name in wanted if name not in both)})
        container[drop] = others

    return change


def remove_ports(spec: Json, values: Iterable[str]) -> None:
    """A port goes by its target, in any protocol unless one is given."""
    endpoint = section_at(spec, ("EndpointSpec",))
    gone = [(port["TargetPort"], port["Protocol"] if "/" in value else None) for value in values for port in
            flag_values.parse_publish(value)]  # fmt: skip
    endpoint["Ports"] = [
        port
        for port in endpoint.get("Ports") or []
        if not any(
            port.get("TargetPort") == target and protocol in (None, port.get("Protocol"))
            for target, protocol in gone
        )
    ]


def _host_names(entry: str) -> str:
    address, _, name = entry.partition(" ")
    return f"{name}:{address}"


def remove_hosts(spec: Json, values: Iterable[str]) -> None:
    """A host goes by its name, or by name and address."""
    container = section_at(spec, CONTAINER)
    gone = list(values)
    container["Hosts"] = [
        entry
        for entry in container.get("Hosts") or []
        if _host_names(entry) not in gone and _host_names(entry).partition(":")[0] not in gone
    ]
