"""What a build's failure means to the user, in Docker's words where Docker has some. Pure."""

from __future__ import annotations

import re

from hivelet.objects.build import BuildFailed
from hivelet.runtime.build.dockerfile import Instruction, json_words
from hivelet.runtime.build.plan import BuildPlan

_STATUS = re.compile(r"exit status (\d{1,9})$")
_SIGNAL = re.compile(r"signal: (\w+)$")
_ABSENT = re.compile(r'copier: stat: "/?([^"]+)": no such file or directory')
_BUILDING = re.compile(r'building at STEP ".*?": (?=[a-z])', re.DOTALL)
_TERMINATED = 137
_SHOWN = 1 << 13


def explain_failure(plan: BuildPlan, at: tuple[int, int], error: str, context: str) -> BuildFailed:
    """Why a build ended while step `at` was done; paths below `context` are told as the user knows them."""
    stage, number = at
    step = plan.stages[stage].steps[number] if stage >= 0 and number >= 0 else None
    words = _BUILDING.sub("", error[:_SHOWN]).replace(context, "")
    if step is None:
        return BuildFailed(words or "the build ended without a word")
    if step.name == "RUN":
        status = _exit_code(error)
        if status:
            command = " ".join(_command(plan, stage, step))
            return BuildFailed(
                f"The command '{command}' returned a non-zero code: {status}", status
            )
    if step.name in {"COPY", "ADD"}:
        absent = _ABSENT.search(error)
        if absent is not None:
            where = (
                f"stage {step.flags.strip()}"
                if "--from" in step.flags
                else "build context or excluded by .dockerignore"
            )
            return BuildFailed(
                f"{step.name} failed: file not found in {where}: stat {absent[1]}: file does not exist"
            )
        return BuildFailed(f"{step.name} failed: {words}")
    return BuildFailed(f"{step.text}: {words}")


def _exit_code(error: str) -> int:
    last = error.strip().splitlines()[-1] if error.strip() else ""
    if (found := _STATUS.search(last)) is not None:
        return int(found[1])
    return _TERMINATED if _SIGNAL.search(last) else 0


def _command(plan: BuildPlan, stage: int, step: Instruction) -> list[str]:
    words = json_words(step.arguments)
    return words if words is not None else [*plan.stages[stage].shell_of(step), step.arguments]
