"""Containers as JSON: the line of `docker ps` and the whole of `docker inspect`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hivelet.convert.container_config import encode_container_config, encode_host_config
from hivelet.convert.shape import Json, empty_to_none, encode, rfc3339
from hivelet.convert.versions import MAXIMUM, ApiVersion
from hivelet.kit.durations import human_duration
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerState, Health, PortBinding
from hivelet.objects.engine import Container, EndpointSettings
from hivelet.objects.links import shown_links

DNS_NAMES = ApiVersion(1, 44)
"""Since when a container's names in a network are told."""

OWN_ALIASES = ApiVersion(1, 45)
"""Since when aliases are those alone that a user gave."""


def encode_summary(container: Container, now: datetime, version: ApiVersion = MAXIMUM) -> Json:
    """A container as `GET /containers/json` lists it."""
    answer: Json = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": container.image,
        "ImageID": container.image_id,
        "Command": " ".join([container.path, *(_quoted(arg) for arg in container.args)]).strip(),
        "Created": int(container.created.timestamp()),
        "Ports": encode_ports(container),
        "Labels": container.config.labels,
        "State": container.state.status,
        "Status": status_text(container.state, now),
        "HostConfig": {"NetworkMode": container.host_config.network_mode},
        "NetworkSettings": {
            "Networks": {
                # The list leaves out aliases, as Docker's does.
                n: _encode_endpoint(e, container.id, version) | {"Aliases": None}
                for n, e in container.networks.items()
            }
        },
        "Mounts": encode(container.mounts),
    }
    sizes = _sizes(container)
    return answer | {key: size for key, size in sizes.items() if size or key != "SizeRw"}


def encode_container(container: Container, version: ApiVersion = MAXIMUM) -> Json:
    """A container as `GET /containers/{id}/json` answers it."""
    answer: Json = {
        "Id": container.id,
        "Created": rfc3339(container.created),
        "Path": container.path,
        "Args": container.args,
        "State": encode_state(container.state),
        "Image": container.image_id,
        "ResolvConfPath": container.resolv_conf_path,
        "HostnamePath": container.hostname_path,
        "HostsPath": container.hosts_path,
        "LogPath": container.log_path,
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": container.storage_driver,
        "Platform": container.platform,
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": empty_to_none(container.exec_ids),
        "HostConfig": encode_host_config(container.host_config)
        | {"Links": shown_links(container.host_config.links, container.name) or None},
        "GraphDriver": {"Data": container.directories, "Name": container.storage_driver},
        "Mounts": encode(container.mounts),
        "Config": encode_container_config(container.config) | {"Labels": container.config.labels},
        "NetworkSettings": _network_settings(container, version),
    }
    return answer | _sizes(container)


def encode_state(state: ContainerState) -> Json:
    """A container's `State`."""
    answer: Json = {
        "Status": state.status,
        # One that waits for its next start counts as running, for Docker.
        "Running": state.running or state.restarting,
        "Paused": state.paused,
        "Restarting": state.restarting,
        "OOMKilled": state.oom_killed,
        "Dead": state.dead,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": rfc3339(state.started_at),
        "FinishedAt": rfc3339(state.finished_at),
    }
    if state.health is not None:
        answer["Health"] = _encode_health(state.health)
    return answer


def encode_ports(container: Container) -> list[Json]:
    """A container's ports as `docker ps` shows them: one entry for each binding, one for each merely exposed port."""
    ports: list[Json] = []
    for name, bindings in _open_ports(container):
        port, _, protocol = name.partition("/")
        private: Json = {"PrivatePort": int(port), "Type": protocol or "tcp"}
        ports.extend(
            {"IP": b.host_ip or "0.0.0.0", "PublicPort": int(b.host_port)} | private
            for b in bindings
            if b.host_port
        )
        if not bindings:
            ports.append(private)
    return ports


def status_text(state: ContainerState, now: datetime) -> str:
    """What `docker ps` says of a container's state: "Up 3 minutes (healthy)", "Exited (1) 5 seconds ago"."""
    ago = _since(state.finished_at, now)
    if state.running or state.restarting:
        up = f"Up {_since(state.started_at, now)}"
        if state.restarting:
            return f"Restarting ({state.exit_code}) {ago} ago"
        if state.paused:
            return f"{up} (Paused)"
        return up + _health_text(state.health)
    if state.status == "removing":
        return "Removal In Progress"
    if state.dead:
        return "Dead"
    if state.started_at is None:
        return "Created"
    return f"Exited ({state.exit_code}) {ago} ago" if state.finished_at is not None else ""


def _open_ports(container: Container) -> Iterable[tuple[str, list[PortBinding]]]:
    """The ports of a container that runs; another one has none."""
    return container.ports.items() if container.state.running else ()


def _sizes(container: Container) -> Json:
    """Sizes where they were looked up."""
    sizes = {"SizeRw": container.size_rw, "SizeRootFs": container.size_root_fs}
    return {key: size for key, size in sizes.items() if size >= 0}


def _network_settings(container: Container, version: ApiVersion) -> Json:
    default = container.networks.get("bridge", EndpointSettings())
    return {
        "Bridge": "",
        "SandboxID": container.sandbox_id,
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": {name: _encode_bindings(bindings) for name, bindings in _open_ports(container)},
        "SandboxKey": container.sandbox_key,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": default.endpoint_id,
        "Gateway": default.gateway,
        "GlobalIPv6Address": default.global_ipv6_address,
        "GlobalIPv6PrefixLen": default.global_ipv6_prefix_len,
        "IPAddress": default.ip_address,
        "IPPrefixLen": default.ip_prefix_len,
        "IPv6Gateway": default.ipv6_gateway,
        "MacAddress": default.mac_address,
        "Networks": {
            n: _encode_endpoint(e, container.id, version) for n, e in container.networks.items()
        },
    }


def _encode_bindings(bindings: list[PortBinding]) -> list[Json] | None:
    return [{"HostIp": b.host_ip, "HostPort": b.host_port} for b in bindings] or None


def _encode_endpoint(
    endpoint: EndpointSettings, container_id: ContainerId, version: ApiVersion
) -> Json:
    answer: Json = encode(endpoint)
    if version < DNS_NAMES:
        del answer["DNSNames"]
    if version >= OWN_ALIASES:
        answer["Aliases"] = [name for name in endpoint.aliases if name != container_id[:12]]
    wanted = {
        key: address
        for key in ("IPv4Address", "IPv6Address")
        if (address := answer.pop(key.replace("IP", "Ip").replace("Address", "Requested")))
    }
    answer["IPAMConfig"] = wanted or None
    for key in ("Links", "Aliases", "DriverOpts", "DNSNames"):
        if key in answer:
            answer[key] = answer[key] or None
    return answer


def _encode_health(health: Health) -> Json:
    return {
        "Status": health.status,
        "FailingStreak": health.failing_streak,
        "Log": [
            {
                "Start": rfc3339(probe.start),
                "End": rfc3339(probe.end),
                "ExitCode": probe.exit_code,
                "Output": probe.output,
            }
            for probe in health.log
        ],
    }


def _health_text(health: Health | None) -> str:
    if health is None or health.status in {"", "none"}:
        return ""
    return " (health: starting)" if health.status == "starting" else f" ({health.status})"


def _since(moment: datetime | None, now: datetime) -> str:
    return human_duration(0 if moment is None else (now - moment).total_seconds())


def _quoted(argument: str) -> str:
    return f"'{argument}'" if " " in argument else argument
