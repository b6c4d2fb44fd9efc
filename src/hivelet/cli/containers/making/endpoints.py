"""How a container is to be in its networks: `--network` in both forms, and the options that go with the first one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from hivelet.cli.flag_values import network_fields, parse_key_value

Json: TypeAlias = dict[str, Any]

_PREDEFINED = frozenset({"", "default", "bridge", "host", "none"})


def networking(given: Mapping[str, Any]) -> Json:
    """The `NetworkingConfig` of a request.

    Raises:
        ValueError: the options contradict each other.
    """
    wanted = [network_fields(text) for text in given["network"]] or [{"name": "default"}]
    wanted[0] = _with_options(wanted[0], given)
    names = [str(each["name"]) for each in wanted]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'network "{name}" is specified multiple times')
        if len(names) > 1 and (name in {"host", "none"} or name.startswith("container:")):
            raise ValueError(f"conflicting options: {name} cannot be combined with other networks")
    endpoints = {
        name: endpoint_settings(each)
        for name, each in zip(names, wanted, strict=True)
        if name not in {"host", "none"} and not name.startswith("container:")
    }
    return {"EndpointsConfig": endpoints}


def _with_options(first: Json, given: Mapping[str, Any]) -> Json:
    """The first network with what is said of it by options of their own."""
    name = str(first["name"])
    merged = dict(first)
    if given["network_alias"] and name in _PREDEFINED:
        raise ValueError(
            "network-scoped aliases are only supported for user-defined networks: name one with --network"
        )
    for option, key in (("ip", "ip"), ("ip6", "ip6"), ("mac_address", "mac-address")):
        if given[option]:
            if first.get(key):
                raise ValueError(
                    f"conflicting options: cannot specify both --{option.replace('_', '-')} and per-network {key}"
                )
            merged[key] = given[option]
    for option, key in (("network_alias", "alias"), ("link_local_ip", "link-local-ip")):
        merged[key] = [*first.get(key, []), *given[option]]
    if name not in _PREDEFINED and not name.startswith("container:"):
        merged["link"] = list(given["link"])
    return merged


def endpoint_settings(fields: Json) -> Json:
    """How a container is in one network.

    Raises:
        ValueError: an option of the driver has no name.
    """
    addresses: Json = {}
    for key, field in (("ip", "IPv4Address"), ("ip6", "IPv6Address")):
        if fields.get(key):
            addresses[field] = fields[key]
    if fields.get("link-local-ip"):
        addresses["LinkLocalIPs"] = fields["link-local-ip"]
    found: Json = {
        "Aliases": fields.get("alias"),
        "Links": fields.get("link"),
        "MacAddress": fields.get("mac-address"),
        "DriverOpts": dict(map(parse_key_value, fields.get("driver-opt", []))),
        "IPAMConfig": addresses,
        "GwPriority": int(fields.get("gw-priority", 0)),
    }
    return {name: value for name, value in found.items() if value}
