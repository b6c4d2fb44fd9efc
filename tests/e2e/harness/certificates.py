"""Certificates for tests of TLS, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def openssl(*words: str, cwd: Path) -> None:
    """Run openssl; what it says matters only where it fails."""
    done = subprocess.run(["openssl", *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_authority(folder: Path, name: str) -> None:
    """A certificate that may sign others."""
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    out = [
        "-keyout",
        f"{name}-key.pem",
        "-out",
        f"{name}.pem",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    openssl(*words, *out, cwd=folder)


def make_certificate(
    folder: Path, authority: str, name: str, extensions: str, *, days: int = 2
) -> None:
    """A certificate of one side, and its key; one of less than no days has expired."""
    words = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    out = ["-keyout", f"{name}-key.pem", "-out", f"{name}.csr", "-subj", f"/CN={name}"]
    openssl(*words, *out, cwd=folder)
    (folder / f"{name}.ext").write_text(extensions)
    signed = ["x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-days", str(days)]
    key = ["-CAkey", f"{authority}-key.pem", "-CAcreateserial", "-extfile", f"{name}.ext"]
    openssl(*signed, *key, "-out", f"{name}.pem", cwd=folder)
