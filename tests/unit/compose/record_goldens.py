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

from fake_daemon import FakeDaemon  # noqa: E402

ENVIRONMENT = {
    "FROM_CALLER": "caller value",
    "HOME_PAGE": "http://x",
    "EMPTY_VALUE": "",
    "HOME": "/home/me",
}
CASES = {
    path.stem: [path.name]
    for path in sorted((HERE / "corpus").glob("*.yml"))
    if path.stem != "override"
}
CASES["merged"] = ["base.yml", "override.yml"]
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


def main() -> None:
    golden = HERE / "golden"
    golden.mkdir(exist_ok=True)
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"]}
    for name, files in CASES.items():
        chosen = [part for file in files for part in ("-c", file)]
        run = {
            "cwd": HERE / "corpus",
            "env": environment,
            "check": True,
            "capture_output": True,
            "text": True,
        }
        config = subprocess.run(["docker", "stack", "config", *chosen], **run)
        (golden / f"{name}.config.yml").write_text(config.stdout.replace(str(HERE), "/here"))
        with tempfile.TemporaryDirectory() as scratch:
            daemon = FakeDaemon(Path(scratch) / "socket")
            seed_external_objects(daemon)
            command = [
                "docker",
                "-H",
                daemon.host,
                "stack",
                "deploy",
                "--resolve-image",
                "never",
                "--detach",
                *chosen,
                "st",
            ]
            subprocess.run(command, **run)
            sent = {
                path: [body for _, where, _, body in daemon.requests if where == path]
                for path in CREATED
            }
            daemon.close()
        for bodies in sent.values():
            bodies.sort(key=lambda body: body["Name"])
        text = json.dumps(sent, indent=1, sort_keys=True).replace(str(HERE), "/here")
        (golden / f"{name}.requests.json").write_text(text + "\n")
        print(name)


if __name__ == "__main__":
    main()
