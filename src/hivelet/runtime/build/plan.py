"""What a build will do: which stages, which images they need, and which steps are told of. Pure.

Stages that the target does not need are left out, and so are their images: nobody waits for those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hivelet.errors import InvalidParameter
from hivelet.runtime.build.dockerfile import Dockerfile, Instruction, Stage

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
    last = _find_target(dockerfile.stages, target)
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
        base = _stage_called(stages[:number], stage.base, by_number=False)
        if base is not None:
            waiting.append(base)
        elif stage.base.lower() != SCRATCH:
            images[NeededImage(reference=stage.base, platform=stage.platform)] = None
        for source in stage.sources():
            found = _stage_called(stages[:number], source, by_number=True)
            if found is not None:
                waiting.append(found)
            elif source.isdecimal():
                raise InvalidParameter(
                    f"invalid from flag value {source}: refers to current build block"
                    if int(source) == number
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
    lines = text.splitlines()[: plan.stages[-1].steps[-1].end]
    for number in plan.needed:
        stage = plan.stages[number]
        step = stage.steps[0]
        if stage.base not in ids or _is_stage(plan, number):
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


def _find_target(stages: tuple[Stage, ...], target: str) -> int:
    if not target:
        return len(stages) - 1
    found = _stage_called(stages, target, by_number=True)
    if found is None:
        raise InvalidParameter(f"failed to reach build target {target} in Dockerfile")
    return found


def _stage_called(stages: tuple[Stage, ...], name: str, *, by_number: bool) -> int | None:
    for number in reversed(range(len(stages))):
        if stages[number].name and stages[number].name == name.lower():
            return number
    if by_number and name.isdecimal() and int(name) < len(stages):
        return int(name)
    return None


def _is_stage(plan: BuildPlan, number: int) -> bool:
    """Whether a stage starts from an earlier one."""
    base = plan.stages[number].base
    return _stage_called(plan.stages[:number], base, by_number=False) is not None
