"""What `run` and `create` ask the daemon for: their options as the body of `POST /containers/create`. Pure.

The bodies are the docker CLI's, option by option (`tests/unit/cli/record_create_requests.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from hivelet.cli import flag_values
from hivelet.cli.containers.endpoints import networking
from hivelet.compose.capabilities import whole_name
from hivelet.compose.ports import Port, parse_port
from hivelet.compose.units import parse_cpus, parse_size, parse_swap
from hivelet.errors import InvalidParameter
from hivelet.kit.durations import parse_duration

Json: TypeAlias = dict[str, Any]
Given: TypeAlias = Mapping[str, Any]
"""Options by name, `-` as `_`."""

_STREAMS = ("stdin", "stdout", "stderr")


def create_request(
    given: Given, image: str, command: Sequence[str], env: Sequence[str], labels: Mapping[str, str]
) -> Json:
    """The body.

    Raises:
        InvalidParameter: an option's value is not right; the message names the option.
    """
    streams = attached(given)
    request: Json = {
        "Image": image,
        "Cmd": list(command),
        "Env": list(env),
        "Labels": dict(labels),
        "AttachStdin": "stdin" in streams,
        "AttachStdout": "stdout" in streams,
        "AttachStderr": "stderr" in streams,
        "Tty": given["tty"],
        "OpenStdin": given["interactive"],
        "StdinOnce": given["interactive"] and "stdin" in streams,
        "HostConfig": _host(given),
        "NetworkingConfig": _checked("network", lambda: networking(given)),
    }
    for option, field in _FIELDS.items():
        if given[option] is not None:
            request[field] = given[option]
    if given["entrypoint"] is not None:
        # An empty one takes the image's away.
        request["Entrypoint"] = [given["entrypoint"]]
    _set_ports(request, given)
    _set_volumes(request, given)
    health = _health(given)
    if health:
        request["Healthcheck"] = health
    return request


def attached(given: Given) -> set[str]:
    """The streams that somebody here reads and writes.

    Raises:
        InvalidParameter: there is no such stream.
    """
    if given.get("detach"):
        return set()
    names = {name.lower() for name in given["attach"]}
    if names - set(_STREAMS):
        raise InvalidParameter("--attach: valid streams are STDIN, STDOUT and STDERR")
    if names:
        return names
    return {"stdout", "stderr", *(["stdin"] if given["interactive"] else [])}


def _checked(option: str, convert: Callable[[], Any]) -> Any:
    try:
        return convert()
    except ValueError as error:
        raise InvalidParameter(f"--{option.replace('_', '-')}: {error}") from error


_FIELDS = {
    "hostname": "Hostname",
    "domainname": "Domainname",
    "user": "User",
    "workdir": "WorkingDir",
    "stop_signal": "StopSignal",
    "stop_timeout": "StopTimeout",
}


def _same(value: Any) -> Any:
    return value


def _pairs(values: Iterable[str]) -> dict[str, str]:
    return dict(map(flag_values.parse_key_value, values))


def _each(convert: Callable[[str], Any]) -> Callable[[Iterable[str]], list[Any]]:
    return lambda values: [convert(value) for value in values]


def restart_policy(text: str) -> Json:
    """The policy of `--restart`.

    Raises:
        InvalidParameter: it is none.
    """
    return dict(_checked("restart", lambda: _restart(text)))


def _restart(text: str) -> Json:
    name, colon, count = text.partition(":")
    if colon and (name != "on-failure" or not count.isdecimal()):
        raise ValueError(f'"{text}" is no restart policy; a number of restarts is of on-failure:5')
    return {"Name": name or "no", "MaximumRetryCount": int(count or 0)}


def _device(text: str) -> Json:
    outside, _, rest = text.partition(":")
    inside, _, rights = rest.partition(":")
    if inside and not rights and set(inside) <= set("rwm"):
        inside, rights = "", inside
    if set(rights) - set("rwm"):
        raise ValueError(f'"{text}": the rights are of r, w and m')
    return {
        "PathOnHost": outside,
        "PathInContainer": inside or outside,
        "CgroupPermissions": rights or "rwm",
    }


def _rate(field: str, convert: Callable[[str], int]) -> Callable[[str], Json]:
    def parse(text: str) -> Json:
        path, colon, value = text.rpartition(":")
        if not colon or not path.startswith("/dev/"):
            raise ValueError(f'"{text}" is not of the form /dev/NAME:{field.upper()}')
        return {"Path": path, field: convert(value)}

    return parse


def _host_line(text: str) -> str:
    name, sign, address = text.partition("=") if "=" in text else text.partition(":")
    if not name or not sign or not address:
        raise ValueError(f'"{text}" is not a host; write it like name:192.0.2.1')
    return f"{name}:{address.strip('[]')}"


def _gpus(text: str) -> list[Json]:
    if text == "all" or text.lstrip("-").isdecimal():
        return [{"Count": -1 if text == "all" else int(text), "Capabilities": [["gpu"]]}]
    known = {key: key for key in ("count", "device", "driver", "capabilities", "options")}
    request: Json = {}
    capabilities: list[str] = []
    for key, value in flag_values.parse_pairs(text, known):
        match key:
            case "count":
                request["Count"] = -1 if value == "all" else int(value)
            case "device":
                request["DeviceIDs"] = value.split(",")
            case "driver":
                request["Driver"] = value
            case "options":
                request["Options"] = _pairs(value.split(","))
            case _:
                capabilities += value.split(",")
    if not {"Count", "DeviceIDs"} & set(request):
        request["Count"] = 1
    return [{**request, "Capabilities": [[*capabilities, *(["gpu"] if "gpu" not in capabilities else [])]]}]  # fmt: skip


_HOST: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "memory": ("Memory", parse_size),
    "memory_swap": ("MemorySwap", parse_swap),
    "memory_reservation": ("MemoryReservation", parse_size),
    "kernel_memory": ("KernelMemory", parse_size),
    "memory_swappiness": ("MemorySwappiness", _same),
    "cpus": ("NanoCpus", parse_cpus),
    "cpu_shares": ("CpuShares", _same),
    "cpu_period": ("CpuPeriod", _same),
    "cpu_quota": ("CpuQuota", _same),
    "cpu_rt_period": ("CpuRealtimePeriod", _same),
    "cpu_rt_runtime": ("CpuRealtimeRuntime", _same),
    "cpuset_cpus": ("CpusetCpus", _same),
    "cpuset_mems": ("CpusetMems", _same),
    "blkio_weight": ("BlkioWeight", _same),
    "blkio_weight_device": ("BlkioWeightDevice", _each(_rate("Weight", int))),
    "device_read_bps": ("BlkioDeviceReadBps", _each(_rate("Rate", parse_size))),
    "device_write_bps": ("BlkioDeviceWriteBps", _each(_rate("Rate", parse_size))),
    "device_read_iops": ("BlkioDeviceReadIOps", _each(_rate("Rate", int))),
    "device_write_iops": ("BlkioDeviceWriteIOps", _each(_rate("Rate", int))),
    "pids_limit": ("PidsLimit", _same),
    "oom_score_adj": ("OomScoreAdj", _same),
    "oom_kill_disable": ("OomKillDisable", _same),
    "shm_size": ("ShmSize", parse_size),
    "runtime": ("Runtime", _same),
    "ipc": ("IpcMode", _same),
    "pid": ("PidMode", _same),
    "uts": ("UTSMode", _same),
    "userns": ("UsernsMode", _same),
    "cgroupns": ("CgroupnsMode", _same),
    "isolation": ("Isolation", _same),
    "cgroup_parent": ("CgroupParent", _same),
    "volume_driver": ("VolumeDriver", _same),
    "volumes_from": ("VolumesFrom", list),
    "link": ("Links", list),
    "dns": ("Dns", list),
    "dns_option": ("DnsOptions", list),
    "dns_search": ("DnsSearch", list),
    "add_host": ("ExtraHosts", _each(_host_line)),
    "device": ("Devices", _each(_device)),
    "device_cgroup_rule": ("DeviceCgroupRules", list),
    "group_add": ("GroupAdd", list),
    "security_opt": ("SecurityOpt", list),
    "ulimit": ("Ulimits", _each(flag_values.parse_ulimit)),
    "sysctl": ("Sysctls", _pairs),
    "storage_opt": ("StorageOpt", _pairs),
    "annotation": ("Annotations", _pairs),
    "restart": ("RestartPolicy", _restart),
    "gpus": ("DeviceRequests", _gpus),
    "init": ("Init", _same),
    "privileged": ("Privileged", _same),
    "read_only": ("ReadonlyRootfs", _same),
    "rm": ("AutoRemove", _same),
    "publish_all": ("PublishAllPorts", _same),
}


def _host(given: Given) -> Json:
    host: Json = {
        "NetworkMode": "default",
        "MemorySwappiness": -1,
        "RestartPolicy": {"Name": "no"},
        "ConsoleSize": [0, 0],
    }
    for option, (field, convert) in _HOST.items():
        value = given[option]
        if value is not None and value is not False and value != ():
            host[field] = _checked(option, lambda c=convert, v=value: c(v))  # type: ignore[misc]
    added, dropped = set(map(whole_name, given["cap_add"])), set(map(whole_name, given["cap_drop"]))
    host["CapAdd"], host["CapDrop"] = sorted(added), sorted(dropped)
    if given["network"]:
        host["NetworkMode"] = _checked(
            "network", lambda: str(flag_values.network_fields(given["network"][0])["name"])
        )
    if given["log_driver"] or given["log_opt"]:
        options = _checked("log_opt", lambda: _pairs(given["log_opt"]))
        host["LogConfig"] = {"Type": given["log_driver"] or "", "Config": options}
    if host.get("AutoRemove") and host["RestartPolicy"]["Name"] != "no":
        raise InvalidParameter("--rm: conflicting options: cannot specify both --restart and --rm")
    return host


def _set_ports(request: Json, given: Given) -> None:
    published = _checked("publish", lambda: [p for text in given["publish"] for p in _port(text)])
    exposed = _checked("expose", lambda: [p for text in given["expose"] for p in parse_port(text)])
    request["ExposedPorts"] = {f"{p.target}/{p.protocol}": {} for p in (*exposed, *published)}
    bindings: dict[str, list[Json]] = {}
    for port in published:
        outside = {"HostIp": port.host_ip, "HostPort": str(port.published or "")}
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(outside)
    request["HostConfig"]["PortBindings"] = bindings


def _port(text: str) -> tuple[Port, ...]:
    """The short form, or `target=80,published=8080,protocol=udp`."""
    if "=" not in text:
        return parse_port(text)
    keys = {key: key for key in ("target", "published", "protocol", "mode")}
    fields = dict(flag_values.parse_pairs(text, keys))
    if "target" not in fields:
        raise ValueError(f'"{text}": the key "target" is missing')
    return parse_port(
        f"{fields.get('published', '')}:{fields['target']}/{fields.get('protocol', 'tcp')}".lstrip(":")
    )  # fmt: skip


def _set_volumes(request: Json, given: Given) -> None:
    binds: list[str] = []
    anonymous: Json = {}
    for text in given["volume"]:
        source, colon, rest = text.partition(":")
        if not colon:
            anonymous[text] = {}
        elif source == "." or source.startswith(("./", "../", "~/")):
            binds.append(f"{os.path.abspath(os.path.expanduser(source))}:{rest}")
        else:
            binds.append(text)
    request["Volumes"] = anonymous
    host = request["HostConfig"]
    host["Binds"] = binds
    host["Mounts"] = _checked("mount", lambda: [flag_values.parse_mount(m) for m in given["mount"]])
    host["Tmpfs"] = {path: more for path, _, more in (t.partition(":") for t in given["tmpfs"])}


_HEALTH: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "health_interval": ("Interval", parse_duration),
    "health_timeout": ("Timeout", parse_duration),
    "health_start_period": ("StartPeriod", parse_duration),
    "health_start_interval": ("StartInterval", parse_duration),
    "health_retries": ("Retries", _same),
}


def _health(given: Given) -> Json:
    health: Json = {}
    for option, (field, convert) in _HEALTH.items():
        if given[option] is not None:
            health[field] = _checked(option, lambda c=convert, v=given[option]: c(v))  # type: ignore[misc]
    if given["no_healthcheck"]:
        if health or given["health_cmd"]:
            raise InvalidParameter("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    if given["health_cmd"]:
        health["Test"] = ["CMD-SHELL", given["health_cmd"]]
    return health
