"""What the data plane costs: each way to a service beside direct connections, and beside three well-known proxies.

A service of three replicas on a private machine (`tests/e2e/harness`), and three more containers of its image behind a plain bridge
that no rule of hivelet concerns: the direct ways' client gives its connections to the three in turn, so that both sides of
a ratio wake as many servers. docker-proxy, haproxy and nginx run on that machine in front of the service's own replicas.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness import programs
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import ADDRESS, INSIDE, OUTSIDE, Machine, Where
from harness.native import IMAGE, PORT, Client, import_http
from harness.swarm import Swarm
from harness.waiting import wait_until

from bench.load import MODES, Plan, Way, measure, ratio, work_ratio

PUBLISHED = 8080
BARE = "10.99.0"
GOALS = {"keep": 0.95, "close": 0.85}
PROXIES = {"docker-proxy": 8081, "haproxy": 8082, "nginx": 8083}

HAPROXY = """global
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
listen web
  bind :{port}
  balance roundrobin
{servers}
"""
NGINX = """worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error;
daemon off;
events {{ worker_connections 4000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  upstream web {{ {servers} keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {port} backlog=4096;
    location / {{ proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


class Stage:
    """The machine with all that is measured on it."""

    def __init__(self, machine: Machine, replicas: int) -> None:
        self.machine = machine
        self.daemon = Hiveletd(machine)
        self.daemon.start()
        cli = make_cli("docker-20", self.daemon.host, machine.dir)
        import_busybox(cli, machine.dir)
        import_http(cli, machine.dir)
        cli("swarm", "init")
        cli("network", "create", "--driver", "overlay", "back")
        self.swarm = Swarm(machine, self.daemon, cli)
        self.swarm.create(
            "web", replicas, "--network", "back", "--publish", f"{PUBLISHED}:{PORT}", image=IMAGE
        )
        self.swarm.create(
            "caller", 1, "--network", "back", image="bb:latest", command=("/bin/sleep", "10000")
        )
        self.caller = self.swarm.process(self.swarm.tasks("caller", running=True)[0])
        self.backends = [
            self.swarm.address(task, "ingress") for task in self.swarm.tasks("web", running=True)
        ]
        self.bare = self._start_bare(replicas)
        self._start_proxies()

    def _start_bare(self, replicas: int) -> list[str]:
        """As many containers of the same image, behind a plain bridge that no rule of hivelet concerns; their addresses."""
        addresses = [f"{BARE}.{number + 2}" for number in range(replicas)]
        self.machine.run(["ip", "-batch", "-"], input=f"link add bare0 type bridge\naddr add {BARE}.1/24 dev bare0\nlink set bare0 up")  # fmt: skip
        for number, address in enumerate(addresses):
            name = f"bare{number + 1}"
            self.swarm.cli("run", "--detach", "--network", "none", "--name", name, IMAGE)
            process = int(self.swarm.cli("inspect", "--format", "{{.State.Pid}}", name).out)
            batch = f"""link add {name} type veth peer name eth0 netns {process}
                link set {name} master bare0 up"""
            self.machine.run(["ip", "-batch", "-"], input=batch)
            inside = (
                f"addr add {address}/24 dev eth0\nlink set eth0 up\nroute add default via {BARE}.1"
            )
            self.machine.run(["ip", "-batch", "-"], where=process, input=inside)
        self.machine.run(["ip", "route", "add", f"{BARE}.0/24", "via", ADDRESS], where=OUTSIDE)
        return addresses

    def _start_proxies(self) -> None:
        folder = self.machine.dir
        proxy = programs.docker_proxy()
        port = PROXIES["docker-proxy"]
        words = ["-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", str(port)]
        to = ["-container-ip", self.backends[0], "-container-port", str(PORT)]
        # It tells its parent over descriptor 3 that it listens.
        self.machine.popen(["sh", "-c", 'exec "$0" "$@" 3>/dev/null', proxy, *words, *to])
        servers = "\n".join(
            f"  server s{number} {address}:{PORT}" for number, address in enumerate(self.backends)
        )
        configuration = folder / "haproxy.cfg"
        configuration.write_text(HAPROXY.format(port=PROXIES["haproxy"], servers=servers))
        self.machine.popen(["haproxy", "-db", "-f", str(configuration)])
        servers = " ".join(f"server {address}:{PORT};" for address in self.backends)
        configuration = folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(port=PROXIES["nginx"], servers=servers, folder=folder)
        )
        self.machine.popen(["nginx", "-c", str(configuration), "-e", f"{folder}/nginx.error"])

    def ways(self) -> list[Way]:
        """All ways, each with its clients."""
        vip = self.swarm.vip("web", "back")
        bare, inside = (
            ",".join(self.bare),
            ",".join(
                self.swarm.address(task, "back") for task in self.swarm.tasks("web", running=True)
            ),
        )
        plan: list[tuple[str, str, int, Where, str | None, bool]] = [
            ("direct, from outside", bare, PORT, OUTSIDE, None, False),
            ("published port, from outside", ADDRESS, PUBLISHED, OUTSIDE, "direct, from outside", False),
            ("direct, from the host", bare, PORT, INSIDE, None, False),
            ("published port, from localhost", "127.0.0.1", PUBLISHED, INSIDE, "direct, from the host", False),
            ("direct, service to service", inside, PORT, self.caller, None, False),
            ("VIP, service to service", vip, PORT, self.caller, "direct, service to service", False),
            *(
                (f"{name}, from outside", ADDRESS, port, OUTSIDE, "direct, from outside", True)
                for name, port in PROXIES.items()
            ),
        ]  # fmt: skip
        return [
            Way(name, self._clients(address, port, where), against, peer)
            for name, address, port, where, against, peer in plan
        ]

    def _clients(self, address: str, port: int, where: Where) -> dict[str, Client]:
        return {mode: Client(self.machine, address, mode, port=port, where=where) for mode in MODES}

    def spent(self) -> float:
        """Processor seconds of everything that runs on the machine, so far."""
        nanoseconds = 0
        for _, folder in self.machine.processes():
            for thread in (folder / "task").glob("*"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    nanoseconds += int((thread / "schedstat").read_text().split()[0])
        return nanoseconds / 1e9

    def until_all_answer(self, ways: Sequence[Way]) -> None:
        """Each way has answered once."""
        for way in ways:
            wait_until(
                lambda way=way: way.clients["close"].run(connections=1, requests=1).good,  # type: ignore[misc]
                timeout=20,
                what=f"{way.name} answers",
                evidence=self.swarm.story,
            )


def render(ways: Sequence[Way], mode: str) -> str:
    """One mode's table, in Markdown."""
    lines = [
        f"| {MODES[mode]} | requests | p50 | p99 | ratio | goal | reached | work | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    by_name = {way.name: way for way in ways}
    for way in ways:
        cells = [
            way.name,
            f"{way.rate(mode):,.0f}/s",
            f"{way.quantile(mode, 'p50') * 1e3:.2f} ms",
            f"{way.quantile(mode, 'p99') * 1e3:.1f} ms",
        ]
        work = f"{way.cost(mode) * 1e6:.0f} µs"
        if way.against is None:
            cells += ["–", "–", "–", work, "–"]
        else:
            direct, goal = by_name[way.against], GOALS[mode]
            found = ratio(way, direct, mode)
            reached = ("yes" if round(found, 2) >= goal else "no") if not way.peer else "–"
            by_work = f"{work_ratio(way, direct, mode):.2f}"
            cells += [f"{found:.2f}", f"≥ {goal}" if not way.peer else "–", reached, work, by_work]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sustain(stage: Stage, seconds: float, connections: int) -> str:
    """Short connections that the client closes first, which leaves each source port in use for a while."""
    ways = {
        "direct": (stage.bare[0], PORT),
        "localhost": ("127.0.0.1", PUBLISHED),
    }
    clients = {
        name: Client(stage.machine, address, "abrupt", port=port)
        for name, (address, port) in ways.items()
    }
    lines = [
        f"| closed by the client, {seconds:.0f} s | first tenth | last tenth | all | failed |",
        "|---|---|---|---|---|",
    ]
    for name, client in clients.items():
        tenths = [client.run(connections=connections, seconds=seconds / 10) for _ in range(10)]
        failed: dict[str, int] = {}
        for one in tenths:
            for kind, number in one.classes.items():
                failed[kind] = failed.get(kind, 0) + number
        total = sum(one.good for one in tenths) / sum(one.seconds for one in tenths)
        lines.append(
            f"| {name} | {tenths[0].rate:,.0f}/s | {tenths[-1].rate:,.0f}/s | {total:,.0f}/s | {failed or 'none'} |"
        )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.dataplane", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a slice (default: 1)")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--sustain", type=float, default=60, help="seconds of short connections by localhost"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every slice to FILE")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    begun = time.monotonic()
    with Machine("bench-dataplane") as machine:
        stage = Stage(machine, options.replicas)
        ways = stage.ways()
        stage.until_all_answer(ways)
        plan = Plan(options.rounds, options.seconds, options.connections)
        measure(ways, plan, stage.spent)
        print("\n\n".join(render(ways, mode) for mode in MODES))
        for way in ways:
            for mode in MODES:
                if way.failed(mode):
                    print(f"{way.name}, {MODES[mode]}: {way.failed(mode)} failed", file=sys.stderr)
        if options.sustain:
            print()
            print(sustain(stage, options.sustain, options.connections))
        stage.daemon.stop()
    if options.json:
        every = {
            way.name: {mode: [asdict(one) for one in way.slices[mode]] for mode in MODES}
            for way in ways
        }
        options.json.write_text(json.dumps(every, indent=2) + "\n")
    print(f"{time.monotonic() - begun:.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    main()
