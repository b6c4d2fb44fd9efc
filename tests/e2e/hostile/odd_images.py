"""Images whose configs hold what no builder writes; each is an archive as `docker save` makes one."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

LONG = "x" * 5000
LAST = (1 << 63) - 1

CONFIGS: dict[str, dict[str, Any]] = {
    "user-lines": {"User": "root\nroot"},
    "user-up": {"User": "../../etc/passwd"},
    "user-parts": {"User": "a:b:c:d"},
    "user-large": {"User": "9" * 5000},
    "user-negative": {"User": "-1:-1"},
    "user-nul": {"User": "root\0"},
    "user-percent": {"User": "%n%s{{.}}$(id)"},
    "place-relative": {"WorkingDir": "relative"},
    "place-up": {"WorkingDir": "/../../../.."},
    "place-nul": {"WorkingDir": "/a\0b"},
    "place-long": {"WorkingDir": "/" + "a" * 5000},
    "place-lines": {"WorkingDir": "/a\nb;$(id)"},
    "place-file": {"WorkingDir": "/etc/passwd"},
    "env-odd": {"Env": ["", "=", "=x", "novalue", "A=\nB=\r", "A=$(id)"]},
    "env-nul": {"Env": ["A=\0"]},
    "env-long": {"Env": ["A=" + "x" * 200_000]},
    "env-many": {"Env": ["A=b"] * 20_000},
    "env-home": {"Env": ["HOME=/a\nb", "PATH=", "LD_PRELOAD=/x"]},
    "command-nul": {"Cmd": ["a\0b"]},
    "command-empty": {"Cmd": [""]},
    "command-dash": {"Cmd": ["-c", "--help"]},
    "command-long": {"Cmd": ["/bin/true", "x" * 200_000]},
    "command-many": {"Cmd": ["/bin/true"] * 50_000},
    "entry-up": {"Entrypoint": ["../../bin/sh"]},
    "entry-folder": {"Entrypoint": ["/bin"]},
    "health-nul": {"Healthcheck": {"Test": ["CMD-SHELL", "\0"]}},
    "health-kind": {"Healthcheck": {"Test": ["FOO", "x"]}},
    "health-none": {"Healthcheck": {"Test": ["NONE", "x"]}},
    "health-empty": {"Healthcheck": {"Test": [""]}},
    "health-negative": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": -1, "Retries": -5}},
    "health-short": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 1, "Timeout": 1}},
    "health-endless": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": LAST, "Timeout": LAST, "Retries": LAST}},
    "health-no-program": {"Healthcheck": {"Test": ["CMD"]}},
    "signal-none": {"StopSignal": "SIGFOO"},
    "signal-large": {"StopSignal": "99999"},
    "signal-lines": {"StopSignal": "TERM\nx"},
    "timeout-negative": {"StopTimeout": -1},
    "timeout-endless": {"StopTimeout": 1 << 62},
    "ports-odd": {"ExposedPorts": {"abc": {}, "-1": {}, "70000/tcp": {}, "80/xyz": {}, "": {}}},
    "ports-all": {"ExposedPorts": {f"{port}/tcp": {} for port in range(1, 20_000)}},
    "ports-range": {"ExposedPorts": {"1-65535/udp": {}}},
    "volumes-root": {"Volumes": {"/": {}}},
    "volumes-odd": {"Volumes": {"relative": {}, "": {}}},
    "volumes-up": {"Volumes": {"/a/../../..": {}}},
    "volumes-nul": {"Volumes": {"/a\0": {}}},
    "volumes-kernel": {"Volumes": {"/proc": {}, "/sys": {}, "/dev": {}}},
    "volumes-lines": {"Volumes": {"/a\nb": {}, "/a,b:ro": {}}},
    "labels-odd": {"Labels": {"": "", "a\nb": "c\0d", "x" * 5000: LONG, "{{.}}": "%n"}},
    "host-odd": {"Hostname": "a\nb", "Domainname": "x;y"},
    "all-long": {"User": LONG, "WorkingDir": LONG, "StopSignal": LONG, "Cmd": [LONG]},
}  # fmt: skip
"""By what is odd in them."""


def write(path: Path, layer: bytes) -> Path:
    """One archive of all of them, `odd:NAME`, each with the one layer."""
    digest = hashlib.sha256(layer).hexdigest()
    manifest = []
    with tarfile.open(path, "w") as tar:

        def add(name: str, data: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))

        add("layer.tar", layer)
        for name, odd in CONFIGS.items():
            config = {"Cmd": ["/bin/sleep", "1000"], **odd}
            rootfs = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
            document = {"os": "linux", "config": config, "rootfs": rootfs}
            add(f"{name}.json", json.dumps(document).encode())
            manifest.append(
                {"Config": f"{name}.json", "RepoTags": [f"odd:{name}"], "Layers": ["layer.tar"]}
            )
        add("manifest.json", json.dumps(manifest).encode())
    return path
