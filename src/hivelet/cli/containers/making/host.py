"""What a container may use of its host, and how it is held: options as the `HostConfig` of a request. Pure.

Ports and mounts, which are of the container as well, are in `request`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from hivelet.cli import flag_values
from hivelet.compose.capabilities import whole_name
from hivelet.compose.units import parse_cpus, parse_size, parse_swap
from hivelet.errors import InvalidParameter

Json: TypeAlias = dict[str, Any]
Given: TypeAlias = Mapping[str, Any]
"""Options by name, `-` as `_`."""


def checked(option: str, convert: Callable[[], Any]) -> Any:
    """What `convert` makes of an option.

    Raises:
        InvalidParameter: it is not right; the message names the option.
    """
    try:
        return convert()
    except ValueError as error:
        raise InvalidParameter(f"--{option.replace('_', '-')}: {error}") from error


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
    return dict(checked("restart", lambda: _restart(text)))


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


def host_config(given: Given) -> Json:
    """The `HostConfig`, without ports and mounts.

    Raises:
        InvalidParameter: an option's value is not right, or two contradict each other.
    """
    host: Json = {
        "NetworkMode": "default",
        "MemorySwappiness": -1,
        "RestartPolicy": {"Name": "no"},
        "ConsoleSize": [0, 0],
    }
    for option, (field, convert) in _HOST.items():
        value = given[option]
        if value is not None and value is not False and value != ():
            host[field] = checked(option, lambda c=convert, v=value: c(v))  # type: ignore[misc]
    added, dropped = set(map(whole_name, given["cap_add"])), set(map(whole_name, given["cap_drop"]))
    host["CapAdd"], host["CapDrop"] = sorted(added), sorted(dropped)
    if given["network"]:
        host["NetworkMode"] = checked(
            "network", lambda: str(flag_values.network_fields(given["network"][0])["name"])
        )
    if given["log_driver"] or given["log_opt"]:
        options = checked("log_opt", lambda: _pairs(given["log_opt"]))
        host["LogConfig"] = {"Type": given["log_driver"] or "", "Config": options}
    if host.get("AutoRemove") and host["RestartPolicy"]["Name"] != "no":
        raise InvalidParameter("--rm: conflicting options: cannot specify both --restart and --rm")
    return host
