"""What a stack owns and nothing uses once a deploy is done. Pure.

A service uses what its spec names, and what the spec before it names, to which it may be rolled back: an update moves the
present spec there. Volumes are never among what is removed: they hold data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from hivelet.cli.deploy.plan import Kind, Step
from hivelet.cli.deploy.versions import stable_name
from hivelet.cli.deploy.wanted import Wanted
from hivelet.objects.service import STACK_LABEL

Json: TypeAlias = dict[str, Any]


def unused_steps(
    wanted: Wanted,
    steps: Collection[Step],
    *,
    services: Iterable[Json],
    objects: Mapping[Kind, Iterable[Json]],
    prune: bool,
) -> list[Step]:
    """The removals at the end of a deploy: superseded secrets and configs, and with `prune` all that the file no longer has.

    Args:
        wanted: the stack.
        steps: all other steps.
        services: all services as they are, of other stacks as well.
        objects: all networks, secrets and configs as they are.
        prune: whether what the file does not have goes too.
    """
    used = used_after(steps, services)
    own = {(step.kind, step.name) for step in steps if step.action != "remove"}
    declared: dict[Kind, set[str]] = {
        "secret": {spec["Name"] for spec in wanted.secrets},
        "config": {spec["Name"] for spec in wanted.configs},
    }
    found: list[Step] = []
    for kind, entries in objects.items():
        for entry in entries:
            name = entry["Name"] if kind == "network" else entry["Spec"]["Name"]
            if not _owned(entry, wanted.stack) or (kind, name) in own:
                continue
            superseded = kind != "network" and stable_name(entry) in declared[kind]
            if not (superseded or prune) or {entry.get("ID") or entry.get("Id"), name} & used:
                continue
            why = "no service uses it any more" if superseded else "the file no longer has it"
            found.append(
                Step(kind=kind, name=name, action="remove", why=why, last=True, present=entry)
            )
    return found


def used_after(steps: Iterable[Step], services: Iterable[Json]) -> set[str]:
    """Ids (and names, of networks) that services use once `steps` are done."""
    used: set[str] = set()
    planned = {step.ref: step for step in steps if step.kind == "service" and step.ref}
    for entry in services:
        step = planned.get(entry["ID"])
        if step is None or step.action == "keep":
            used |= used_by(entry["Spec"]) | used_by(entry.get("PreviousSpec") or {})
        elif step.action == "update":
            used |= used_by(entry["Spec"])
    for step in steps:
        if step.kind == "service" and step.action in {"create", "update"}:
            used |= used_by(step.body)
    return used


def used_by(spec: Json) -> set[str]:
    """Ids of secrets, configs and networks in a spec; networks by name where a name is written."""
    task = spec.get("TaskTemplate") or {}
    container = task.get("ContainerSpec") or {}
    used = {str(each.get("SecretID")) for each in container.get("Secrets") or []}
    used |= {str(each.get("ConfigID")) for each in container.get("Configs") or []}
    credentials = ((container.get("Privileges") or {}).get("CredentialSpec") or {}).get("Config")
    used |= {str(credentials)} if credentials else set()
    networks = task.get("Networks") or spec.get("Networks") or []
    return used | {str(each.get("Target")) for each in networks}


def _owned(entry: Json, stack: str) -> bool:
    labels = entry.get("Labels") or (entry.get("Spec") or {}).get("Labels") or {}
    return bool(labels.get(STACK_LABEL) == stack)
