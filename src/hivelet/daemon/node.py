"""This node: the network plane, the engine, the swarm it may belong to, and the API in front of them.

The only place where the parts are wired together. Started from below (network, engine, swarm, API) and stopped from
above, so that no part ever calls one that is not there.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack

import structlog

from hivelet.agent.exec.adapter import NodeParts
from hivelet.agent.exec.executor import NodeExecutor
from hivelet.api.app import build_app, serve
from hivelet.api.backend.backends import Backends
from hivelet.api.meter import ApiMeter
from hivelet.api.metrics_site import serve_metrics
from hivelet.daemon.backup.backups import Backups
from hivelet.daemon.backup.staged import take_over_backup
from hivelet.daemon.config import DaemonConfig
from hivelet.daemon.facts import NodeReader
from hivelet.daemon.swarm import SwarmMember
from hivelet.daemon.tls import make_tls
from hivelet.daemon.watchdog import Pulses
from hivelet.engine.engine import Engine, EngineConfig
from hivelet.errors import Unavailable
from hivelet.kit.clock import SystemClock
from hivelet.kit.durations import parse_duration
from hivelet.kit.supervise import Supervisor
from hivelet.metrics.page import MetricsPage
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import SECOND
from hivelet.objects.generic import parse_generic_resources
from hivelet.runtime.images.registries import parse_insecure
from hivelet.runtime.oci import probe_runtime

log = structlog.get_logger(__name__)


class LocalNode:
    """Everything that one hiveletd runs."""

    def __init__(self, config: DaemonConfig, *, restoring: asyncio.Event) -> None:
        """`restoring` is set when all parts are to start anew, with a backup."""
        self._config = config
        self._restoring = restoring
        self._clock = SystemClock()
        self._stack = AsyncExitStack()
        self.pulses: Pulses = dict
        """Those of all parts, once they are started."""

    async def start(self) -> None:
        """Start all parts; what was started is stopped again where a later one fails.

        Raises:
            HiveletError: a part can't start; the message says why and what to do.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Stop all parts. Containers, rules and resolvers stay."""
        await self._stack.aclose()

    async def _start(self) -> None:
        config = self._config
        config.run.mkdir(parents=True, exist_ok=True)
        take_over_backup(config.root)
        names = (config.runtime,) if config.runtime else ("crun", "runc")
        runtime = await probe_runtime(
            config.run,
            cgroup_parent=config.cgroup_parent,
            names=names,
            patience=parse_duration(config.runtime_timeout) / SECOND,
        )
        log.info(
            "OCI runtime chosen",
            runtime=runtime.name,
            version=runtime.version,
            reason=runtime.reason,
        )
        conmon = shutil.which("conmon")
        if conmon is None:
            raise Unavailable("conmon is missing; install it: apt-get install conmon")

        plane = NetworkPlane(
            run=config.run,
            root=config.root,
            clock=self._clock,
            adjust_firewalls=config.firewall == "adjust",
        )
        await plane.start()
        self._stack.push_async_callback(plane.stop)

        engine = Engine(
            EngineConfig(
                root=config.root,
                run=config.run,
                cgroup_parent=config.cgroup_parent,
                runtime=runtime,
                conmon=conmon,
                labels=dict(label.partition("=")[::2] for label in config.label),
                generic_resources=parse_generic_resources(config.node_generic_resource),
                insecure_registries=parse_insecure(config.insecure_registry),
                registry_silence=parse_duration(config.registry_timeout) / SECOND,
            ),
            plane,
            self._clock,
        )
        self._stack.push_async_callback(engine.stop)
        await engine.start()

        executor = NodeExecutor(NodeParts(engine=engine, plane=plane, clock=self._clock))
        swarm = SwarmMember(engine, plane, executor, self._clock)
        swarm.open(config.root / "swarm")
        self._stack.push_async_callback(swarm.stop)
        await swarm.start()

        meter = ApiMeter()
        reader = NodeReader(config.root, runtime.name, engine, plane, self._clock)
        self._stack.push_async_callback(reader.stop)
        page = MetricsPage(
            swarm.store,
            reader.read,
            (meter, swarm.journal.meter, executor.parts.drains),
        )
        supervisor = Supervisor("metrics")
        supervisor.keep("tasks", page.tasks.run)
        self._stack.push_async_callback(supervisor.stop)
        if config.metrics_addr:
            site = await serve_metrics(page, config.metrics_addr)
            self._stack.push_async_callback(site.cleanup)

        backups = Backups(config.root, swarm.store, self._clock, self._restoring)
        backends = Backends(swarm=swarm.api, engine=engine, metrics=page, backups=backups)
        app = build_app(backends, clock=self._clock, meter=meter)
        server = await serve(app, config.host, tls=make_tls(config))
        self._stack.push_async_callback(server.close)
        self.pulses = swarm.pulses
