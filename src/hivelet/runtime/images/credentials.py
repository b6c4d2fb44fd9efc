"""What skopeo may know of the user: credentials for a registry, and whether the host has a trust policy."""

from __future__ import annotations

import os
from pathlib import Path

from hivelet.objects.image import RegistryAuth
from hivelet.runtime.images import skopeo
from hivelet.runtime.images.references import Reference


class AuthFile:
    """Credentials in a file that only skopeo reads, and that is gone afterwards; never on a command line."""

    def __init__(self, reference: Reference, auth: RegistryAuth | None) -> None:
        self._data = skopeo.build_auth(reference, auth) if auth is not None else None
        self._descriptor = -1

    async def __aenter__(self) -> str:
        if self._data is None:
            return ""
        self._descriptor = os.memfd_create("registry-auth", os.MFD_CLOEXEC)
        os.write(self._descriptor, self._data)
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    async def __aexit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def has_policy() -> bool:
    """Whether the host says which images it trusts; skopeo runs without that only if told to."""
    return Path("/etc/containers/policy.json").exists()
