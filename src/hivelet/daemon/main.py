"""The program `hiveletd`: reads its configuration, checks what it needs, and runs until it is told to stop."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

import hivelet
from hivelet.daemon.complaints import Complaints
from hivelet.daemon.config import DEFAULT_FILE, DEFAULT_HOST, DaemonConfig, load_config
from hivelet.daemon.lock import hold_lock, hold_network
from hivelet.daemon.logging import configure_logging
from hivelet.daemon.notify import notify, watchdog_seconds
from hivelet.daemon.tls import make_tls
from hivelet.daemon.watchdog import Pulses, Watchdog
from hivelet.errors import Forbidden, HiveletError, Unavailable
from hivelet.kit.clock import SystemClock
from hivelet.kit.collector import collect_seldom
from hivelet.kit.host_faults import host_faults
from hivelet.kit.memory import keep_memory_private, keep_memory_together
from hivelet.kit.supervise import Supervisor
from hivelet.packages import load_packages, missing_packages

if TYPE_CHECKING:
    from hivelet.daemon.node import LocalNode

log = structlog.get_logger(__name__)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "-H", "--host", multiple=True, help=f"Where to listen, repeatable (default {DEFAULT_HOST})."
)
@click.option(
    "--tlscacert",
    metavar="FILE",
    help="The authority that clients' certificates are signed by; needed for TCP.",
)
@click.option("--tlscert", metavar="FILE", help="The certificate to show; needed for TCP.")
@click.option("--tlskey", metavar="FILE", help="Its key; needed for TCP.")
@click.option(
    "--tlsverify",
    is_flag=True,
    default=None,
    help="Serve only clients with a certificate. Always so: TCP is not served otherwise.",
)
@click.option("--root", help="Where state is kept (default /var/lib/hivelet).")
@click.option("--run", help="Where run-time files are (default /run/hivelet).")
@click.option("--cgroup-parent", help="The cgroup above all containers (default hivelet).")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    default=DEFAULT_FILE,
    show_default=True,
    help="A TOML file with the same keys.",
)
@click.option("--log-level", help="debug, info, warning or error (default info).")
@click.option("--log-format", help="text or json (default text).")
@click.option("--runtime", help="crun or runc (default: whichever works here, crun first).")
@click.option(
    "--runtime-timeout",
    metavar="DURATION",
    help="How long one call of it may take before it counts as hanging and is killed (default 2m).",
)
@click.option(
    "--registry-timeout",
    metavar="DURATION",
    help="How long a registry may send nothing before a pull is given up (default 5m).",
)
@click.option(
    "--firewall",
    help="adjust or report: what to do about another firewall that drops services' packets (default adjust).",
)
@click.option(
    "--metrics-addr",
    metavar="ADDRESS:PORT",
    help="Serve /metrics for Prometheus there too, in plain HTTP (default: on the API's sockets alone).",
)
@click.option("--label", multiple=True, help="Label NAME=VALUE of this node's engine, repeatable.")
@click.option(
    "--insecure-registry",
    multiple=True,
    metavar="HOST[:PORT]|CIDR",
    help="A registry that needs no TLS, repeatable; one on this host never does.",
)
@click.option(
    "--node-generic-resource",
    multiple=True,
    help="What this node has beyond CPU and memory: KIND=NUMBER or KIND=NAME, repeatable.",
)
@click.version_option(
    hivelet.__version__, prog_name="hiveletd", message="%(prog)s version %(version)s"
)
def main(file: Path, **options: Any) -> None:
    """Keep Docker Swarm's services running on this machine, without Docker Engine.

    SIGTERM and SIGINT end hiveletd and leave all containers running; the next one adopts them.
    """
    # Whatever we were started with: images' files must be open to containers' users, and none to be written by the group.
    os.umask(0o022)
    try:
        config = load_config(file, options)
        configure_logging(config.log_level, config.log_format)
        make_tls(config)
        check_prerequisites()
        with host_faults("hiveletd can't start"):
            lock = hold_lock(config.root)
        network = hold_network()
    except HiveletError as error:
        click.echo(f"hiveletd: {error.message}", err=True)
        sys.exit(1)
    collect_seldom()
    keep_memory_private()
    keep_memory_together()
    # systemd ends a daemon that hangs by SIGABRT: where it hung is then in the journal.
    faulthandler.enable()
    try:
        with host_faults("hiveletd can't go on"):
            asyncio.run(run_daemon(config))
    except HiveletError as error:
        log.critical("hiveletd cannot go on", error=error.message)
        click.echo(f"hiveletd: {error.message}", err=True)
        sys.exit(1)
    finally:
        os.close(lock)
        network.close()


def check_prerequisites() -> None:
    """Refuse to start where it could not work.

    Raises:
        Forbidden: we are not root.
        Unavailable: programs are missing; the message names their Debian packages.
    """
    if os.geteuid() != 0:
        raise Forbidden(
            "hiveletd must run as root, since it makes namespaces, mounts and networks: try sudo hiveletd"
        )
    # One OCI runtime is enough; which of them works here is found out by a probe later.
    missing = [
        p for p in missing_packages(load_packages(), "run") if p.program not in ("crun", "runc")
    ]
    if missing:
        names = " ".join(p.name for p in missing)
        reasons = "; ".join(f"{p.program} ({p.purpose})" for p in missing)
        raise Unavailable(f"programs are missing: {reasons}. Install them: apt-get install {names}")


async def run_daemon(config: DaemonConfig) -> None:
    """Start everything, say READY, wait for a signal, stop everything but the containers."""
    # Imported here so that `hiveletd --help` and a refusal do not wait for it.
    from hivelet.daemon.node import LocalNode

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(Complaints(loop.time))
    stopping = asyncio.Event()
    turn = asyncio.Event()

    def stop() -> None:
        stopping.set()
        turn.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    while not stopping.is_set():
        node = LocalNode(config, restoring=turn)
        await _run_node(node, config, stopping=stopping, turn=turn)
        turn.clear()


async def _run_node(
    node: LocalNode, config: DaemonConfig, *, stopping: asyncio.Event, turn: asyncio.Event
) -> None:
    """Until the daemon is to stop, or its parts are to start anew with a backup: `turn` is set for both."""
    await node.start()
    try:
        log.info(
            "hiveletd is ready",
            version=hivelet.__version__,
            hosts=list(config.host),
            root=str(config.root),
        )
        notify("READY=1")
        async with watching(node.pulses):
            await turn.wait()
        if stopping.is_set():
            log.info("hiveletd is stopping; containers go on running")
            notify("STOPPING=1")
    finally:
        await node.stop()


@asynccontextmanager
async def watching(pulses: Pulses) -> AsyncIterator[None]:
    """Tell the service manager meanwhile that the daemon lives, where it asks for that."""
    supervisor = Supervisor("watchdog")
    if (patience := watchdog_seconds()) is not None:
        supervisor.keep("look", Watchdog(pulses, patience, notify, SystemClock()).run)
    try:
        yield
    finally:
        await supervisor.stop()


if __name__ == "__main__":
    main()
