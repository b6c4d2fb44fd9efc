"""What `run` and `create` ask the daemon for: their options as the body of `POST /containers/create`. Pure.

The bodies are the docker CLI's, option by option (`tests/unit/cli/record_create_requests.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from hivelet.cli import flag_values
from hivelet.cli.containers.making.endpoints import networking
from hivelet.cli.containers.making.host import Given, checked, host_config
from hivelet.compose.ports import Port, parse_port
from hivelet.errors import InvalidParameter
from hivelet.kit.durations import parse_duration

Json: TypeAlias = dict[str, Any]

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
        "HostConfig": host_config(given),
        "NetworkingConfig": checked("network", lambda: networking(given)),
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


_FIELDS = {
    "hostname": "Hostname",
    "domainname": "Domainname",
    "user": "User",
    "workdir": "WorkingDir",
    "stop_signal": "StopSignal",
    "stop_timeout": "StopTimeout",
}


def _set_ports(request: Json, given: Given) -> None:
    published = checked("publish", lambda: [p for text in given["publish"] for p in _port(text)])
    exposed = checked("expose", lambda: [p for text in given["expose"] for p in parse_port(text)])
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
    host["Mounts"] = checked("mount", lambda: [flag_values.parse_mount(m) for m in given["mount"]])
    host["Tmpfs"] = {path: more for path, _, more in (t.partition(":") for t in given["tmpfs"])}


_HEALTH: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "health_interval": ("Interval", parse_duration),
    "health_timeout": ("Timeout", parse_duration),
    "health_start_period": ("StartPeriod", parse_duration),
    "health_start_interval": ("StartInterval", parse_duration),
    "health_retries": ("Retries", int),
}


def _health(given: Given) -> Json:
    health: Json = {}
    for option, (field, convert) in _HEALTH.items():
        if given[option] is not None:
            health[field] = checked(option, lambda c=convert, v=given[option]: c(v))  # type: ignore[misc]
    if given["no_healthcheck"]:
        if health or given["health_cmd"]:
            raise InvalidParameter("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    if given["health_cmd"]:
        health["Test"] = ["CMD-SHELL", given["health_cmd"]]
    return health
