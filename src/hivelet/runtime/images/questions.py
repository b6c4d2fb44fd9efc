"""What a registry is asked without an image being fetched: which manifest a name has, and whether it accepts a user."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from typing import Any

import msgspec

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json
from hivelet.kit.process import CommandFailed, run_command
from hivelet.objects import common
from hivelet.objects.image import RegistryAuth, RegistryImage
from hivelet.runtime.images import skopeo
from hivelet.runtime.images.arrival import SILENCE
from hivelet.runtime.images.credentials import AuthFile, has_policy
from hivelet.runtime.images.references import Reference, parse_reference, parse_registry
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.images.store import ImageStore

_VALUES_LIMIT = 200_000


async def inspect_registry(
    reference: str, auth: RegistryAuth | None = None, *, insecure: bool = False
) -> RegistryImage:
    """What the registry says of an image, without fetching it."""
    parsed = parse_reference(reference).with_default_tag()
    async with AuthFile(parsed, auth) as authfile:
        flags = skopeo.build_flags(parsed, authfile=authfile, insecure=insecure)
        raw = await read_manifest(parsed, flags, with_credentials=auth is not None)
    manifest = decode_manifest(raw)
    media_type = str(manifest.get("mediaType") or "")
    listed = manifest.get("manifests")
    platforms = [
        common.Platform(
            architecture=str(item["platform"].get("architecture") or ""),
            os=str(item["platform"].get("os") or ""),
        )
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and isinstance(item.get("platform"), dict)
    ]
    return RegistryImage(
        media_type=media_type, digest=digest_of(raw), size=len(raw), platforms=platforms
    )


async def check_credentials(
    store: ImageStore, auth: RegistryAuth, registries: InsecureRegistries | None = None
) -> None:
    """Ask a registry whether it accepts a user's credentials.

    Raises:
        Unauthorized: it does not.
        Unavailable: it can't be reached.
        InvalidParameter: no user is named, or no registry.
    """
    if not auth.username or not auth.password:
        raise InvalidParameter("give a user name and a password")
    registry = parse_registry(auth.serveraddress)
    scratch = await store.new_scratch("login")
    try:
        insecure = (registries or InsecureRegistries()).covers(registry)
        authfile = str(scratch / "auth.json")
        argv = skopeo.build_login(registry, auth.username, authfile, insecure=insecure)
        await run_command(argv, stdin=auth.password.encode(), timeout=SILENCE)
    except CommandFailed as error:
        reference = Reference(domain=registry, path="")
        raise skopeo.explain_failure(
            reference, error.status, error.stderr, with_credentials=True
        ) from error
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch)


async def read_manifest(
    reference: Reference, flags: list[str], *, with_credentials: bool, patience: float = SILENCE
) -> bytes:
    """The manifest, or the index, that a reference names, byte for byte.

    Raises:
        HiveletError: why it can't be had; Unavailable where the registry does not answer within `patience` seconds.
    """
    argv = skopeo.build_inspect(skopeo.build_source(reference), flags, policy=has_policy())
    try:
        return (await run_command(argv, timeout=patience)).stdout
    except CommandFailed as error:
        raise skopeo.explain_failure(
            reference, error.status, error.stderr, with_credentials=with_credentials
        ) from error


def decode_manifest(raw: bytes) -> dict[str, Any]:
    """A registry's document as JSON data.

    Raises:
        InvalidParameter: it is none.
    """
    try:
        decoded: dict[str, Any] = decode_json(raw, dict[str, Any], most=_VALUES_LIMIT)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"the registry's manifest is not valid: {error}") from error
    return decoded


def digest_of(raw: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"
