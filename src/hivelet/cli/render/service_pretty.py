"""`service inspect --pretty`, as the docker CLI prints it: labels, mode, update state, container, resources, endpoint. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from hivelet.cli.render.human import ago, binary_size
from hivelet.compose.units import format_number
from hivelet.kit.durations import format_duration

Json: TypeAlias = dict[str, Any]


def render_service(service: Json, *, networks: Mapping[str, str], now: datetime) -> str:
    """The whole text; `networks` has the names of ids."""
    spec = service["Spec"]
    task = spec.get("TaskTemplate") or {}
    container = task.get("ContainerSpec") or {}
    lines = ["", f"ID:\t\t{service['ID']}", f"Name:\t\t{spec['Name']}"]
    if spec.get("Labels"):
        lines += ["Labels:", *_named(spec["Labels"], " {}={}", " {}")]
    lines += _mode(spec)
    lines += _update_status(service, now)
    lines += _placement(task)
    for key, title, order in (
        ("UpdateConfig", "UpdateConfig", "Update order:      "),
        ("RollbackConfig", "RollbackConfig", "Rollback order:    "),
    ):
        if spec.get(key) is not None:
            lines += _update_config(spec[key], title, order)
    lines += _container(container)
    lines += _log_driver(task)
    lines += _resources(task)
    names = [networks.get(entry["Target"], entry["Target"]) for entry in task.get("Networks") or []]
    if names:
        lines.append("Networks:" + "".join(f" {name}" for name in names) + " ")
    lines.append(f"Endpoint Mode:\t{(spec.get('EndpointSpec') or {}).get('Mode', '')}")
    lines += _ports(service)
    lines += _backends(service, networks)
    lines += _health(container)
    return "\n".join(lines) + "\n\n"


def _named(mapping: Mapping[str, str], full: str, empty: str) -> Iterator[str]:
    for key, value in sorted(mapping.items()):
        yield full.format(key, value) if value else empty.format(key)


def _mode(spec: Json) -> list[str]:
    mode = spec.get("Mode") or {}
    if mode.get("Global") is not None:
        return ["Service Mode:\tGlobal"]
    if mode.get("Replicated") is not None:
        replicas = mode["Replicated"].get("Replicas")
        return [
            "Service Mode:\tReplicated",
            *([] if replicas is None else [f" Replicas:\t{replicas}"]),
        ]
    return ["Service Mode:"]


def _update_status(service: Json, now: datetime) -> list[str]:
    status = service.get("UpdateStatus") or {}
    if not status.get("State"):
        return []
    lines = ["UpdateStatus:", f" State:\t\t{status['State']}"]
    if status.get("StartedAt"):
        lines.append(f" Started:\t{ago(status['StartedAt'], now)}")
    if status["State"] == "completed" and status.get("CompletedAt"):
        lines.append(f" Completed:\t{ago(status['CompletedAt'], now)}")
    return [*lines, f" Message:\t{status.get('Message', '')}"]


def _placement(task: Json) -> list[str]:
    placement = task.get("Placement") or {}
    lines = ["Placement:"]
    if placement.get("Constraints"):
        lines.append(f" Constraints:\t[{' '.join(placement['Constraints'])}]")
    spread = [
        f"spread={entry['Spread']['SpreadDescriptor']}"
        for entry in placement.get("Preferences") or []
        if entry.get("Spread")
    ]
    if spread:
        lines.append(f" Preferences:   [{' '.join(spread)}]")
    if placement.get("MaxReplicas"):
        lines.append(f" Max Replicas Per Node:   {placement['MaxReplicas']}")
    return lines


def _update_config(config: Json, title: str, order: str) -> list[str]:
    lines = [f"{title}:", f" Parallelism:\t{config.get('Parallelism', 0)}"]
    if config.get("Delay"):
        lines.append(f" Delay:\t\t{format_duration(config['Delay'])}")
    lines.append(f" On failure:\t{config.get('FailureAction', '')}")
    if config.get("Monitor"):
        lines.append(f" Monitoring Period: {format_duration(config['Monitor'])}")
    lines.append(f" Max failure ratio: {format_number(config.get('MaxFailureRatio', 0))}")
    return [*lines, f" {order}{config.get('Order', '')}"]


def _container(container: Json) -> list[str]:
    lines = ["ContainerSpec:", f" Image:\t\t{container.get('Image', '')}"]
    for key, title in (("Args", "Args"), ("Env", "Env")):
        if container.get(key):
            lines.append(f" {title}:\t\t" + "".join(f"{item} " for item in container[key]))
    if container.get("Dir"):
        lines.append(f" Dir:\t\t{container['Dir']}")
    if container.get("Init") is not None:
        lines.append(f" Init:\t\t{str(container['Init']).lower()}")
    if container.get("User"):
        lines.append(f" User: {container['User']}")
    added, dropped = container.get("CapabilityAdd"), container.get("CapabilityDrop")
    if added or dropped:
        lines.append("Capabilities:")
        lines += [f" Add: {', '.join(added)}"] if added else []
        lines += [f" Drop: {', '.join(dropped)}"] if dropped else []
    if container.get("Sysctls"):
        lines += ["SysCtls:", *_named(container["Sysctls"], " {}: {}", " {}")]
    if container.get("Ulimits"):
        lines += [
            "Ulimits:",
            *(
                f" {u['Name']}: {u.get('Soft', 0)}:{u.get('Hard', 0)}"
                for u in _by_name(container["Ulimits"])
            ),
        ]
    return lines + _mounts(container) + _files(container)


def _by_name(entries: list[Json]) -> list[Json]:
    return sorted(entries, key=lambda entry: str(entry["Name"]))


def _mounts(container: Json) -> list[str]:
    mounts = container.get("Mounts") or []
    lines = ["Mounts:"] if mounts else []
    for mount in mounts:
        lines += [
            f" Target:\t{mount.get('Target', '')}",
            f"  Source:\t{mount.get('Source', '')}",
            f"  ReadOnly:\t{str(mount.get('ReadOnly', False)).lower()}",
            f"  Type:\t\t{mount.get('Type', '')}",
        ]
    return lines


def _files(container: Json) -> list[str]:
    lines: list[str] = []
    for key, name in (("Configs", "ConfigName"), ("Secrets", "SecretName")):
        if container.get(key):
            lines.append(f"{key}:")
            for reference in container[key]:
                lines += [
                    f" Target:\t{(reference.get('File') or {}).get('Name', '')}",
                    f"  Source:\t{reference[name]}",
                ]
    return lines


def _log_driver(task: Json) -> list[str]:
    driver = task.get("LogDriver")
    if driver is None:
        return []
    lines = ["Log Driver:"]
    if driver.get("Name"):
        lines.append(f" Name:\t\t{driver['Name']}")
    if driver.get("Options"):
        lines += [" LogOpts:", *_named(driver["Options"], "  {}:       {}", "  {}")]
    return [*lines, ""]


def _resources(task: Json) -> list[str]:
    resources = task.get("Resources")
    if resources is None:
        return []
    lines = ["Resources:"]
    for key, title in (("Reservations", "Reservations"), ("Limits", "Limits")):
        part = resources.get(key) or {}
        if (
            part.get("NanoCPUs")
            or part.get("MemoryBytes")
            or (key == "Limits" and part.get("Pids"))
        ):
            lines.append(f" {title}:")
            if part.get("NanoCPUs"):
                lines.append(f"  CPU:\t\t{format_number(part['NanoCPUs'] / 1_000_000_000)}")
            if part.get("MemoryBytes"):
                lines.append(f"  Memory:\t{binary_size(part['MemoryBytes'])}")
    pids = (resources.get("Limits") or {}).get("Pids", 0)
    return [*lines, *([f"  PIDs:\t\t{pids}"] if pids else [])]


def _backends(service: Json, networks: Mapping[str, str]) -> list[str]:
    """Virtual addresses, and who is behind them; a real Docker Engine does not tell of the latter, and is not asked for the former."""
    if "Backends" not in service:
        return []
    lines = []
    vips = (service.get("Endpoint") or {}).get("VirtualIPs") or []
    if vips:
        lines.append("Virtual IPs:")
        lines += [
            f" {networks.get(v['NetworkID'], v['NetworkID'])}\t{v['Addr']}"
            for v in vips
            if v["Addr"]
        ]
    if service["Backends"]:
        lines.append("Backends:")
    for backend in service["Backends"]:
        busy, idle = backend["Connections"]["Busy"], backend["Connections"]["Idle"]
        where = ", ".join(a["Addr"].partition("/")[0] for a in backend["Addresses"])
        told = f" {backend['State']:<8}  {backend['Name']}  {where}  {busy} busy, {idle} idle connections"
        lines.append(told + (f"  ({backend['Err']})" if backend.get("Err") else ""))
    return lines


def _ports(service: Json) -> list[str]:
    ports = (service.get("Endpoint") or {}).get("Ports") or []
    if not ports:
        return []
    lines = ["Ports:"]
    for port in ports:
        lines += [
            f" PublishedPort = {port.get('PublishedPort', 0)}",
            f"  Protocol = {port.get('Protocol', '')}",
            f"  TargetPort = {port.get('TargetPort', 0)}",
            f"  PublishMode = {port.get('PublishMode', '')}",
        ]
        if host := port.get("HostIP"):
            lines.append(f"  HostIP = {host}")
    lines[-1] += " "
    return lines


def _health(container: Json) -> list[str]:
    health = container.get("Healthcheck")
    if health is None:
        return []
    lines = [
        " Healthcheck:",
        f"  Interval = {format_duration(health.get('Interval', 0))}",
        f"  Retries = {health.get('Retries', 0)}",
        f"  StartPeriod =\t{format_duration(health.get('StartPeriod', 0))}",
        f"  Timeout =\t{format_duration(health.get('Timeout', 0))}",
    ]
    tests = [f"\t Test = {test}" for test in health.get("Test") or []]
    if tests:
        tests[-1] += " "
        lines += ["  Tests:", *tests]
    return lines
