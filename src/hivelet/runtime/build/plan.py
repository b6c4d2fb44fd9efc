"""What a build will do: which stages, which images they need, and which steps are told of. Pure.

Stages that the target does not need are left out, and so are their images: nobody waits for those.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hivelet.errors import InvalidParameter
from hivelet.runtime.build.dockerfile import Dockerfile, Instruction, Stage, dockerfile_lines

SCRATCH = "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededImage:
    """An image that a build takes from, as the Dockerfile names it; `platform` is "" for the build's own."""

    reference: str
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """A build before it begins. `stages` are all up to the target; `needed` the numbers of those that are built."""

    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    needed: frozenset[int]
    images: tuple[NeededImage, ...]

    @property
    def total(self) -> int:
        """How many steps there are."""
        return len(self.arguments) + sum(len(self.stages[number].steps) for number in self.needed)


def plan_build(
    dockerfile: Dockerfile, target: str, labels: Mapping[str, str] | None = None
) -> BuildPlan:
    """Decide what building `target` (a stage's name or number; "" is the last) takes.

    `labels` that are asked for besides are a step of their own, the last.

    Raises:
        InvalidParameter: there is no such stage, in Docker's words.
    """
    called = _Called(dockerfile.stages)
    last = called.target(target)
    stages = _with_labels(dockerfile.stages[: last + 1], labels or {})
    needed: set[int] = set()
    images: dict[NeededImage, None] = {}
    waiting = [last]
    while waiting:
        number = waiting.pop()
        if number in needed:
            continue
        needed.add(number)
        stage = stages[number]
        base = called.before(number, stage.base)
        if base is not None:
            waiting.append(base)
        elif stage.base.lower() != SCRATCH:
            images[NeededImage(reference=stage.base, platform=stage.platform)] = None
        for source in stage.sources():
            found = called.before(number, source, by_number=True)
            if found is not None:
                waiting.append(found)
            elif source.isdecimal():
                raise InvalidParameter(
                    f"invalid from flag value {source}: refers to current build block"
                    if called.number(source) == number
                    else f"invalid from flag value {source}: no such stage before it"
                )
            else:
                images[NeededImage(reference=source)] = None
    return BuildPlan(
        arguments=dockerfile.arguments,
        stages=stages,
        needed=frozenset(needed),
        images=tuple(images),
    )


def pin_bases(text: str, plan: BuildPlan, ids: Mapping[str, str]) -> str:
    """The Dockerfile `text` up to its target, with the ids of the images in its `FROM`s: no name can mean another one."""
    # buildah adds the labels that are asked for to the last stage of all, so the target must be that.
    lines = dockerfile_lines(text)[: plan.stages[-1].steps[-1].end]
    called = _Called(plan.stages)
    for number in plan.needed:
        stage = plan.stages[number]
        step = stage.steps[0]
        if stage.base not in ids or called.before(number, stage.base) is not None:
            continue
        name = f" AS {stage.name}" if stage.name else ""
        lines[step.line - 1 : step.end] = [
            f"FROM {ids[stage.base].removeprefix('sha256:')}{name}",
            *[""] * (step.end - step.line),
        ]
    return "\n".join(lines) + "\n"


def _with_labels(stages: tuple[Stage, ...], labels: Mapping[str, str]) -> tuple[Stage, ...]:
    if not labels:
        return stages
    value = " ".join(f"{key}={value}" for key, value in sorted(labels.items()))
    end = stages[-1].steps[-1].end
    step = Instruction(line=end, end=end, name="LABEL", value=value)
    return (*stages[:-1], replace(stages[-1], steps=(*stages[-1].steps, step)))


class _Called:
    """Which stage a name or a number means: of several the last before the one that says it."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._count = len(stages)
        self._numbers: dict[str, list[int]] = {}
        for number, stage in enumerate(stages):
            if stage.name:
                self._numbers.setdefault(stage.name, []).append(number)

    def target(self, name: str) -> int:
        """The stage that is to be built."""
        if not name:
            return self._count - 1
        found = self.before(self._count, name, by_number=True)
        if found is None:
            raise InvalidParameter(f"failed to reach build target {name} in Dockerfile")
        return found

    def before(self, limit: int, name: str, *, by_number: bool = False) -> int | None:
        """The stage before number `limit`; None where there is none."""
        numbers = self._numbers.get(name.lower(), [])
        if place := bisect_left(numbers, limit):
            return numbers[place - 1]
        number = self.number(name) if by_number else self._count
        return number if number < limit else None

    def number(self, name: str) -> int:
        """The number that `name` is, if it is one that a stage may have; else one that none has."""
        plain = name.lstrip("0") or name[-1:]
        if not plain.isdecimal() or len(plain) > len(str(self._count)):
            return self._count
        return min(int(plain), self._count)
