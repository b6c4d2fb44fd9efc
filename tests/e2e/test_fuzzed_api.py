"""Random requests to a daemon, made from its own description of its API, while it serves somebody else's traffic.

None is answered by 500, cut off or left waiting; each answer is one that the description allows; the daemon is as large as
before, and the service beside it loses nothing. With HIVELET_TEST_LONG=1 fifty times as many, from another seed each time.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest
from fuzzed.client import Client
from fuzzed.names import Names
from fuzzed.run import Findings, Operation, fuzz, operations
from harness.cli import Cli
from harness.figures import measured
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
EXAMPLES = 150 if LONG else 2
START = secrets.randbelow(1 << 31) if LONG else 7
MEMORY = 120 << 20

ENDING = [
    ("post", "/swarm/leave"),
    ("post", "/swarm/init"),
    ("post", "/swarm/update"),
    ("post", "/nodes/{ref}/update"),
    ("delete", "/nodes/{ref}"),
    ("post", "/containers/prune"),
    ("post", "/images/prune"),
    ("post", "/networks/prune"),
    ("post", "/volumes/prune"),
    ("delete", "/images/{ref}"),
]
"""What would end the service beside it: asked in a machine of its own."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200 if LONG else 300)]


def key(operation: Operation) -> tuple[str, str]:
    return operation.method.lower(), operation.path


def resident(swarm: Swarm) -> int:
    """The daemon's memory, in bytes."""
    text = Path(f"/proc/{swarm.daemon.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


def furnish(docker: Cli) -> Names:
    """One object of each kind that requests can name."""
    docker(
        "service",
        "create",
        "--detach",
        "--name",
        "mine",
        "--stop-signal",
        "KILL",
        "bb:latest",
        "sleep",
        "10000",
    )
    docker("network", "create", "wire")
    docker("network", "create", "--driver", "overlay", "--attachable", "net")
    docker("volume", "create", "vol")
    docker("secret", "create", "word", "/dev/null", status=None)
    docker("tag", "bb:latest", "junk:1")
    docker("run", "-d", "--name", "box", "--stop-signal", "KILL", "bb:latest", "sleep", "10000")
    return Names(
        {
            "containers": ["box"],
            "services": ["mine"],
            "networks": ["wire", "net"],
            "volumes": ["vol"],
            "images": ["junk:1", "bb:latest"],
            "nodes": ["self"],
        }
    )


def check(findings: Findings) -> None:
    shown = "\n".join(findings.wrong[:20])
    assert findings.wrong == [], f"seed {START}: {len(findings.wrong)} wrong answers:\n{shown}"


def test_random_requests_harm_nobody(swarm: Swarm, docker: Cli) -> None:
    swarm.create("web", 2, "--publish", "8080:8000")
    names = furnish(docker)
    pid = swarm.daemon.pid
    chosen = [operation for operation in operations() if key(operation) not in ENDING]
    url = f"http://{ADDRESS}:8080/"
    with Traffic.requests(swarm.machine, url, "--rate", "20", where=OUTSIDE) as traffic:
        findings = fuzz(chosen, Client(swarm.daemon.host), names, examples=EXAMPLES, start=START)
        traffic.go_on(20)
    check(findings)
    assert traffic.failures == []
    assert swarm.daemon.pid == pid
    assert resident(swarm) < MEMORY
    assert swarm.replicas("web") == (2, 2)
    measured(
        "random requests to the API",
        injected=findings.requests,
        requests=len(traffic.records),
        lost=len(traffic.failures),
    )


def test_random_requests_that_end_things_leave_nothing_behind(
    machine: Machine, swarm: Swarm, docker: Cli
) -> None:
    names = furnish(docker)
    pid = swarm.daemon.pid
    chosen = [operation for operation in operations() if key(operation) in ENDING]
    findings = fuzz(chosen, Client(swarm.daemon.host), names, examples=2 * EXAMPLES, start=START)
    docker("swarm", "leave", "--force", status=None)
    for identity in docker("ps", "-aq").lines:
        docker("rm", "-f", identity)
    check(findings)
    assert swarm.daemon.pid == pid
    wait_until(
        lambda: docker("ps", "-aq").lines == [],
        timeout=30,
        what="no container is left",
    )
    docker("swarm", "init")
    swarm.create("again", 1)
