"""Reading the cluster for a plan, without changing it: all objects, digests of images, whether contents are the same.

A secret's content is never told, but it can be asked about: an update that gives another content is refused as such, one that
gives the same content under an outdated version is refused for the version. Neither changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from hivelet.cli.deploy.decide import Present, plan_stack
from hivelet.cli.deploy.plan import Plan
from hivelet.cli.deploy.versions import FileKind, versions_of
from hivelet.cli.deploy.wanted import Wanted, wanted_stack
from hivelet.cli.messages import plain_message
from hivelet.cli.registry import registry_auth
from hivelet.cli.session import Session
from hivelet.cli.stack_checks import check_images, check_ports
from hivelet.client.engine import Engine
from hivelet.compose.images import with_default_tag
from hivelet.compose.load import LoadedStack
from hivelet.compose.names import IMAGE_LABEL, scoped
from hivelet.compose.to_spec.networks import external_networks
from hivelet.errors import Forbidden, HiveletError, InvalidParameter, NotFound

Json: TypeAlias = dict[str, Any]

_PLAIN_NETWORKS = frozenset({"bridge", "host", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """How a plan is made: whether what the file no longer has goes, and when images are looked up.

    `built` has what each image that was built just now is called, by how services send it.
    """

    prune: bool = False
    resolve_image: str = "changed"
    built: Mapping[str, str] = field(default_factory=dict)


def make_plan(session: Session, stack: str, loaded: LoadedStack, options: PlanOptions) -> Plan:
    """What a deploy of the loaded stack would do.

    Raises:
        HiveletError: it would fail, and how that can be seen beforehand.
    """
    engine = session.engine
    services = tuple(engine.services(status=True))
    version = engine.version()
    hivelet = says_hivelet(version)
    _check_external_networks(engine, loaded)
    present = Present(
        services=services,
        networks=tuple(engine.networks()),
        secrets=tuple(engine.file_objects("secrets")),
        configs=tuple(engine.file_objects("configs")),
        hivelet=hivelet,
        api_version=str(version.get("ApiVersion", "")),
    )
    unpinned = wanted_stack(stack, loaded)
    present = _with_contents(engine, unpinned, present)
    warnings = list(loaded.engine_only if hivelet else loaded.daemon_only)
    asked = _images_to_resolve(unpinned, present, options.resolve_image)
    images = [image for image in asked if image not in options.built]
    wanted = wanted_stack(
        stack,
        loaded,
        pinned={**_resolve(session, images, warnings, hivelet=hivelet), **options.built},
        keep_image=options.resolve_image != "always",
        built=frozenset(options.built),
    )
    plan = plan_stack(wanted, present, prune=options.prune)
    bodies = [step.body for step in plan.steps if step.kind == "service" and step.body]
    gone = {step.name for step in plan.of("remove")}
    check_ports(bodies, [entry for entry in services if entry["Spec"]["Name"] not in gone])
    if hivelet and options.resolve_image != "never":
        # On a Docker Swarm of several machines, an image may be where the task will run and not here.
        check_images(engine, bodies, partial(registry_auth, session.environment))
    return Plan(stack=stack, steps=plan.steps, warnings=(*warnings, *plan.warnings))


def is_hivelet(engine: Engine) -> bool:
    """Whether the daemon is ours, and not a Docker engine."""
    return says_hivelet(engine.version())


def says_hivelet(version: Json) -> bool:
    """Whether this is what our daemon says of its version."""
    return bool((version.get("Platform") or {}).get("Name") == "hivelet")


def _check_external_networks(engine: Engine, loaded: LoadedStack) -> None:
    for name in external_networks(loaded.file):
        try:
            network = engine.network(name)
        except NotFound as error:
            raise NotFound(
                f'network "{name}" is declared as external and does not exist; '
                f"create it first: hivelet network create -d overlay {name}"
            ) from error
        if network.get("Scope") != "swarm" and name not in _PLAIN_NETWORKS:
            raise InvalidParameter(
                f'network "{name}" is declared as external, but its scope is {network.get("Scope")} and not swarm'
            )


def _with_contents(engine: Engine, wanted: Wanted, present: Present) -> Present:
    same: set[str] = set()
    kinds: tuple[tuple[FileKind, tuple[Json, ...]], ...] = (
        ("secrets", wanted.secrets),
        ("configs", wanted.configs),
    )
    for kind, specs in kinds:
        for spec in specs:
            for entry in versions_of(spec["Name"], present.files(kind)):
                if _same_content(engine, kind, spec, entry):
                    same.add(entry["ID"])
    return Present(
        services=present.services,
        networks=present.networks,
        secrets=present.secrets,
        configs=present.configs,
        same_content=frozenset(same),
        hivelet=present.hivelet,
        api_version=present.api_version,
    )


def _same_content(engine: Engine, kind: FileKind, wanted: Json, entry: Json) -> bool:
    if kind == "configs":
        return bool((entry["Spec"].get("Data") or "") == wanted.get("Data", ""))
    if not wanted.get("Data"):
        return True  # its driver has the content
    question = {**entry["Spec"], "Data": wanted["Data"]}
    outdated = {**entry, "Version": {"Index": max(0, entry["Version"]["Index"] - 1)}}
    try:
        engine.update_file_object(kind, outdated, question)
    except (InvalidParameter, Forbidden) as error:
        if "only updates to Labels are allowed" in error.message:
            return False
        raise
    except HiveletError as error:
        if "out of sequence" in error.message:
            return True
        raise
    return True


def _images_to_resolve(wanted: Wanted, present: Present, when: str) -> list[str]:
    """The images, as services send them, that are to be looked up in their registries."""
    if when == "never":
        return []
    existing = present.stack_services(wanted.stack)
    images: dict[str, None] = {}
    for name, service in wanted.file.services.items():
        there = existing.get(scoped(wanted.stack, name))
        known = ((there or {}).get("Spec", {}).get("Labels") or {}).get(IMAGE_LABEL)
        if when == "always" or known != service.image:
            images[with_default_tag(service.image)] = None
    return [image for image in images if "@" not in image]


def _resolve(
    session: Session, images: Iterable[str], warnings: list[str], *, hivelet: bool
) -> Mapping[str, str]:
    """Images with the digests that their registries have now; one that this node of hivelet's has is taken as it is."""
    engine, pinned = session.engine, {}
    for image in images:
        if hivelet and engine.exists(f"/images/{image}/json"):
            continue
        try:
            auth = registry_auth(session.environment, image)
            told = engine.registry_image(image, registry_auth=auth)
        except HiveletError as error:
            if not hivelet:  # hivelet's own check tells of it
                warnings.append(
                    f"image {image} could not be looked up in its registry ({plain_message(error.message)}): "
                    "each node takes what it has or can pull under that name"
                )
            continue
        digest = (told.get("Descriptor") or {}).get("digest")
        if digest:
            pinned[image] = f"{image}@{digest}"
    return pinned
