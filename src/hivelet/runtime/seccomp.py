"""Which system calls a container may make: Docker's default allow-list, or a profile of the user's.

Pure but for its own data file, `seccomp.json`, which lists the names in groups. The result is the `linux.seccomp` object
of an OCI config. Names that an older libseccomp does not know are skipped by the runtimes, so one list serves all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json

_EPERM = 1
_ENOSYS = 38
_AF_VSOCK = 40
_NAMESPACE_FLAGS = 0x7E020000
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: what `clone` may not ask for without CAP_SYS_ADMIN."""
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""PER_LINUX and PER_LINUX32, each also with UNAME26, and the query."""
_S390 = frozenset({"s390", "s390x"})

_ALLOW = "SCMP_ACT_ALLOW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a profile is made for: the architecture in Go's words, the bounding set, the kernel's (major, minor)."""

    architecture: str
    capabilities: frozenset[str]
    kernel: tuple[int, int]


@cache
def _data() -> Mapping[str, Any]:
    loaded: dict[str, Any] = json.loads(
        files("hivelet.runtime").joinpath("seccomp.json").read_text(encoding="utf-8")
    )
    return loaded


@lru_cache(maxsize=64)
def default_profile(subject: Subject) -> dict[str, Any]:
    """Docker's default profile for `subject`. The same object for the same subject: it is not to be changed."""
    data = _data()
    names = {name for group in data["allow"].values() for name in group}
    for version, group in data["allow_from_kernel"].items():
        if subject.kernel >= _version(version):
            names.update(group)
    names.update(data["allow_on_architecture"].get(subject.architecture, ()))
    for capability, group in data["allow_with_capability"].items():
        if capability in subject.capabilities:
            names.update(group)
    rules: list[dict[str, Any]] = [{"names": sorted(names), "action": _ALLOW}]
    rules.append(_rule("socket", 0, "SCMP_CMP_NE", _AF_VSOCK))
    rules.extend(_rule("personality", 0, "SCMP_CMP_EQ", value) for value in _PERSONALITIES)
    if "CAP_SYS_ADMIN" not in subject.capabilities:
        # s390 has the first two parameters of clone the other way round.
        index = 1 if subject.architecture in _S390 else 0
        rules.append(_rule("clone", index, "SCMP_CMP_MASKED_EQ", _NAMESPACE_FLAGS))
        # clone3 hides its flags in memory, where no filter can look: ENOSYS makes libc fall back to clone.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    profile: dict[str, Any] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "syscalls": rules,
    }
    if architectures := data["architectures"].get(subject.architecture):
        profile["architectures"] = list(architectures)
    return profile


def load_profile(text: str, subject: Subject) -> dict[str, Any] | None:
    """A profile in Docker's format (with `archMap`, `includes`, `excludes`), reduced to what applies to `subject`.

    None where the profile says nothing at all, which Docker takes as "no filter".
    """
    try:
        profile = decode_json(text)
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"the seccomp profile is not JSON: {error}") from error
    if not isinstance(profile, dict):
        raise InvalidParameter("the seccomp profile is not a JSON object")
    calls = profile.get("syscalls") or []
    if not profile.get("defaultAction") and not calls:
        return None
    result: dict[str, Any] = {"defaultAction": profile.get("defaultAction", "")}
    for key in ("defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"):
        if key in profile:
            result[key] = profile[key]
    if architectures := _architectures(profile, subject):
        result["architectures"] = architectures
    result["syscalls"] = [_reduced(call) for call in calls if _applies(call, subject)]
    return result


def _architectures(profile: Mapping[str, Any], subject: Subject) -> list[str]:
    listed: Sequence[str] = profile.get("architectures") or []
    mapped: Sequence[Mapping[str, Any]] = profile.get("archMap") or []
    if listed and mapped:
        raise InvalidParameter(
            "'architectures' and 'archMap' were specified in the seccomp profile, use only one"
        )
    if listed:
        return list(listed)
    native = (_data()["architectures"].get(subject.architecture) or [""])[0]
    for entry in mapped:
        if entry.get("architecture") == native:
            return [native, *(entry.get("subArchitectures") or [])]
    return []


def _applies(call: Mapping[str, Any], subject: Subject) -> bool:
    includes: Mapping[str, Any] = call.get("includes") or {}
    excludes: Mapping[str, Any] = call.get("excludes") or {}
    if subject.architecture in (excludes.get("arches") or ()):
        return False
    if subject.capabilities & set(excludes.get("caps") or ()):
        return False
    if (kernel := excludes.get("minKernel")) and subject.kernel >= _version(kernel):
        return False
    if (arches := includes.get("arches")) and subject.architecture not in arches:
        return False
    if not set(includes.get("caps") or ()) <= subject.capabilities:
        return False
    return not ((kernel := includes.get("minKernel")) and subject.kernel < _version(kernel))


def _reduced(call: Mapping[str, Any]) -> dict[str, Any]:
    names = call.get("names") or ([call["name"]] if call.get("name") else [])
    if not names:
        raise InvalidParameter("a rule of the seccomp profile names no system call")
    reduced: dict[str, Any] = {"names": list(names), "action": call.get("action", "")}
    for key in ("errnoRet", "args"):
        if call.get(key):
            reduced[key] = call[key]
    return reduced


def _rule(name: str, index: int, operator: str, value: int) -> dict[str, Any]:
    return {
        "names": [name],
        "action": _ALLOW,
        "args": [{"index": index, "value": value, "op": operator}],
    }


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)
