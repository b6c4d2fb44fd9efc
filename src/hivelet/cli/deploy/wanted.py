"""What a stack file asks of this very daemon, as the JSON that will be sent. Pure.

What a Docker engine does not keep of a service is left out for one, or the service would look changed forever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hivelet.cli.deploy.versions import Choice
from hivelet.compose.docker_engine import fit_to_engine
from hivelet.compose.load import LoadedStack
from hivelet.compose.model import StackFile
from hivelet.compose.to_spec.cluster_files import KnownIds, config_specs, secret_specs
from hivelet.compose.to_spec.networks import network_requests
from hivelet.compose.to_spec.services import service_specs
from hivelet.compose.wire import to_wire
from hivelet.objects.service import DEPENDS_ON_LABEL

Json: TypeAlias = dict[str, Any]

_OURS = "com.hivelet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A stack as its file has it; `pinned` has images with their digests, by how the file writes them."""

    stack: str
    file: StackFile
    networks: tuple[Json, ...]
    secrets: tuple[Json, ...]
    configs: tuple[Json, ...]
    pinned: Mapping[str, str] = field(default_factory=dict)
    keep_image: bool = True
    """Leave a service its image (with its digest) where the file has not changed it."""
    built: frozenset[str] = frozenset()
    """Images, by how services send them, that have been built just now: these are not left as they were."""

    @property
    def order(self) -> list[str]:
        """The services by their names in the file, dependencies first."""
        return dependency_order(self.file)


def wanted_stack(
    stack: str,
    loaded: LoadedStack,
    *,
    pinned: Mapping[str, str] | None = None,
    keep_image: bool = True,
    built: frozenset[str] = frozenset(),
) -> Wanted:
    """What a loaded stack asks for under the name `stack`."""
    file, contents = loaded.file, loaded.contents
    return Wanted(
        stack=stack,
        file=file,
        networks=tuple(network_requests(stack, file)),
        secrets=tuple(to_wire(spec) for spec in secret_specs(stack, file, contents)),
        configs=tuple(to_wire(spec) for spec in config_specs(stack, file, contents)),
        pinned=pinned or {},
        keep_image=keep_image,
        built=built,
    )


def service_bodies(
    wanted: Wanted, secrets: Mapping[str, Choice], configs: Mapping[str, Choice]
) -> dict[str, Json]:
    """The spec of every service by its name in the file; secrets and configs are those that were chosen, by stable name."""
    ids = KnownIds(
        secrets={name: choice.id for name, choice in secrets.items()},
        configs={name: choice.id for name, choice in configs.items()},
    )
    bodies: dict[str, Json] = {}
    for name, spec in service_specs(wanted.stack, wanted.file, ids).items():
        body = to_wire(spec)
        container = body["TaskTemplate"]["ContainerSpec"]
        _rename(container.get("Secrets"), "SecretName", secrets)
        _rename(container.get("Configs"), "ConfigName", configs)
        container["Image"] = wanted.pinned.get(container["Image"], container["Image"])
        bodies[name] = body
    return bodies


def fit_bodies(bodies: Mapping[str, Json], api_version: str) -> list[str]:
    """Take out, in place, what a Docker engine of this API version does not honour; the answer says what it will do instead."""
    addresses = sorted({p["HostIP"] for p in _ports(bodies.values()) if p.get("HostIP")})
    for port in _ports(bodies.values()):
        port.pop("HostIP", None)
    gone = fit_to_engine(bodies.values(), api_version)
    told = []
    if addresses:
        told.append(f"ports for {', '.join(addresses)} are published on all of its addresses")
    for label, services in _our_labels(bodies).items():
        told.append(
            f"it starts {', '.join(services)} without waiting for what depends_on names"
            if label == DEPENDS_ON_LABEL
            else f"the label {label} of {', '.join(services)} has no effect"
        )
    told += [
        f"{key} of {', '.join(services)} has no effect in its version of the API ({api_version})"
        for key, services in gone.items()
    ]
    return [f"this daemon is a Docker engine: {each}" for each in told]


def _our_labels(bodies: Mapping[str, Json]) -> dict[str, list[str]]:
    """Labels that hivelet's daemon alone reads, with the services that have them."""
    found: dict[str, list[str]] = {}
    for body in bodies.values():
        for label in sorted(body.get("Labels") or ()):
            if label.startswith(_OURS):
                found.setdefault(label, []).append(body["Name"])
    return dict(sorted(found.items()))


def dependency_order(file: StackFile) -> list[str]:
    """Services with what they depend on before them; circles are broken where they are entered."""
    order: dict[str, None] = {}
    entered: set[str] = set()

    def visit(name: str) -> None:
        if name in entered or name not in file.services:
            return
        entered.add(name)
        for dependency in sorted(file.services[name].depends_on):
            visit(dependency)
        order[name] = None

    for name in sorted(file.services):
        visit(name)
    return list(order)


def _rename(references: Iterable[Json] | None, key: str, chosen: Mapping[str, Choice]) -> None:
    for reference in references or ():
        choice = chosen.get(reference[key])
        if choice is not None:
            reference[key] = choice.name


def _ports(specs: Iterable[Json]) -> list[Json]:
    return [port for spec in specs for port in (spec.get("EndpointSpec") or {}).get("Ports") or []]
