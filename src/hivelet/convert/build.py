"""A build as the query and the headers of `POST /build` ask for it, and as its JSON stream tells of it."""

from __future__ import annotations

import binascii
import posixpath
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hivelet.convert.body import convert_json
from hivelet.convert.filters import Filters
from hivelet.convert.image import encode_progress, until_moment
from hivelet.convert.query import flag, integer
from hivelet.convert.shape import Json, rfc3339
from hivelet.errors import InvalidParameter, NotImplemented
from hivelet.kit.foreign_json import decode_json
from hivelet.objects.build import (
    BuildCacheRecord,
    BuildFailed,
    BuildLimits,
    BuildProgress,
    BuildPruneRequest,
    BuildRequest,
)
from hivelet.objects.container import Ulimit
from hivelet.objects.image import RegistryAuth

PRUNE_FILTERS = ("until", "id", "unused-for")
"""What `POST /build/prune` filters by."""

_CALLED = {"buildargs": "build args", "labels": "labels"}

_BUILDKIT = "this build needs BuildKit, which hivelet does not have: set DOCKER_BUILDKIT=0, or use `hivelet build`"


def parse_build(
    query: Mapping[str, str], repeated: Mapping[str, Sequence[str]], config: str
) -> BuildRequest:
    """The request; `repeated` has the parameters that may come several times, `config` the header `X-Registry-Config`.

    Raises:
        InvalidParameter: a parameter has another form.
        NotImplemented: something is asked for that only BuildKit does.
    """
    if query.get("version") == "2" or query.get("outputs") not in (None, "", "[]", "null"):
        raise NotImplemented(_BUILDKIT)
    if flag(query, "squash"):
        raise InvalidParameter("squash is only supported with experimental mode")
    return BuildRequest(
        tags=[tag for tag in repeated.get("t", ()) if tag],
        dockerfile=_dockerfile(query.get("dockerfile", "")),
        remote=query.get("remote", ""),
        target=query.get("target", ""),
        build_args=_texts(query, "buildargs"),
        labels=_texts(query, "labels"),
        platform=query.get("platform", "").lower(),
        network_mode=query.get("networkmode", ""),
        extra_hosts=[entry for entry in repeated.get("extrahosts", ()) if entry],
        security_options=[option for option in repeated.get("securityopt", ()) if option],
        limits=_limits(query),
        no_cache=flag(query, "nocache"),
        pull=flag(query, "pull"),
        quiet=flag(query, "q"),
        auths=parse_registry_config(config),
    )


def parse_registry_config(header: str) -> dict[str, RegistryAuth]:
    """Credentials for several registries from `X-Registry-Config`: base64 of JSON, in either alphabet.

    Raises:
        InvalidParameter: it is something else.
    """
    if not header:
        return {}
    plain = header.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        raw = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        data = decode_json(raw, dict[str, dict[str, Any]] | None)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidParameter(f"invalid X-Registry-Config header: {error}") from error
    return {key: convert_json(value, RegistryAuth) for key, value in (data or {}).items()}


def encode_build(progress: BuildProgress) -> Json | None:
    """One line of a build's stream; None where there is nothing to be told."""
    if progress.pull is not None:
        return encode_progress(progress.pull)
    if progress.image_id:
        return {"aux": {"ID": progress.image_id}}
    return {"stream": progress.stream} if progress.stream else None


def encode_build_error(error: Exception, message: str) -> Json:
    """The last line of a build that failed; the docker CLI ends with the code that it has."""
    detail: Json = {"message": message}
    if isinstance(error, BuildFailed) and error.code:
        detail = {"code": error.code, "message": message}
    return {"errorDetail": detail, "error": message}


def parse_prune(query: Mapping[str, str], filters: Filters, now: datetime) -> BuildPruneRequest:
    """What `POST /build/prune` asks for.

    Raises:
        InvalidParameter: a filter or a size has another form.
    """
    moments = [
        until_moment(value, now) for key in ("until", "unused-for") for value in filters.get(key)
    ]
    return BuildPruneRequest(
        everything=flag(query, "all"),
        before=min(moments, default=None),
        ids=list(filters.get("id")),
        keep_bytes=integer(query, "keep-storage") or 0,
    )


def encode_cache_record(record: BuildCacheRecord) -> Json:
    """A step of the build cache as `GET /system/df` lists it."""
    return {
        "ID": record.id,
        "Parent": record.parent,
        "Type": "regular",
        "Description": record.description,
        "InUse": record.in_use,
        "Shared": False,
        "Size": record.size,
        "CreatedAt": rfc3339(record.created),
        "LastUsedAt": None,
        "UsageCount": 1,
    }


def _dockerfile(text: str) -> str:
    path = posixpath.normpath(text) if text else "Dockerfile"
    if path == ".." or path.startswith("../"):
        raise InvalidParameter(f"forbidden path outside the build context: {text} ()")
    return path.lstrip("/")


def _texts(query: Mapping[str, str], name: str) -> dict[str, str]:
    """A JSON object of texts; an argument without a value is one that the client's environment does not have."""
    try:
        data = decode_json(query.get(name) or "{}", dict[str, str | None] | None)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"error reading {_CALLED[name]}: {error}") from error
    return {key: value for key, value in (data or {}).items() if value is not None}


def _limits(query: Mapping[str, str]) -> BuildLimits:
    try:
        ulimits = decode_json(query.get("ulimits") or "[]", list[dict[str, Any]] | None)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"error reading ulimit settings: {error}") from error
    return BuildLimits(
        memory=integer(query, "memory") or 0,
        memory_swap=integer(query, "memswap") or 0,
        shm_size=integer(query, "shmsize") or 0,
        cpu_shares=integer(query, "cpushares") or 0,
        cpu_period=integer(query, "cpuperiod") or 0,
        cpu_quota=integer(query, "cpuquota") or 0,
        cpuset_cpus=query.get("cpusetcpus", ""),
        cpuset_mems=query.get("cpusetmems", ""),
        ulimits=[convert_json(item, Ulimit) for item in ulimits or []],
    )
