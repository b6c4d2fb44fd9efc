"""Where the programs under test and their oracles are: hivelet's own, Docker's engine and its two command lines.

Debian's docker.io is used where it is installed; otherwise its packages are unpacked (never installed, so nothing starts)
into a cache folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("HIVELET_CACHE", "/var/cache/hivelet"))
UNPACKED = CACHE / "docker.io"
PACKAGES = ("docker.io", "containerd", "runc", "tini")
SOURCES = Path(__file__).resolve().parents[3]
NEW_DOCKER = Path(os.environ.get("HIVELET_TEST_DOCKER_CLI", "/usr/local/bin/docker"))


def hiveletd() -> list[str]:
    """The daemon of this checkout, as installed beside the interpreter that runs the tests."""
    return [str(Path(sys.executable).with_name("hiveletd"))]


def hivelet() -> list[str]:
    """The command line of this checkout, from the same place."""
    return [str(Path(sys.executable).with_name("hivelet"))]


def docker_engine_path() -> str:
    """A PATH on which Debian's dockerd, containerd and the rest are found."""
    system = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    if Path("/usr/sbin/dockerd").exists():
        return system
    root = _unpacked()
    return f"{root}/usr/sbin:{root}/usr/bin:{system}"


def old_docker() -> Path:
    """Debian's docker command line, 20.10."""
    if Path("/usr/sbin/dockerd").exists() and Path("/usr/bin/docker").exists():
        return Path("/usr/bin/docker")
    return _unpacked() / "usr/bin/docker"


def _unpacked() -> Path:
    root = UNPACKED / "root"
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with (UNPACKED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may ask at once
        if not (root / "usr/sbin/dockerd").exists():
            part = UNPACKED / "part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=part, check=True)
            for package in part.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", package, part / "root"], check=True)
            shutil.rmtree(root, ignore_errors=True)
            (part / "root").rename(root)
            shutil.rmtree(part)
    return root


def docker_proxy() -> str:
    """docker-proxy as Docker Engine starts it for a published port."""
    found = shutil.which("docker-proxy", path=docker_engine_path())
    assert found is not None, "Debian's docker.io is neither installed nor unpacked"
    return found
