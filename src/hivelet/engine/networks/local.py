"""Networks that only this node has: `bridge`, `host`, `none`, `docker_gwbridge` and bridges that the user made.

Overlay networks belong to the cluster store; here is what `docker network ls` shows with scope local.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from hivelet.engine.database import Database
from hivelet.engine.events import EventBus
from hivelet.errors import Conflict, Forbidden, InvalidParameter, NotFound
from hivelet.kit.clock import Clock
from hivelet.kit.ids import new_hex_id
from hivelet.network.link_options import read_bridge_name, read_host_binding, read_mtu
from hivelet.network.pools import asked_pools, complete_pool, find_fault, ula_pools
from hivelet.objects.common import Annotations, Driver, NetworkId, Struct
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.network import IpamConfig, NetworkSpec

GATEWAY_BRIDGE = "docker_gwbridge"
"""The network that is every task's way out; Docker's name for it."""

PREDEFINED = ("bridge", "host", "none")
"""Networks that every engine has and nobody can remove."""

LOCAL_POOLS = tuple(
    [(f"172.{second}.0.0/16", 16) for second in range(17, 32)] + [("192.168.0.0/16", 20)]
)
"""Docker's default address pools for local networks: base and size (moby `daemon/networks`, `ipamutils`)."""

_BRIDGE = "com.docker.network.bridge."


class LocalNetwork(Struct, frozen=True, kw_only=True):
    """A network of this node. `pool` is the subnet in use, whether asked for or chosen; `pool6` that of IPv6, if any."""

    id: NetworkId
    name: str
    created_at: datetime
    driver: str = "bridge"
    pool: IpamConfig = IpamConfig()
    pool6: IpamConfig = IpamConfig()
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    internal: bool = False
    attachable: bool = False
    chosen: bool = False
    """Whether hivelet chose the subnet: then members have no say in their addresses, which another network may get."""
    automatic: bool = False
    """Made by hivelet itself, so it goes when hivelet has no more use for it."""

    @property
    def bridge(self) -> BridgeNetwork:
        """The network as the data plane builds it.

        Raises:
            InvalidParameter: an option cannot be: `create` refuses it, but an earlier hivelet may not have.
        """
        return BridgeNetwork(
            id=self.id,
            name=self.name,
            kind="gateway" if self.name == GATEWAY_BRIDGE else "bridge",
            subnet=self.pool.subnet,
            gateway=self.pool.gateway,
            subnet6=self.pool6.subnet,
            gateway6=self.pool6.gateway,
            bridge=read_bridge_name(self.options),
            internal=self.internal,
            icc=self.options.get(_BRIDGE + "enable_icc", "true").lower() != "false",
            masquerade=self.options.get(_BRIDGE + "enable_ip_masquerade", "true").lower()
            != "false",
            mtu=read_mtu(self.options, ipv6=bool(self.pool6.subnet)),
            host_binding=read_host_binding(self.options),
            ip_range=self.pool.ip_range,
            ip_range6=self.pool6.ip_range,
            reserved=[
                *self.pool.auxiliary_addresses.values(),
                *self.pool6.auxiliary_addresses.values(),
            ],
        )


class HostAddresses(Protocol):
    """What is asked of the network plane."""

    @property
    def without_ipv6(self) -> str:
        """Why networks can't have IPv6 on this host; "" where they can."""
        ...

    async def used_subnets(self) -> Mapping[str, str]:
        """What is taken on this host, by anybody."""
        ...


class LocalNetworks:
    """The node's own networks. `host` tells what addresses there can be."""

    def __init__(
        self,
        database: Database,
        events: EventBus,
        clock: Clock,
        host: HostAddresses,
    ) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._host = host
        self._making = asyncio.Lock()
        self._networks = {n.id: n for n in database.load("network", LocalNetwork)}
        for name in PREDEFINED:
            if self._named(name) is None:
                driver = {"none": "null"}.get(name, name)
                network = LocalNetwork(
                    id=NetworkId(new_hex_id()), name=name, driver=driver, created_at=clock.now()
                )
                self._networks[network.id] = network
                database.note("network", network.id, network)

    def list(self) -> list[LocalNetwork]:
        """All local networks, by name."""
        return sorted(self._networks.values(), key=lambda network: network.name)

    def find(self, reference: str) -> LocalNetwork | None:
        """The network of that name, id or unambiguous beginning of an id; None if there is none."""
        exact = self._named(reference) or self._networks.get(NetworkId(reference))
        if exact is not None:
            return exact
        near = [n for n in self._networks.values() if reference and n.id.startswith(reference)]
        return near[0] if len(near) == 1 else None

    async def create(self, spec: NetworkSpec, *, automatic: bool = False) -> LocalNetwork:
        """Make a bridge network, as `docker network create` does.

        Raises:
            NotFound: no such driver.
            InvalidParameter: addresses or options that cannot be.
            Conflict: the name, or the bridge's, is taken, or the subnet overlaps with one in use.
        """
        # One at a time: names and subnets are looked up, and taken when the network is on the disk.
        async with self._making:
            return await self._create(spec, automatic=automatic)

    async def _create(self, spec: NetworkSpec, *, automatic: bool) -> LocalNetwork:
        driver = spec.driver_configuration.name or "bridge"
        if driver != "bridge":
            raise NotFound(
                f'plugin "{driver}" not found: hivelet has the drivers "bridge" and "overlay"'
            )
        if self._named(spec.name) is not None:
            raise Conflict(f"network with name {spec.name} already exists")
        if spec.name in ("", "default", "container"):
            raise InvalidParameter(f'"{spec.name}" cannot be the name of a network')
        self._check_bridge_name(spec)
        pool, pool6 = await self._pools(spec)
        network = LocalNetwork(
            id=NetworkId(new_hex_id()),
            name=spec.name,
            driver=driver,
            created_at=self._clock.now(),
            pool=pool,
            pool6=pool6,
            options=spec.driver_configuration.options,
            labels=spec.annotations.labels,
            internal=spec.internal,
            attachable=spec.attachable,
            chosen=not any(pool.subnet for pool in asked_pools(spec) if pool is not None),
            automatic=automatic,
        )
        _ = network.bridge  # what cannot be built is refused before it is remembered
        await self._put(network)
        self._events.publish(
            "network", "create", network.id, {"name": network.name, "type": driver}
        )
        return network

    async def ensure_gateway_bridge(self) -> LocalNetwork:
        """`docker_gwbridge`: the one the user made, or a new one that avoids every subnet in use."""
        async with self._making:
            existing = self._named(GATEWAY_BRIDGE)
            return existing or await self._create(_gateway_spec(), automatic=True)

    async def ensure_default_bridge(self) -> LocalNetwork:
        """`bridge`, where plain containers are by default; its addresses are chosen when it is first used."""
        async with self._making:
            network = self._named("bridge")
            if network is None:
                raise NotFound("network bridge not found")
            if not network.pool.subnet:
                pool, _ = await self._pools(NetworkSpec(annotations=Annotations(name="bridge")))
                network = network.replaced(pool=pool)
                await self._put(network)
            return network

    def remove(self, reference: str, endpoints: tuple[str, ...] = ()) -> LocalNetwork:
        """Forget a network.

        Raises:
            NotFound: there is no such network.
            Forbidden: it is predefined, or containers `endpoints` are attached to it.
        """
        network = self.find(reference)
        if network is None:
            raise NotFound(f"network {reference} not found")
        if network.name in PREDEFINED:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if endpoints:
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id} has active endpoints"
            )
        self.forget(network)
        return network

    def forget(self, network: LocalNetwork) -> None:
        """Take a network out of the database, whoever made it."""
        del self._networks[network.id]
        self._database.remove("network", network.id)
        self._events.publish(
            "network", "destroy", network.id, {"name": network.name, "type": network.driver}
        )

    async def written(self) -> None:
        """Return when the database has what was done until now."""
        await self._database.written()

    def _check_bridge_name(self, spec: NetworkSpec) -> None:
        name = read_bridge_name(spec.driver_configuration.options)
        for other in self._networks.values():
            if name and other.options.get(_BRIDGE + "name") == name:
                raise Conflict(
                    f"network {spec.name}: the bridge {name} belongs to network {other.name}"
                )

    async def _pools(self, spec: NetworkSpec) -> tuple[IpamConfig, IpamConfig]:
        if fault := find_fault(spec.ipam.configs if spec.ipam else []):
            raise InvalidParameter(f"invalid network config: {fault}")
        own = {
            pool.subnet: f"network {network.name}"
            for network in self._networks.values()
            for pool in (network.pool, network.pool6)
            if pool.subnet
        }
        used = {**await self._host.used_subnets(), **own}
        ipv4, ipv6 = asked_pools(spec)
        without = self._host.without_ipv6
        if spec.name == GATEWAY_BRIDGE and not without:
            # Every task's way out, in both families, whoever made it: a host-mode port is reached through it as well.
            ipv6 = ipv6 or IpamConfig()
        if ipv6 is not None and without:
            raise InvalidParameter(f"network {spec.name} wants IPv6: {without}")
        given = complete_pool(ipv4, LOCAL_POOLS, used, spec.name)
        if ipv6 is None:
            return given, IpamConfig()
        return given, complete_pool(ipv6, ula_pools(self._seed()), used, spec.name)

    def _seed(self) -> str:
        """Something that only this node has, and always."""
        bridge = self._named("bridge")
        return bridge.id if bridge is not None else ""

    def _named(self, name: str) -> LocalNetwork | None:
        return next((n for n in self._networks.values() if n.name == name), None)

    async def _put(self, network: LocalNetwork) -> None:
        known = network.id in self._networks
        try:
            await self._database.put("network", network.id, network)
        except BaseException:
            if not known:
                self._database.remove("network", network.id)
            raise
        self._networks[network.id] = network


def _gateway_spec() -> NetworkSpec:
    return NetworkSpec(
        annotations=Annotations(name=GATEWAY_BRIDGE),
        driver_configuration=Driver(
            name="bridge",
            options={
                _BRIDGE + "enable_icc": "false",
                _BRIDGE + "enable_ip_masquerade": "true",
                _BRIDGE + "name": GATEWAY_BRIDGE,
            },
        ),
        scope="local",
    )
