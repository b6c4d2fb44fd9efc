"""What holds between the parts of a stack file: every name that is used is declared, and options fit together. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from hivelet.compose.document import Path, Problem
from hivelet.compose.model import FileObject, Mount, ServiceFile, StackFile
from hivelet.compose.restart import parse_restart
from hivelet.compose.units import parse_size
from hivelet.objects.dependency import find_cycle

_FORBIDDEN_OPTIONS = {
    "volume": ("bind", "tmpfs", "cluster"),
    "bind": ("volume", "tmpfs", "cluster"),
    "tmpfs": ("bind", "volume", "cluster"),
    "npipe": ("volume", "tmpfs"),
    "cluster": ("bind", "tmpfs", "volume"),
}


def find_reference_problems(stack: StackFile, *, builds: bool = False) -> list[Problem]:
    """Every name without a declaration, and every combination that means nothing. `builds`: images are built here."""
    problems: list[Problem] = []
    for name, service in stack.services.items():
        path = ("services", name)
        problems += _check_image(service, path, builds=builds)
        problems += _check_networks(service, stack, path)
        problems += _check_mounts(service, stack, path)
        problems += _check_files(service, stack, path)
        problems += _check_modes(service, path)
        problems += _check_host(service, path)
    problems += find_circles(stack)
    for section, entries in (("secrets", stack.secrets), ("configs", stack.configs)):
        for name, entry in entries.items():
            problems += _check_file_object(entry, (section, name))
    for name, volume in stack.volumes.items():
        if volume.external and (volume.driver or volume.driver_opts or volume.labels):
            message = "an external volume takes no driver, driver_opts or labels"
            problems.append(Problem(path=("volumes", name), message=message))
    return problems


_NAMESPACES = {
    "ipc": ("host", "private", "shareable", "none"),
    "pid": ("host",),
    "userns_mode": ("host",),
}


def _check_host(service: ServiceFile, path: Path) -> Iterator[Problem]:
    """What the daemon can do of the settings that join a container to its host."""
    for key, modes in _NAMESPACES.items():
        given = getattr(service, key)
        if given and given not in modes:
            hint = "tasks of services do not share namespaces with each other"
            yield Problem(
                path=(*path, key), message=f'"{given}" is not one of {", ".join(modes)}', hint=hint
            )
    if service.shm_size:
        try:
            parse_size(service.shm_size)
        except ValueError as error:
            yield Problem(path=(*path, "shm_size"), message=str(error))
    limits = service.deploy.resources.limits
    if (service.cpu_quota or service.cpu_period) and (service.cpus or (limits and limits.cpus)):
        yield Problem(
            path=(*path, "cpu_quota" if service.cpu_quota else "cpu_period"),
            message="cpus limits the same thing in another way",
            hint="take one of them out",
        )


def find_circles(stack: StackFile) -> list[Problem]:
    """Services that would wait for themselves by way of others; each circle is told once, at its first service."""
    graph = {name: list(service.depends_on) for name, service in stack.services.items()}
    problems: list[Problem] = []
    told: set[str] = set()
    for name in sorted(graph):
        circle = [] if name in told else find_cycle(graph, name)
        if circle:
            told.update(circle)
            message = f"the services wait for each other in a circle: {' -> '.join(circle)}"
            path = ("services", name, "depends_on", circle[1])
            problems.append(Problem(path=path, message=message, hint="take one of them out"))
    return problems


def find_unknown_dependencies(
    stack: StackFile, inactive: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> list[Problem]:
    """`depends_on` names that no service of the file has. They never block: the service simply does not wait for them.

    `inactive` are the services that are left out, with their profiles.
    """
    return [
        _unknown_dependency(name, dependency, stack, inactive)
        for name, service in stack.services.items()
        for dependency, how in service.depends_on.items()
        if dependency not in stack.services and how.required
    ]


def _unknown_dependency(
    name: str, dependency: str, stack: StackFile, inactive: Mapping[str, Sequence[str]]
) -> Problem:
    path = ("services", name, "depends_on", dependency)
    if dependency in inactive:
        message = f'"{dependency}" is left out and not waited for'
        return Problem(
            path=path,
            message=message,
            hint=f"bring it in with --profile {inactive[dependency][0]}",
        )
    message = f'"{dependency}" is no service of this file and is not waited for'
    return Problem(path=path, message=message, hint=suggest_name(dependency, stack.services))


def suggest_name(word: str, names: Collection[str]) -> str:
    """The one of `names` that was probably meant: a similar one, or one that has the word in it."""
    close = get_close_matches(word, list(names), n=1, cutoff=0.6)
    within = [name for name in names if word in name.replace("_", "-").split("-") or word in name]
    found = close or within[:1]
    return f'did you mean "{found[0]}"?' if found else ""


def _check_image(service: ServiceFile, path: Path, *, builds: bool) -> Iterator[Problem]:
    if not service.image and not (builds and service.build is not None):
        yield Problem(
            path=path,
            message="there is no image",
            hint="name one with `image`, or build it: `stack deploy --build`"
            if service.build is not None
            else "name one with `image`",
        )


def _check_networks(service: ServiceFile, stack: StackFile, path: Path) -> Iterator[Problem]:
    for network in service.networks:
        if network != "default" and network not in stack.networks:
            hint = (
                suggest_name(network, stack.networks) or "declare it under the top-level `networks`"
            )
            yield Problem(
                path=(*path, "networks", network),
                message=f'network "{network}" is not declared',
                hint=hint,
            )


def _check_mounts(service: ServiceFile, stack: StackFile, path: Path) -> Iterator[Problem]:
    for mount in service.volumes:
        place = (*path, "volumes")
        kind = mount.type or "volume"
        if kind == "image":
            message = f"the mount at {mount.target}: images are not mounted here"
            yield Problem(path=place, message=message, hint="copy its files into a volume")
            continue
        for option in _FORBIDDEN_OPTIONS.get(kind, ()):
            if getattr(mount, option) is not None:
                message = (
                    f"the mount at {mount.target}: {option} options do not fit the type {kind}"
                )
                yield Problem(path=place, message=message)
        if kind == "bind" and not mount.source:
            yield Problem(path=place, message=f"the bind mount at {mount.target} has no source")
        if kind == "tmpfs" and mount.source:
            yield Problem(path=place, message=f"the tmpfs at {mount.target} takes no source")
        if _is_undeclared(mount, kind, stack):
            hint = (
                suggest_name(mount.source, stack.volumes)
                or "declare it under the top-level `volumes`"
            )
            yield Problem(path=place, message=f'volume "{mount.source}" is not declared', hint=hint)


def _is_undeclared(mount: Mount, kind: str, stack: StackFile) -> bool:
    named = kind == "volume" or (kind == "cluster" and not mount.source.startswith("group:"))
    return named and bool(mount.source) and mount.source not in stack.volumes


def _check_files(service: ServiceFile, stack: StackFile, path: Path) -> Iterator[Problem]:
    for key, references, declared in (
        ("secrets", service.secrets, stack.secrets),
        ("configs", service.configs, stack.configs),
    ):
        for reference in references:
            if reference.source not in declared:
                hint = (
                    suggest_name(reference.source, declared)
                    or f"declare it under the top-level `{key}`"
                )
                message = f'{key[:-1]} "{reference.source}" is not declared'
                yield Problem(path=(*path, key), message=message, hint=hint)


def _check_modes(service: ServiceFile, path: Path) -> Iterator[Problem]:
    deploy = service.deploy
    if service.scale is not None and deploy.replicas not in {None, service.scale}:
        yield Problem(
            path=(*path, "scale"),
            message=f"{service.scale} is not what deploy.replicas says, {deploy.replicas}",
            hint="take one of them out",
        )
    if deploy.mode.startswith("global") and deploy.replicas is not None:
        message = f"a service of mode {deploy.mode} has one task on each node and takes no replicas"
        yield Problem(path=(*path, "deploy", "replicas"), message=message)
    health = service.healthcheck
    if health is not None and health.disable and health.test:
        yield Problem(
            path=(*path, "healthcheck"), message="test and disable cannot be given together"
        )
    if service.restart and deploy.restart_policy is None:
        try:
            parse_restart(service.restart)
        except ValueError as error:
            yield Problem(path=(*path, "restart"), message=str(error))
    spec = service.credential_spec
    if sum(bool(source) for source in (spec.config, spec.file, spec.registry)) > 1:
        yield Problem(
            path=(*path, "credential_spec"), message="config, file and registry exclude each other"
        )


def _check_file_object(entry: FileObject, path: Path) -> Iterator[Problem]:
    given = [key for key in ("file", "environment", "content", "driver") if getattr(entry, key)]
    if entry.external:
        given.append("external")
    if len(given) > 1:
        yield Problem(path=path, message=f"{' and '.join(given)} exclude each other")
    if not given:
        yield Problem(
            path=path,
            message="nothing says where its content comes from",
            hint="give `file` or `external: true`",
        )
