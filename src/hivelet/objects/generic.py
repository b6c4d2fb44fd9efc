"""Generic resources: what a node has beyond CPU and memory, such as GPUs, counted or by name. Pure; SwarmKit's rules.

A kind is either discrete (a number) or named (a set of values) on a node. Who asks for a number of a named kind is given as many
of its names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hivelet.objects.task import (
    DiscreteGenericResource,
    GenericResource,
    NamedGenericResource,
)


def parse_generic_resources(entries: Iterable[str]) -> list[GenericResource]:
    """A node's resources out of `KIND=NUMBER` or `KIND=NAME`, the latter once for each name.

    Raises:
        ValueError: an entry is neither, or a kind is both.
    """
    found: list[GenericResource] = []
    kinds: dict[str, bool] = {}
    for entry in entries:
        kind, equals, value = entry.partition("=")
        if not (kind and equals and value):
            raise ValueError(f'"{entry}" is no generic resource; write KIND=NUMBER or KIND=NAME')
        counted = value.isdecimal()
        if kinds.setdefault(kind, counted) != counted or (counted and _has(found, kind)):
            raise ValueError(
                f"the generic resource {kind} is given twice, or by number and by name"
            )
        found.append(discrete(kind, int(value)) if counted else named(kind, value))
    return found


def discrete(kind: str, value: int) -> GenericResource:
    """So many of a kind."""
    return GenericResource(discrete_resource_spec=DiscreteGenericResource(kind=kind, value=value))


def named(kind: str, value: str) -> GenericResource:
    """One of a kind, by its name."""
    return GenericResource(named_resource_spec=NamedGenericResource(kind=kind, value=value))


def kind_of(resource: GenericResource) -> str:
    """The resource's kind."""
    spec = resource.named_resource_spec or resource.discrete_resource_spec
    return spec.kind if spec is not None else ""


def claim(
    wanted: Iterable[GenericResource],
    there: Iterable[GenericResource],
    taken: Iterable[GenericResource],
) -> list[GenericResource] | None:
    """What a task gets of a node that has `there` and has given `taken`; None where that is not enough."""
    numbers: dict[str, int] = defaultdict(int)
    names: dict[str, list[str]] = defaultdict(list)
    for resource in there:
        if resource.discrete_resource_spec is not None:
            numbers[kind_of(resource)] += resource.discrete_resource_spec.value
        elif resource.named_resource_spec is not None:
            names[kind_of(resource)].append(resource.named_resource_spec.value)
    for resource in taken:
        if resource.discrete_resource_spec is not None:
            numbers[kind_of(resource)] -= resource.discrete_resource_spec.value
        elif resource.named_resource_spec is not None:
            kind, value = kind_of(resource), resource.named_resource_spec.value
            names[kind] = [name for name in names[kind] if name != value]
    given: list[GenericResource] = []
    for resource in wanted:
        part = _claim_one(resource, numbers, names)
        if part is None:
            return None
        given.extend(part)
    return given


def environment(assigned: Iterable[GenericResource]) -> list[str]:
    """How a container is told of what it got: `DOCKER_RESOURCE_GPU=id1,id2`, or the number."""
    values: dict[str, list[str]] = defaultdict(list)
    for resource in assigned:
        if resource.named_resource_spec is not None:
            values[kind_of(resource)].append(resource.named_resource_spec.value)
        elif resource.discrete_resource_spec is not None:
            values[kind_of(resource)].append(str(resource.discrete_resource_spec.value))
    return [f"DOCKER_RESOURCE_{kind.upper()}={','.join(values[kind])}" for kind in sorted(values)]


def _claim_one(
    resource: GenericResource, numbers: dict[str, int], names: dict[str, list[str]]
) -> list[GenericResource] | None:
    kind = kind_of(resource)
    if resource.named_resource_spec is not None:
        value = resource.named_resource_spec.value
        if value not in names[kind]:
            return None
        names[kind].remove(value)
        return [resource]
    count = resource.discrete_resource_spec.value if resource.discrete_resource_spec else 0
    if names[kind]:
        if len(names[kind]) < count:
            return None
        chosen, names[kind] = names[kind][:count], names[kind][count:]
        return [named(kind, name) for name in chosen]
    if numbers[kind] < count:
        return None
    numbers[kind] -= count
    return [discrete(kind, count)] if count else []


def _has(resources: Iterable[GenericResource], kind: str) -> bool:
    return any(kind_of(resource) == kind for resource in resources)
