"""Builds what a stack file says how to build, and gives each result a name that only it has.

A service is deployed by that name (`web:built-0123456789ab`), so that a build with another result restarts it, one with the
same result does not, and a rollback finds the image that it goes back to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from hivelet.cli.build.send import (
    BuildRefused,
    BuildWish,
    echo,
    folder_context,
    send_build,
    text_context,
)
from hivelet.cli.session import Session, say
from hivelet.compose.addresses import is_address
from hivelet.compose.images import with_default_tag
from hivelet.compose.load import LoadedStack
from hivelet.compose.model import Build, StackFile, UlimitRange
from hivelet.compose.units import parse_size
from hivelet.errors import InvalidParameter, System

_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltStack:
    """A stack all of whose images have names; `pinned` has those that were built, by how services send them."""

    file: StackFile
    pinned: Mapping[str, str] = field(default_factory=dict)


def name_images(stack: str, file: StackFile) -> StackFile:
    """The stack with a name for each image that has none but is built: STACK-SERVICE, as compose names them."""
    services = {
        name: replace(service, image=service.image or f"{stack}-{name}")
        if service.build is not None
        else service
        for name, service in file.services.items()
    }
    return replace(file, services=services)


def build_stack(
    session: Session,
    stack: str,
    loaded: LoadedStack,
    only: tuple[str, ...] = (),
    *,
    quiet: bool = False,
) -> BuiltStack:
    """Build the images of all services that have a `build`, or of those named.

    Raises:
        InvalidParameter: a service is named that has none, or a context can't be sent.
        System: a build failed; which, and why.
    """
    file = name_images(stack, loaded.file)
    for name in only:
        service = file.services.get(name)
        if service is None or service.build is None:
            raise InvalidParameter(f'there is no service "{name}" with a `build` in this file')
    show: Callable[[str], None] = _nothing if quiet else echo
    pinned = {}
    for name, service in file.services.items():
        if service.build is None or (only and name not in only):
            continue
        if not quiet:
            say(f"Building {service.image} for {name}")
        image = with_default_tag(service.image)
        try:
            wish = _wish(session, f"services.{name}.build", image, service.build, loaded.directory)
            identity = send_build(session, wish, show)
        except BuildRefused as error:
            raise System(f"the image of {name} could not be built: {error.message}") from error
        own = f"built-{identity.removeprefix('sha256:')[:_SHORT]}"
        repository = image.partition("@")[0].rpartition(":")[0]
        session.engine.tag_image(identity, repository, own)
        pinned[image] = f"{repository}:{own}"
    return BuiltStack(file=file, pinned=pinned)


def _wish(session: Session, place: str, image: str, build: Build, directory: str) -> BuildWish:
    folder = Path(directory) / (build.context or ".")
    archive: Iterator[bytes] = iter(())
    remote = ""
    if is_address(build.context):
        if build.dockerfile_inline:
            raise InvalidParameter(
                f"{place}.dockerfile_inline: {build.context} is an address, which has a Dockerfile of its own"
            )
        remote, dockerfile = build.context, build.dockerfile
    elif build.dockerfile_inline:
        archive, dockerfile = text_context(folder, build.dockerfile_inline)
    else:
        # Its path is seen from the context, unlike that of `hivelet build -f`.
        given = str(folder / build.dockerfile) if build.dockerfile else None
        archive, dockerfile = folder_context(folder, given, sys.stdin.buffer)
    return BuildWish(
        archive=archive,
        remote=remote,
        tags=(image, *build.tags),
        dockerfile=dockerfile,
        build_args=_arguments(build, session.environment),
        labels=build.labels,
        parameters=_parameters(build),
    )


def _parameters(build: Build) -> dict[str, object]:
    limits = [_ulimit(name, limit) for name, limit in build.ulimits.items()]
    return {
        "target": build.target,
        "nocache": build.no_cache,
        "pull": build.pull,
        "networkmode": build.network,
        "platform": build.platforms[0] if build.platforms else "",
        "extrahosts": list(build.extra_hosts),
        "shmsize": parse_size(build.shm_size) if build.shm_size else None,
        "ulimits": json.dumps(limits) if limits else "",
    }


def _ulimit(name: str, limit: int | UlimitRange) -> dict[str, object]:
    soft, hard = (limit, limit) if isinstance(limit, int) else (limit.soft, limit.hard)
    return {"Name": name, "Soft": soft, "Hard": hard}


def _arguments(build: Build, environment: Mapping[str, str]) -> dict[str, str]:
    """An argument without a value is the environment's, and left out where that has none."""
    found = {
        name: environment.get(name) if value is None else value
        for name, value in build.args.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _nothing(_: str) -> None:
    """What a quiet build says."""
