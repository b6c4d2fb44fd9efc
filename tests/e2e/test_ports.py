"""Published ports in all their forms, over several networks and both endpoint modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.cli import make_cli
from harness.machine import ADDRESS, INSIDE, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import burst

WHOAMI = "/cgi-bin/whoami"
SERVE = "for p in 8000 8001 8002; do httpd -p $$p -h /www; done; exec sleep 10000"
STACK = f"""
version: "3.8"
services:
  web:
    image: web:latest
    command: ["/bin/sh", "-c", "{SERVE}"]
    stop_signal: SIGKILL
    ports:
      - 7000-7002:8000-8002
      - 7010-7011:8000
      - 8001-8002
      - {{target: 8000, published: 7020, protocol: tcp, mode: ingress}}
    networks: [one, two]
    deploy: {{replicas: 2}}
  rr:
    image: web:latest
    networks: [two]
    ports: [{{target: 8000, published: 7100, mode: host}}]
    deploy: {{endpoint_mode: dnsrr}}
  caller:
    image: bb:latest
    command: /bin/sleep 10000
    stop_signal: SIGKILL
    networks: [one, two]
networks:
  one:
  two:
"""


@pytest.mark.parametrize("name", ["docker-28", "hivelet"])
def test_ranges_over_several_networks(swarm: Swarm, tmp_path: Path, name: str) -> None:
    file = tmp_path / "stack.yml"
    file.write_text(STACK)
    cli = make_cli(name, swarm.daemon.host, swarm.machine.dir)
    cli("stack", "deploy", "--compose-file", str(file), "a", timeout=120)
    for service, replicas in (("web", 2), ("rr", 1), ("caller", 1)):
        swarm.until_running(f"a_{service}", replicas)
    with swarm.api() as api:
        ports = api.inspect_service("a_web")["Endpoint"]["Ports"]
    given = {p["PublishedPort"]: p["TargetPort"] for p in ports}
    chosen = [published for published in given if published >= 30000]
    assert {k: v for k, v in given.items() if k not in chosen} == {
        7000: 8000,
        7001: 8001,
        7002: 8002,
        7010: 8000,
        7011: 8000,
        7020: 8000,
    }
    assert sorted(given[port] for port in chosen) == [8001, 8002]
    for port in given:
        for host, where in ((ADDRESS, OUTSIDE), ("127.0.0.1", INSIDE)):
            done = burst(swarm.machine, f"http://{host}:{port}{WHOAMI}", 4, where)
            assert sorted(done.tally().values()) == [2, 2], f"port {port} from {where}"
    assert len(burst(swarm.machine, f"http://{ADDRESS}:7100{WHOAMI}", 2, OUTSIDE).tally()) == 1

    (caller,) = swarm.tasks("a_caller", running=True)
    vips = {swarm.vip("a_web", f"a_{network}") for network in ("one", "two")}
    assert len(vips) == 2
    assert swarm.resolve(caller, "a_web") <= vips
    for vip in vips:
        done = burst(swarm.machine, f"http://{vip}:8001{WHOAMI}", 4, swarm.process(caller))
        assert sorted(done.tally().values()) == [2, 2]
    (alone,) = swarm.tasks("a_rr", running=True)
    address = swarm.address(alone, "a_two")
    assert swarm.resolve(caller, "a_rr") == {address}
    assert (
        len(
            burst(swarm.machine, f"http://{address}:8000{WHOAMI}", 2, swarm.process(caller)).tally()
        )
        == 1
    )


@pytest.mark.parametrize("name", ["docker-20", "docker-28", "hivelet"])
def test_ranges_on_the_command_line(swarm: Swarm, name: str) -> None:
    cli = make_cli(name, swarm.daemon.host, swarm.machine.dir)
    words = ("service", "create", "--detach", "--no-resolve-image", "--name", "web")
    for wrong in ("7000-7001:8000-8002", "7002-7000:8000-8002"):
        assert cli(*words, "-p", wrong, "web:latest", status=None).status != 0
    cli(*words, "-p", "7000-7002:8000-8002", "-p", "7005-7006:8000/udp", "web:latest")
    with swarm.api() as api:
        ports = api.inspect_service("web")["Spec"]["EndpointSpec"]["Ports"]
    assert sorted((p["PublishedPort"], p["TargetPort"], p["Protocol"]) for p in ports) == [
        (7000, 8000, "tcp"),
        (7001, 8001, "tcp"),
        (7002, 8002, "tcp"),
        (7005, 8000, "udp"),
        (7006, 8000, "udp"),
    ]
