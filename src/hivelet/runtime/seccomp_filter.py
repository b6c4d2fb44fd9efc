"""Compiles a seccomp profile to the kernel's own form, once for each profile instead of once for each container.

An OCI runtime turns the profile's names into BPF code at every create; for Docker's default profile and its three
architectures that is most of what a create costs (13 of 18 ms of processor time, measured with crun 1.8.1). crun takes
ready-made code from an annotation, so it is compiled here by the same library, libseccomp, and kept. What this module does
not understand is left to the runtime: `precompiled` then returns the spec as it was.
"""

from __future__ import annotations

import base64
import ctypes
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

ANNOTATION = "run.oci.seccomp_bpf_data"

_KNOWN_KEYS = frozenset({"defaultAction", "defaultErrnoRet", "architectures", "syscalls"})
_ACTIONS = {
    "SCMP_ACT_ALLOW": 0x7FFF0000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
}
_OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_EPERM = 1
_UNKNOWN_CALL = -1
_OPTIMIZE = 8
_BINARY_TREE = 2
"""Branch by system call number instead of comparing with each in turn: what a container's calls then cost, too."""
_EEXIST = -17
_LIMIT = 1 << 20


class _Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("value_two", ctypes.c_uint64),
    ]


class FilterCompiler:
    """Compiles profiles by libseccomp and remembers the results; one for the whole daemon."""

    def __init__(self) -> None:
        self._compiled: dict[bytes, str | None] = {}

    def precompiled(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """`spec` with its seccomp profile replaced by compiled code, or as it was where that cannot be done."""
        profile = spec["linux"].get("seccomp")
        if profile is None or not set(profile) <= _KNOWN_KEYS:
            return spec
        key = msgspec.json.encode(profile)
        if key not in self._compiled:
            code = compile_profile(profile)
            self._compiled[key] = None if code is None else base64.b64encode(code).decode()
        if (text := self._compiled[key]) is None:
            return spec
        linux = {name: value for name, value in spec["linux"].items() if name != "seccomp"}
        return {
            **spec,
            "linux": linux,
            "annotations": {**spec.get("annotations", {}), ANNOTATION: text},
        }


def compile_profile(profile: Mapping[str, Any]) -> bytes | None:
    """The BPF code of `profile`; None where libseccomp is missing, too old or does not understand it."""
    library = _library()
    if library is None:
        return None
    try:
        default = _action(profile["defaultAction"], profile.get("defaultErrnoRet"))
        rules = [
            (name.encode(), _action(rule["action"], rule.get("errnoRet")), _comparisons(rule))
            for rule in profile["syscalls"]
            for name in rule["names"]
        ]
    except KeyError:
        return None
    context = library.seccomp_init(default)
    if not context:
        return None
    try:
        if not _fill(library, context, profile.get("architectures", ()), rules):
            return None
        return _export(library, context)
    finally:
        library.seccomp_release(context)


def _fill(
    library: ctypes.CDLL,
    context: int,
    architectures: Any,
    rules: list[tuple[bytes, int, list[_Comparison]]],
) -> bool:
    library.seccomp_attr_set(context, _OPTIMIZE, _BINARY_TREE)
    for name in architectures:
        token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
        if library.seccomp_arch_add(context, token) not in {0, _EEXIST}:
            return False
    for name, action, comparisons in rules:
        number = library.seccomp_syscall_resolve_name(name)
        if number == _UNKNOWN_CALL:
            continue  # newer than this libseccomp: runtimes skip it, too
        array = (_Comparison * len(comparisons))(*comparisons)
        if library.seccomp_rule_add_array(context, action, number, len(comparisons), array) != 0:
            return False
    return True


def _export(library: ctypes.CDLL, context: int) -> bytes | None:
    descriptor = os.memfd_create("seccomp")
    try:
        if library.seccomp_export_bpf(context, descriptor) != 0:
            return None
        return os.pread(descriptor, _LIMIT, 0)
    finally:
        os.close(descriptor)


def _action(name: str, number: int | None) -> int:
    base = _ACTIONS[name]
    if name == "SCMP_ACT_ERRNO":
        return base | (_EPERM if number is None else number)
    return base


def _comparisons(rule: Mapping[str, Any]) -> list[_Comparison]:
    return [
        _Comparison(
            entry["index"], _OPERATORS[entry["op"]], entry["value"], entry.get("valueTwo", 0)
        )
        for entry in rule.get("args", ())
    ]


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError:
        return None
    pointer, number, word = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "seccomp_init": (pointer, [word]),
        "seccomp_release": (None, [pointer]),
        "seccomp_attr_set": (number, [pointer, number, word]),
        "seccomp_arch_add": (number, [pointer, word]),
        "seccomp_arch_resolve_name": (word, [ctypes.c_char_p]),
        "seccomp_syscall_resolve_name": (number, [ctypes.c_char_p]),
        "seccomp_rule_add_array": (
            number,
            [pointer, word, number, ctypes.c_uint, ctypes.POINTER(_Comparison)],
        ),
        "seccomp_export_bpf": (number, [pointer, number]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
