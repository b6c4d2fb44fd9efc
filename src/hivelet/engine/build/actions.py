"""What the API asks of builds: an image from a Dockerfile and its context, and the cache that makes the next one quick.

A build takes its base images from this node's image store, and pulls what is not there; its result is in that store alone.
Who stops listening ends the build, with all that it started. What always holds: a build that fails or is ended leaves
nothing but steps of the cache that were finished.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from hivelet.engine.build.context import fetch_context, read_dockerfile, unpack_context
from hivelet.engine.build.network import BuildNetworks
from hivelet.engine.events import EventBus
from hivelet.errors import Conflict, HiveletError, NotFound
from hivelet.kit.ids import new_hex_id
from hivelet.kit.trees import remove_tree
from hivelet.objects.build import (
    BuildCacheRecord,
    BuildProgress,
    BuildPrune,
    BuildPruneRequest,
    BuildRequest,
)
from hivelet.objects.common import ContainerId
from hivelet.objects.image import RegistryAuth
from hivelet.runtime.build.cache import select_pruned
from hivelet.runtime.build.commands import BuildPlace, build_argv, enclose
from hivelet.runtime.build.dockerfile import parse_dockerfile
from hivelet.runtime.build.failures import explain_failure
from hivelet.runtime.build.narrate import Narrator
from hivelet.runtime.build.plan import BuildPlan, NeededImage, pin_bases, plan_build
from hivelet.runtime.build.run import Running
from hivelet.runtime.build.storage import BuildStorage
from hivelet.runtime.commands import OciRuntime
from hivelet.runtime.images.arrival import SILENCE
from hivelet.runtime.images.platforms import host_platform, parse_platform
from hivelet.runtime.images.pull import Pull, pull_image
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.references import parse_reference, parse_tagged
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.images.store import ImageStore

_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")
_SHORT = 12
_HUSHED_LIMIT = 1 << 20
_STEP_SIZE = 256
"""What a step of a build takes besides its text, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildParts:
    """What builds are made with."""

    images: ImageStore
    storage: BuildStorage
    networks: BuildNetworks
    events: EventBus
    runtime: OciRuntime
    cgroup_parent: str
    insecure: InsecureRegistries = field(default_factory=InsecureRegistries)
    silence: float = SILENCE


class BuildActions:
    """The build side of the engine."""

    def __init__(self, parts: BuildParts) -> None:
        self._builds = parts
        self._under_way = 0

    async def clear_builds(self) -> None:
        """Remove what builds left that a former daemon did not see end."""
        await self._builds.networks.clear(self._builds.cgroup_parent)
        await self._builds.storage.sweep()

    async def build_image(
        self, context: AsyncIterator[bytes], request: BuildRequest
    ) -> AsyncIterator[BuildProgress]:
        """Build an image; the first step says that the build is accepted, and nothing else.

        Raises:
            InvalidParameter: the context, the Dockerfile or a name is none.
            BuildFailed: a step failed.
            NotFound: an image that it needs is neither here nor to be had.
        """
        parts, names = self._builds, [parse_tagged(tag).canonical for tag in request.tags]
        await parts.storage.prepare()
        scratch = await parts.images.new_scratch("build-")
        self._under_way += 1
        finished, identity = False, ""
        try:
            if request.remote:
                directory = await fetch_context(request.remote, scratch, request.dockerfile)
            else:
                directory = await unpack_context(context, scratch)
            text = await asyncio.to_thread(read_dockerfile, directory, request.dockerfile)
            dockerfile = parse_dockerfile(text, _arguments(request), request.dockerfile)
            plan = plan_build(dockerfile, request.target, request.labels)
            yield BuildProgress()
            steps = self._steps(request, plan, text, scratch)
            async with aclosing(_hushed(steps) if request.quiet else steps) as told:
                async for progress in told:
                    if progress.image_id:
                        identity = progress.image_id
                    else:
                        yield progress
            record = await parts.storage.take_out(identity, names)
            finished = True
        finally:
            self._under_way -= 1
            await asyncio.to_thread(remove_tree, scratch)
            if not finished and not self._under_way:
                await parts.storage.sweep()
        for progress in self._results(record, names, quiet=request.quiet):
            yield progress

    async def build_cache(self) -> list[BuildCacheRecord]:
        """What is in the cache, the oldest step first."""
        images = {record.id for record in await self._builds.images.list_images()}
        return await self._builds.storage.records(images)

    async def prune_build_cache(self, rule: BuildPruneRequest) -> BuildPrune:
        """Remove steps of the cache.

        Raises:
            Conflict: a build is under way, which may need them.
        """
        if self._under_way:
            raise Conflict("a build is under way: prune its cache when it has ended")
        before = await self.build_cache()
        chosen = select_pruned(before, rule)
        if len(chosen) == len(before):
            await self._builds.storage.clear()
        else:
            await self._builds.storage.remove(chosen)
        left = {record.id: record.size for record in await self.build_cache()}
        gone = [record.id for record in before if record.id not in left]
        freed = sum(record.size for record in before) - sum(left.values())
        return BuildPrune(deleted=gone, space_reclaimed=freed)

    async def _steps(
        self, request: BuildRequest, plan: BuildPlan, text: str, scratch: Path
    ) -> AsyncGenerator[BuildProgress, None]:
        parts, bases = self._builds, dict[str, str]()
        for image in plan.images:
            async with aclosing(self._have(image, request)) as pulling:
                async for progress in pulling:
                    yield progress
            record = await parts.images.resolve(image.reference)
            await parts.storage.bring(record)
            bases[image.reference] = record.id
        (scratch / "Dockerfile").write_text(pin_bases(text, plan, bases))
        build_id = ContainerId(new_hex_id())
        cgroup = f"{parts.cgroup_parent}/{build_id}"
        async with parts.networks.place(build_id, request, cgroup) as network:
            place = BuildPlace(
                context=scratch / "context",
                dockerfile=scratch / "Dockerfile",
                resolv_conf=network.resolv_conf,
                hosts=network.hosts,
                runtime=parts.runtime.path,
                runtime_root=network.directory / "runtime",
                cgroup=cgroup,
                netns=network.netns,
            )
            argv = build_argv(request, place, bases, parts.storage.policy)
            async with aclosing(self._run(enclose(argv, place), plan, bases, place)) as told:
                async for progress in told:
                    yield progress

    async def _run(
        self, argv: list[str], plan: BuildPlan, bases: dict[str, str], place: BuildPlace
    ) -> AsyncGenerator[BuildProgress, None]:
        narrator = Narrator(plan, bases)
        running = Running(argv, self._builds.storage.place.environment)
        async with aclosing(running.output()) as output:
            async for piece in output:
                for text in narrator.feed(piece):
                    yield BuildProgress(stream=text)
        for text in narrator.end(failed=running.status != 0):
            yield BuildProgress(stream=text)
        if running.status != 0 or not narrator.identity:
            raise explain_failure(plan, narrator.step, narrator.error, str(place.context))
        yield BuildProgress(image_id=narrator.identity)

    async def _have(
        self, image: NeededImage, request: BuildRequest
    ) -> AsyncGenerator[BuildProgress, None]:
        """Pull an image that is not here, or that is wanted anew."""
        images, platform = self._builds.images, image.platform or request.platform
        if not request.pull:
            try:
                found = await images.resolve(image.reference)
            except NotFound:
                found = None
            if found is not None and _fits(found, platform):
                return
        auth = _auth_for(image.reference, request.auths)
        insecure = self._builds.insecure.covers(parse_reference(image.reference).domain)
        pull = Pull(
            reference=image.reference,
            platform=platform,
            auth=auth,
            insecure=insecure,
            silence=self._builds.silence,
        )
        async with aclosing(pull_image(images, pull)) as pulling:
            async for progress in pulling:
                yield BuildProgress(pull=progress)

    def _results(
        self, record: ImageRecord, names: list[str], *, quiet: bool
    ) -> list[BuildProgress]:
        told = [] if quiet else [BuildProgress(image_id=record.id)]
        short = record.id.removeprefix("sha256:")[:_SHORT]
        if quiet:
            told.append(BuildProgress(stream=f"{record.id}\n"))
        else:
            told.append(BuildProgress(stream=f"Successfully built {short}\n"))
        for name in names:
            familiar = parse_reference(name).familiar
            self._builds.events.publish("image", "tag", record.id, {"name": familiar})
            if not quiet:
                told.append(BuildProgress(stream=f"Successfully tagged {familiar}\n"))
        return told


async def _hushed(steps: AsyncGenerator[BuildProgress, None]) -> AsyncGenerator[BuildProgress]:
    """Nothing but the id of a build that goes well; of one that fails what it said last, before its error."""
    held: deque[BuildProgress] = deque()
    size = 0
    async with aclosing(steps) as told:
        try:
            async for step in told:
                held.append(step)
                size += len(step.stream) + _STEP_SIZE
                while size > _HUSHED_LIMIT:
                    size -= len(held.popleft().stream) + _STEP_SIZE
        except HiveletError as error:
            failure = error
        else:
            yield held[-1]
            return
    for step in held:
        yield step
    raise failure


def _fits(image: ImageRecord, platform: str) -> bool:
    if not platform:
        return True
    wanted = parse_platform(platform, host_platform())
    return image.architecture == wanted.architecture


def _arguments(request: BuildRequest) -> dict[str, str]:
    """The build's arguments, with those that say for which platform it is."""
    host = host_platform()
    target = parse_platform(request.platform, host)
    known: dict[str, str] = {}
    for prefix, platform in (("BUILD", host), ("TARGET", target)):
        known |= {
            f"{prefix}PLATFORM": str(platform),
            f"{prefix}OS": platform.os,
            f"{prefix}ARCH": platform.architecture,
            f"{prefix}VARIANT": platform.variant,
        }
    return {**known, **request.build_args}


def _auth_for(reference: str, auths: dict[str, RegistryAuth]) -> RegistryAuth | None:
    domain = parse_reference(reference).domain
    keys = _HUB if domain == "docker.io" else (domain, f"https://{domain}")
    return next((auths[key] for key in keys if key in auths), None)
