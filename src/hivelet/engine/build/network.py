"""Where in the network a build's commands run: as a container of that network would, with its names and resolver."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hivelet.engine.networks.local import LocalNetworks
from hivelet.engine.networks.place import HOST, shared_place
from hivelet.engine.registry import Registry
from hivelet.errors import InvalidParameter
from hivelet.kit.files import ensure_private, write_atomic
from hivelet.network.plane import NetworkPlane
from hivelet.network.sandbox import Leg, SandboxRequest
from hivelet.objects.build import BuildRequest
from hivelet.objects.common import ContainerId
from hivelet.objects.container import HostConfig
from hivelet.runtime.cgroupfs import CgroupTree

_DEFAULT = ("", "default", "bridge")
_CLOSED = "none"
_LOCALHOST = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildNetwork:
    """A place in the network; `netns` is "" for the host's. `directory` is the build's own, and gone after it."""

    netns: str
    directory: Path

    @property
    def resolv_conf(self) -> Path:
        """What becomes /etc/resolv.conf."""
        return self.directory / "resolv.conf"

    @property
    def hosts(self) -> Path:
        """What becomes /etc/hosts."""
        return self.directory / "hosts"


class BuildNetworks:
    """Makes such places; `run` has a directory for each build under way."""

    def __init__(
        self,
        run: Path,
        plane: NetworkPlane,
        networks: LocalNetworks,
        registry: Registry,
        cgroups: CgroupTree,
    ) -> None:
        self._run = run
        self._plane = plane
        self._networks = networks
        self._registry = registry
        self._cgroups = cgroups

    async def clear(self, cgroup_parent: str) -> None:
        """Remove what builds left that a former daemon did not see end."""
        ensure_private(self._run)
        for directory in list(self._run.iterdir()):
            await self._remove(ContainerId(directory.name), f"{cgroup_parent}/{directory.name}")

    @asynccontextmanager
    async def place(
        self, build_id: ContainerId, request: BuildRequest, cgroup: str
    ) -> AsyncIterator[BuildNetwork]:
        """The place of one build, for as long as it takes.

        Raises:
            InvalidParameter: there is no such network.
            NotFound: there is no such container.
        """
        directory = self._run / build_id
        ensure_private(directory)
        try:
            yield await self._make(build_id, request, directory)
        finally:
            await self._remove(build_id, cgroup)

    async def _make(
        self, build_id: ContainerId, request: BuildRequest, directory: Path
    ) -> BuildNetwork:
        mode = request.network_mode
        if mode == HOST or mode.startswith("container:"):
            shared = shared_place(HostConfig(network_mode=mode), self._registry)
            netns, hosts, resolv_conf = shared.netns or "", shared.hosts, shared.resolv_conf
            hosts = (hosts or _LOCALHOST) + _extra(request.extra_hosts)
        else:
            sandbox = await self._plane.create_sandbox(
                SandboxRequest(
                    container_id=build_id,
                    legs=await self._legs(mode),
                    hostname=build_id[:12],
                    extra_hosts=tuple(request.extra_hosts),
                )
            )
            netns, hosts, resolv_conf = str(sandbox.netns), sandbox.hosts, sandbox.resolv_conf
        network = BuildNetwork(netns=netns, directory=directory)
        write_atomic(network.hosts, hosts)
        write_atomic(network.resolv_conf, resolv_conf)
        return network

    async def _legs(self, mode: str) -> tuple[Leg, ...]:
        if mode == _CLOSED:
            return ()
        if mode in _DEFAULT:
            return (Leg(network=(await self._networks.ensure_default_bridge()).bridge),)
        network = self._networks.find(mode)
        if network is None or network.driver != "bridge":
            raise InvalidParameter(
                f"network {mode} not found: a build can be in a bridge network of this node, host or none"
            )
        return (Leg(network=network.bridge),)

    async def _remove(self, build_id: ContainerId, cgroup: str) -> None:
        await self._plane.remove_sandbox(build_id)
        self._cgroups.remove(cgroup)
        await asyncio.to_thread(shutil.rmtree, self._run / build_id)


def _extra(entries: list[str]) -> str:
    lines = []
    for entry in entries:
        name, _, address = entry.partition(":")
        lines.append(f"{'127.0.0.1' if address == 'host-gateway' else address}\t{name}\n")
    return "".join(lines)
