"""What the docker CLI sends for `service create`, `update`, `scale` and `rollback`: recorded, and read back by the tests.

`python tests/unit/cli/record_service_requests.py` refreshes tests/golden/cli/service-requests.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from fake_daemon import FakeDaemon  # noqa: E402

CREATE = ["service", "create", "-d", "--no-resolve-image"]
UPDATE = ["service", "update", "-d", "--no-resolve-image"]
FULL = [
    *CREATE, "--name", "b", "--replicas", "3", "-e", "A=1", "-p", "80:8080", "-p", "target=5,published=6,mode=host,protocol=udp",
    "-p", "90-91:90-91/udp", "--network", "net1", "--network", "name=net2,alias=foo,driver-opt=a=b",
    "--mount", "type=volume,source=v,target=/v,readonly", "--mount", "type=bind,src=/a,dst=/b,bind-propagation=rslave",
    "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770",
    "--mount", "type=volume,src=w,dst=/w,volume-driver=local,volume-opt=a=b,volume-label=x=y,volume-nocopy",
    "-l", "x=y", "--container-label", "c=d", "--constraint", "node.role==manager", "--limit-cpu", "0.5",
    "--limit-memory", "64m", "--limit-pids", "10", "--reserve-cpu", "0.1", "--reserve-memory", "1g",
    "--restart-condition", "on-failure", "--restart-delay", "3s", "--restart-max-attempts", "4", "--restart-window", "1m",
    "--update-parallelism", "2", "--update-delay", "1s", "--update-order", "start-first",
    "--update-failure-action", "rollback", "--update-monitor", "7s", "--update-max-failure-ratio", "0.2",
    "--rollback-parallelism", "3", "--health-cmd", "curl x", "--health-interval", "5s", "--health-retries", "3",
    "--health-timeout", "2s", "--health-start-period", "9s", "--stop-grace-period", "20s", "--hostname", "h", "-u", "u",
    "-w", "/w", "--secret", "sec1", "--config", "source=cfg1,target=/x,mode=0440",
    "--host", "a:1.2.3.4", "--dns", "1.1.1.1", "--dns-search", "ex", "--dns-option", "ndots:1", "--cap-add", "NET_ADMIN",
    "--cap-drop", "MKNOD", "--init", "--read-only", "-t", "--log-driver", "json-file", "--log-opt", "max-size=1m",
    "--entrypoint", 'sh -c "a b"', "--endpoint-mode", "vip", "--placement-pref", "spread=node.labels.x",
    "--replicas-max-per-node", "2", "--sysctl", "a=b", "--ulimit", "nofile=10:20", "--group", "g", "--stop-signal", "SIGINT",
    "--isolation", "default", "--oom-score-adj", "5", "--generic-resource", "gpu=2", "alpine", "cmd", "--flag",
]  # fmt: skip
CASES: dict[str, list[list[str]]] = {
    "plain": [[*CREATE, "--name", "a", "alpine"]],
    "global": [[*CREATE, "--name", "g", "--mode", "global", "--endpoint-mode", "dnsrr", "--no-healthcheck", "alpine:3"]],
    "full": [FULL],
    "job": [[*CREATE, "--name", "j", "--mode", "replicated-job", "alpine"]],
    "job-of-three": [[*CREATE, "--name", "j", "--mode", "replicated-job", "--replicas", "3", "alpine"]],
    "job-two-at-a-time": [[*CREATE, "--name", "j", "--mode", "replicated-job", "--max-concurrent", "2", "alpine"]],
    "job-of-three-two-at-a-time": [
        [*CREATE, "--name", "j", "--mode", "replicated-job", "--replicas", "3", "--max-concurrent", "2", "alpine"]
    ],
    "force": [[*CREATE, "--name", "a", "alpine"], [*UPDATE, "--force", "a"]],
    "scale": [[*CREATE, "--name", "a", "alpine"], ["service", "scale", "-d", "a=4"]],
    "change": [
        FULL,
        [
            *UPDATE, "--image", "alpine:3", "--env-add", "Z=1", "--env-rm", "A", "--publish-add", "81:81", "--publish-rm", "8080",
            "--label-add", "q=r", "--label-rm", "x", "--limit-cpu", "2", "--replicas", "5", "--args", "new args",
            "--mount-rm", "/v", "--mount-add", "type=bind,source=/z,target=/z", "--constraint-add", "a==b",
            "--constraint-rm", "node.role==manager", "--host-add", "b:1.1.1.1", "--secret-rm", "sec1",
            "--cap-add", "SYS_TIME", "--cap-drop", "NET_ADMIN", "--network-rm", "net1", "--dns-rm", "1.1.1.1",
            "--update-parallelism", "0", "--restart-delay", "1s", "--health-cmd", "new", "--log-driver", "none",
            "--update-order", "stop-first", "b",
        ],
    ],
}  # fmt: skip


def seed_names(daemon: FakeDaemon) -> None:
    for number in (1, 2):
        network = {
            "Id": f"n{number}",
            "Name": f"net{number}",
            "Scope": "swarm",
            "Driver": "overlay",
        }
        daemon.objects["networks"][f"n{number}"] = network
    daemon.objects["secrets"]["s1"] = {
        "ID": "s1",
        "Version": {"Index": 1},
        "Spec": {"Name": "sec1", "Labels": {}},
    }
    daemon.objects["configs"]["c1"] = {
        "ID": "c1",
        "Version": {"Index": 1},
        "Spec": {"Name": "cfg1", "Labels": {}},
    }


def comparable(value: Any, key: str = "") -> Any:
    """Without what is empty, in one order where the order means nothing, and without the `Init` that docker always sends."""
    if isinstance(value, dict):
        kept = {name: comparable(item, name) for name, item in value.items()}
        meaningful = {
            name: item for name, item in kept.items() if item not in (None, "", [], {}, 0, False)
        }
        return {
            name: item
            for name, item in meaningful.items()
            if not (name == "Mode" and item == "vip")
        }
    if isinstance(value, list):
        items = [comparable(item) for item in value]
        return (
            sorted(items, key=json.dumps)
            if key in {"Mounts", "Ports", "Constraints", "Networks"}
            else items
        )
    return value


def main() -> None:
    recorded: dict[str, Any] = {}
    for name, commands in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            daemon = FakeDaemon(Path(scratch) / "socket")
            seed_names(daemon)
            for command in commands:
                environment = {"PATH": os.environ["PATH"], "HOME": scratch}
                subprocess.run(
                    ["docker", "-H", daemon.host, *command],
                    check=True,
                    env=environment,
                    capture_output=True,
                )
            recorded[name] = [
                comparable(body) for verb, _, _, body in daemon.requests if verb == "POST"
            ]
            daemon.close()
    path = HERE.parents[1] / "golden" / "cli" / "service-requests.json"
    path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
