"""The networks of the stack: those it creates, those it needs, and how its services join them."""

from __future__ import annotations

from typing import Any

from hivelet.compose import model
from hivelet.compose.names import scoped, with_stack_label
from hivelet.objects.network import NetworkAttachmentConfig

_DEFAULT_NETWORK = "default"
_PREDEFINED = frozenset({"", "default", "bridge", "host", "none"})


def used_networks(file: model.StackFile) -> list[str]:
    """The networks that services join, by their names in the file and in its order."""
    names: dict[str, None] = {}
    for service in file.services.values():
        names.update(dict.fromkeys(service.networks or {_DEFAULT_NETWORK: None}))
    return list(names)


def external_networks(file: model.StackFile) -> list[str]:
    """The names of networks that must exist before the stack is deployed."""
    declared = [file.networks[name] for name in used_networks(file) if name in file.networks]
    return [network.name for network in declared if network.external]


def network_requests(stack: str, file: model.StackFile) -> list[dict[str, Any]]:
    """The body of `POST /networks/create` for each network that the stack creates."""
    requests: list[dict[str, Any]] = []
    for name in used_networks(file):
        network = file.networks.get(name, model.NetworkFile())
        if network.external:
            continue
        request: dict[str, Any] = {
            "Name": network.name or scoped(stack, name),
            "Driver": network.driver or "overlay",
            "Labels": with_stack_label(stack, network.labels),
        }
        optional = {
            "Internal": network.internal,
            "Attachable": network.attachable,
            "EnableIPv6": network.enable_ipv6,
            "Options": network.driver_opts,
            "IPAM": _ipam(network.ipam),
        }
        requests.append(request | {key: value for key, value in optional.items() if value})
    return requests


def service_networks(
    stack: str, name: str, service: model.ServiceFile, file: model.StackFile
) -> list[NetworkAttachmentConfig]:
    """Every network with the service's name as an alias, so that it is known by it within the stack."""
    attachments: list[NetworkAttachmentConfig] = []
    for network, use in (service.networks or {_DEFAULT_NETWORK: None}).items():
        declared = file.networks.get(network, model.NetworkFile())
        target = declared.name or scoped(stack, network)
        use = use or model.ServiceNetwork()
        own = [] if target in _PREDEFINED or target.startswith("container:") else [name]
        attachments.append(
            NetworkAttachmentConfig(
                target=target, aliases=[*use.aliases, *own], driver_opts=use.driver_opts
            )
        )
    return sorted(attachments, key=lambda attachment: attachment.target)


def _ipam(ipam: model.Ipam) -> dict[str, Any]:
    if not (ipam.driver or ipam.config or ipam.options):
        return {}
    pools = [
        {
            key: value
            for key, value in {
                "Subnet": pool.subnet,
                "IPRange": pool.ip_range,
                "Gateway": pool.gateway,
                "AuxiliaryAddresses": pool.aux_addresses,
            }.items()
            if value
        }
        for pool in ipam.config
    ]
    request: dict[str, Any] = {"Driver": ipam.driver} | ({"Config": pools} if pools else {})
    return request | ({"Options": ipam.options} if ipam.options else {})
