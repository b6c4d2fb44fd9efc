"""Refreshes the goldens of this folder from the real docker CLI: `python tests/unit/compose/record_goldens.py`.

`golden/NAME.config.yml` is what `docker stack config` prints, `golden/NAME.requests.json` what `docker stack deploy` sends to a
manager. The docker CLI must be installed; an engine is not needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "cli"))

sys.path.insert(0, str(HERE))

from compose_cases import CASES, ENVIRONMENT  # noqa: E402
from fake_daemon import FakeDaemon  # noqa: E402

GOLDEN = HERE / "golden"
CREATED = ("/networks/create", "/secrets/create", "/configs/create", "/services/create")


def seed_external_objects(daemon: FakeDaemon) -> None:
    """What the corpus expects to be there before."""
    daemon.objects["networks"]["net1"] = {
        "Id": "net1",
        "Name": "cool-net",
        "Scope": "swarm",
        "Driver": "overlay",
    }
    daemon.objects["secrets"]["sec1"] = {
        "ID": "sec1",
        "Version": {"Index": 1},
        "Spec": {"Name": "outer-secret", "Labels": {}},
    }
    daemon.objects["configs"]["con1"] = {
        "ID": "con1",
        "Version": {"Index": 1},
        "Spec": {"Name": "outer-config", "Labels": {}},
    }


def run_docker(*words: str) -> str:
    """What the docker CLI prints in the corpus' folder.

    Raises:
        SystemExit: it refused, with its words.
    """
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["docker", *words], cwd=HERE / "corpus", env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout


def record_config(name: str, chosen: list[str]) -> None:
    """What `docker stack config` prints."""
    text = run_docker("stack", "config", *chosen)
    (GOLDEN / f"{name}.config.yml").write_text(text.replace(str(HERE), "/here"))


def record_requests(name: str, chosen: list[str]) -> None:
    """What `docker stack deploy` sends to a daemon that only remembers."""
    with tempfile.TemporaryDirectory() as scratch:
        daemon = FakeDaemon(Path(scratch) / "socket")
        try:
            seed_external_objects(daemon)
            how = ["--resolve-image", "never", "--detach"]
            run_docker("-H", daemon.host, "stack", "deploy", *how, *chosen, "st")
            sent = {
                path: [body for _, where, _, body in daemon.requests if where == path]
                for path in CREATED
            }
        finally:
            daemon.close()
    for bodies in sent.values():
        bodies.sort(key=lambda body: body["Name"])
    text = json.dumps(sent, indent=1, sort_keys=True).replace(str(HERE), "/here")
    (GOLDEN / f"{name}.requests.json").write_text(text + "\n")


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    refused = []
    for name, files in CASES.items():
        chosen = [part for file in files for part in ("-c", file)]
        try:
            record_config(name, chosen)
            record_requests(name, chosen)
        except SystemExit as refusal:
            refused.append(str(refusal))
    if refused:
        raise SystemExit("\n".join(refused))


if __name__ == "__main__":
    main()
