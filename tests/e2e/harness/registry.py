"""A real registry (Debian's docker-registry) outside of a private machine, with or without TLS and passwords."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from harness.machine import OUTSIDE, OUTSIDE_ADDRESS, Machine, Process
from harness.waiting import wait_until

PORT = 5000
DOMAIN = f"{OUTSIDE_ADDRESS}:{PORT}"
USER, PASSWORD = "anna", "geheim"
_HTPASSWD = "anna:$2b$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu\n"


class Registry:
    """A registry at DOMAIN, reachable from `machine` over its uplink; its images outlive a stop."""

    def __init__(self, machine: Machine, *, tls: bool = False, password: bool = False) -> None:
        self.machine = machine
        self.tls = tls
        self.dir = machine.dir / "registry"
        self.dir.mkdir()
        settings: dict[str, Any] = {
            "version": "0.1",
            "storage": {
                "filesystem": {"rootdirectory": str(self.dir / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": DOMAIN},
            "log": {"level": "error"},
        }
        if tls:
            self._make_certificate()
            settings["http"]["tls"] = {
                "certificate": str(self.dir / "ca.crt"),
                "key": str(self.dir / "key"),
            }
        if password:
            (self.dir / "htpasswd").write_text(_HTPASSWD)
            settings["auth"] = {"htpasswd": {"realm": "test", "path": str(self.dir / "htpasswd")}}
        (self.dir / "config.yml").write_text(json.dumps(settings))
        self.process: Process | None = None
        self.start()

    def _make_certificate(self) -> None:
        words = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        names = ["-subj", "/CN=registry", "-addext", f"subjectAltName=IP:{OUTSIDE_ADDRESS}"]
        files = ["-keyout", str(self.dir / "key"), "-out", str(self.dir / "ca.crt")]
        subprocess.run(
            ["openssl", "req", *words, "-days", "2", *names, *files],
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Serve; returns when it answers."""
        with (self.dir / "log").open("a") as log:
            self.process = self.machine.popen(
                ["docker-registry", "serve", str(self.dir / "config.yml")],
                where=OUTSIDE,
                stdout=log,
                stderr=log,
            )
        scheme = "https" if self.tls else "http"
        wait_until(
            lambda: self._answers(f"{scheme}://{DOMAIN}/v2/"),
            timeout=20,
            what="the registry answers",
        )

    def _answers(self, url: str) -> bool:
        done = self.machine.run(["curl", "-ks", "-o", "/dev/null", url], check=False)
        return done.returncode == 0

    def stop(self) -> None:
        """End it at once, whatever it is doing."""
        assert self.process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.end(signal.SIGKILL)

    def blobs(self) -> list[Path]:
        """The files of its blobs."""
        return list((self.dir / "data").glob("docker/registry/v2/blobs/sha256/*/*/data"))

    def trust(self) -> None:
        """Let the machine trust its certificate as Docker's users do: by a file in /etc/docker/certs.d."""
        self.machine.run(["mkdir", "-p", "/etc/docker"])
        self.machine.run(["mount", "-t", "tmpfs", "tmpfs", "/etc/docker"])
        place = f"/etc/docker/certs.d/{DOMAIN}"
        self.machine.run(["mkdir", "-p", place])
        self.machine.run(["cp", str(self.dir / "ca.crt"), f"{place}/ca.crt"])
