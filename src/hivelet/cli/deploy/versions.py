"""Secrets and configs whose content changes: which object of the cluster stands for one of the file. Pure.

Both are immutable in a swarm. The first one bears the plain name (`app_token`), as `docker stack deploy` has it; a changed content
becomes a new object, `app_token-1f2e3d4c5b`, with the label that says whose version it is, and services are given it under the
same path as before. Of all objects of one stable name, the one whose content equals the file's is taken; how content is
compared is the reader's affair (`reading`). A secret's name gives away nothing that could be guessed quickly: the hash is a slow one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hivelet.cli.deploy.plan import FieldChange, Kind, Step
from hivelet.objects.service import STACK_LABEL

Json: TypeAlias = dict[str, Any]
FileKind = Literal["secrets", "configs"]

VERSION_LABEL = "com.hivelet.version-of"
"""On a changed secret or config: the stable name of which it is a version."""

_LONGEST_NAME = 64
_DIGITS = 10
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 16}
"""About 50 ms for one guess, instead of some nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The object that stands for a secret or config of the file; `id` is a placeholder until it has been created."""

    name: str
    id: str
    step: Step


def versions_of(stable: str, entries: Iterable[Json]) -> list[Json]:
    """The objects that may stand for the stable name: the one of that name, and its versions."""
    return [
        entry
        for entry in entries
        if entry["Spec"]["Name"] == stable or _labels(entry["Spec"]).get(VERSION_LABEL) == stable
    ]


def stable_name(entry: Json) -> str:
    """Whose version an object is; its own name where it is none."""
    return str(_labels(entry["Spec"]).get(VERSION_LABEL) or entry["Spec"]["Name"])


def placeholder(kind: FileKind, name: str) -> str:
    """What stands in a spec for the id of an object that is yet to be created."""
    return f"<{kind}:{name}>"


def choose_version(
    kind: FileKind, stack: str, wanted: Json, entries: Collection[Json], same: Collection[str]
) -> Choice:
    """Which object stands for the secret or config `wanted`, and what must be done for it.

    Args:
        kind: secrets or configs.
        stack: whose label marks what the stack owns.
        wanted: the spec as the file has it, under its stable name.
        entries: all objects of that kind.
        same: ids of those whose content is the file's.
    """
    stable = str(wanted["Name"])
    known = versions_of(stable, entries)
    for entry in known:
        if entry["ID"] in same and _same_making(wanted, entry["Spec"]):
            return Choice(
                name=entry["Spec"]["Name"], id=entry["ID"], step=_kept(kind, stack, wanted, entry)
            )
    noun = _noun(kind)
    if not known:
        step = Step(kind=noun, name=stable, action="create", body=wanted)
        return Choice(name=stable, id=placeholder(kind, stable), step=step)
    name = version_name(kind, stable, wanted)
    body = {
        **wanted,
        "Name": name,
        "Labels": {**_labels(wanted), VERSION_LABEL: stable},
    }
    why = f"the content of {stable} has changed"
    return Choice(
        name=name,
        id=placeholder(kind, name),
        step=Step(kind=noun, name=name, action="create", why=why, body=body),
    )


def version_name(kind: FileKind, stable: str, wanted: Json) -> str:
    """The name of a version: the stable one, cut where it would be too long, and a hash of the content."""
    making = repr((wanted.get("Driver"), wanted.get("Templating"))).encode()
    content = str(wanted.get("Data", "")).encode() + making
    if kind == "secrets":
        digest = hashlib.scrypt(content, salt=f"hivelet:{stable}".encode(), **_SCRYPT).hex()
    else:
        digest = hashlib.sha256(content).hexdigest()
    return f"{stable[: _LONGEST_NAME - _DIGITS - 1]}-{digest[:_DIGITS]}"


def _kept(kind: FileKind, stack: str, wanted: Json, entry: Json) -> Step:
    """The object is used as it is; only the labels of one that the stack owns are brought up to date."""
    spec = entry["Spec"]
    name, noun = spec["Name"], _noun(kind)
    labels = {**_labels(wanted)}
    if VERSION_LABEL in _labels(spec):
        labels[VERSION_LABEL] = spec["Labels"][VERSION_LABEL]
    if _labels(spec).get(STACK_LABEL) != stack or labels == _labels(spec):
        return Step(kind=noun, name=name, action="keep", present=entry)
    changes = tuple(
        FieldChange(path=f"labels.{key}", old=_labels(spec).get(key), new=labels.get(key))
        for key in sorted({**_labels(spec), **labels})
        if _labels(spec).get(key) != labels.get(key)
    )
    body = {**wanted, "Name": name, "Labels": labels}
    return Step(kind=noun, name=name, action="update", fields=changes, body=body, present=entry)


def _same_making(wanted: Json, present: Json) -> bool:
    """Whether both are filled in by the same driver."""
    return all((wanted.get(key) or None) == (_driver(present, key)) for key in _MAKING)


_MAKING = ("Driver", "Templating")


def _driver(spec: Json, key: str) -> Json | None:
    given = {name: value for name, value in (spec.get(key) or {}).items() if value}
    return given or None


def _labels(spec: Json) -> dict[str, str]:
    return spec.get("Labels") or {}


def _noun(kind: FileKind) -> Kind:
    return "secret" if kind == "secrets" else "config"
