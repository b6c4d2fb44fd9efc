"""Records what a real Docker engine keeps of the corpus: `python tests/unit/compose/record_services.py [CASE…]` (root, dockerd, docker).

`golden/NAME.services.json` has the specs of the services that `docker stack deploy` has created, as the engine shows them;
ids of networks, secrets and configs are replaced by names. What the engine refuses is recorded as the engine's words.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "conformance")]

from compose_cases import CASES, ENVIRONMENT  # noqa: E402
from oracle import API, Oracle, ask  # noqa: E402


def docker(oracle: Oracle, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"]}
    return subprocess.run(
        ["docker", "-H", f"unix://{oracle.socket}", *words],
        cwd=HERE / "corpus",
        env=environment,
        capture_output=True,
        text=True,
    )


def listed(oracle: Oracle, kind: str) -> list[dict[str, Any]]:
    return json.loads(ask(oracle.socket, "GET", f"{API}/{kind}")[2])


def named(value: Any, names: dict[str, str]) -> Any:
    """`value` with every id by its name."""
    if isinstance(value, dict):
        return {key: named(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [named(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def record(oracle: Oracle, files: list[str]) -> Any:
    chosen = [part for file in files for part in ("-c", file)]
    done = docker(oracle, "stack", "deploy", "--resolve-image", "never", "--detach", *chosen, "st")
    if done.returncode:
        answer: Any = done.stderr.strip().splitlines()[-1]
    else:
        names = {network["Id"]: network["Name"] for network in listed(oracle, "networks")}
        for kind in ("secrets", "configs"):
            names |= {one["ID"]: one["Spec"]["Name"] for one in listed(oracle, kind)}
        specs = [service["Spec"] for service in listed(oracle, "services")]
        answer = named(sorted(specs, key=lambda spec: spec["Name"]), names)
    docker(oracle, "stack", "rm", "st")
    deadline = time.monotonic() + 5
    while [n for n in listed(oracle, "networks") if n["Name"].startswith("st_")] or listed(
        oracle, "tasks"
    ):
        if time.monotonic() > deadline:
            # The engine never lets go of a job's task that has not run; a new swarm has none.
            docker(oracle, "swarm", "leave", "--force")
            prepare(oracle)
            break
        docker(oracle, "stack", "rm", "st")
        time.sleep(0.1)
    return answer


def prepare(oracle: Oracle) -> None:
    """A swarm with what the corpus expects to be there."""
    docker(oracle, "swarm", "init", "--advertise-addr", "127.0.0.1")
    # Nothing needs to run, and what never ran is gone at once.
    (node,) = listed(oracle, "nodes")
    docker(oracle, "node", "update", "--availability", "drain", node["ID"])
    docker(oracle, "network", "create", "-d", "overlay", "cool-net")
    for kind in ("secret", "config"):
        subprocess.run(
            ["docker", "-H", f"unix://{oracle.socket}", kind, "create", f"outer-{kind}", "-"],
            input="x",
            text=True,
            check=True,
            capture_output=True,
        )


def main() -> None:
    with Oracle() as oracle:
        prepare(oracle)
        for name, files in CASES.items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            answer = record(oracle, files)
            text = json.dumps(answer, indent=1, sort_keys=True).replace(str(HERE), "/here")
            (HERE / "golden" / f"{name}.services.json").write_text(text + "\n")
            if isinstance(answer, str):
                print(f"{name}: {answer}")


if __name__ == "__main__":
    main()
