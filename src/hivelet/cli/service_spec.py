"""The options of `service create` and `service update` as changes of a service spec, which is the API's JSON. Pure.

Every option is one entry of a table. `create` is a change of an empty spec, so both commands mean the same by an option; what
an update does not mention stays, fields that hivelet does not know among it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, TypeAlias

from hivelet.cli import flag_values
from hivelet.compose.capabilities import effective_capabilities
from hivelet.compose.images import with_default_tag
from hivelet.compose.shell_words import split_words
from hivelet.compose.units import parse_cpus, parse_size
from hivelet.errors import InvalidParameter
from hivelet.kit.durations import parse_duration

Json: TypeAlias = dict[str, Any]
Given: TypeAlias = Mapping[str, Any]
"""Options by name, `-` as `_`; only those that were given."""

_TASK = ("TaskTemplate",)
_CONTAINER = (*_TASK, "ContainerSpec")
_RESOURCES = (*_TASK, "Resources")
_RESTART = (*_TASK, "RestartPolicy")
_PLACEMENT = (*_TASK, "Placement")
_HEALTH = (*_CONTAINER, "Healthcheck")
_DNS = (*_CONTAINER, "DNSConfig")
_UPDATE_DEFAULTS: Json = {
    "Parallelism": 1,
    "FailureAction": "pause",
    "Monitor": 5_000_000_000,
    "MaxFailureRatio": 0,
    "Order": "stop-first",
}


def empty_spec() -> Json:
    """The spec that `service create` starts from."""
    return {
        "Name": "",
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {"Image": ""},
            "Resources": {},
            "Placement": {},
            "ForceUpdate": 0,
        },
        "Mode": {"Replicated": {}},
        "EndpointSpec": {"Mode": "vip"},
    }


def changed_spec(spec: Json, given: Given) -> Json:
    """A copy of `spec` with the options made.

    Raises:
        InvalidParameter: an option's value is not right, or it does not fit the service.
    """
    result = deepcopy(spec)
    for option, value in given.items():
        try:
            _apply(result, option, value)
        except ValueError as error:
            raise InvalidParameter(f"--{option.replace('_', '-')}: {error}") from error
    return result


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


def _apply(spec: Json, option: str, value: Any) -> None:
    if option in _VALUES:
        path, convert = _VALUES[option]
        section = _section(spec, path[:-1])
        section[path[-1]] = convert(value)
    elif option in _CHANGES:
        _CHANGES[option](spec, value)
    else:
        raise ValueError("this option is not known")


def _section(spec: Json, path: Iterable[str]) -> Json:
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


def _same(value: Any) -> Any:
    return value


def _words(value: Any) -> list[str]:
    return split_words(value) if isinstance(value, str) else list(value)


def _health_command(command: str) -> list[str]:
    return ["CMD-SHELL", command]


_VALUES: Mapping[str, tuple[tuple[str, ...], Callable[[Any], Any]]] = {
    "name": (("Name",), _same),
    "image": ((*_CONTAINER, "Image"), with_default_tag),
    "args": ((*_CONTAINER, "Args"), _words),
    "entrypoint": ((*_CONTAINER, "Command"), _words),
    "hostname": ((*_CONTAINER, "Hostname"), _same),
    "workdir": ((*_CONTAINER, "Dir"), _same),
    "user": ((*_CONTAINER, "User"), _same),
    "init": ((*_CONTAINER, "Init"), _same),
    "stop_signal": ((*_CONTAINER, "StopSignal"), _same),
    "tty": ((*_CONTAINER, "TTY"), _same),
    "read_only": ((*_CONTAINER, "ReadOnly"), _same),
    "isolation": ((*_CONTAINER, "Isolation"), _same),
    "oom_score_adj": ((*_CONTAINER, "OomScoreAdj"), _same),
    "stop_grace_period": ((*_CONTAINER, "StopGracePeriod"), parse_duration),
    "limit_cpu": ((*_RESOURCES, "Limits", "NanoCPUs"), parse_cpus),
    "limit_memory": ((*_RESOURCES, "Limits", "MemoryBytes"), parse_size),
    "limit_pids": ((*_RESOURCES, "Limits", "Pids"), _same),
    "reserve_cpu": ((*_RESOURCES, "Reservations", "NanoCPUs"), parse_cpus),
    "reserve_memory": ((*_RESOURCES, "Reservations", "MemoryBytes"), parse_size),
    "restart_condition": ((*_RESTART, "Condition"), _same),
    "restart_delay": ((*_RESTART, "Delay"), parse_duration),
    "restart_max_attempts": ((*_RESTART, "MaxAttempts"), _same),
    "restart_window": ((*_RESTART, "Window"), parse_duration),
    "replicas_max_per_node": ((*_PLACEMENT, "MaxReplicas"), _same),
    "endpoint_mode": (("EndpointSpec", "Mode"), _same),
    "health_cmd": ((*_HEALTH, "Test"), _health_command),
    "health_interval": ((*_HEALTH, "Interval"), parse_duration),
    "health_timeout": ((*_HEALTH, "Timeout"), parse_duration),
    "health_retries": ((*_HEALTH, "Retries"), _same),
    "health_start_period": ((*_HEALTH, "StartPeriod"), parse_duration),
    "health_start_interval": ((*_HEALTH, "StartInterval"), parse_duration),
    **{
        f"{option}_{key}": ((section, field), convert)
        for option, section in (("update", "UpdateConfig"), ("rollback", "RollbackConfig"))
        for key, field, convert in (
            ("parallelism", "Parallelism", _same),
            ("delay", "Delay", parse_duration),
            ("monitor", "Monitor", parse_duration),
            ("failure_action", "FailureAction", _same),
            ("max_failure_ratio", "MaxFailureRatio", _same),
            ("order", "Order", _same),
        )
    },
}


def _set_mode(spec: Json, mode: str) -> None:
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


def _set_concurrency(spec: Json, count: int) -> None:
    job = (spec.get("Mode") or {}).get("ReplicatedJob")
    if job is None:
        raise ValueError("max-concurrent can only be used with replicated-job mode")
    job["MaxConcurrent"] = count


def _force(spec: Json, forced: bool) -> None:
    if forced:
        task = _section(spec, _TASK)
        task["ForceUpdate"] = task.get("ForceUpdate", 0) + 1


def _no_healthcheck(spec: Json, off: bool) -> None:
    if not off:
        return
    health = _section(spec, _CONTAINER).get("Healthcheck") or {}
    if any(health.values()) and health.get("Test") != ["NONE"]:
        raise ValueError("it conflicts with the --health-… options")
    _section(spec, _CONTAINER)["Healthcheck"] = {"Test": ["NONE"]}


def _set_log_driver(spec: Json, name: str) -> None:
    _section(spec, _TASK)["LogDriver"] = {"Name": name}


def _add_log_options(spec: Json, values: Iterable[str]) -> None:
    driver = _section(spec, (*_TASK, "LogDriver"))
    driver["Options"] = {
        **(driver.get("Options") or {}),
        **dict(map(flag_values.parse_key_value, values)),
    }


def _add_to_mapping(path: tuple[str, ...]) -> Callable[[Json, Iterable[str]], None]:
    def change(spec: Json, values: Iterable[str]) -> None:
        section = _section(spec, path[:-1])
        section[path[-1]] = {
            **(section.get(path[-1]) or {}),
            **dict(map(flag_values.parse_key_value, values)),
        }

    return change


def _remove_from_mapping(path: tuple[str, ...]) -> Callable[[Json, Iterable[str]], None]:
    def change(spec: Json, values: Iterable[str]) -> None:
        section = _section(spec, path[:-1])
        kept = section.get(path[-1]) or {}
        section[path[-1]] = {key: value for key, value in kept.items() if key not in set(values)}

    return change


def _add_to_list(
    path: tuple[str, ...], parse: Callable[[str], Any] = _same, key: Callable[[Any], Any] = _same
) -> Callable[[Json, Iterable[str]], None]:
    """Adds entries; one with the key of an entry that is there takes its place."""

    def change(spec: Json, values: Iterable[str]) -> None:
        section = _section(spec, path[:-1])
        entries = {key(entry): entry for entry in section.get(path[-1]) or []}
        for value in values:
            parsed = parse(value)
            for entry in parsed if isinstance(parsed, list) else [parsed]:
                entries[key(entry)] = entry
        section[path[-1]] = list(entries.values())

    return change


def _remove_from_list(
    path: tuple[str, ...], key: Callable[[Any], Any] = _same, parse: Callable[[str], Any] = _same
) -> Callable[[Json, Iterable[str]], None]:
    def change(spec: Json, values: Iterable[str]) -> None:
        section = _section(spec, path[:-1])
        gone = [parse(value) for value in values]
        section[path[-1]] = [
            entry for entry in section.get(path[-1]) or [] if key(entry) not in gone
        ]

    return change


def _variable_name(entry: str) -> str:
    return entry.partition("=")[0]


def _change_capabilities(add: str, drop: str) -> Callable[[Json, Iterable[str]], None]:
    """To add a capability takes it off the list of dropped ones, and the other way round."""

    def change(spec: Json, values: Iterable[str]) -> None:
        container = _section(spec, _CONTAINER)
        wanted, _ = effective_capabilities(values, ())
        kept, _ = effective_capabilities(container.get(add) or [], ())
        others = [name for name in container.get(drop) or [] if name not in wanted]
        both = [name for name in wanted if name in (container.get(drop) or [])]
        container[add] = sorted({*kept, *(name for name in wanted if name not in both)})
        container[drop] = others

    return change


def _port_key(port: Json) -> tuple[Any, ...]:
    return (
        port.get("TargetPort"),
        port.get("Protocol", "tcp"),
        port.get("PublishedPort", 0),
        port.get("PublishMode"),
    )


def _remove_ports(spec: Json, values: Iterable[str]) -> None:
    """A port goes by its target, in any protocol unless one is given."""
    endpoint = _section(spec, ("EndpointSpec",))
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


def _remove_hosts(spec: Json, values: Iterable[str]) -> None:
    """A host goes by its name, or by name and address."""
    container = _section(spec, _CONTAINER)
    gone = list(values)
    container["Hosts"] = [
        entry
        for entry in container.get("Hosts") or []
        if _host_names(entry) not in gone and _host_names(entry).partition(":")[0] not in gone
    ]


def _file_references(kind: str) -> tuple[Callable[[str], Json], Callable[[Json], Any]]:
    return (lambda text: flag_values.parse_file_reference(text, kind)), (
        lambda entry: (entry.get("File") or {}).get("Name")
    )


_secret, _secret_key = _file_references("Secret")
_config, _config_key = _file_references("Config")
_NETWORKS = (*_TASK, "Networks")

_CHANGES: Mapping[str, Callable[[Json, Any], None]] = {
    "mode": _set_mode,
    "replicas": set_replicas,
    "max_concurrent": _set_concurrency,
    "force": _force,
    "no_healthcheck": _no_healthcheck,
    "log_driver": _set_log_driver,
    "log_opt": _add_log_options,
    "label": _add_to_mapping(("Labels",)),
    "label_rm": _remove_from_mapping(("Labels",)),
    "container_label": _add_to_mapping((*_CONTAINER, "Labels")),
    "container_label_rm": _remove_from_mapping((*_CONTAINER, "Labels")),
    "sysctl": _add_to_mapping((*_CONTAINER, "Sysctls")),
    "sysctl_rm": _remove_from_mapping((*_CONTAINER, "Sysctls")),
    "env": _add_to_list((*_CONTAINER, "Env"), key=_variable_name),
    "env_rm": _remove_from_list((*_CONTAINER, "Env"), key=_variable_name),
    "constraint": _add_to_list((*_PLACEMENT, "Constraints")),
    "constraint_rm": _remove_from_list((*_PLACEMENT, "Constraints")),
    "placement_pref": _add_to_list((*_PLACEMENT, "Preferences"), flag_values.parse_preference, str),
    "placement_pref_rm": _remove_from_list(
        (*_PLACEMENT, "Preferences"), _same, flag_values.parse_preference
    ),
    "mount": _add_to_list(
        (*_CONTAINER, "Mounts"), flag_values.parse_mount, lambda mount: mount["Target"]
    ),
    "mount_rm": _remove_from_list((*_CONTAINER, "Mounts"), lambda mount: mount["Target"]),
    "publish": _add_to_list(("EndpointSpec", "Ports"), flag_values.parse_publish, _port_key),
    "publish_rm": _remove_ports,
    "network": _add_to_list(
        _NETWORKS, flag_values.parse_network, lambda network: network["Target"]
    ),
    "network_rm": _remove_from_list(_NETWORKS, lambda network: network["Target"]),
    "secret": _add_to_list((*_CONTAINER, "Secrets"), _secret, _secret_key),
    "secret_rm": _remove_from_list((*_CONTAINER, "Secrets"), lambda entry: entry["SecretName"]),
    "config": _add_to_list((*_CONTAINER, "Configs"), _config, _config_key),
    "config_rm": _remove_from_list((*_CONTAINER, "Configs"), lambda entry: entry["ConfigName"]),
    "host": _add_to_list((*_CONTAINER, "Hosts"), flag_values.parse_host),
    "host_rm": _remove_hosts,
    "dns": _add_to_list((*_DNS, "Nameservers")),
    "dns_rm": _remove_from_list((*_DNS, "Nameservers")),
    "dns_search": _add_to_list((*_DNS, "Search")),
    "dns_search_rm": _remove_from_list((*_DNS, "Search")),
    "dns_option": _add_to_list((*_DNS, "Options")),
    "dns_option_rm": _remove_from_list((*_DNS, "Options")),
    "group": _add_to_list((*_CONTAINER, "Groups")),
    "group_rm": _remove_from_list((*_CONTAINER, "Groups")),
    "ulimit": _add_to_list(
        (*_CONTAINER, "Ulimits"), flag_values.parse_ulimit, lambda limit: limit["Name"]
    ),
    "ulimit_rm": _remove_from_list((*_CONTAINER, "Ulimits"), lambda limit: limit["Name"]),
    "cap_add": _change_capabilities("CapabilityAdd", "CapabilityDrop"),
    "cap_drop": _change_capabilities("CapabilityDrop", "CapabilityAdd"),
    "generic_resource": _add_to_list(
        (*_RESOURCES, "Reservations", "GenericResources"),
        flag_values.parse_generic_resource,
        lambda entry: (entry.get("DiscreteResourceSpec") or {}).get("Kind"),
    ),
    "generic_resource_rm": _remove_from_list(
        (*_RESOURCES, "Reservations", "GenericResources"),
        lambda entry: (entry.get("DiscreteResourceSpec") or {}).get("Kind"),
    ),
}
