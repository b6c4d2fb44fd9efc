"""The difference between what a stack file asks for and what is there, as a plan. Pure.

A service is updated where it differs by meaning (`spec_compare`); of its task template and ports, what means the same is sent
back just as the daemon has it, so that no task is replaced for a difference in writing. What no service uses, not even to be
rolled back to, is removed: versions of secrets and configs always, the rest of what the stack owns with `prune`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hivelet.cli.deploy.fields import field_changes
from hivelet.cli.deploy.plan import FieldChange, Plan, Restart, Step
from hivelet.cli.deploy.unused import unused_steps
from hivelet.cli.deploy.versions import Choice, FileKind, choose_version
from hivelet.cli.deploy.wanted import Wanted, fit_bodies, service_bodies
from hivelet.cli.spec_compare import canonical_spec
from hivelet.compose.images import with_default_tag
from hivelet.compose.names import IMAGE_LABEL, scoped
from hivelet.compose.to_spec.cluster_files import referenced_names
from hivelet.errors import InvalidParameter, NotFound
from hivelet.kit.durations import format_duration
from hivelet.objects.service import STACK_LABEL

Json: TypeAlias = dict[str, Any]

_AS_IT_IS = ("TaskTemplate", "EndpointSpec", "UpdateConfig", "RollbackConfig", "Mode")
_PLACEMENT = ("deploy.placement.constraints",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What was read of the cluster: all objects, and the ids of secrets and configs that have the content of the file."""

    services: tuple[Json, ...] = ()
    networks: tuple[Json, ...] = ()
    secrets: tuple[Json, ...] = ()
    configs: tuple[Json, ...] = ()
    same_content: frozenset[str] = frozenset()
    hivelet: bool = True
    api_version: str = "1.47"

    @property
    def network_ids(self) -> dict[str, str]:
        """Ids of networks by name."""
        return {network["Name"]: network["Id"] for network in self.networks}

    @property
    def network_names(self) -> dict[str, str]:
        """Names of networks by id."""
        return {network["Id"]: network["Name"] for network in self.networks}

    def files(self, kind: FileKind) -> tuple[Json, ...]:
        """All secrets, or all configs."""
        return self.secrets if kind == "secrets" else self.configs

    def stack_services(self, stack: str) -> dict[str, Json]:
        """The services of a stack by name."""
        return {
            entry["Spec"]["Name"]: entry
            for entry in self.services
            if (entry["Spec"].get("Labels") or {}).get(STACK_LABEL) == stack
        }


def plan_stack(wanted: Wanted, present: Present, *, prune: bool = False) -> Plan:
    """What a deploy of `wanted` does.

    Raises:
        HiveletError: something that the file takes for granted is not there, or cannot be changed.
    """
    warnings: list[str] = []
    networks = [_network_step(request, present, warnings) for request in wanted.networks]
    secrets, configs = (_choose_all(kind, wanted, present) for kind in ("secrets", "configs"))
    bodies = service_bodies(
        wanted,
        {**_external("secrets", wanted, present, secrets), **secrets},
        {**_external("configs", wanted, present, configs), **configs},
    )
    if not present.hivelet:
        warnings += fit_bodies(bodies, present.api_version)
    existing = present.stack_services(wanted.stack)
    services = [
        _service_step(bodies[name], existing.get(scoped(wanted.stack, name)), wanted, present, name)
        for name in wanted.order
    ]
    kept = {scoped(wanted.stack, name) for name in wanted.file.services}
    gone = [
        _removed(entry) for name, entry in sorted(existing.items()) if prune and name not in kept
    ]
    files = [choice.step for choice in (*secrets.values(), *configs.values())]
    last = unused_steps(
        wanted,
        (*networks, *files, *services, *gone),
        services=present.services,
        objects={
            "network": present.networks,
            "secret": present.secrets,
            "config": present.configs,
        },
        prune=prune,
    )
    return Plan(
        stack=wanted.stack,
        steps=(*gone, *networks, *files, *services, *last),
        warnings=tuple(warnings),
    )


def _choose_all(kind: FileKind, wanted: Wanted, present: Present) -> dict[str, Choice]:
    specs = wanted.secrets if kind == "secrets" else wanted.configs
    return {
        spec["Name"]: choose_version(
            kind, wanted.stack, spec, present.files(kind), present.same_content
        )
        for spec in specs
    }


def _external(
    kind: FileKind, wanted: Wanted, present: Present, own: Collection[str]
) -> dict[str, Choice]:
    """The objects that services use and the stack does not create."""
    used = referenced_names(wanted.stack, wanted.file)[0 if kind == "secrets" else 1]
    there = {entry["Spec"]["Name"]: entry for entry in present.files(kind)}
    noun = "secret" if kind == "secrets" else "config"
    found: dict[str, Choice] = {}
    for name in sorted(used - set(own)):
        if name not in there:
            raise NotFound(
                f'{noun} "{name}" does not exist; create it first: hivelet {noun} create {name} FILE'
            )
        step = Step(kind="secret", name=name, action="keep", present=there[name])
        found[name] = Choice(name=name, id=there[name]["ID"], step=step)
    return found


def _network_step(request: Json, present: Present, warnings: list[str]) -> Step:
    name = request["Name"]
    there = next((network for network in present.networks if network["Name"] == name), None)
    if there is None:
        return Step(kind="network", name=name, action="create", body=request)
    differences = [
        f"{key}: {there.get(key) or False} -> {request.get(key) or False}"
        for key in ("Internal", "Attachable", "EnableIPv6")
        if bool(there.get(key)) != bool(request.get(key))
    ]
    wanted_pools = {pool.get("Subnet") for pool in (request.get("IPAM") or {}).get("Config") or []}
    pools = {pool.get("Subnet") for pool in (there.get("IPAM") or {}).get("Config") or []}
    if not wanted_pools <= pools:
        differences.append(f"subnets: {_listed(pools)} -> {_listed(wanted_pools)}")
    if (there.get("Driver") or request["Driver"]) != request["Driver"]:
        differences.append(f"driver: {there['Driver']} -> {request['Driver']}")
    if differences:
        warnings.append(
            f"network {name} stays as it is, and the file has it otherwise ({'; '.join(differences)}): "
            "a network cannot be changed; give it another name in the file, or remove the stack first"
        )
    return Step(kind="network", name=name, action="keep", present=there)


def _listed(values: Iterable[str | None]) -> str:
    return ", ".join(sorted(filter(None, values))) or "none"


def _service_step(
    body: Json, there: Json | None, wanted: Wanted, present: Present, name: str
) -> Step:
    image = wanted.file.services[name].image
    if there is None:
        return Step(
            kind="service",
            name=body["Name"],
            action="create",
            starts=_replicas(body),
            body=body,
            image=image,
        )
    body = _as_sent(body, there, wanted)
    ids = present.network_ids
    old, new = canonical_spec(there["Spec"], ids), canonical_spec(body, ids)
    if old == new:
        return Step(
            kind="service", name=body["Name"], action="keep", present=there, image=image, body=body
        )
    _refuse_new_mode(body, there["Spec"])
    for part in _AS_IT_IS:
        if old.get(part) == new.get(part) and part in there["Spec"]:
            body[part] = there["Spec"][part]
    changes = field_changes(old, new, present.network_names)
    running = _running(there)
    return Step(
        kind="service",
        name=body["Name"],
        action="update",
        fields=changes,
        restart=_restart(old, new, changes, min(running, _kept_slots(body, running)), present),
        starts=max(0, _replicas(body) - _replicas(there["Spec"])),
        stops=max(0, _replicas(there["Spec"]) - _replicas(body)),
        body=body,
        present=there,
        image=image,
    )


def _as_sent(body: Json, there: Json, wanted: Wanted) -> Json:
    """The body with what only the daemon knows: a digest that it looked up, and how often the service was forced."""
    current = there["Spec"]
    task = {**body["TaskTemplate"], "ContainerSpec": dict(body["TaskTemplate"]["ContainerSpec"])}
    same_image = body["Labels"].get(IMAGE_LABEL) == (current.get("Labels") or {}).get(IMAGE_LABEL)
    built = with_default_tag(body["Labels"].get(IMAGE_LABEL, "")) in wanted.built
    if wanted.keep_image and same_image and not built:
        task["ContainerSpec"]["Image"] = current["TaskTemplate"]["ContainerSpec"]["Image"]
    task["ForceUpdate"] = current["TaskTemplate"].get("ForceUpdate", 0)
    return {**body, "TaskTemplate": task}


def _refuse_new_mode(body: Json, current: Json) -> None:
    old = set(current.get("Mode") or {"Replicated": {}})
    new = set(body.get("Mode") or {"Replicated": {}})
    if old != new:
        raise InvalidParameter(
            f"service {body['Name']}: its mode cannot be changed from {_mode(old)} to {_mode(new)}; "
            f"remove it first: hivelet service rm {body['Name']}"
        )


def _mode(mode: Iterable[str]) -> str:
    names = {"ReplicatedJob": "replicated-job", "GlobalJob": "global-job"}
    return ", ".join(names.get(name, name.lower()) for name in mode)


def _restart(
    old: Json, new: Json, changes: tuple[FieldChange, ...], tasks: int, present: Present
) -> Restart | None:
    """Which tasks are replaced: only where what a container is made of, or its ports, have changed."""
    made_anew = ("TaskTemplate", "EndpointSpec") if not present.hivelet else ("TaskTemplate",)
    job = bool({"ReplicatedJob", "GlobalJob"} & set(new.get("Mode") or ()))
    if job:
        made_anew = ("TaskTemplate", "Mode")
    ports = _ports(old) != _ports(new)
    if not ports and all(old.get(part) == new.get(part) for part in made_anew):
        return None
    why = tuple(
        change.path for change in changes if job or not _harmless(change.path, present.hivelet)
    )
    config = new.get("UpdateConfig") or {"Parallelism": 1}
    return Restart(
        tasks=tasks,
        why=why,
        parallelism=int(config.get("Parallelism", 0)),
        order=str(config.get("Order") or "stop-first"),
        delay=format_duration(config["Delay"]) if config.get("Delay") else "",
        job=job,
        misplaced_only=not job and bool(why) and all(path in _PLACEMENT for path in why),
    )


def _harmless(path: str, hivelet: bool) -> bool:
    """Whether a change at this path concerns the service alone, and none of its tasks."""
    begins = ("deploy.labels.", "deploy.update_config", "deploy.rollback_config", "depends_on")
    names = {"deploy.replicas", "deploy.max_concurrent"}
    if hivelet:
        names.add("deploy.endpoint_mode")
    return path in names or path.startswith(begins)


def _ports(spec: Json) -> list[Json]:
    found: list[Json] = (spec.get("EndpointSpec") or {}).get("Ports") or []
    return found


def _removed(entry: Json) -> Step:
    return Step(
        kind="service",
        name=entry["Spec"]["Name"],
        action="remove",
        stops=_running(entry),
        why="the file no longer has it",
        present=entry,
    )


def _replicas(spec: Mapping[str, Any]) -> int:
    """How many tasks a spec asks for; 0 where the nodes decide, or it is a job."""
    mode = spec.get("Mode") or {"Replicated": {}}
    if mode.get("Replicated") is None:
        return 0
    given = mode["Replicated"].get("Replicas")
    return 1 if given is None else int(given)


def _kept_slots(body: Json, running: int) -> int:
    mode = body.get("Mode") or {}
    return _replicas(body) if mode.get("Replicated") is not None or not mode else running


def _running(entry: Json) -> int:
    status = entry.get("ServiceStatus") or {}
    return int(status.get("RunningTasks", _replicas(entry["Spec"])))
