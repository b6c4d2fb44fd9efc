"""Networks of the cluster, as users write and read them. Writes: a network's `spec` (once) and `pending_delete`."""

from __future__ import annotations

from collections.abc import Sequence

from hivelet.errors import Conflict, Forbidden
from hivelet.manager.controlapi.conflicts import PREDEFINED
from hivelet.manager.controlapi.door import Door, require_swarm
from hivelet.manager.controlapi.rpc import failed_precondition, invalid
from hivelet.manager.controlapi.validate import validate_name
from hivelet.network.ipam import check_subnet
from hivelet.network.link_options import read_mtu
from hivelet.network.pools import find_fault, wants_ipv6
from hivelet.objects.common import NetworkId
from hivelet.objects.network import IpamOptions, Network, NetworkSpec
from hivelet.objects.service import Service
from hivelet.store.query import find_one
from hivelet.store.tx import Tx
from hivelet.store.view import View


class NetworksApi(Door):
    """Behind the API's `ClusterNetworksBackend`."""

    async def list_networks(self) -> Sequence[Network]:
        """All networks that are not being removed."""
        return self._read(_shown)

    async def get_network(self, ref: str) -> Network:
        """One network."""
        return self._read(lambda view: find_network(view, ref))

    async def create_network(self, spec: NetworkSpec) -> NetworkId:
        """Validate and store a new network; the allocator gives it what it does not ask for."""
        _validate(spec)
        if wants_ipv6(spec):
            if self._host.without_ipv6:
                raise invalid(f"network {spec.name} wants IPv6: {self._host.without_ipv6}")
            spec = spec.replaced(ipv6_enabled=True)
        asked = [config for config in (spec.ipam or _NO_IPAM).configs if config.subnet]
        # Looked at for the allocator too, which chooses a subnet clear of the routes that there are now.
        host = await self._host.used_subnets()

        def change(tx: Tx) -> Network:
            if tx.by_name(Network, spec.name) is not None:
                raise Conflict(f"network with name {spec.name} already exists")
            if spec.ingress and any(n.spec.ingress for n in _shown(tx)):
                raise Conflict("only one ingress network is possible, and there is one already")
            networks = _used(tx)
            used = networks | {
                subnet: owner for subnet, owner in host.items() if subnet not in networks
            }
            for config in asked:
                check_subnet(config.subnet, used, name=spec.name)
            return tx.create(Network(id=NetworkId(""), spec=spec))

        return (await self._write(change)).id

    async def remove_network(self, ref: str) -> None:
        """Mark a network for removal; for every reader it is gone from now on, its addresses while tasks are in it are not."""

        def change(tx: Tx) -> None:
            network = find_network(tx, ref)
            user = _user_of(tx, network)
            if user is not None and network.spec.ingress:
                raise failed_precondition(
                    f"ingress network cannot be removed because service {user.id} depends on it"
                )
            if user is not None:
                raise failed_precondition(f"network {network.id} is in use by service {user.id}")
            if network.attachments:
                place = network.attachments[0]
                raise failed_precondition(
                    f"network {network.id} is in use by container {place.container_id}"
                )
            tx.update(network.replaced(pending_delete=True))

        await self._write(change)


def find_network(view: View, ref: str) -> Network:
    """The network that `ref` means.

    Raises:
        NotFound, InvalidParameter: in dockerd's words.
    """
    require_swarm(view)
    return find_one("network", ref, _shown(view), lambda network: network.spec.name)


def _shown(view: View) -> list[Network]:
    return [network for network in view.all(Network) if not network.pending_delete]


def _user_of(view: View, network: Network) -> Service | None:
    if network.spec.ingress:
        candidates = [s for s in view.all(Service) if _publishes(s)]
    else:
        candidates = view.services_in_network(network.id, network.spec.name)
    return next((service for service in candidates if not service.pending_delete), None)


def _publishes(service: Service) -> bool:
    spec = service.spec.endpoint_spec
    return spec is not None and any(port.publish_mode == "ingress" for port in spec.ports)


def _used(view: View) -> dict[str, str]:
    return {
        config.subnet: f"network {network.spec.name}"
        for network in view.all(Network)
        for config in (network.ipam or network.spec.ipam or _NO_IPAM).configs
        if config.subnet
    }


_NO_IPAM = IpamOptions()


def _validate(spec: NetworkSpec) -> None:
    if spec.name in PREDEFINED:
        raise Forbidden(f"{spec.name} is a pre-defined network and cannot be created")
    validate_name(spec.name)
    if spec.driver_configuration.name not in {"", "overlay"}:
        raise invalid(f"invalid driver specified: {spec.driver_configuration.name}")
    read_mtu(spec.driver_configuration.options, ipv6=wants_ipv6(spec))
    if spec.ipam is None:
        return
    if spec.ipam.driver.name not in {"", "default"}:
        raise invalid("invalid IPAM specified")
    if fault := find_fault(spec.ipam.configs, overlay=True):
        raise invalid(f"ipam configuration: {fault}")
