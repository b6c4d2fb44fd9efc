"""The options of `service create` and `service update` as changes of a service spec, which is the API's JSON. Pure.

Every option is one entry of a table. `create` is a change of an empty spec, so both commands mean the same by an option; what
an update does not mention stays, fields that hivelet does not know among it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, TypeAlias

from hivelet.cli import flag_values
from hivelet.cli.spec_changes import (
    CONTAINER,
    TASK,
    Json,
    add_log_options,
    add_to_list,
    add_to_mapping,
    change_capabilities,
    disable_healthcheck,
    force_update,
    remove_from_list,
    remove_from_mapping,
    remove_hosts,
    remove_ports,
    same,
    section_at,
    set_concurrency,
    set_log_driver,
    set_mode,
    set_replicas,
)
from hivelet.compose.images import with_default_tag
from hivelet.compose.shell_words import split_words
from hivelet.compose.units import parse_cpus, parse_size
from hivelet.errors import InvalidParameter
from hivelet.kit.durations import parse_duration

Given: TypeAlias = Mapping[str, Any]
"""Options by name, `-` as `_`; only those that were given."""

_RESOURCES = (*TASK, "Resources")
_RESTART = (*TASK, "RestartPolicy")
_PLACEMENT = (*TASK, "Placement")
_HEALTH = (*CONTAINER, "Healthcheck")
_DNS = (*CONTAINER, "DNSConfig")


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


def _apply(spec: Json, option: str, value: Any) -> None:
    if option in _VALUES:
        path, convert = _VALUES[option]
        section = section_at(spec, path[:-1])
        section[path[-1]] = convert(value)
    elif option in _CHANGES:
        _CHANGES[option](spec, value)
    else:
        raise ValueError("this option is not known")


def _words(value: Any) -> list[str]:
    return split_words(value) if isinstance(value, str) else list(value)


def _health_command(command: str) -> list[str]:
    return ["CMD-SHELL", command]


_VALUES: Mapping[str, tuple[tuple[str, ...], Callable[[Any], Any]]] = {
    "name": (("Name",), same),
    "image": ((*CONTAINER, "Image"), with_default_tag),
    "args": ((*CONTAINER, "Args"), _words),
    "entrypoint": ((*CONTAINER, "Command"), _words),
    "hostname": ((*CONTAINER, "Hostname"), same),
    "workdir": ((*CONTAINER, "Dir"), same),
    "user": ((*CONTAINER, "User"), same),
    "init": ((*CONTAINER, "Init"), same),
    "stop_signal": ((*CONTAINER, "StopSignal"), same),
    "tty": ((*CONTAINER, "TTY"), same),
    "read_only": ((*CONTAINER, "ReadOnly"), same),
    "isolation": ((*CONTAINER, "Isolation"), same),
    "oom_score_adj": ((*CONTAINER, "OomScoreAdj"), same),
    "stop_grace_period": ((*CONTAINER, "StopGracePeriod"), parse_duration),
    "limit_cpu": ((*_RESOURCES, "Limits", "NanoCPUs"), parse_cpus),
    "limit_memory": ((*_RESOURCES, "Limits", "MemoryBytes"), parse_size),
    "limit_pids": ((*_RESOURCES, "Limits", "Pids"), same),
    "reserve_cpu": ((*_RESOURCES, "Reservations", "NanoCPUs"), parse_cpus),
    "reserve_memory": ((*_RESOURCES, "Reservations", "MemoryBytes"), parse_size),
    "restart_condition": ((*_RESTART, "Condition"), same),
    "restart_delay": ((*_RESTART, "Delay"), parse_duration),
    "restart_max_attempts": ((*_RESTART, "MaxAttempts"), same),
    "restart_window": ((*_RESTART, "Window"), parse_duration),
    "replicas_max_per_node": ((*_PLACEMENT, "MaxReplicas"), same),
    "endpoint_mode": (("EndpointSpec", "Mode"), same),
    "health_cmd": ((*_HEALTH, "Test"), _health_command),
    "health_interval": ((*_HEALTH, "Interval"), parse_duration),
    "health_timeout": ((*_HEALTH, "Timeout"), parse_duration),
    "health_retries": ((*_HEALTH, "Retries"), same),
    "health_start_period": ((*_HEALTH, "StartPeriod"), parse_duration),
    "health_start_interval": ((*_HEALTH, "StartInterval"), parse_duration),
    **{
        f"{option}_{key}": ((section, field), convert)
        for option, section in (("update", "UpdateConfig"), ("rollback", "RollbackConfig"))
        for key, field, convert in (
            ("parallelism", "Parallelism", same),
            ("delay", "Delay", parse_duration),
            ("monitor", "Monitor", parse_duration),
            ("failure_action", "FailureAction", same),
            ("max_failure_ratio", "MaxFailureRatio", same),
            ("order", "Order", same),
        )
    },
}


def _variable_name(entry: str) -> str:
    return entry.partition("=")[0]


def _port_key(port: Json) -> tuple[Any, ...]:
    return (
        port.get("TargetPort"),
        port.get("Protocol", "tcp"),
        port.get("PublishedPort", 0),
        port.get("PublishMode"),
    )


def _file_references(kind: str) -> tuple[Callable[[str], Json], Callable[[Json], Any]]:
    return (lambda text: flag_values.parse_file_reference(text, kind)), (
        lambda entry: (entry.get("File") or {}).get("Name")
    )


_secret, _secret_key = _file_references("Secret")
_config, _config_key = _file_references("Config")
_NETWORKS = (*TASK, "Networks")
_CHANGES: Mapping[str, Callable[[Json, Any], None]] = {
    "mode": set_mode,
    "replicas": set_replicas,
    "max_concurrent": set_concurrency,
    "force": force_update,
    "no_healthcheck": disable_healthcheck,
    "log_driver": set_log_driver,
    "log_opt": add_log_options,
    "label": add_to_mapping(("Labels",)),
    "label_rm": remove_from_mapping(("Labels",)),
    "container_label": add_to_mapping((*CONTAINER, "Labels")),
    "container_label_rm": remove_from_mapping((*CONTAINER, "Labels")),
    "sysctl": add_to_mapping((*CONTAINER, "Sysctls")),
    "sysctl_rm": remove_from_mapping((*CONTAINER, "Sysctls")),
    "env": add_to_list((*CONTAINER, "Env"), key=_variable_name),
    "env_rm": remove_from_list((*CONTAINER, "Env"), key=_variable_name),
    "constraint": add_to_list((*_PLACEMENT, "Constraints")),
    "constraint_rm": remove_from_list((*_PLACEMENT, "Constraints")),
    "placement_pref": add_to_list((*_PLACEMENT, "Preferences"), flag_values.parse_preference, str),
    "placement_pref_rm": remove_from_list(
        (*_PLACEMENT, "Preferences"), same, flag_values.parse_preference
    ),
    "mount": add_to_list(
        (*CONTAINER, "Mounts"), flag_values.parse_mount, lambda mount: mount["Target"]
    ),
    "mount_rm": remove_from_list((*CONTAINER, "Mounts"), lambda mount: mount["Target"]),
    "publish": add_to_list(("EndpointSpec", "Ports"), flag_values.parse_publish, _port_key),
    "publish_rm": remove_ports,
    "network": add_to_list(_NETWORKS, flag_values.parse_network, lambda network: network["Target"]),
    "network_rm": remove_from_list(_NETWORKS, lambda network: network["Target"]),
    "secret": add_to_list((*CONTAINER, "Secrets"), _secret, _secret_key),
    "secret_rm": remove_from_list((*CONTAINER, "Secrets"), lambda entry: entry["SecretName"]),
    "config": add_to_list((*CONTAINER, "Configs"), _config, _config_key),
    "config_rm": remove_from_list((*CONTAINER, "Configs"), lambda entry: entry["ConfigName"]),
    "host": add_to_list((*CONTAINER, "Hosts"), flag_values.parse_host),
    "host_rm": remove_hosts,
    "dns": add_to_list((*_DNS, "Nameservers")),
    "dns_rm": remove_from_list((*_DNS, "Nameservers")),
    "dns_search": add_to_list((*_DNS, "Search")),
    "dns_search_rm": remove_from_list((*_DNS, "Search")),
    "dns_option": add_to_list((*_DNS, "Options")),
    "dns_option_rm": remove_from_list((*_DNS, "Options")),
    "group": add_to_list((*CONTAINER, "Groups")),
    "group_rm": remove_from_list((*CONTAINER, "Groups")),
    "ulimit": add_to_list(
        (*CONTAINER, "Ulimits"), flag_values.parse_ulimit, lambda limit: limit["Name"]
    ),
    "ulimit_rm": remove_from_list((*CONTAINER, "Ulimits"), lambda limit: limit["Name"]),
    "cap_add": change_capabilities("CapabilityAdd", "CapabilityDrop"),
    "cap_drop": change_capabilities("CapabilityDrop", "CapabilityAdd"),
    "generic_resource": add_to_list(
        (*_RESOURCES, "Reservations", "GenericResources"),
        flag_values.parse_generic_resource,
        lambda entry: (entry.get("DiscreteResourceSpec") or {}).get("Kind"),
    ),
    "generic_resource_rm": remove_from_list(
        (*_RESOURCES, "Reservations", "GenericResources"),
        lambda entry: (entry.get("DiscreteResourceSpec") or {}).get("Kind"),
    ),
}
