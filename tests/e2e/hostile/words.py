"""Words that would be something else than a word in a shell, an option, a line of a file, a format, a template or a path."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def words(trace: Path) -> list[str]:
    """Those that would run something make the file `trace`."""
    return [
        "a\nb",
        f"$(touch {trace})",
        "-x",
        "a\0b",
        "a\rserver=198.51.100.1",
        f"`touch {trace}`",
        "--help",
        "%n%s%x",
        f";touch {trace};",
        "{{.}}",
        "../../x",
        "a b",
        f"|touch {trace}",
        '{{template "x"}}',
        "a\nserver=198.51.100.1\n",
        "'\"\\",
        "x" * 70_000,
        "a\u2028b",
        "--config=/etc/passwd",
        "a,b=c:d",
        "\x1b[31m",
    ]


_OWN = {"Labels", "Volumes", "ExposedPorts", "Config", "Tmpfs", "Sysctls", "DriverOpts", "Options"}
"""Fields whose names are the user's."""


def places(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every text in a document; a way that ends in `KEY` leads to a name that users choose."""
    if isinstance(data, str):
        yield at
    elif isinstance(data, list):
        for number, inner in enumerate(data):
            yield from places(inner, (*at, number))
    elif isinstance(data, dict):
        for key, inner in data.items():
            if at and at[-1] in _OWN:
                yield (*at, key, KEY)
            yield from places(inner, (*at, key))


KEY = object()


def replaced(document: dict[str, Any], way: tuple[Any, ...], word: str) -> dict[str, Any]:
    """The document with the word in that place; where `<>` is in it, the word is in its place."""
    changed = copy.deepcopy(document)
    inner: Any = changed
    if way[-1] is KEY:
        for step in way[:-2]:
            inner = inner[step]
        inner[word] = inner.pop(way[-2])
    else:
        for step in way[:-1]:
            inner = inner[step]
        before = inner[way[-1]]
        inner[way[-1]] = before.replace("<>", word) if "<>" in before else word
    return changed


def plain(document: dict[str, Any]) -> Any:
    """The document with a plain word wherever another may be."""
    return json.loads(json.dumps(document).replace("<>", "plain"))


def container(image: str) -> dict[str, Any]:
    """A request for a container with a text in every field that may have one."""
    return {
        "Image": image,
        "Hostname": "box",
        "Domainname": "local",
        "User": "root",
        "Env": ["A=<>"],
        "Cmd": ["/bin/sleep", "1000", "<>"],
        "Entrypoint": ["/bin/env"],
        "WorkingDir": "/<>",
        "StopSignal": "TERM",
        "Labels": {"label": "x"},
        "Volumes": {"/v": {}},
        "ExposedPorts": {"1/tcp": {}},
        "Healthcheck": {"Test": ["CMD-SHELL", "true"]},
        "HostConfig": {
            "Binds": ["<>:/bound", "named:/<>"],
            "Dns": ["192.0.2.1"],
            "DnsSearch": ["local"],
            "DnsOptions": ["ndots:1"],
            "ExtraHosts": ["name:192.0.2.1", "<>:192.0.2.1"],
            "GroupAdd": ["0"],
            "LogConfig": {"Type": "json-file", "Config": {"tag": "x", "labels": "x", "env": "x"}},
            "Runtime": "runc",
            "CgroupParent": "",
            "SecurityOpt": ["no-new-privileges"],
            "CapAdd": ["NET_RAW"],
            "Tmpfs": {"/t": "size=1m"},
            "Sysctls": {"net.ipv4.ip_forward": "1"},
            "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 10}],
            "Mounts": [{"Type": "volume", "Source": "named2", "Target": "/mounted/<>", "VolumeOptions": {"Labels": {"a": "b"}}}],
            "RestartPolicy": {"Name": "no"},
        },
        "NetworkingConfig": {"EndpointsConfig": {"wire": {"Aliases": ["other"], "DriverOpts": {"a": "b"}}}},
    }  # fmt: skip


def service(image: str, network: str, secret: dict[str, str]) -> dict[str, Any]:
    """The same for a service."""
    return {
        "Name": "s",
        "Labels": {"label": "x"},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": image,
                "Hostname": "box",
                "User": "root",
                "Env": ["A=<>"],
                "Command": ["/bin/sleep"],
                "Args": ["1000"],
                "Dir": "/<>",
                "StopSignal": "TERM",
                "Labels": {"label": "x"},
                "Hosts": ["192.0.2.1 name"],
                "DNSConfig": {"Nameservers": ["192.0.2.1"], "Search": ["local"], "Options": ["ndots:1"]},
                "Secrets": [{**secret, "File": {"Name": "x", "UID": "0", "GID": "0", "Mode": 292}}],
                "Sysctls": {"net.ipv4.ip_forward": "1"},
                "Mounts": [{"Type": "volume", "Source": "named3", "Target": "/mounted/<>"}],
            },
            "Networks": [{"Target": network, "Aliases": ["other"]}],
            "Placement": {"Constraints": ["node.role == manager"], "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.a"}}]},
            "LogDriver": {"Name": "json-file", "Options": {"tag": "x", "env": "x"}},
            "RestartPolicy": {"Condition": "none"},
        },
        "Mode": {"Replicated": {"Replicas": 1}},
    }  # fmt: skip


OTHERS: dict[str, dict[str, Any]] = {
    "/networks/create": {
        "Name": "n", "Driver": "bridge", "Options": {"com.docker.network.bridge.name": "x"}, "Labels": {"a": "b"},
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}]},
    },
    "/volumes/create": {
        "Name": "v", "Driver": "local", "DriverOpts": {"type": "tmpfs", "o": "size=1m", "device": "tmpfs"}, "Labels": {"a": "b"},
    },
    "/secrets/create": {"Name": "k", "Labels": {"a": "b"}, "Data": "eA=="},
    "/configs/create": {"Name": "k", "Labels": {"a": "b"}, "Data": "eA=="},
}  # fmt: skip
"""Bodies of what else is made, by its path."""
